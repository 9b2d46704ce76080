"""Match many templates with one image, or one template with many images, by tree max-product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from finetti.types import AnyArray, Bool, DType, Float, Int
from finetti.vision.rcn.evidence import unaries
from finetti.vision.rcn.messages import (
    Forest,
    Step,
    collect,
    decode,
    inner,
    joined,
    spanning_forest,
)
from finetti.vision.rcn.template import Template

TOGETHER = 100  # templates whose messages are passed in one piece, which bounds the memory


@dataclass(frozen=True)
class Bank:
    """Hold templates laid end to end, so that one pass of messages matches them all."""

    features: Int[AnyArray, "feature 3"]
    sizes: Int[AnyArray, " template"]
    forest: Forest

    @staticmethod
    def of(templates: Sequence[Template]) -> Bank:
        """Lay templates end to end; each has at least one feature."""
        sizes = np.array([len(t.features) for t in templates])
        starts = np.cumsum(sizes) - sizes
        edges = np.concatenate([t.edges + s for t, s in zip(templates, starts, strict=True)])
        radii = np.concatenate([t.radii for t in templates])
        features = np.concatenate([t.features for t in templates])
        return Bank(features, sizes, spanning_forest(sizes.tolist(), edges, radii))

    @staticmethod
    def joined(banks: Sequence[Bank]) -> Bank:
        """Lay banks end to end."""
        features, sizes = (
            np.concatenate([getattr(b, name) for b in banks]) for name in ("features", "sizes")
        )
        return Bank(features, sizes, joined([b.forest for b in banks]))

    def moved(self, by: Int[AnyArray, "template 2"]) -> Bank:
        """Return the bank with each template moved, in rows and columns."""
        each = np.repeat(by, self.sizes, 0)
        return replace(self, features=self.features + np.pad(each, ((0, 0), (1, 0))))


def lay(templates: Sequence[Template]) -> tuple[Bank, ...]:
    """Divide templates among banks."""
    return tuple(Bank.of(templates[i : i + TOGETHER]) for i in range(0, len(templates), TOGETHER))


def match(
    bank: Bank, field: Int[AnyArray, "orientation row col"], pool: int
) -> Float[AnyArray, " template"]:
    """Return for each template the best agreement with an image, as `locate` does."""
    return locate(bank, field, pool)[0]


def locate(
    bank: Bank, field: Int[AnyArray, "orientation row col"], pool: int
) -> tuple[Float[AnyArray, " template"], Int[AnyArray, "template 2"]]:
    """Return each template's best agreement with an image, and its root's shift at the best.

    Agreement is of features present less those absent, over their number: 1 where all are present,
    if that is what one counts in the field. The best is over shifts that the edges of the
    template's spanning tree allow; of several best shifts of the root their middle is returned.
    """
    largest = int(bank.sizes.max()) * int(np.abs(field).max())
    beliefs = unaries(field.astype(_whole(largest)), bank.features, pool)
    collect(bank.forest, beliefs)
    roots = inner(beliefs[bank.forest.roots]).reshape(len(bank.sizes), -1)
    most = roots.max(1)
    best = (roots == most[:, None]).reshape(-1, pool, pool)
    away = np.arange(pool) - pool // 2
    count = best.sum((1, 2))
    middle = np.stack([(best.sum(axis) * away).sum(1) / count for axis in (2, 1)], 1)
    return most / bank.sizes, np.rint(middle).astype(int)


def trace(
    bank: Bank, field: Int[AnyArray, "orientation row col"], pool: int
) -> tuple[Int[AnyArray, "feature 2"], Bool[AnyArray, " feature"]]:
    """Return where each feature lies at its tree's best, and whether the image has it there."""
    largest = int(bank.sizes.max()) * int(np.abs(field).max())
    beliefs = unaries(field.astype(_whole(largest)), bank.features, pool)
    collect(bank.forest, beliefs)
    places = bank.features[:, 1:] + decode(bank.forest, beliefs) - pool // 2
    return places, field[(bank.features[:, 0], *places.T)] > 0


def match_each(
    template: Template, fields: Iterable[Int[AnyArray, "orientation row col"]], pool: int
) -> Float[AnyArray, " image"]:
    """Return the best agreement of one template with each of several images."""
    n = len(template.features)
    one = Bank.of([template])
    found: list[AnyArray] = [np.zeros(0)]
    each = (unaries(field.astype(_whole(n)), one.features, pool) for field in fields)
    while some := list(islice(each, TOGETHER)):
        beliefs = np.stack(some, 1).reshape(n * len(some), *some[0].shape[1:])
        copies = _copies(one.forest, len(some))
        collect(copies, beliefs)
        found.append(inner(beliefs[copies.roots]).max((1, 2)) / n)
    return np.concatenate(found)


def _copies(forest: Forest, n: int) -> Forest:
    """Return `n` copies of a forest: node i of copy j has the number i n + j."""
    steps = tuple(
        Step(s.radius, _numbers(s.sources, n), _numbers(s.targets, n)) for s in forest.upward
    )
    parents = _numbers(forest.parents, n)
    radii, heights, inside = (
        np.repeat(each, n) for each in (forest.radii, forest.heights, forest.inside)
    )
    return Forest(_numbers(forest.roots, n), parents, radii, heights, steps, inside)


def _numbers(nodes: Int[AnyArray, " node"], n: int) -> Int[AnyArray, " copy"]:
    return (nodes[:, None] * n + np.arange(n)).reshape(-1)


def _whole(largest: int) -> DType:
    """Choose the smallest whole numbers that hold beliefs up to the largest."""
    return np.int8 if largest < np.iinfo(np.int8).max else np.int16
