"""Share fixtures, and check the shapes that annotations promise wherever the tests go.

By lying here, pytest puts this folder on the path, so that tests import `zoo`.
"""

from pathlib import Path

import jax
import pytest
from jaxtyping import install_import_hook

install_import_hook("finetti", "beartype.beartype")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark the tests listed in slow.txt, and refuse a line there that names no test."""
    lines = (Path(__file__).parent / "slow.txt").read_text().splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    seen = set()
    for item in items:
        names = {item.nodeid, item.nodeid.partition("[")[0]} & listed
        if names:
            item.add_marker(pytest.mark.slow)
            seen |= names
    if config.args == config.getini("testpaths") and seen != listed:
        raise pytest.UsageError(f"tests/slow.txt names no test: {', '.join(listed - seen)}")


@pytest.fixture(autouse=True, scope="module")
def forget():
    """Let go of a file's compiled programs: a process can hold only so many pieces of code."""
    yield
    jax.clear_caches()


@pytest.fixture
def float64():
    """Compute in float64 for one test."""
    with jax.enable_x64(True):
        yield
