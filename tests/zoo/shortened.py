"""Choose which of many names a default run tries."""

from collections.abc import Iterable
from typing import TypeVar

import pytest

T = TypeVar("T")


def shortened(names: Iterable[T], *default: T) -> list:
    """Mark all but a few names as slow."""
    return [n if n in default else pytest.param(n, marks=pytest.mark.slow) for n in names]
