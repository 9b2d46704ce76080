"""Propose characters along a line: match every glyph everywhere, trace its features, and draw it.

All this is done on a grid of `GRID` pixels of the enlarged image, which costs a quarter of the time
and half a pixel of accuracy that drawing makes good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from finetti.types import AnyArray, Bool, Float, Int
from finetti.vision.rcn.drawing import Drawing, Warp, draw, improve, window_of
from finetti.vision.rcn.evidence import Evidence, in_pixels, see
from finetti.vision.rcn.features import ORIENTATIONS
from finetti.vision.rcn.matching import TOGETHER, Bank, locate, trace
from finetti.vision.rcn.template import Template, learn

GRID = 2  # pixels of the enlarged image to a cell, each way
STRIDE = 8  # cells between the places where glyphs are sought
RIVALS = 2  # glyphs of one character kept in one stretch of the line
CLAIM = 1  # cells, and orientations, within which a feature explains the line's


@dataclass(frozen=True)
class Scale:
    """Hold how an image was enlarged and framed, so that cells can be told in its pixels."""

    upsampling: int
    margin: int

    def see(self, image: AnyArray) -> Evidence:
        """Find an image's features."""
        return see(image, self.upsampling, self.margin)

    def in_pixels(self, cells: AnyArray) -> Float[AnyArray, "place 2"]:
        """Return where the middles of cells lie in the image."""
        return in_pixels(GRID * cells + (GRID - 1) / 2, self.upsampling, self.margin)


