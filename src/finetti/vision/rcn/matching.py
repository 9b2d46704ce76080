"""Match many templates with one image, or one template with many images, by tree max-product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from scipy.ndimage import maximum_filter

from finetti import factors as fg
from finetti.types import AnyArray, Bool, Float, Int
from finetti.vision.rcn.evidence import unaries
from finetti.vision.rcn.template import Template, laid

NEARBY = 8  # pixels of the enlarged image within which a pooled feature is sought
TOGETHER = 100  # templates whose messages are passed in one piece, which bounds the memory


@dataclass(frozen=True)
class Bank:
    """Hold templates laid end to end, with their spanning trees, so that all are matched at once.

    `pool` is the side of a feature's pool, in which it may shift.
    """

    features: Int[AnyArray, "feature 3"]
    sizes: Int[AnyArray, " template"]
    forest: fg.Forest
    pool: int

    @staticmethod
    def of(templates: Sequence[Template], pool: int) -> Bank:
        """Lay templates end to end; each has at least one feature, and is not in parts."""
        whole = laid(templates)
        sizes = np.array([len(t.features) for t in templates])
        forest = fg.Forest.spanning(whole.graph(pool))
        if len(forest.roots) != len(templates):
            raise ValueError(
                f"{len(templates)} templates have {len(forest.roots)} trees: one is in parts; add "
                "edges between them"
            )
        return Bank(whole.features, sizes, forest, pool)

    @staticmethod
    def joined(banks: Sequence[Bank]) -> Bank:
        """Lay banks of one pool end to end."""
        features, sizes = (
            np.concatenate([getattr(b, name) for b in banks]) for name in ("features", "sizes")
        )
        return Bank(features, sizes, fg.Forest.joined([b.forest for b in banks]), banks[0].pool)

    def moved(self, by: Int[AnyArray, "template 2"]) -> Bank:
        """Return the bank with each template moved, in rows and columns."""
        each = np.repeat(by, self.sizes, 0)
        return replace(self, features=self.features + np.pad(each, ((0, 0), (1, 0))))

    def best(self, field: Int[AnyArray, "orientation row col"]) -> fg.Best:
        """Find the shifts that agree best with an image, under the trees' bounds."""
        seen = unaries(field, self.features, self.pool)
        return self.forest.run({"shift": seen.reshape(len(seen), -1)})


def lay(banks: Sequence[Bank]) -> tuple[Bank, ...]:
    """Lay banks of single templates together, as many as are matched in one piece."""
    return tuple(Bank.joined(banks[i : i + TOGETHER]) for i in range(0, len(banks), TOGETHER))


def pooled(
    banks: Sequence[Bank], field: Int[AnyArray, "orientation row col"]
) -> Float[AnyArray, " template"]:
    """Return each template's agreement with an image where features shift as they like, nearby.

    A feature counts as the best within `NEARBY` pixels of its place does: one map of these serves
    all templates.
    """
    side = 2 * NEARBY + 1
    best = maximum_filter(field, (1, side, side))
    found = [
        np.add.reduceat(best[tuple(b.features.T)], np.cumsum(b.sizes) - b.sizes, dtype=np.int32)
        / b.sizes
        for b in banks
    ]
    return np.concatenate(found)


def match(bank: Bank, field: Int[AnyArray, "orientation row col"]) -> Float[AnyArray, " template"]:
    """Return for each template the best agreement with an image.

    Agreement is of features present less those absent, over their number: 1 where all are present,
    if that is what one counts in the field. The best is over shifts that the edges of the
    template's spanning tree allow.
    """
    return bank.best(field).scores / bank.sizes


def locate(
    bank: Bank, field: Int[AnyArray, "orientation row col"]
) -> tuple[Float[AnyArray, " template"], Int[AnyArray, "template 2"]]:
    """Return each template's best agreement with an image, and its root's shift at the best.

    Of several best shifts of the root their middle is returned.
    """
    roots = bank.best(field).at_roots
    most = roots.max((1, 2))
    best = roots == most[:, None, None]
    away = np.arange(bank.pool) - bank.pool // 2
    count = best.sum((1, 2))
    middle = np.stack([(best.sum(axis) * away).sum(1) / count for axis in (2, 1)], 1)
    return most / bank.sizes, np.rint(middle).astype(int)


def trace(
    bank: Bank, field: Int[AnyArray, "orientation row col"]
) -> tuple[Int[AnyArray, "feature 2"], Bool[AnyArray, " feature"]]:
    """Return where each feature lies at its tree's best, and whether the image has it there."""
    shifts = np.stack(np.divmod(bank.best(field).decode()["shift"], bank.pool), 1)
    places = bank.features[:, 1:] + shifts - bank.pool // 2
    return places, field[(bank.features[:, 0], *places.T)] > 0


def match_each(
    template: Template, fields: Iterable[Int[AnyArray, "orientation row col"]], pool: int
) -> Float[AnyArray, " image"]:
    """Return the best agreement of one template with each of several images."""
    bank = Bank.of([template], pool)
    found: list[AnyArray] = [np.zeros(0)]
    each = (unaries(field, bank.features, pool) for field in fields)
    while some := list(islice(each, TOGETHER)):
        seen = np.stack(some).reshape(len(some), len(template.features), -1)
        found.append(bank.forest.run({"shift": seen}).scores[:, 0] / len(template.features))
    return np.concatenate(found)
