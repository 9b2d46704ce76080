"""Share fixtures; by lying here, pytest puts this folder on the path, so tests import `zoo`."""

import jax
import pytest


@pytest.fixture
def float64():
    """Compute in float64 for one test."""
    with jax.enable_x64(True):
        yield
