"""Read a line of characters that overlap, lean and are crossed out, of unknown length.

Characters are proposed by matching every template everywhere along the line; the shifts of their
features carry the glyphs' pixels along. The text is the sequence from left to right that explains
the line best, each feature and pixel once: the best few are inferred jointly, and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from finetti import DataError, MissingExtra
from finetti.types import AnyArray, Float, Int
from finetti.vision.rcn.checking import as_image
from finetti.vision.rcn.expecting import Anything, Expected
from finetti.vision.rcn.features import ORIENTATIONS
from finetti.vision.rcn.matching import TOGETHER, Bank
from finetti.vision.rcn.parsing import Prices, sequences, settle
from finetti.vision.rcn.posing import Pose, Poses, extent, line_poses, posed, trimmed
from finetti.vision.rcn.proposing import GRID, Glyph, Line, Proposal, Scale, Search
from finetti.vision.rcn.recognising import FILTER
from finetti.vision.rcn.segmenting import Drawn, Segmentation, whole
from finetti.vision.rcn.surfaces import Appearance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAINT = 0.5  # of full ink: what is drawn weaker explains no pixel


@dataclass(frozen=True)
class Character:
    """Hold a character that was read, or a proposal.

    `left` and `right` are its first and last column in pixels of the line. `present` of its
    `features` were found there. `drawn` is the ink, 0 to 1, that it draws in the part of the line
    whose first pixel is `corner`, (row, col); `gain` is how many pixels of ink that explains.
    """

    label: str
    left: float
    right: float
    present: int
    features: int
    gain: float
    corner: tuple[int, int]
    drawn: Float[AnyArray, "row col"] = field(repr=False)

    @staticmethod
    def of(proposal: Proposal) -> Character:
        """Say what a proposal has come to."""
        drawing, present = proposal.drawing, len(proposal.present)
        return Character(
            proposal.glyph.label, *drawing.extent, present, proposal.features, proposal.gain,
            drawing.corner, drawing.ink,
        )  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """Hold what was read of a line: the characters from left to right, and what came next to them.

    `line` is its ink from 0 to 255. `value` is how many pixels of ink the characters explain, less
    their price and the text's. `others` are the other texts that were inferred, with theirs, the
    best first. `pose` is the size and the turn that the text had in the picture.

    >>> reading = reader.read(line)  # doctest: +SKIP
    >>> reading.text  # doctest: +SKIP
    '8652'
    """

    line: Float[AnyArray, "row col"] = field(repr=False)
    characters: tuple[Character, ...]
    value: float
    others: tuple[tuple[str, float], ...] = field(repr=False)
    pose: Pose = Pose()  # noqa: RUF009 - a frozen value

    @property
    def text(self) -> str:
        """Return the labels from left to right."""
        return "".join(character.label for character in self.characters)

    @property
    def explained(self) -> Int[AnyArray, "row col"]:
        """Return for each pixel with ink which character explains it, and -1 for none."""
        strongest = np.full(self.line.shape, FAINT)
        which = np.full(self.line.shape, -1)
        for i, character in enumerate(self.characters):
            (row, col), (rows, cols) = character.corner, character.drawn.shape
            at = np.s_[row : row + rows, col : col + cols]
            which[at] = np.where(character.drawn > strongest[at], i, which[at])
            strongest[at] = np.maximum(strongest[at], character.drawn)
        return np.where(self.line > FAINT * 255, which, -1)

    def segment(self, image: AnyArray, appearance: Appearance | None = None) -> Segmentation:
        """Infer which pixels belong to which character, and with what colours.

        `image`, in colour or grey, is that of the `line`: (row, col) or (row, col, channel).
        Contours are taken to run where a character's ink begins.
        """
        found = self.characters
        inks = whole(self.line.shape, [c.drawn for c in found], [c.corner for c in found])
        edges = [np.zeros((0, 3))]
        for axis, turn in ((0, ORIENTATIONS // 4), (1, 0)):
            row, col = np.nonzero(np.diff(inks > FAINT, axis=axis + 1).any(0))
            half = 0.5 * (np.arange(2) == axis)
            edges.append(np.column_stack([np.full(len(row), turn), row + half[0], col + half[1]]))
        labels = tuple(character.label for character in found)
        drawn = Drawn(labels, self.line / 255, inks, np.concatenate(edges))
        return drawn.segmented(image, appearance)

    def picture(self, axes: Axes | None = None) -> Axes:
        """Draw the line with each character's pixels in its colour, and in grey what none explains.

        The outlines are those of the characters as drawn.
        """
        try:
            import matplotlib.pyplot as plt
            from matplotlib.colors import to_rgb
        except ImportError as error:
            raise MissingExtra.needed("matplotlib", "vision", "a picture") from error
        if axes is None:
            _, axes = plt.subplots(figsize=(5, 2.4), layout="constrained")
        colours = [to_rgb(f"C{i}") for i in range(len(self.characters))]
        paint = np.array([*colours, (0.55, 0.55, 0.55)])[self.explained]
        ink = self.line[:, :, None] / 255
        axes.imshow(1 - 0.75 * ink * (1 - paint))
        for colour, character in zip(colours, self.characters, strict=True):
            (row, col), (rows, cols) = character.corner, character.drawn.shape
            across, down = np.arange(cols) + col, np.arange(rows) + row
            axes.contour(across, down, character.drawn, levels=[FAINT], colors=[colour])
            middle = (character.left + character.right) / 2
            axes.text(middle, -2, character.label, color=colour, ha="center", size=14)
        axes.set_xticks([])
        axes.set_yticks([])
        return axes


@dataclass(frozen=True)
class Reader:
    """Read lines of characters of which a few clean examples were learned.

    >>> stroke, bar = np.zeros((40, 20)), np.zeros((40, 32))
    >>> stroke[6:34, 7:13] = bar[17:23, 4:28] = 255
    >>> reader = Reader().fit([stroke, bar], ["I", "-"])
    >>> reader.read(np.hstack([bar, stroke, stroke, bar])).text
    '-II-'

    `upsampling` enlarges images of glyphs and lines, and `pool` is the side of a feature's pool in
    cells of two enlarged pixels, an odd number. `traced` proposals have their features traced, and
    the best `drawn` of them are fitted to the pixels. `parses` sequences are inferred jointly, in
    at most `rounds` rounds. In pixels of ink explained, a character's price is `twice` for each
    pixel that another draws as well, and `absent` for each of its features that the line lacks; a
    text's is `nat` for each factor of e that it is less expected.
    """

    upsampling: int = 2
    pool: int = 21
    traced: int = 300
    drawn: int = 120
    parses: int = 5
    rounds: int = 1
    twice: float = 0.5
    absent: float = 8.0
    nat: float = 10.0
    glyphs: tuple[Glyph, ...] = field(default=(), repr=False)
    banks: tuple[Bank, ...] = field(default=(), repr=False)

    def fit(self, glyphs: Sequence[AnyArray], labels: Sequence[str]) -> Reader:
        """Return the reader that has learned one template from each glyph.

        Glyphs are (row, col) from 0 to 255, bright on dark, and may differ in size.
        """
        if self.pool % 2 == 0 or self.pool < 3:
            raise DataError(f"pool is {self.pool}; give an odd number of cells, 3 or more")
        if len(glyphs) != len(labels) or not len(labels):
            raise DataError(f"{len(labels)} labels for {len(glyphs)} glyphs; give one a glyph")
        learned = []
        for label, glyph in zip(labels, glyphs, strict=True):
            image = as_image(glyph)
            evidence = self._scale.see(image)
            if not len(evidence.points):
                raise DataError(f"the glyph for {label!r} has no contour; leave it out")
            learned.append(Glyph.learned(str(label), image, evidence, self.pool))
        banks = tuple(
            Bank.joined([g.bank for g in learned[i : i + TOGETHER]])
            for i in range(0, len(learned), TOGETHER)
        )
        return replace(self, glyphs=tuple(learned), banks=banks)

    def read(
        self, line: AnyArray, expected: Expected | None = None, poses: Poses | None = None
    ) -> Reading:
        """Read a line, (row, col) from 0 to 255, bright on dark.

        `expected` says which texts are: `Words` of a list, or `Letters` that follow one another.
        With `Poses()` the text may be larger or smaller than the glyphs, and turned: the reading's
        `line` is then as it was brought to their size and upright, and `pose` how it was found.
        Returns an empty text where nothing is explained well enough.
        """
        if not self.glyphs:
            raise DataError("this Reader has learned nothing; use what `Reader().fit(...)` returns")
        image = as_image(line)
        if poses is None:
            return self._read(image, expected or Anything())
        heights = np.array([extent(255 * glyph.pixels) for glyph in self.glyphs])
        tall = max(len(glyph.pixels) for glyph in self.glyphs)
        best, most = Reading(image, (), 0.0, ()), 0.0
        for pose in line_poses(image, heights, poses):
            brought = trimmed(posed(image, pose), tall)
            reading = self._read(brought, expected or Anything())
            share = reading.value / max(((brought / 255) ** 2).sum(), 1.0)
            if share > most:
                best, most = replace(reading, pose=pose), share
        return best

    def _read(self, image: Float[AnyArray, "row col"], expected: Expected) -> Reading:
        """Read a line of characters of the glyphs' size, upright."""
        evidence = self._scale.see(image)
        if not len(evidence.points):
            return Reading(image, (), 0.0, ())
        search = Search(self.pool, self.traced, self.drawn, self.banks, self.glyphs)
        prices = Prices(self.twice, self.absent, self.nat)
        seen = Line.seen(image, evidence, search.room, self._scale)
        found = sequences(seen, search.propose(seen), prices, self.parses, expected)
        settled = [settle(seen, parse, search, prices, self.rounds) for parse in found]
        settled = [
            (value + self.nat * expected.log_probability([p.glyph.label for p in parse]), parse)
            for value, parse in settled
        ]
        settled.sort(key=lambda s: -s[0])
        if not settled:
            return Reading(image, (), 0.0, ())
        (value, best), *others = settled
        texts: dict[str, float] = {}
        for other, parse in others:
            texts.setdefault("".join(p.glyph.label for p in parse), other)
        reading = Reading(image, tuple(map(Character.of, best)), value, ())
        texts.pop(reading.text, None)
        return replace(reading, others=tuple(texts.items()))

    @property
    def _scale(self) -> Scale:
        return Scale(self.upsampling, self.pool // 2 * GRID + 2 * FILTER)
