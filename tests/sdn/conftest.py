"""Without .cache/sdn the tests of this directory are left out, and fail if IBFORGE_TEST_REQUIRE is set."""

import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
STAMP = HERE.parents[1] / ".cache" / "sdn" / ".ibforge-stamp"


def pytest_collection_modifyitems(items):
    if STAMP.exists():
        return
    reason = "there is no .cache/sdn; cure: tests/tools/sdn_setup.sh"
    if os.environ.get("IBFORGE_TEST_REQUIRE"):
        pytest.exit(reason, returncode=1)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))
