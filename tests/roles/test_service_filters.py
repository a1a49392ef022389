"""What a service's contract and variables ask for, how a host stands to it, and what keeps the service from it."""

import copy
import json

import pytest

from conftest import HERE

CONTRACT = json.loads((HERE / "contract.json").read_text())
PORTS = json.loads((HERE / "ports.json").read_text())
ID = "sha256:" + "0" * 64
PLACES = {name: f"/place/{name}" for name in ("part", "agent", "agent_pins", "agent_unit", "port_map", "slice", "unit", "quadlet")}
ASKED = {
    "name": "ib_opensm", "image": {"id": ID, "contract": CONTRACT}, "image_needed": True, "image_source": "present", "engine": "docker", "docker_host": "unix:///sock",
    "podman": "podman", "restart_policy": "unless-stopped", "environment": {}, "labels": {}, "extra_volumes": [], "host_directories": {},
    "omit_devices": False, "limits": {}, "ports": {}, "system_container": False, "agent": "/agent", "agent_sha256": "a5", "log_max_size": "10m",
    "log_max_files": 3, "stop_seconds": 30, "adopt": {}, "places": PLACES, "files": ["/more"], "contents": ["/read"], "foreign_containers": ["theirs"]}


def changed(base, changes):
    """Return a copy with changes by path, such as container.running."""
    base = copy.deepcopy(base)
    for path, value in changes.items():
        *above, last = path.split("/")
        found = base
        for part in above:
            found = found[part]
        found[last] = value
    return base


@pytest.fixture
def plan(filters):
    return lambda **changes: filters("service_plan")(changed(ASKED, {name.replace("__", "/"): value for name, value in changes.items()}))


@pytest.fixture
def seen(filters):
    """A host on which a plan's container runs as it should, with changes."""
    def of(plan, **changes):
        there = {PLACES["port_map"]: plan["moved"], PLACES["agent"]: bool(plan["hooked"]), PLACES["agent_unit"]: bool(plan["hooked"]),
                 PLACES["quadlet"]: plan["engine"] == "podman"}
        files = {path: {"exists": there.get(path, path not in PLACES.values()), "sha256": "a5" if path == PLACES["agent"] else ""} for path in plan["wanted"]["files"]}
        found = {
            "engine": {"answers": True, "msg": "", "version": "28.0", "cgroup_version": 1, "cgroup_driver": "cgroupfs", "limits": [], "containerd_images": False},
            "container": {"exists": True, "id": "f" * 64, "running": True, "status": "running", "exit_code": 0, "error": "", "image": plan["id"], "privileged": False,
                          "cgroup_parent": "", "labels": {}, "capabilities": [], "security_opt": ["no-new-privileges=true"], "memory": 0, "pids": 0,
                          "restart_policy": "unless-stopped" if plan["engine"] == "docker" else "no"},
            "image": {"present": True}, "excluding": [], "others": {}, "units": ["active"] * len(plan["contract"].get("units", [])),
            "health": {"rc": 0, "output": ""}, "systemd": True, "files": files, "processes": [], "enabled": [], "listeners": [], "port_maps": [],
            "kernel": {"release": "6.1.0-1-amd64", "modules": ["ib_umad"], "cgroup2": True, "ephemeral": "32768\t60999\n"},
            "contents": {PLACES["port_map"]: ""}, "hooks": {"rc": 0, "output": ""}}
        found = changed(found, {name.replace("__", "/"): value for name, value in changes.items() if name.startswith("engine__")})
        state = filters("service_state")(plan, found)
        found["container"]["labels"] = dict(state["labels"], **{"io.ibforge.definition": state["definition"]})
        found["container"]["cgroup_parent"] = state["cgroup"]["parent"]
        if plan["moved"]:
            found["contents"][PLACES["port_map"]] = json.dumps(state["port_map"], indent=4, sort_keys=True) + "\n"
        return changed(found, {name.replace("__", "/"): value for name, value in changes.items()})
    return of


@pytest.fixture
def state(filters):
    return filters("service_state")


@pytest.fixture
def faults(filters, state):
    def of(plan, seen, **more):
        return filters("service_faults")(plan, seen, **more)
    return of


