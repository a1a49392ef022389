"""How the operator's files are merged into a role's: places, templates, faults, secrets."""

import base64
import json
import re

import pytest

from test_partition_faults import PLUGINS
from test_merged_settings import load_settings

settings = load_settings()
SECRET = "hunter2"
# In Base64, for a callback would show the text as it likes.
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "text={{ lookup('ibforge.fabric.merged_config', base, service='opensm', file=file, format=format, subdirectory=subdirectory) | b64encode }}."
"""


@pytest.fixture
def look(ansible, tmp_path):
    """Runs the lookup for the host ctl0, in the groups edge and wide, and returns text and output."""
    (tmp_path / "play.yml").write_text(PLAY)

    def run(base, files, file="opensm.conf", kind="keyvalue", arguments=(), **variables):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        given = {"base": base, "file": file, "format": kind, "subdirectory": "", "ansible_connection": "local",
                 "ibforge_config_dirs": [str(tmp_path / "config")], **variables}
        given = {name: value for name, value in given.items() if value is not None}
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "inventory.yml").write_text(json.dumps({"edge": {"hosts": {"ctl0": given}}, "wide": {"hosts": {"ctl0": None}},
                                                            "others": {"hosts": {"ctl1": {"ansible_connection": "local"}}}}))
        done = ansible("ansible-playbook", "-i", "inventory.yml", "-l", "ctl0", *arguments, "play.yml", cwd=tmp_path)
        found = re.search(r'"text=(\S*)\."', done.stdout)
        return base64.b64decode(found[1]).decode() if found else None, done.stdout + done.stderr

    return run


def test_precedence(look):
    places = ["opensm.conf", "opensm/opensm.conf", "opensm/fabrics/blue/opensm.conf", "opensm/groups/wide/opensm.conf",
              "opensm/groups/wide/fabrics/blue/opensm.conf", "opensm/groups/edge/opensm.conf", "opensm/ctl0/opensm.conf",
              "opensm/ctl0/fabrics/blue/opensm.conf"]
    # Each place sets its own option and those of all later ones.
    files = {f"config/{place}": "".join(f"o{later} {index}\n" for later in range(index, len(places))) for index, place in enumerate(places)}
    for place in ("groups/others", "fabrics/red", "ctl1"):
        files[f"config/opensm/{place}/opensm.conf"] = "o0 other\n"
    text, output = look("# head\nbase 1\no0 base\n# gone\n", files, subdirectory="fabrics/blue", ibforge_config_groups=["wide", "others", "edge"])
    assert text is not None, output
    assert text == "# head\nbase 1\n" + "".join(f"o{index} {index}\n" for index in range(len(places)))


def test_nothing_to_merge(look):
    base = "# head\n\nsweep_interval 10 # why\n\n"
    assert look(base, {"config/opensm/ctl1/opensm.conf": "lmc 1\n"})[0] == base


DIRECTORIES = {
    "kolla": ({"node_custom_config": "{{ playbook_dir }}/etc"}, ["etc/ibforge"]),
    "kayobe": ({"kayobe_config_path": "{{ playbook_dir }}/kayobe", "kayobe_environment": "a",
                "kayobe_env_search_paths": ["{{ kayobe_config_path }}/environments/base", "{{ kayobe_config_path }}/environments/{{ kayobe_environment }}"]},
               ["kayobe/kolla/config/ibforge", "kayobe/environments/base/kolla/config/ibforge", "kayobe/environments/a/kolla/config/ibforge"]),
    "own": ({"ibforge_config_dirs": ["{{ playbook_dir }}/{{ 'one' }}", "{{ playbook_dir }}/two"], "node_custom_config": "/nowhere"}, ["one", "two"]),
}


@pytest.mark.parametrize("variables,directories", DIRECTORIES.values(), ids=DIRECTORIES)
def test_directories(look, variables, directories):
    files = {f"{directory}/opensm/opensm.conf": "".join(f"o{later} {index}\n" for later in range(index, len(directories)))
             for index, directory in enumerate(directories)}
    # Of the host's files even the most general directory's is more special.
    files[f"{directories[0]}/opensm/ctl0/opensm.conf"] = "host yes\n"
    files[f"{directories[-1]}/opensm/opensm.conf"] += "host no\n"
    text, output = look("", files, **{"ibforge_config_dirs": None, **variables})
    assert text is not None, output
    options = settings.read(text, "keyvalue")
    assert options == {"host": "yes", **{f"o{index}": str(index) for index in range(len(directories))}}


def test_directory_that_is_not_there(look):
    output = look("", {}, ibforge_config_dirs=["/nowhere", "relative"])[1]
    assert "ibforge_config_dirs: /nowhere is no directory of the control host" in output
    assert "ibforge_config_dirs: relative is no directory" in output


def test_template(look, tmp_path):
    text, output = look("# Zürich\n[Server]\nname = a\n", {
        "config/gv.cfg": b"\xef\xbb\xbf[Server]\r\nname = {{ site }} \xe2\x86\x92 {{ inventory_hostname }}\r\nlist = 1\r\nlist = 2\r\n",
        "config/opensm/ctl0/gv.cfg": "{% if site == 'Köln' %}\n[Log]\n{% include 'part.cfg' %}{% endif %}\n",
        "config/opensm/ctl0/part.cfg": "form = {% raw %}{{ x }}{% endraw %}\n",
    }, file="gv.cfg", kind="ini", site="Köln")
    assert text == "# Zürich\n[Server]\nname = Köln → ctl0\nlist = 1\nlist = 2\n\n[Log]\nform = {{ x }}\n\n", output


def test_vault(look, ansible, tmp_path):
    (tmp_path / "password").write_text("for the test")
    (tmp_path / "plain").write_text(f"log_prefix {SECRET}\n")
    done = ansible("ansible-vault", "encrypt", "--vault-password-file", "password", "plain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = {"config/opensm/opensm.conf": (tmp_path / "plain").read_text()}
    assert "opensm.conf: is encrypted and cannot be decrypted: pass the password" in look("", files)[1]
    assert look("", files, arguments=["--vault-password-file", "password"])[0] == f"log_prefix {SECRET}\n"


def test_text_is_replaced_whole(look):
    files = {"config/partitions.conf": "all\n", "config/opensm/groups/edge/partitions.conf": "# kept\r\nedge\r\n"}
    assert look("base\n", files, file="partitions.conf", kind="text")[0] == "# kept\nedge\n"
    files["config/opensm/ctl0/partitions.conf"] = "{% if false %}\nhost\n{% endif %}\n"
    assert "ctl0/partitions.conf: is empty, and would take the place" in look("base\n", files, file="partitions.conf", kind="text")[1]


def test_groups_that_differ(look):
    files = {"config/opensm/groups/edge/opensm.conf": f"log_prefix {SECRET}\nlmc 1\n",
             "config/opensm/groups/wide/opensm.conf": f"log_prefix {SECRET}2\nlmc 1\n"}
    output = look("", files)[1]
    assert "the groups edge and wide of ctl0 differ in their opensm.conf, in log_prefix: list the host's groups in ibforge_config_groups" in output
    assert SECRET not in output and "lmc" not in output
    assert look("", files, ibforge_config_groups=["wide", "edge"])[0] == f"log_prefix {SECRET}\nlmc 1\n"
    files = {name.replace("opensm.conf", "partitions.conf"): content for name, content in files.items()}
    assert "the groups edge and wide of ctl0 differ in their partitions.conf: list" in look("", files, file="partitions.conf", kind="text")[1]


# All of these stand in one directory, and are told in one message.
FAULTY = {
    "opensm.conf": (f"log_prefix {SECRET}\nqos\n", "config/opensm.conf: line 2: the option 'qos' has no value"),
    "opensm/opensm.conf": (f"log_prefix {{{{ {SECRET}\n", "opensm/opensm.conf: line 1: is no template that Jinja can read"),
    "opensm/part/opensm.conf": (f"log_prefix {SECRET}{{{{ nobody }}}}\n", "part/opensm.conf: uses 'nobody', which is undefined"),
    "opensm/groups/edge/opensm.conf": (f"log_prefix {SECRET}{{{{ '{SECRET}' | nofilter }}}}\n", "edge/opensm.conf: "),
    "opensm/groups/wide/opensm.conf": (b"log_prefix \xff\xfe" + SECRET.encode(), "wide/opensm.conf: is not in UTF-8"),
    "opensm/ctl0/opensm.conf": (f"log_prefix {SECRET}{{{{ site.{'missing'} }}}}\n", "ctl0/opensm.conf: uses 'missing', which is undefined"),
}


def test_faults_and_secrets(look, tmp_path):
    files = {f"config/{place}": content for place, (content, unused) in FAULTY.items()}
    directory = tmp_path / "config/opensm/groups/wide/part"
    (directory / "opensm.conf").mkdir(parents=True)
    (tmp_path / "config/opensm/ctl0/part").mkdir(parents=True)
    (tmp_path / "config/opensm/ctl0/part/opensm.conf").symlink_to("nowhere")
    output = look(f"log_prefix {SECRET}\n", files, subdirectory="part", site={"name": SECRET}, arguments=["-vvv"])[1]
    assert "Faults in the configuration files of opensm (8)" in output
    for unused, fragment in FAULTY.values():
        assert fragment in output, (fragment, output)
    assert "wide/part/opensm.conf: cannot be read (Is a directory): make it a file" in output
    assert "ctl0/part/opensm.conf: cannot be read (No such file or directory)" in output
    assert SECRET not in output, output


def test_filter_in_a_role(ansible, tmp_path):
    (tmp_path / "play.yml").write_text("""
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {ibforge_config_dirs: ["{{ playbook_dir }}"], ini: "{{ lookup('ibforge.fabric.merged_config', '', service='ufm', file='gv.cfg', format='ini') }}"}
  tasks:
    - ansible.builtin.assert:
        that:
          - "text | ibforge.fabric.config_settings('keyvalue') == {'qos': true, 'lmc': '0', 'routing_engine': '(null)'}"
          - "'' | ibforge.fabric.config_settings('json') == {}"
          - "json | ibforge.fabric.config_settings('json') == {'a': [1]}"
          # That a text begins with a bracket must not make a list of it.
          - ini is string
          - "ini | ibforge.fabric.config_settings('ini') == {'a': {'x': '1', 'y': ['2', '3']}}"
      vars: {text: "qos TRUE\\nlmc 0\\nrouting_engine (null)\\n", json: " {\\"a\\": [1]}"}
    - ansible.builtin.debug:
        msg: "{{ 'qos' | ibforge.fabric.config_settings('keyvalue') }}"
""")
    (tmp_path / "gv.cfg").write_text("[a]\nx = 1\ny = 2\ny = 3\n")
    done = ansible("ansible-playbook", "-i", "localhost,", "play.yml", cwd=tmp_path)
    assert "config_settings: line 1: the option 'qos' has no value" in done.stdout + done.stderr
    assert "ok=1" in done.stdout and "failed=1" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("kind,name", [("lookup", "merged_config"), ("filter", "config_settings"), ("filter", "partitions_text_faults")])
def test_documentation(ansible, kind, name):
    done = ansible("ansible-doc", "-t", kind, f"ibforge.fabric.{name}")
    assert done.returncode == 0, done.stderr
    assert name.upper() in done.stdout.upper()
    assert (PLUGINS.parent / kind / f"{name}.py").exists()
