"""Write lists and counts as sentences do."""

from __future__ import annotations

from collections.abc import Iterable

FEW = 4  # names that are listed in full


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence lists them; of many, the first two and the last.

    >>> listed(["mu"]), listed(["mu", "tau"]), listed(f"z{i}" for i in range(9)), listed([])
    ('mu', 'mu and tau', 'z0, z1, ..., z8', '')
    """
    *first, last = [*names] or [""]
    if len(first) >= FEW:
        return f"{first[0]}, {first[1]}, ..., {last}"
    return f"{', '.join(first)} and {last}" if first else last


def counted(count: int, thing: str) -> str:
    """Return a number with what it counts.

    >>> counted(1, "value"), counted(1200, "value")
    ('1 value', '1,200 values')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