@dataclass(frozen=True)
class Glyph:
    """Hold a learned glyph: its pixels from 0 to 1, and its template on the grid, as a bank."""

    label: str
    pixels: Float[AnyArray, "row col"]
    size: tuple[int, int]  # cells, with the margin
    bank: Bank

    @staticmethod
    def learned(label: str, image: AnyArray, evidence: Evidence, pool: int) -> Glyph:
        """Learn the template of a glyph's features, each with a pool of so many cells."""
        found = learn(evidence.points)
        features = found.features.copy()
        features[:, 1:] //= GRID
        template = Template(features, found.edges, -(-found.radii // GRID))
        rows, cols = (n // GRID for n in evidence.shape)
        return Glyph(label, np.asarray(image, float) / 255, (rows, cols), Bank.of([template], pool))


@dataclass(frozen=True)
class Line:
    """Hold a line as seen: its ink from 0 to 1, and on the grid what speaks for each feature.

    The field has `room` empty cells around it, for glyphs that reach beyond the line.
    """

    ink: Float[AnyArray, "row col"]
    field: Int[AnyArray, "orientation down across"]
    room: int
    scale: Scale

    @staticmethod
    def seen(image: AnyArray, evidence: Evidence, room: int, scale: Scale) -> Line:
        """Bring what is seen of an image onto the grid: a cell shows the most of its pixels."""
        fine = evidence.field()
        rows, cols = (n // GRID for n in evidence.shape)
        cells = fine[:, : GRID * rows, : GRID * cols].reshape(ORIENTATIONS, rows, GRID, cols, GRID)
        around = ((0, 0), (room, room), (room, room))
        return Line(image / 255, np.pad(cells.max((2, 4)), around, constant_values=-1), room, scale)

    def without(self, others: Iterable[Proposal]) -> Line:
        """Return the line in which what others' features explain speaks no longer."""
        left = self.field.copy()
        near = np.arange(-CLAIM, CLAIM + 1)
        for other in others:
            turn, row, col = other.present.T[:, :, None] + near
            at = (turn[:, :, None, None] % ORIENTATIONS, row[:, None, :, None], col[:, None, None])
            left[at] = np.minimum(left[at], 0)
        return replace(self, field=left)


@dataclass(frozen=True)
class Proposal:
    """Hold a glyph at a place of the line, as traced and drawn there.

    `corner` (row, col) is where the glyph's frame lies and `present` are the features that the line
    shows, (orientation, row, col), both in cells with the line's room.
    """

    glyph: Glyph
    corner: Int[AnyArray, " 2"]
    present: Int[AnyArray, "feature 3"]
    features: int
    drawing: Drawing
    gain: float

    @property
    def absent(self) -> int:
        """Return how many of its features the line lacks."""
        return self.features - len(self.present)


@dataclass(frozen=True)
class Search:
    """Hold how characters are sought: the side of a pool in cells, and how many go how far."""

    pool: int
    traced: int
    drawn: int
    banks: tuple[Bank, ...] = field(repr=False)
    glyphs: tuple[Glyph, ...] = field(repr=False)

    @property
    def room(self) -> int:
        """Return the cells around a line that glyphs and their pools may reach."""
        return self.pool + max(max(g.size) for g in self.glyphs)

    def propose(self, line: Line) -> list[Proposal]:
        """Return the proposals that explain the most ink, the best first."""
        chosen, corners = self._sought(line)
        drawn = []
        for i in range(0, len(chosen), TOGETHER):
            drawn += self.traced_at(line, chosen[i : i + TOGETHER], corners[i : i + TOGETHER])
        drawn.sort(key=lambda p: -p.gain)
        return [fitted(line, p) for p in drawn[: self.drawn]]

    def traced_at(
        self, line: Line, glyphs: Sequence[Glyph], corners: Int[AnyArray, "glyph 2"]
    ) -> list[Proposal]:
        """Trace glyphs at places of the line, and draw them where their features lie."""
        bank = Bank.joined([g.bank for g in glyphs]).moved(corners)
        places, shown = trace(bank, line.field)
        found, first = [], 0
        for glyph, corner, size in zip(glyphs, corners, bank.sizes.tolist(), strict=True):
            part = slice(first, first + size)
            first += size
            homes = line.scale.in_pixels(glyph.bank.features[:, 1:])
            if drawing := _drawn(line, glyph, homes, places[part], shown[part]):
                turn = bank.features[part, :1]
                present = np.concatenate([turn, places[part]], 1)[shown[part]]
                gain = drawing.gain(line.ink)
                found.append(Proposal(glyph, corner, present, size, drawing, gain))
        return found

    def _sought(self, line: Line) -> tuple[list[Glyph], Int[AnyArray, "proposal 2"]]:
        """Match every glyph at every place, and choose the best glyphs of each stretch."""
        sizes = np.concatenate([bank.sizes for bank in self.banks])
        tall = np.array([g.size[0] for g in self.glyphs])
        down = (line.field.shape[1] - tall) // 2  # glyphs stand in the middle of the line
        agreements, places = [], []
        stop = line.field.shape[2] - line.room - 2 * line.scale.margin // GRID
        for left in range(line.room, stop, STRIDE):
            corner = np.stack([down, np.full(len(down), left)], 1)
            agreement, shift = self._at(line, corner)
            agreements.append(agreement)
            places.append(corner + shift)
        agreement, corner = np.concatenate(agreements), np.concatenate(places)
        glyph = np.tile(np.arange(len(sizes)), len(agreements))
        order = np.argsort(-agreement * np.sqrt(sizes[glyph]), kind="stable")
        kept: dict[tuple[str, int], dict[int, int]] = {}
        for i in order.tolist():
            here = kept.setdefault((self.glyphs[glyph[i]].label, int(corner[i, 1]) // STRIDE), {})
            if len(here) < RIVALS:
                here.setdefault(int(glyph[i]), i)
        rank = np.argsort(order)
        best = sorted((i for here in kept.values() for i in here.values()), key=lambda i: rank[i])
        best = best[: self.traced]
        return [self.glyphs[glyph[i]] for i in best], corner[best]

    def _at(
        self, line: Line, corner: Int[AnyArray, "glyph 2"]
    ) -> tuple[Float[AnyArray, " glyph"], Int[AnyArray, "glyph 2"]]:
        """Match every glyph near where its frame's corner is put."""
        found, first = [], 0
        for bank in self.banks:
            last = first + len(bank.sizes)
            found.append(locate(bank.moved(corner[first:last]), line.field))
            first = last
        agreement, shift = zip(*found, strict=True)
        return np.concatenate(agreement), np.concatenate(shift)


def fitted(
    line: Line, proposal: Proposal, others: Float[AnyArray, "row col"] | None = None
) -> Proposal:
    """Return a proposal drawn as the line's pixels, and what others draw, ask for."""
    start, window = proposal.drawing.warp, proposal.drawing.window
    covered = None if others is None else others[window]
    drawing = improve(line.ink, proposal.glyph.pixels, start, window, covered)
    return replace(proposal, drawing=drawing, gain=drawing.gain(line.ink))


def _drawn(
    line: Line,
    glyph: Glyph,
    homes: Float[AnyArray, "feature 2"],
    cells: Int[AnyArray, "feature 2"],
    shown: Bool[AnyArray, " feature"],
) -> Drawing | None:
    """Draw a glyph whose features lie in given cells, or nothing beyond the line."""
    shape = line.ink.shape
    places = line.scale.in_pixels(cells - line.room)
    window = window_of(places, (shape[0], shape[1]))
    return (
        None if window is None else draw(glyph.pixels, Warp.through(places, homes, shown), window)
    )
