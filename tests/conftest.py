"""Share fixtures, and check the shapes that annotations promise wherever the tests go.

By lying here, pytest puts this folder on the path, so that tests import `zoo`.
"""

import jax
import pytest
from jaxtyping import install_import_hook

install_import_hook("finetti", "beartype.beartype")


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
