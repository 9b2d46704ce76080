"""Hold a problem to sample: one posterior, written for each library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Hold a name and a function a library that returns its model, with the data in it.

    `watched` names the variables whose least bulk ESS counts, all if none is named; `scale` the
    scalar that shows whether all libraries sample the same posterior, or the names it has in each.
    `numpyro` returns a function without arguments.
    """

    name: str
    finetti: Callable[[], Any]
    numpyro: Callable[[], Any]
    pymc: Callable[[], Any]
    watched: tuple[str, ...]
    scale: str | tuple[str, ...] = "tau"
