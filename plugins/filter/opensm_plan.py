# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter opensm_plan: a host's OpenSM files, from its own and its peers' variables."""

from __future__ import annotations

import re

from ansible_collections.ibforge.fabric.plugins.filter.opensm_option_faults import opensm_option_faults
from ansible_collections.ibforge.fabric.plugins.filter.partition_faults import partition_faults
from ansible_collections.ibforge.fabric.plugins.filter.partitions_text_faults import partitions_text_faults
from ansible_collections.ibforge.fabric.plugins.plugin_utils import opensm_fabrics, opensm_files

DOCUMENTATION = r"""
name: opensm_plan
author: the ibforge authors (!UNKNOWN)
short_description: Plan OpenSM's files on a host
version_added: 0.1.0
description:
  - Resolves the fabrics of a host, assigns priorities among the hosts of each, renders the files and marks their configuration.
  - All faults are told at once, and no file is planned then. No fault holds the value of a key.
positional: host, hostvars, groups, known, managed
options:
  _input:
    description:
      - Settings of P(ibforge.fabric.ib_opensm#role), without their prefix.
      - C(operator) is what the operator's own files say, C(options) and the text C(partitions) by fabric. They win.
    type: dict
    required: true
  host:
    description: The host.
    type: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  groups:
    description: The groups of the inventory, of which C(ib_opensm) and C(ib_ufm) are read.
    type: dict
    required: true
  known:
    description: Options that this OpenSM knows, see P(ibforge.fabric.opensm_option_faults#filter).
    type: dict
    required: true
  managed:
    description: Options that are not to be set freely.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Plan
  ansible.builtin.set_fact:
    plan: "{{ settings | ibforge.fabric.opensm_plan(inventory_hostname, hostvars, groups, known, managed) }}"
"""

RETURN = r"""
_value:
  description: C(faults), C(fabrics) (C(name), C(hosts), C(priority), C(ports), C(mark), C(shared)), C(files) by name, C(digest) of all, C(process).
  type: dict
"""

# Settings that opensm.conf takes over as they are.
PLAIN = ("allow_both_pkeys", "lmc", "log_max_size", "part_enforce", "polling_retry_number", "sm_priority", "sminfo_polling_timeout",
         "subnet_prefix", "sweep_interval")
KEYS = ("m_key", "sa_key", "sm_key")
# Of the managed options, those that the operator's opensm.conf may not change
# either: the image, the host's files or the other hosts rely on them.
KEPT = ("allow_both_pkeys", "console", "daemon", "dump_files_dir", "guid", "log_file", "no_partition_enforcement", "partition_config_file", "sm_priority")
MARK_LINE = re.compile(rf"^[ \t]*{opensm_files.MARK_NAME}[ \t]*[=,:]", re.MULTILINE)
NOTHING = {"options": {}, "partitions": ""}
# A port that came up just now learns of its master within seconds.
SETTLE_SECONDS = 10


def _options(settings, directory):
    options = {name: settings[name] for name in PLAIN}
    options["routing_engine"] = ",".join(settings["routing_engine"]) or "(null)"
    options["partition_config_file"] = f"{directory}/partitions.conf"
    # An empty key leaves OpenSM's own default.
    keys = {name: settings[name] for name in KEYS if settings[name]}
    return dict(options, **settings["extra_config"], **keys)


def _partitions_faults(settings, text):
    both, marks = settings["allow_both_pkeys"], settings["mark_pkeys"]
    if not text:
        return ["ib_opensm_" + fault for fault in partition_faults(settings["partitions"], both, marks)]
    faults = ["partitions.conf: " + fault for fault in partitions_text_faults(text, both, marks)]
    if marks and MARK_LINE.search(text):
        faults.append(f"partitions.conf: the name '{opensm_files.MARK_NAME}' is that of the partition which marks the configuration: take another")
    return faults


