# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""What keeps the role ib_service from making a container of an image at all."""

from __future__ import annotations

import re

from ansible_collections.ibforge.fabric.plugins.filter.port_map_faults import port_map_faults

# The version of the Runtime contract that the role was written for; the
# builder's is contract.Version.
VERSION = 1


def faults(asked):
    """Return one sentence per fault of the image and of what is asked of it."""
    image = asked["image"]
    contract = image.get("contract")
    if not re.match("sha256:[0-9a-f]{64}$", str(image.get("id", ""))) or not isinstance(contract, dict):
        return ["the image has no ID or no Runtime contract. Pass the file that the builder wrote, such as -e @ibforge-images.yml,"
                " and take the image's entry in ibforge_images as it is."]
    if str(contract.get("version", 0)) != str(VERSION):
        return [f"the image carries Runtime contract version {contract.get('version', 'none')}, this role knows version {VERSION}."
                " Use the builder and the collection of one release."]
    return _unfulfilled(asked, contract)


def _unfulfilled(asked, contract):
    """Return what a contract of the known version asks for in vain."""
    image, source = asked["image"], asked["image_source"]
    volumes = [volume["name"] for volume in contract["volumes"]]
    unknown = [name for name in asked["host_directories"] if name not in volumes]
    found = []
    if contract["init"] != "systemd":
        found.append(f"init is {contract['init']}, this role starts only systemd")
    found += [f"port {fault}" for fault in port_map_faults(contract["ports"], asked["ports"])]
    if "cgroup_versions" not in contract or "no_new_privileges" not in contract:
        found.append("the contract does not say on which cgroup versions the image boots, or whether it may gain privileges: an older builder"
                     " wrote it, build the image again")
    if source == "registry" and not re.search("@sha256:[0-9a-f]{64}$", image.get("pushed") or ""):
        found.append("ib_service_image_source is registry, but the image was not pushed: push it to docker://, or use archive or present")
    if source == "archive" and not image.get("archive"):
        found.append("ib_service_image_source is archive, but the image has none: push it to docker-archive:, or use registry or present")
    if unknown:
        found.append(f"ib_service_host_directories names {', '.join(unknown)}, the contract has the volumes {', '.join(volumes)}")
    if not re.match("[a-z0-9][a-z0-9_.]*$", asked["name"]):
        found.append("ib_service_name has other characters than a-z, 0-9, _ and . (a dash would nest systemd slices)")
    return found