def test_plan_of_no_image(plan, state, seen):
    empty = plan(image={}, image_needed=False)
    assert empty["faults"] == [] and sorted(empty["wanted"]["files"]) == sorted([*PLACES.values(), "/more"])
    # An engine is asked to remove what it is not known how it was made.
    assert not state(empty, seen(empty))["as_wanted"]


def test_plan(plan):
    found = plan(image__contract__ports=PORTS, host_directories={"log": "/srv/log"}, limits={"pids": 7}, ports={PORTS[0]["name"]: 9443}, adopt={"container": "old"})
    assert found["faults"] == []
    assert found["binds"] == ["/etc/ibforge/opensm", "/srv/log"] and found["wanted"]["volumes"] == ["ibforge_opensm_cache"]
    assert [mount["target"] for mount in found["mounts"]] == ["/etc/opensm:ro", "/var/cache/opensm:rw", "/var/log/opensm:rw"]
    assert found["limits"] == {"pids": 7} and found["ports"][0]["host"] == 9443
    assert found["moved"] and {port["via"] for port in found["hooked"] if not port["guarded"]} <= {"socket"}
    assert set(found["wanted"]["ports"]) == {port[key] for port in found["ports"] for key in ("listens", "host")}
    assert "/dev/infiniband" in found["wanted"]["files"] and found["wanted"]["infiniband"] and found["wanted"]["kernel_modules"]
    assert {key: found["wanted"][key] for key in ("name", "image", "contents", "containers", "units", "agent", "port_map_dir")} == {
        "name": "ib_opensm", "image": ID, "contents": ["/place/port_map", "/read"], "containers": ["theirs", "old"], "units": ["opensm-ports.service"],
        "agent": "/place/agent", "port_map_dir": "/place"}
    assert found["wanted"]["health"] == ["/usr/libexec/ibforge/opensm-health"]
    omitted = plan(omit_devices=True)
    assert omitted["devices"] == [] and "/dev/infiniband" not in omitted["wanted"]["files"] and not omitted["moved"] and omitted["wanted"]["ports"] == []
    assert not omitted["wanted"]["infiniband"] and omitted["wanted"]["agent"] == ""


@pytest.mark.parametrize("changes,words", [
    ({"image": {}}, ["the image has no ID or no Runtime contract"]),
    ({"image": {"id": "7", "contract": CONTRACT}}, ["the image has no ID or no Runtime contract"]),
    ({"image": {"id": ID, "contract": "text"}}, ["the image has no ID or no Runtime contract"]),
    ({"image__contract__version": 2}, ["carries Runtime contract version 2, this role knows version 1"]),
    # All that a contract of the known version has, at once; also where the ports could not be read.
    ({"image__contract__init": "tini", "image_source": "registry", "name": "ib-opensm", "host_directories": {"logs": "/a"},
      "image__contract__ports": [{"name": "https", "via": "socket"}], "ports": {"https": "many"}},
     ["init is tini", "port https: the contract is of an older builder", "was not pushed", "names logs, the contract has the volumes config, cache, log",
      "a dash would nest systemd slices"]),
    ({"image__contract__ports": PORTS, "ports": {PORTS[0]["name"]: "many"}}, ["'many' is not a port"]),
    ({"image_source": "archive"}, ["ib_service_image_source is archive, but the image has none"]),
])
def test_faulty_contract(plan, changes, words):
    found = plan(**changes)
    assert len(found["faults"]) == len(words), found["faults"]
    assert all(word in fault for word, fault in zip(words, found["faults"]))
    # Nothing stands on it.
    assert found["contract"] == {} and found["mounts"] == [] and found["made_of"] == ""


def test_faulty_contract_on_a_host(plan, seen, state, faults):
    """It is told with what else is known without it."""
    planned = plan(image__contract__version=2)
    host = seen(planned, engine__answers=False)
    want = ["carries Runtime contract version 2", "docker does not answer"]
    for found in (state(planned, host)["faults"], faults(planned, host)["all"]):
        assert [word in fault for word, fault in zip(want, found)] == [True, True], found
    assert not state(planned, seen(planned))["as_wanted"]


@pytest.mark.parametrize("asked", [{}, {"image__contract__ports": PORTS}, {"engine": "podman"}, {"limits": {"pids": 9}}], ids=str)
def test_nothing_to_do(plan, seen, state, faults, asked):
    planned = plan(**asked)
    more = {"container__pids": 9, "engine__limits": ["pids"]} if "limits" in asked else {}
    host = seen(planned, **more)
    found = state(planned, host)
    assert found["as_wanted"], found
    assert faults(planned, host)["all"] == []


