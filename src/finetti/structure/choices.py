"""Hold what a user chooses of a plan: the rewrites refused, and those asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from finetti.structure.rewrites import order
from finetti.structure.rewrites.approximate.approximate import Approximate
from finetti.structure.rewrites.rewrite import Kind
from finetti.structure.rewrites.sum_out.sum_out import Propagate


@dataclass(frozen=True)
class Choices:
    """Hold the names of the rewrites that the user does not want, and of those asked for.

    A name is a verb, for all rewrites of a kind, or a verb with sites, such as `centre theta`.
    """

    refused: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()

    def refuse(self, names: Iterable[str]) -> Choices:
        """Return the choices with more names refused."""
        return replace(self, refused=self.refused.union(names))

    def refuse_kinds(self, kinds: Iterable[Kind]) -> Choices:
        """Return the choices with all rewrites of some kinds refused."""
        return self.refuse(kind.verb for kind in kinds)

    def ask(self, verb: str, sites: Collection[str] = ()) -> Choices:
        """Return the choices that ask for a rewrite of the sites named, or wherever it fits."""
        asked = {f"{verb} {site}" for site in sites} or {verb}
        others = {name for name in self.asked if not _is_of(name, verb)}
        return Choices(self.refused - {verb}, frozenset(others | asked))

    def asks(self, verb: str) -> bool:
        """Tell whether a rewrite is asked for."""
        return any(_is_of(name, verb) for name in self.asked)

    def allow(self, kind: Kind) -> bool:
        """Tell whether to look for rewrites of a kind."""
        wanted = self.asks(kind.verb) or not kind.rewrite.asked_for
        return wanted and kind.verb not in self.refused

    def keep(self, site: str) -> bool:
        """Tell whether some rewrite that would ease a group's effect is refused."""
        return any(not self.refused.isdisjoint({verb, f"{verb} {site}"}) for verb in easing())

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Choices:
        """Return the choices in a plan's record."""
        found = cls(frozenset(record["refused"]), frozenset(record.get("asked", ())))
        wish = record.get("wish")  # so runs were saved before rewrites were asked for by name
        if wish and wish["laplace"]:
            found = found.ask(Approximate.verb, wish["sites"])
        return found.ask(Propagate.verb) if wish and wish["messages"] else found

    def record(self) -> dict[str, list[str]]:
        """Return the choices as plain lists: `of` turned round."""
        return {"refused": sorted(self.refused), "asked": sorted(self.asked)}


def easing() -> list[str]:
    """Return the verbs of the rewrites that spare the sampler the funnel of a group's effects."""
    return [kind.verb for kind in order.ORDER if kind.rewrite.eases]


def _is_of(name: str, verb: str) -> bool:
    return name == verb or name.startswith(f"{verb} ")


def sites(names: Iterable[str], verb: str) -> frozenset[str]:
    """Return the sites that names such as `centre theta` give with a verb."""
    return frozenset(n.removeprefix(f"{verb} ") for n in names if n.startswith(f"{verb} "))


FREE = Choices()
AS_WRITTEN = FREE.refuse_kinds(order.ORDER)  # refuses every rewrite
