"""The files that the role ib_opensm writes, with the operator's own merged in."""

import json
import os
import sys

import pytest

from conftest import HERE
from engine import Recorder

ID = "sha256:" + "0" * 64
PORT = {"blue": "0x0002c903000e0b72", "red": "0xf45214030038aa01"}
FABRICS = {name: {"port_guids": [PORT[name]], "subnet_prefix": prefix} for name, prefix in (("blue", "0xfe80000000000001"), ("red", "0xfe80000000000002"))}
PLAY = """
- hosts: ib_opensm
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: ibforge.fabric.ib_opensm
      vars: {ib_opensm_action: config}
"""

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="the roles are run as root")


@pytest.fixture
def config(ansible, tmp_path):
    """Runs the role's action config with the operator's files, and returns what it wrote and its output."""
    (tmp_path / "play.yml").write_text(PLAY)

    def run(files, *arguments, **variables):
        for name, text in files.items():
            (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "own" / name).write_text(text)
        contract = json.loads((HERE / "contract.json").read_text()) | {"image": "opensm"}
        with Recorder(images=[ID]) as engine:
            (tmp_path / "inventory.json").write_text(json.dumps({"ib_opensm": {"hosts": {"ctl0": {
                "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ib_opensm_docker_host": engine.url,
                "ib_opensm_image_source": "present", "ib_opensm_config_dir": str(tmp_path / "etc"), "ib_opensm_simulated_fabric": True,
                "ibforge_config_dirs": [str(tmp_path / "own")], "ibforge_images": {"opensm": {"id": ID, "contract": contract}}, **variables}}}}))
            done = ansible("ansible-playbook", "-i", "inventory.json", *arguments, "play.yml", cwd=tmp_path)
        etc = tmp_path / "etc"
        written = {str(path.relative_to(etc)): path.read_text() for path in etc.rglob("*") if path.is_file()} if etc.exists() else {}
        return written, done.stdout + done.stderr

    return run


def test_the_operators_files_win(config):
    partitions = "# {{ inventory_hostname }}\nDefault=0x7fff, ipoib: ALL=limited, SELF=full;\n"
    written, output = config({"opensm/opensm.conf": "sweep_interval 7\nqos TRUE\n", "opensm/partitions.conf": partitions})
    assert written, output
    assert "sweep_interval 7\n" in written["opensm.conf"] and "qos TRUE\n" in written["opensm.conf"]
    assert written["partitions.conf"].startswith("# ctl0\nDefault=0x7fff, ipoib: ALL=limited, SELF=full;\n")
    assert "\nibforge-config=0x7" in written["partitions.conf"]


def test_files_of_a_fabric(config):
    written, output = config({"opensm/opensm.conf": "sweep_interval 7\n", "opensm/fabrics/blue/opensm.conf": "sweep_interval 8\n",
                              "opensm/fabrics/red/partitions.conf": "Default=0x7fff: ALL=full;\nown=0x10: ALL=full;\n"}, ib_opensm_fabrics=FABRICS)
    assert "sweep_interval 8\n" in written["blue/opensm.conf"] and "sweep_interval 7\n" in written["red/opensm.conf"], output
    assert "own=0x10" in written["red/partitions.conf"] and "own=0x10" not in written["blue/partitions.conf"]
    assert {written[f"{name}/ports"] for name in PORT} == {f"{port}\n" for port in PORT.values()}
    assert f'PORTS="{PORT["blue"]} {PORT["red"]}"' in written["environment"]


def test_faults_name_the_operators_file(config):
    written, output = config({"opensm/opensm.conf": "sm_priority 3\nsweep_intervall 8\nsm_key hunter2\n", "opensm/partitions.conf": "Default=0x7fff: ALL=ful;\n"})
    assert written == {}
    for words in ("opensm.conf: sm_priority may not be set here: use ib_opensm_sm_priority", "did you mean sweep_interval",
                  "opensm.conf: sm_key is not 0x and at most 16 hexadecimal digits", "partitions.conf: line 1"):
        assert words in output, output
    assert "ib_opensm_extra_config" not in output and "hunter2" not in output


def test_a_file_that_cannot_be_read_is_told(config):
    written, output = config({"opensm/opensm.conf": "sm_key 0xfeedface\nsweep_interval\n"})
    assert written == {} and "line 2: the option 'sweep_interval' has no value" in output, output
    assert "feedface" not in output


def test_keys_are_not_shown(config):
    written, output = config({"opensm/opensm.conf": "cc_key 0xfeedface\n"}, "--diff", "-vvv")
    assert "cc_key 0xfeedface\n" in written["opensm.conf"], output
    assert "feedface" not in output
