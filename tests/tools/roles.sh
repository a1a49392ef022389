#!/usr/bin/env bash
# Tests the Ansible roles without a container engine: the filters, the built
# collection, and the roles' refusal of bad input. The end-to-end tests deploy.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.cache/bin:$PWD/.cache/venv/bin:$PATH
tests/tools/setup.sh python
exec pytest -q -p no:cacheprovider tests/roles tests/kolla tests/docs
