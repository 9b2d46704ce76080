"""Offer what PyMC2 programs take from its copy of six; Python 2 is not spoken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

print_ = print
string_types, integer_types = (str,), (int,)


def iteritems(mapping: Mapping[K, V]) -> Iterator[tuple[K, V]]:
    """Return an iterator of a mapping's items."""
    return iter(mapping.items())


def itervalues(mapping: Mapping[K, V]) -> Iterator[V]:
    """Return an iterator of a mapping's values."""
    return iter(mapping.values())


def iterkeys(mapping: Mapping[K, V]) -> Iterator[K]:
    """Return an iterator of a mapping's keys."""
    return iter(mapping.keys())
