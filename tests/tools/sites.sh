#!/usr/bin/env bash
# Tests the sites and the Neutron feature with the real Neutron, oslo.config and
# networking-mlnx, without an engine.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PWD/.cache/venv/bin:$PATH
tests/tools/setup.sh python
tests/tools/sdn_setup.sh
# Two calls, because both have a conftest.py.
pytest -q -p no:cacheprovider tests/sites
pytest -q -p no:cacheprovider tests/sdn