@pytest.mark.parametrize("changes,words", [
    ({"container__running": False, "container__status": "exited", "container__exit_code": 3, "container__error": "why"}, "is not running (exited, exit code 3): why"),
    ({"container__image": "sha256:1"}, f"runs image sha256:1 instead of {ID}"),
    ({"container__privileged": True}, "is privileged"),
    ({"container__cgroup_parent": ""}, "has the parent cgroup that of the engine instead of /ibforge-ib_opensm"),
    ({"container__labels": {}}, "was made with another port map"),
    ({"container__capabilities": ["SYS_ADMIN"]}, "has the added capabilities [SYS_ADMIN], the contract gives []"),
    ({"container__security_opt": []}, "may gain privileges"),
    ({"container__exists": False}, "there is no such container: run the deploy playbook"),
])
def test_container_that_differs(plan, seen, state, changes, words):
    planned = plan(image__contract__ports=PORTS)
    found = state(planned, seen(planned, **changes))
    assert [words in sentence for sentence in found["differences"]] == [True], found["differences"]
    assert not found["as_defined"] and not found["as_wanted"]


@pytest.mark.parametrize("changes,list_name,words", [
    ({"contents": {PLACES["port_map"]: "{}"}}, "map_faults", "/place/port_map is not what the contract and the variables say"),
    ({"hooks": {"rc": 1, "output": "gone"}}, "map_faults", "the socket hooks are not in force: gone; run the reconfigure playbook"),
    ({"health": {"rc": 1, "output": "no master"}}, "unit_faults", "is not healthy: no master"),
    ({"units": ["failed"]}, "unit_faults", "unit opensm-ports.service is failed"),
    ({"engine__answers": False}, "silent", 'docker does not answer at unix:///sock (no reason given): install it, run "systemctl start docker"'),
])
def test_what_else_differs(plan, seen, state, changes, list_name, words):
    planned = plan(image__contract__ports=PORTS)
    found = state(planned, seen(planned, **changes))
    assert [sentence.startswith(words) for sentence in found[list_name]] == [True], found[list_name]
    assert not found["as_wanted"]


# Nothing to say, and yet something to do.
@pytest.mark.parametrize("changes", [
    {f"files__{PLACES['part']}": None}, {f"files__{PLACES['agent']}": None}, {"container__restart_policy": "no"}, {"container__memory": 5}], ids=str)
def test_something_to_do(plan, seen, state, changes):
    planned = plan(image__contract__ports=PORTS, limits={"memory_bytes": 7})
    host = seen(planned, container__memory=7)
    for name, value in changes.items():
        part, _, key = name.partition("__")
        host[part][key] = {"exists": True, "sha256": "other"} if value is None else value
    found = state(planned, host)
    assert found["differences"] == found["map_faults"] == found["unit_faults"] == [] and not found["as_wanted"]


@pytest.mark.parametrize("asked,engine,want", [
    ({}, {}, ("", "/sys/fs/cgroup:/sys/fs/cgroup:ro")),
    ({"image__contract__ports": PORTS}, {}, ("/ibforge-ib_opensm", "/sys/fs/cgroup:/sys/fs/cgroup:ro")),
    ({}, {"engine__cgroup_version": 2}, ("/ibforge-ib_opensm", "/sys/fs/cgroup/ibforge-ib_opensm:/sys/fs/cgroup/ibforge-ib_opensm:rw")),
    ({}, {"engine__cgroup_version": 2, "engine__cgroup_driver": "systemd"},
     ("ibforge-ib_opensm.slice", "/sys/fs/cgroup/ibforge.slice/ibforge-ib_opensm.slice:/sys/fs/cgroup/ibforge.slice/ibforge-ib_opensm.slice:rw")),
    ({"engine": "podman", "image__contract__ports": PORTS}, {"engine__version": "4.3.1"}, ("/ibforge-ib_opensm", "")),
    ({"engine": "podman", "image__contract__ports": PORTS}, {"engine__version": "5.4.2"}, ("", "")),
], ids=str)
def test_cgroup(plan, seen, state, asked, engine, want):
    planned = plan(**asked)
    cgroup = state(planned, seen(planned, **engine))["cgroup"]
    assert (cgroup["parent"], cgroup["volume"]) == want