def _faults(settings, options, operator, known, managed):
    marks = settings["mark_pkeys"]
    faults = _partitions_faults(settings, operator["partitions"])
    faults += ["ib_opensm_extra_config: " + fault for fault in opensm_option_faults(settings["extra_config"], known, managed)]
    kept = {name: why for name, why in managed.items() if name in KEPT}
    faults += ["opensm.conf: " + fault for fault in opensm_option_faults(operator["options"], known, kept)]
    others = {name: value for name, value in options.items() if name not in settings["extra_config"]}
    faults += ["ib_opensm_" + fault for fault in opensm_option_faults(others, known)]
    if marks and not (len(marks) == 2 and 0 < marks[0] < marks[1] < 0x7FFF):
        faults.append("ib_opensm_mark_pkeys: give the first and the last PKey of a range below 0x7fff, or an empty list for no mark")
    return faults


def _prefix_faults(fabrics, host):
    """Refuse two fabrics of a host that it could not tell apart by their addresses."""
    faults, prefixes = [], {}
    for fabric in fabrics:
        prefix = str(fabric["options"]["subnet_prefix"]).lower()
        if prefix in prefixes:
            faults.append(f"fabrics {prefixes[prefix]} and {fabric['name']} have one subnet_prefix, {prefix}, by which {host} could not tell their addresses: "
                          "give one of them another in ib_opensm_fabrics")
        prefixes[prefix] = fabric["name"]
    return faults


def _process(fabrics, known, environment):
    """Return the digest of what only a new process reads; OpenSM keeps the value of an option that has gone from its file."""
    fixed = [[fabric["name"], fabric["ports"], sorted(fabric["options"]),
              {name: value for name, value in fabric["options"].items() if not known.get(name, {}).get("reload")}] for fabric in fabrics]
    return opensm_files.digest([fixed, environment])


def opensm_plan(base, host, hostvars, groups, known, managed):
    """Return the plan; see DOCUMENTATION."""
    base = dict(base)
    environment, operator = base.pop("environment"), base.pop("operator")
    fabrics, faults = opensm_fabrics.resolve(
        base, host, *(opensm_fabrics.variables_of(hostvars, groups.get(group, [])) for group in ("ib_opensm", "ib_ufm")))
    for fabric in fabrics:
        fabric["place"] = f"{fabric['name']}/" if len(fabrics) > 1 else ""
        settings, own = fabric.pop("settings"), operator.get(fabric["name"], NOTHING)
        options = _options(settings, f"/etc/opensm/{fabric['place']}".rstrip("/"))
        wrong = _faults(settings, options, own, known, managed)
        fabric.update(options={**options, **own["options"]}, operator=own)
        faults += [f"fabric {fabric['name']}: {fault}" if len(fabrics) > 1 else fault for fault in wrong]
        fabric.update(settings=settings, ports=settings["port_guids"], priority=settings["sm_priority"])
    faults += _prefix_faults(fabrics, host)
    if faults:
        return {"faults": faults, "fabrics": [], "files": {}, "digest": "", "process": ""}
    process = _process(fabrics, known, environment)
    files = {}
    for fabric in fabrics:
        settings, options, own = fabric.pop("settings"), fabric.pop("options"), fabric.pop("operator")
        partitions = own["partitions"] or opensm_files.partitions_text(settings["partitions"])
        # What is appended begins a line.
        partitions += "" if partitions.endswith("\n") else "\n"
        fabric["shared"], fabric["mark"] = opensm_files.shared(options, partitions), None
        if settings["mark_pkeys"]:
            fabric["mark"] = opensm_files.mark(fabric["shared"], *settings["mark_pkeys"])
            partitions += opensm_files.mark_text(fabric["mark"])
        place = fabric.pop("place")
        # Partitions first: an OpenSM that finds none makes every port a full member.
        files[f"{place}partitions.conf"] = partitions
        files[f"{place}opensm.conf"] = opensm_files.options_text(options)
        if place:
            files[f"{place}ports"] = "".join(f"{port}\n" for port in fabric["ports"])
    several = any(len(fabric["hosts"]) > 1 for fabric in fabrics)
    files["environment"] = opensm_files.environment_text(
        [port for fabric in fabrics for port in fabric["ports"]], SETTLE_SECONDS if several else 0, environment)
    return {"faults": [], "fabrics": fabrics, "files": files, "digest": opensm_files.digest(files), "process": process}


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"opensm_plan": opensm_plan}
