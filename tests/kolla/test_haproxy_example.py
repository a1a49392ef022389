"""configs/kolla/haproxy: as Kolla-Ansible templates it, and as HAProxy runs it.

Tasks and templates are those of the released packages, see test_ports_table.py.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import zipfile

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
CUSTOM = ROOT / "configs" / "kolla"
HAPROXY = "/usr/sbin/haproxy"
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import kolla_ports

NEWEST = list(kolla_ports.RELEASES)[-1]
SERVERS = ("127.0.0.11", "127.0.0.12")
PAGES = {"ufm": "/ufm_web/", "neo": "/neo/login"}
TASKS = ("Copying over haproxy.cfg", "Copying over custom haproxy services configuration")


def certificate(directory, name, alternative="", ca=None):
    """The file of a certificate and its key: of a CA, or signed by that CA for the alternative name."""
    configuration, key, file = (directory / f"{name}.{end}" for end in ("cnf", "key", "pem"))
    # Debian's own would make each a CA.
    configuration.write_text("[req]\ndistinguished_name = name\n[name]\n")
    kind = ["-addext", f"subjectAltName={alternative}", "-CA", ca, "-CAkey", ca] if ca else ["-addext", "basicConstraints=critical,CA:TRUE"]
    subprocess.run(
        ["openssl", "req", "-x509", "-config", configuration, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", f"/CN={name}", *kind, "-keyout", key, "-out", file], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


class Backend(http.server.ThreadingHTTPServer):
    """Stands where a product's web server does, which forbids all unless it is open."""

    def __init__(self, address, certificate, newest):
        self.open, self.requests = True, []
        super().__init__(address, Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.maximum_version = newest
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        """HAProxy hangs up where a certificate is wrong."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers))
        self.send_response(200 if self.server.open else 403)
        self.end_headers()
        self.wfile.write(self.server.server_address[0].encode())

    def log_message(self, *_):
        """Is not of interest."""


def render(directory, release, ports, variables):
    """Runs Kolla's two tasks. Returns Ansible's result; files are in directory/haproxy."""
    version, digest = kolla_ports.RELEASES[release]
    wheel = kolla_ports.fetch(version, digest)
    with zipfile.ZipFile(wheel) as archive:
        role = next(n for n in archive.namelist() if n.endswith("/roles/loadbalancer/tasks/config.yml")).removesuffix("tasks/config.yml")
        tasks = {t["name"]: t for t in yaml.load(archive.read(role + "tasks/config.yml"), yaml.CSafeLoader) if "name" in t}
        main = directory / "templates" / "haproxy" / "haproxy_main.cfg.j2"
        main.parent.mkdir(parents=True)
        main.write_bytes(archive.read(role + "templates/haproxy/haproxy_main.cfg.j2"))
    # Neither root nor Kolla's inventory is here.
    without = ("become", "when", "vars", "notify")
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False,
            "tasks": [{k: v for k, v in tasks[name].items() if k not in without} for name in TASKS]}
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    (directory / "haproxy" / "services.d").mkdir(parents=True)
    stats, metrics, monitor, syslog = ports
    everything = {**kolla_ports.Release(release, version, wheel).defaults, "node_custom_config": str(CUSTOM), "node_config_directory": str(directory),
                  "kolla_enable_tls_internal": True, "kolla_enable_tls_external": False, "enable_letsencrypt": False,
                  "kolla_internal_vip_address": "127.0.0.1", "api_interface_address": "127.0.0.1", "haproxy_password": "secret",
                  "haproxy_stats_port": stats, "prometheus_haproxy_exporter_port": metrics, "haproxy_monitor_port": monitor,
                  "syslog_udp_port": syslog,
                  # Kolla's numbers need more file descriptors than a user gets.
                  "haproxy_max_connections": 100, "haproxy_defaults_max_connections": 100, **variables}
    (directory / "variables.json").write_text(json.dumps(everything))
    return subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-e", "@variables.json", "play.yml"],
        cwd=directory, env={**os.environ, "ANSIBLE_HOME": str(directory / "home"), "ANSIBLE_NOCOLOR": "1",
                            "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        text=True, capture_output=True, check=False)


def haproxy(directory, certificates):
    """The command of Kolla's haproxy_run.sh, after what needs root and Kolla's image is taken out of the files."""
    main = directory / "haproxy" / "haproxy.cfg"
    text, count = re.subn(r"(?m)^\s+(chroot|user|group|daemon)\b.*\n", "", main.read_text())
    assert count == 4
    main.write_text(re.sub(r"stats socket \S+ group kolla", f"stats socket {directory}/s", text))
    for file in (directory / "haproxy" / "services.d").iterdir():
        file.write_text(file.read_text().replace("/etc/haproxy/certificates/", f"{certificates}/").replace("inter 2000", "inter 100"))
    return [HAPROXY, "-W", "-db", "-f", str(main), "-f", str(directory / "haproxy" / "services.d")]


def free(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A directory with the operator's CA and what it signed."""
    directory = tmp_path_factory.mktemp("own")
    ca = certificate(directory, "ca")
    certificate(directory, "haproxy-internal", "IP:127.0.0.1", ca)
    for name in ("one", "two", "other"):
        certificate(directory, name, f"DNS:{name}.example.org", ca)
    return directory


def site(ca, **values):
    """The variables of both files."""
    values = {"sources": ["127.0.0.1/32"], "ca_file": str(ca),
              "servers": {"one.example.org": SERVERS[0], "two.example.org": SERVERS[1]}, **values}
    return {f"{product}_haproxy_{name}": value for product in PAGES for name, value in values.items()}


@pytest.mark.parametrize("release", kolla_ports.RELEASES)
def test_haproxy_takes_it_with_the_configuration_of(release, tmp_path, own):
    done = render(tmp_path, release, free(4), site(own / "ca.pem"))
    assert done.returncode == 0, done.stdout + done.stderr
    command = haproxy(tmp_path, own)
    done = subprocess.run([*command, "-c"], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    files = {f.name: f.read_text() for f in (tmp_path / "haproxy" / "services.d").iterdir()}
    assert set(files) == {"ufm.cfg", "neo.cfg"}
    table = next(r for r in json.loads(kolla_ports.TABLE.read_text())["releases"] if r["release"] == release)
    for text in files.values():
        first, second = re.findall(r"(?m)^    server .*$", text)
        assert "backup" not in first and second.endswith(" backup")
        bound = re.search(r"bind 127\.0\.0\.1:(\d+) ssl ", text)[1]
        assert bound not in {str(p["number"]) for p in table["ports"]}


@pytest.mark.parametrize("variables", [
    {"kolla_enable_tls_internal": False}, {"ufm_haproxy_sources": []}, {"neo_haproxy_servers": {}}])
def test_no_file_without(variables, tmp_path, own):
    """A file that HAProxy does not take would be the end of all of the cloud's APIs."""
    done = render(tmp_path, NEWEST, free(4), site(own / "ca.pem") | variables)
    assert done.returncode != 0
    assert "cfg needs kolla_enable_tls_internal true, and a value in" in done.stdout
    assert not any((tmp_path / "haproxy" / "services.d" / f"{n}.cfg").exists() for n in PAGES if f"{n}_haproxy" in str(variables))


class Cloud:
    """A haproxy of Kolla's in front of two servers of the product."""

    def __init__(self, process, product, port, ca):
        self.process, self.path, self.port = process, PAGES[product], port
        self.context = ssl.create_default_context(cafile=ca)

    def ask(self, source="127.0.0.1", **headers):
        """The status, and which server it was."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=self.context, source_address=(source, 0))
        with contextlib.closing(connection):
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode() if answer.status == 200 else None

    def settle(self, *wanted):
        """Waits until the answer is the wanted one, which takes a few checks."""
        end = time.monotonic() + 20
        while (found := self.attempt()) != wanted and time.monotonic() < end:
            assert self.process.poll() is None, "haproxy ended"
            time.sleep(0.05)
        assert found == wanted

    def attempt(self):
        try:
            return self.ask()
        # Not yet started, or a server was taken for good until its first check.
        except (ConnectionError, http.client.HTTPException):
            return None


@pytest.fixture
def start(tmp_path, own):
    """Starts a product's servers with these certificates, and haproxy before them."""
    with contextlib.ExitStack() as stack:
        def run(product, *certificates):
            # EL 7, which NEO is for, has nothing newer.
            newest = ssl.TLSVersion.TLSv1_2 if product == "neo" else ssl.TLSVersion.TLSv1_3
            backends, port = [], 0
            for address, certificate in zip(SERVERS, certificates, strict=True):
                backends.append(Backend((address, port), certificate, newest))
                port = backends[0].server_port
                stack.callback(backends[-1].server_close)
                stack.callback(backends[-1].shutdown)
            *ports, ufm, neo = free(6)
            variables = site(own / "ca.pem", server_port=port) | {"ufm_haproxy_port": ufm, "neo_haproxy_port": neo}
            done = render(tmp_path, NEWEST, ports, variables)
            assert done.returncode == 0, done.stdout + done.stderr
            process = subprocess.Popen(haproxy(tmp_path, own))
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return Cloud(process, product, variables[f"{product}_haproxy_port"], own / "ca.pem"), *backends

        yield run


@pytest.mark.parametrize("product", PAGES)
def test_one_server_answers_and_the_second_takes_over(product, start, own):
    cloud, first, second = start(product, own / "one.pem", own / "two.pem")
    cloud.settle(200, SERVERS[0])
    # Checks go to both, clients to one.
    assert {cloud.ask(**{"X-Remote-User": "admin"}) for _ in range(10)} == {(200, SERVERS[0])}
    seen = [h for _, h in first.requests if "X-Forwarded-For" in h]
    assert {h["X-Forwarded-Proto"] for h in seen} == {"https"}
    assert not any("X-Forwarded-For" in h for _, h in second.requests)
    assert product != "ufm" or not any("X-Remote-User" in h for h in seen)
    with pytest.raises(OSError):  # a reset, or an end, in the handshake
        cloud.ask(source="127.0.0.2")
    first.open = False  # as the product's web server is while the product does not run
    cloud.settle(200, SERVERS[1])
    first.open = True
    cloud.settle(200, SERVERS[0])
    first.shutdown()
    first.server_close()
    cloud.settle(200, SERVERS[1])


@pytest.mark.parametrize("product", PAGES)
def test_a_wrong_certificate_is_no_server(product, start, own, tmp_path):
    stranger = certificate(tmp_path, "two", "DNS:two.example.org", certificate(tmp_path, "stranger"))
    cloud, first, second = start(product, own / "other.pem", stranger)
    cloud.settle(503, None)
    assert {cloud.ask() for _ in range(10)} == {(503, None)}
    assert first.requests == second.requests == [], "a request went to a server that is not known to be the right one"
