"""Give an account of a plan in words: a row a site, a line a rewrite, in aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from textwrap import wrap
from typing import Any

from finetti.structure.notation import Notation
from finetti.structure.rewrites.rewrite import Rewrite
from finetti.structure.variables import Variable
from finetti.structure.words import counted, listed

GAP = 2  # blanks between columns
WIDTH = 110  # characters of a line
HEADS = ("site", "seen", "done", "why")
COSTS = ("rewrite", "what each evaluation takes")


@dataclass(frozen=True)
class Row:
    """Hold one line of a plan: a site, what was seen, what will be done, and why."""

    site: str
    seen: str
    done: str
    why: str


@dataclass(frozen=True, eq=False)
class Account:
    """Describe what a plan does with each variable.

    `left` says of sites that the sampler moves as they are why no rewrite takes them.
    """

    notation: Notation
    variables: tuple[Variable, ...]
    rewrites: tuple[Rewrite, ...]
    left: Mapping[str, str]

    def rows(self) -> list[Row]:
        """Return a row for each variable."""
        return [Row(v.name, self._seen(v), *self._done(v)) for v in self.variables]

    def costs(self) -> list[tuple[str, str]]:
        """Return the name of each rewrite, and what it takes at each evaluation of the density."""
        return [(r.name, r.cost()) for r in self.rewrites]

    def record(self) -> dict[str, Any]:
        """Return the account as plain lists and text."""
        return {
            "sites": [[row.site, row.seen, row.done, row.why] for row in self.rows()],
            "rewrites": self.costs(),
            "dimensions": self.dimensions(),
        }

    def dimensions(self) -> str:
        """Say how many dimensions are left to sample, and of how many."""
        latent = [v for v in self.variables if v.kind == "latent"]
        gone = {site for r in self.rewrites if r.takes_out for site in r.sites}
        size = sum(prod(v.free_shape) if not v.discrete else prod(v.shape) for v in latent)
        left = size - sum(prod(v.shape) for v in latent if v.name in gone)
        stuck = [f"`{v.name}`" for v in latent if v.discrete and v.name not in gone]
        if stuck:
            return f"not to be sampled as it stands: see {listed(stuck)}"
        many = counted(size, "dimension")
        said = f"{left:,} of {many} to sample" if gone else f"{many} to sample"
        if not all(r.exact for r in self.rewrites):
            said += "; NOT exact: what is approximated is so by your choice"
        return said

    def __str__(self) -> str:
        """Print a table of the sites, then one of the rewrites' costs."""
        rows = [(r.site, r.seen, r.done, r.why) for r in self.rows()]
        lines = columns([HEADS, *rows], (20, 46, 18))
        if self.rewrites:
            lines += ["", *columns([COSTS, *self.costs()], (40,))]
        return "\n".join([*lines, "", self.dimensions()])

    def _seen(self, v: Variable) -> str:
        """Return a statement as it stands in a book: `~ Normal(mu, tau) in school(8)`."""
        sign = {"deterministic": "=", "factor": "factor"}.get(v.kind, "~")
        event = v.shape[len(v.plates) :]
        length = {0: "", 1: f"of length {prod(event)}"}
        shape = length.get(len(event), f"of shape {'x'.join(map(str, event))}")
        where = " x ".join(str(p) for p in v.plates)
        parts = [f"{sign} {self.notation.of(v)}", "weighted" if v.weights is not None else "",
                 shape if v.kind != "factor" else "",
                 f"in {where}" if where else ""]  # fmt: skip
        return " ".join(filter(None, parts))

    def _done(self, v: Variable) -> tuple[str, str]:
        """Return what is done to a site and why: by a rewrite that has it, or as its kind says."""
        for rewrite in self.rewrites:
            if v.name in rewrite.sites:
                return rewrite.done(v.name), rewrite.reason(v.name)
        match v.kind:
            case "observed":
                return "condition", f"observed: {_counting(v)}{_foreign(v)}"
            case "fixed":
                return "hold fixed", "substituted: its prior density still counts"
            case "deterministic":
                return "compute", "for each draw"
            case "factor":
                return "add", "a term of the log joint density"
        if v.discrete:
            return "refuse", f"discrete: {self.left[v.name]}"
        done, why = _transform(v)
        left = self.left.get(v.name, "")
        whole = left if left and v.support == "real" else "; ".join(filter(None, [why, left]))
        return done, whole + _foreign(v)


def _foreign(v: Variable) -> str:
    """Say of a family that a user has written that nothing can be made of what it is."""
    return f"; finetti knows {v.family} by its density alone" if v.foreign else ""


def _counting(v: Variable) -> str:
    many = counted(prod(v.shape), "value")
    if v.weights is not None:
        many += f" that stand for {v.weights.sum():,.12g}"
    if v.holes is not None:
        return f"{many}, {v.holes.sum():,} of {v.holes.size:,} missing"
    if v.counting is None or v.counting.all():
        return many
    return f"{many}, {v.counting.size - v.counting.sum():,} of {v.counting.size:,} left out"


def _transform(v: Variable) -> tuple[str, str]:
    """Name the bijection to the real numbers and the reason for it."""
    if v.support == "real" or v.transform == "Identity":
        return "sample", "any real number"
    before, after = prod(v.free_shape), prod(v.shape)
    if before != after:
        return "sample", f"{v.support}: {after} numbers from {counted(before, 'free one')}"
    match v.support.split():
        case ["positive"]:
            return "sample its log", "positive"
        case ["above" | "below", *_]:
            return "sample a log", f"{v.support}: the log of how far"
        case ["between", *_]:
            return "sample its logit", v.support
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in v.transform).strip()
    return "transform", f"{v.support}, by {words}" if words != "independent" else v.support


def columns(table: Iterable[Sequence[str]], most: Sequence[int]) -> list[str]:
    """Align rows of text in columns as wide as their text, at most `most` characters.

    Longer text is wrapped; the last column takes what is left of the line.
    """
    rows = list(table)
    widths = [min(limit, max(len(row[i]) for row in rows)) for i, limit in enumerate(most)]
    widths.append(max(20, WIDTH - sum(widths) - GAP * len(widths)))
    lines = []
    for row in rows:
        cells = [_wrapped(text, width) for text, width in zip(row, widths, strict=True)]
        for i in range(max(map(len, cells))):
            parts = [cell[i] if i < len(cell) else "" for cell in cells]
            padded = [part.ljust(width) for part, width in zip(parts, widths, strict=True)]
            lines.append((" " * GAP).join(padded).rstrip())
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, subsequent_indent="  ", break_on_hyphens=False) or [""]
