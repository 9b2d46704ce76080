"""Say what was found wrong with a run: a problem, its sites, and a sentence with the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finetti.hypertext.html import block, items, words
from finetti.posterior.labels import is_hidden

NAMED_AT_MOST = 4


@dataclass(frozen=True)
class Finding:
    """Hold one problem: its name, the sites it concerns, and a sentence with the remedy."""

    problem: str
    sites: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Advice:
    """Hold the findings, worst first; print it to read them.

    Illnesses come before the signs they show in, such as divergences.
    """

    findings: tuple[Finding, ...]
    fine: str = "No warnings: R-hat, effective sample sizes, divergences and energy look fine."

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        if not self.findings:
            return self.fine
        return "\n".join(f"- {f.sentence}" for f in self.findings)

    def __repr__(self) -> str:
        problems = "; ".join(f.problem for f in self.findings)
        return f"<advice: {problems or 'no warnings'}>"

    def _repr_html_(self) -> str:
        if not self.findings:
            return block(words(self.fine))
        return block(items(f.sentence for f in self.findings))


def listed(items: Iterable[object]) -> str:
    """Write some names with commas, the first few of many.

    >>> listed(["mu", "tau"])
    'mu, tau'
    """
    names = [str(i) for i in items]
    shown, hidden = ", ".join(names[:NAMED_AT_MOST]), len(names) - NAMED_AT_MOST
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def visible(names: Iterable[object]) -> list[str]:
    """Return the scalars that are shown among some, or all where all are hidden.

    >>> visible(["_z", "mu[A]"]), visible(["_z"])
    (['mu[A]'], ['_z'])
    """
    found = [str(name) for name in names]
    return [name for name in found if not is_hidden(name.partition("[")[0])] or found
