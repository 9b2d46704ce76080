"""Evaluate dear densities by several threads, where XLA would leave all cores but one idle.

It divides one program among cores where sums and products are plain; sums by group it makes on one.
What comes out does not depend on how many threads there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jax

from finetti.dividing import mesh_of
from finetti.inference.engine.price import numbers, shares_out
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.turns import hanging

T = TypeVar("T")
R = TypeVar("R")

DEAR = 1_250_000  # numbers of an evaluation
MOST = 4  # threads: each takes the memory of an evaluation


def divisible(target: Target, given: Given) -> bool:
    """Tell whether evaluations are dear, and may be made at once."""
    if not target.layout.dim or mesh_of(given) is not None or numbers(target, given) < DEAR:
        return False
    return not (hanging() and shares_out(target, given))


def by_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what a function makes of each item; of the first, which compiles, before the rest.

    >>> by_threads(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    given = list(items)

    def made(item: T) -> R:
        with jax.enable_x64(True):  # which a thread does not have from the one that began it
            return function(item)

    first = list(map(made, given[:1]))
    with ThreadPoolExecutor(min(cores(), MOST)) as threads:
        return [*first, *threads.map(made, given[1:])]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
