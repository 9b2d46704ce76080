"""Choose which of many names a default run tries."""

from collections.abc import Iterable

import pytest


def shortened(names: Iterable[str], *default: str) -> list:
    """Mark all but a few names as slow."""
    return [n if n in default else pytest.param(n, marks=pytest.mark.slow) for n in names]