# Whatever a container is made of has a part in its definition.
@pytest.mark.parametrize("changes", [
    {"image__id": "sha256:" + "1" * 64}, {"image__contract__no_new_privileges": False}, {"environment": {"A": "b"}}, {"labels": {"a": "b"}},
    {"extra_volumes": ["/a:/b"]}, {"host_directories": {"log": "/srv"}}, {"omit_devices": True}, {"limits": {"nofile": 9}}, {"log_max_size": "1m"},
    {"log_max_files": 9}, {"stop_seconds": 9}, {"restart_policy": "always"}, {"image__contract__ports": PORTS}], ids=str)
def test_definition(plan, seen, state, changes):
    before, after = plan(), plan(**changes)
    assert state(before, seen(before))["definition"] != state(after, seen(after))["definition"]


@pytest.mark.parametrize("changes,words", [
    ({"engine__version": "19.3"}, "docker 19.3 is too old: 20.10 or newer is needed"),
    ({"engine__containerd_images": True}, "docker keeps images in containerd"),
    ({"excluding": [{"name": "other", "labels": {"io.ibforge.excludes": "x,subnet-manager"}}]}, "container other is a subnet-manager too"),
    ({"kernel__modules": []}, "kernel module ib_umad is not loaded"),
    ({"files__/dev/infiniband": {"exists": False}}, "/dev/infiniband does not exist"),
    ({"image__present": False}, f"docker has no image with the ID {ID}"),
    ({"processes": [{"pid": 7, "cgroup": "/user.slice"}]}, "a subnet manager runs already: opensm, PID 7"),
    ({"others": {"opensm": {"id": "e" * 64, "running": True}}}, "the container opensm of Kayobe runs"),
    ({"enabled": ["enabled"]}, "opensm of the distribution starts at boot"),
])
def test_host_that_lacks(plan, seen, faults, changes, words):
    planned = plan()
    host = seen(planned)
    for path, value in changes.items():
        part, _, key = path.partition("__")
        host[part] = {**host[part], key: value} if key else value
    found = faults(planned, host)["all"]
    assert [sentence.startswith(words) for sentence in found] == [True], found


def test_limits_that_the_engine_loses(plan, seen, faults):
    planned = plan(limits={"pids": 7, "nofile": 9})
    assert ["the limit pids needs a cgroup controller" in fault for fault in faults(planned, seen(planned))["all"]] == [True]


def test_own_processes(plan, seen, faults):
    """Its own container, and the one that it is to take over, are no others."""
    planned = plan(adopt={"container": "opensm"})
    ids = ["f" * 64, "e" * 64]
    host = seen(planned, others={"opensm": {"id": ids[1], "running": True}},
                processes=[{"pid": pid, "cgroup": f"/docker/{own}"} for pid, own in enumerate(ids + [], 7)] + [{"pid": 9, "cgroup": "/ibforge-ib_opensm/x"}])
    assert faults(planned, host)["all"] == []


def test_hooks(plan, seen, faults):
    planned = plan(image__contract__ports=PORTS)
    host = seen(planned, container__exists=False, engine__cgroup_driver="systemd", systemd=False, kernel__release="5.7.1", kernel__cgroup2=False)
    found = faults(planned, host, control={"agent": "b6"})
    assert found["all"] == found["hooks"]
    words = ["Linux 5.7.1 is too old", "no cgroup v2 tree is mounted", "systemd does not run this host", "has the digest b6 instead of a5"]
    assert [word in fault for word, fault in zip(words, found["hooks"])] == [True] * 4, found


def test_neighbours(plan, seen, faults):
    planned = plan(image__contract__ports=PORTS)
    other = {**CONTRACT, "image": "ufm", "ports": [dict(PORTS[0], name="ui", host=5)]}
    found = faults(planned, seen(planned), neighbours={"ib_opensm": {"contract": CONTRACT, "ports": {}},
                                                       "ib_ufm": {"contract": other, "ports": {"ui": PORTS[0]["host"]}}})["all"]
    assert "the host is in the group ib_ufm, whose service is a subnet-manager too" in found[0]
    assert "ib_ufm has it for its port ui" in found[1] and len(found) == 2
