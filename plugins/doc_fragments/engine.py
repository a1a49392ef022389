# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""How modules find the container engine."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of module_utils.engine.ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  engine:
    description: The container engine.
    type: str
    choices: [docker, podman]
    default: docker
  docker_host:
    description: Docker's socket, C(unix://) and a path.
    type: str
    default: unix:///var/run/docker.sock
  podman:
    description: Podman's program.
    type: str
    default: podman
"""
