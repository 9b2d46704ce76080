"""Choose the sequence of characters that explains a line best, each feature and pixel once.

Sequences from left to right are a chain whose factors join neighbours, so that max-product finds
the best few of them exactly. Each is then inferred anew as one: its characters send one another
what they explain, in turn. What the others' features explain speaks no longer for a character's
own, whose messages are passed again on what is left; and a pixel shows the strongest ink drawn
there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.rcn.drawing import Drawing, explained
from finetti.vision.rcn.expecting import Expected, State
from finetti.vision.rcn.proposing import Line, Proposal, Search, fitted

OPEN = 60  # texts, and ways to place them, that are kept in mind at one place of the line
APART = 0.15  # of the narrower's width: how far the middles of neighbours must be apart


class Path(NamedTuple):
    """Hold a sequence of proposals by their numbers, its value, and the state of its text."""

    value: float
    state: State
    chosen: tuple[int, ...]

    def worth(self, more: float) -> Path:
        """Return the path with so much more value."""
        return self._replace(value=self.value + more)


@dataclass(frozen=True)
class Prices:
    """Hold what characters cost, in pixels of ink.

    `twice` is the price of a pixel that is drawn a second time, `absent` of a feature that the line
    lacks. `nat` is what an e times less expected text has to explain more.
    """

    twice: float
    absent: float
    nat: float

    def worth(self, proposal: Proposal) -> float:
        """Return what one character alone explains, less its price."""
        return proposal.gain - self.absent * proposal.absent

    def value(self, line: Line, parse: Sequence[Proposal]) -> float:
        """Return what characters explain together, less their prices."""
        union, total = together(line, [p.drawing for p in parse])
        spent = self.twice * float((total - union).sum())
        lacking = self.absent * sum(p.absent for p in parse)
        return explained(line.ink, union) - spent - lacking


def together(
    line: Line, drawings: Sequence[Drawing]
) -> tuple[Float[AnyArray, "row col"], Float[AnyArray, "row col"]]:
    """Return the strongest ink that is drawn at each pixel, and the sum."""
    union, total = np.zeros((2, *line.ink.shape))
    for drawing in drawings:
        at = drawing.window
        union[at] = np.maximum(union[at], drawing.ink)
        total[at] += drawing.ink
    return union, total


def sequences(
    line: Line,
    proposals: Sequence[Proposal],
    prices: Prices,
    count: int,
    expected: Expected,
) -> list[tuple[Proposal, ...]]:
    """Return the best few sequences from left to right, the best first, by max-product.

    What is expected of the text comes in character by character, from the first. Exact as far as no
    pixel is drawn by three characters, and no more than `OPEN` texts are likely at one place.
    """
    chosen = [p for p in proposals if prices.worth(p) > 0]
    chosen.sort(key=lambda p: p.drawing.middle)
    middles = np.array([p.drawing.middle for p in chosen])
    widths = np.array([right - left for left, right in (p.drawing.extent for p in chosen)])
    best: list[list[Path]] = []
    for j, last in enumerate(chosen):
        own, label = prices.worth(last), last.glyph.label
        found = _longer(Path(own, expected.start, ()), j, label, prices, expected)
        apart = middles[j] - middles[:j] >= APART * np.minimum(widths[:j], widths[j])
        for i in np.flatnonzero(apart).tolist():
            joint = own + _joint(line, chosen[i].drawing, last.drawing, prices)
            for path in best[i]:
                found += _longer(path.worth(joint), j, label, prices, expected)
        best.append(_kept(found, count))
    ends = [
        (path.value + prices.nat * expected.end(path.state), path.chosen)
        for found in best
        for path in found
    ]
    ends = sorted((f for f in ends if np.isfinite(f[0])), key=lambda f: -f[0])
    return [tuple(chosen[i] for i in path) for _, path in ends[:count]]


def _longer(path: Path, last: int, label: str, prices: Prices, expected: Expected) -> list[Path]:
    """Return the paths that go on to one more proposal, with what is expected of its label."""
    return [
        Path(path.value + prices.nat * weight, state, (*path.chosen, last))
        for state, weight in expected.follow(path.state, label)
    ]


def _kept(found: list[Path], count: int) -> list[Path]:
    """Keep the best few paths to each state, and of states those of the best paths."""
    found.sort(key=lambda path: -path.value)
    met: Counter[State] = Counter()
    kept = []
    for path in found:
        met[path.state] += 1
        if met[path.state] <= count:
            kept.append(path)
    return kept[:OPEN]


def settle(
    line: Line, parse: Sequence[Proposal], search: Search, prices: Prices, rounds: int
) -> tuple[float, tuple[Proposal, ...]]:
    """Infer the characters of one parse jointly; return their value and themselves.

    The value never falls: what a message changes is kept where it explains more.
    """
    now, value = list(parse), prices.value(line, parse)
    for _ in range(rounds):
        before = value
        for i, own in enumerate(now):
            others = now[:i] + now[i + 1 :]
            union, _ = together(line, [p.drawing for p in others])
            near = [p for p in others if _overlap(p.drawing, own.drawing)]
            retraced = search.traced_at(line.without(near), [own.glyph], own.corner[None])
            for start in (own, *retraced) if near else (own,):
                new = fitted(line, start, union)
                other = prices.value(line, [*now[:i], new, *now[i + 1 :]])
                if other > value:
                    now[i], value = new, other
        if value <= before:
            break
    return value, tuple(now)


def _overlap(first: Drawing, second: Drawing) -> bool:
    return all(
        a.start < b.stop and b.start < a.stop
        for a, b in zip(first.window, second.window, strict=True)
    )


def _joint(line: Line, first: Drawing, second: Drawing, prices: Prices) -> float:
    """Return what two characters explain together, more than the sum of what each does."""
    if not _overlap(first, second):
        return 0.0
    shared = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(first.window, second.window, strict=True)
    )
    one, two = (
        d.ink[tuple(slice(s.start - c, s.stop - c) for s, c in zip(shared, d.corner, strict=True))]
        for d in (first, second)
    )
    seen = line.ink[shared]
    both = explained(seen, np.maximum(one, two))
    drawn_twice = float(np.minimum(one, two).sum())
    return both - explained(seen, one) - explained(seen, two) - prices.twice * drawn_twice
