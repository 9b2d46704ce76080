"""Decide what to do with each variable of a model, and say why.

Rewrites are tried in order: discrete sites are summed out, what is Gaussian given the rest is
integrated out, the groups' effects that are left are centred, and positive numbers straightened.
The user may refuse any of them by name. All these are exact; what is not, Laplace's method and
belief propagation, is made only when asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import jax

from finetti.errors import ModelError
from finetti.structure.account import COSTS, HEADS, Account, Row, columns
from finetti.structure.form import Form, Given
from finetti.structure.graph import Graph
from finetti.structure.notation import Notation
from finetti.structure.program import Program
from finetti.structure.rewrites import (
    alternate,
    discrete,
    hessian,
    kinds,
    located,
    pooled,
    quadratic,
    sufficient,
)
from finetti.structure.rewrites.alike import Tally
from finetti.structure.rewrites.alternate import Alternate
from finetti.structure.rewrites.approximate import Approximate
from finetti.structure.rewrites.centre import Centre
from finetti.structure.rewrites.condense import Condense
from finetti.structure.rewrites.hessian import Wish
from finetti.structure.rewrites.integrate import Integrate
from finetti.structure.rewrites.obstacles import obstacles
from finetti.structure.rewrites.pool import Pool
from finetti.structure.rewrites.rewrite import Marginal, Move, Rewrite
from finetti.structure.rewrites.straighten import Straighten
from finetti.structure.rewrites.sum_out import SumOut
from finetti.structure.variables import Variable
from finetti.structure.words import counted, listed

VERBS = (
    SumOut.verb,
    Integrate.verb,
    Approximate.verb,
    Condense.verb,
    Pool.verb,
    Tally.verb,
    Centre.verb,
    Straighten.verb,
    Alternate.verb,
)
AS_WRITTEN = frozenset(VERBS)  # refuses every rewrite


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold what finetti saw in a model and what it will do; print it to read it.

    `refused` names the rewrites that the user does not want, `wish` what is to be approximated.
    """

    program: Program
    graph: Graph
    refused: frozenset[str] = frozenset()
    wish: Wish | None = None

    def without(self, *names: str) -> Plan:
        """Return the plan that does not make the rewrites named, such as `integrate out theta`.

        A rewrite's name is its verb and its sites; the verb with one site refuses the rewrite of
        that site alone, the verb by itself all such rewrites. Another rewrite may take its place,
        which a later name may refuse as well. Raises `ModelError` for a name that no rewrite of
        the plan has.
        """
        plan = self
        for name in names:
            plan = plan._without(name)
        return plan

    def _without(self, name: str) -> Plan:
        if name in self.refused:
            return self
        if name in AS_WRITTEN:
            return replace(self, refused=self.refused | {name})
        if not any(name in r.names for r in self.rewrites):
            listed = ", ".join(f"`{r.name}`" for r in self.rewrites) or "none"
            raise ModelError(f"the plan has no rewrite `{name}` (rewrites: {listed})")
        sites = {f"{r.verb} {s}" for r in self.rewrites if r.name == name for s in r.sites}
        return replace(self, refused=self.refused | {name} | sites)

    def as_written(self) -> Plan:
        """Return the plan that makes no rewrite: it samples every latent variable as it stands."""
        return Plan(self.program, self.graph, AS_WRITTEN)

    def approximate(self, *sites: str) -> Plan:
        """Return the plan that also integrates out, by Laplace's method, what is not Gaussian.

        `sites` names what to take out; without them it is every group's effect that fits: what
        lies in a plate, and vectors whose prior depends on others, such as Gaussian processes.
        Exact rewrites come first. The approximation is good where each group's effect is nearly
        normal given the rest; a fit checks it and its advice says when not to trust it.

        Raises `UnknownSite` for a name that no latent variable has, and `ModelError` where
        nothing fits.
        """
        wish = Wish(frozenset(sites), messages=self.wish is not None and self.wish.messages)
        made = replace(self, wish=wish, refused=self.refused - {Approximate.verb})
        _ = made.rewrites  # refuses what does not fit
        return made

    def propagate(self) -> Plan:
        """Return the plan that also sums out, by belief propagation, what is too wide to be exact.

        It takes discrete sites so many of whose members meet that no exact sum fits. The sum is
        then Bethe's approximation, exact where no members meet in a cycle, and members are drawn
        back each by itself: their probabilities are approximate, and no correlations are drawn.
        """
        wish = replace(self.wish or Wish(laplace=False), messages=True)
        return replace(self, wish=wish, refused=self.refused - {SumOut.verb})

    @cached_property
    def _found(self) -> tuple[tuple[Rewrite, dict], ...]:
        moves: list[Move] = [*self._centred[0], *self._straightened]
        moved = ((move, move.start(self.program.dtype)) for move in moves)
        return (*self._taken, *moved, *self._alternating)

    @cached_property
    def _alternating(self) -> list[tuple[Rewrite, dict]]:
        if Alternate.verb in self.refused:
            return []
        free = sum(prod(v.free_shape) for v in self.left)
        with jax.enable_x64(self.program.dtype == "float64"):
            found = alternate.find(self.program, self._centred[0], self._taken, free)
        refused = self._refused_sites(Alternate.verb)
        return [found] if found is not None and refused.isdisjoint(found[0].sites) else []

    @cached_property
    def _taken(self) -> tuple[tuple[Rewrite, dict], ...]:
        """Return the rewrites that leave the sampler's coordinates alone, with their constants."""
        sums, _ = self._summed
        found: list[tuple[Rewrite, dict] | None] = list(sums)
        summed = {term for rewrite, _ in sums for term in rewrite.terms}
        with jax.enable_x64(self.program.dtype == "float64"):
            condensed, integrated = [], None
            if Condense.verb not in self.refused:
                refused = {*self._refused_sites(Condense.verb), *summed}
                condensed = sufficient.find(self.program, self.variables, refused)
            if Integrate.verb not in self.refused:
                refused = self._refused_sites(Integrate.verb)
                integrated = quadratic.find(self.program, self.variables, refused, condensed)
            found += [integrated, *condensed]
            if Pool.verb not in self.refused:
                refused = {*self._refused_sites(Pool.verb), *summed}
                found += pooled.find(self.program, self.variables, refused)
            if integrated is not None and Tally.verb not in self.refused:
                refused = self._refused_sites(Tally.verb)
                if not refused.intersection(integrated[0].sites):
                    found.append(kinds.find(self.program, self.variables, integrated, condensed))
        made = [f for f in found if f is not None]
        if self.wish is not None and self.wish.laplace and Approximate.verb not in self.refused:
            made.append(self._approximated(self.wish, [r for r, _ in made]))
        return tuple(made)

    def _approximated(self, wish: Wish, made: Collection[Rewrite]) -> tuple[Rewrite, dict]:
        exact = [r for r in made if isinstance(r, Marginal)]
        refused = self._refused_sites(Approximate.verb)
        with jax.enable_x64(self.program.dtype == "float64"):
            return hessian.find(self.program, self.variables, exact, refused, wish)

    @cached_property
    def _centred(self) -> tuple[list[Centre], dict[str, str]]:
        """Return the blocks to centre, and why other location-scale sites are left alone."""
        if Centre.verb in self.refused:
            return [], {}
        refused = self._refused_sites(Centre.verb)
        return located.find(self.program, self.variables, self._gone, refused)

    @cached_property
    def _straightened(self) -> list[Straighten]:
        if Straighten.verb in self.refused:
            return []
        others = {s for move in self._centred[0] for s in move.sites}
        barred = {*self._gone, *others, *self._refused_sites(Straighten.verb)}
        left = (v for v in self.variables if v.kind == "latent" and v.name not in barred)
        return [Straighten(v.name, v.shape) for v in left if v.support == "positive"]

    @cached_property
    def _summed(self) -> tuple[list[tuple[SumOut, dict]], dict[str, str]]:
        """Return the sums over discrete sites, and why other discrete sites cannot be summed."""
        if SumOut.verb in self.refused:
            return [], {}
        with jax.enable_x64(self.program.dtype == "float64"):
            refused = self._refused_sites(SumOut.verb)
            messages = self.wish is not None and self.wish.messages
            return discrete.find(self.program, self.variables, refused, messages)

    def _refused_sites(self, verb: str) -> set[str]:
        return {n.removeprefix(f"{verb} ") for n in self.refused if n.startswith(f"{verb} ")}

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        """Return the rewrites the plan makes."""
        return tuple(rewrite for rewrite, _ in self._found)

    def dot(self) -> str:
        """Return the graph in Graphviz's language; dashed: taken out, double: centred."""
        centred = {site for move in self.form.centred for site in move.sites}
        return self.graph.dot(dashed=self._gone, doubled=centred)

    @cached_property
    def form(self) -> Form:
        """Return the program under its rewrites."""
        return Form(self.program, self.rewrites)

    @cached_property
    def given(self) -> Given:
        """Return the constants of the form: the data's, and each rewrite's at the start."""
        return Given(self.program.constants, {r.name: constants for r, constants in self._found})

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return the model's variables in order."""
        return self.graph.variables

    @property
    def left(self) -> tuple[Variable, ...]:
        """Return the variables that are neither summed nor integrated out."""
        return tuple(v for v in self.variables if v.kind == "latent" and v.name not in self._gone)

    @property
    def latent(self) -> tuple[Variable, ...]:
        """Return the variables a gradient moves; refuse discrete ones by name."""
        found = self.left
        for v in found:
            if v.discrete:
                raise ModelError(
                    f"site `{v.name}` is discrete ({v.family}) and unobserved: no gradient moves "
                    f"it, and it is not summed out: {self._kept(v)}; or observe it, or move it "
                    f"with ft.Compound()"
                )
        return found

    def _kept(self, v: Variable) -> str:
        """Say why a discrete site is not summed out."""
        if SumOut.verb in self.refused or v.name in self._refused_sites(SumOut.verb):
            return "the plan was told not to; let it, as `model.plan()` does"
        return self._summed[1][v.name]

    def rows(self) -> list[Row]:
        """Return the plan line by line, a site each."""
        return [self._account.row(v) for v in self.variables]

    def costs(self) -> list[tuple[str, str]]:
        """Return the name of each rewrite, and what it takes at each evaluation of the density."""
        return [(r.name, r.cost()) for r in self.rewrites]

    def record(self) -> dict[str, Any]:
        """Return the account of the plan as plain lists and text, to be kept with a run.

        `choices` reads from it what makes the same plan of the same model again.
        """
        return {
            "sites": [[row.site, row.seen, row.done, row.why] for row in self.rows()],
            "rewrites": self.costs(),
            "dimensions": self.dimensions(),
            "refused": sorted(self.refused),
            "wish": self.wish and {**vars(self.wish), "sites": sorted(self.wish.sites)},
        }

    def dimensions(self) -> str:
        """Say how many dimensions are left to sample, and of how many."""
        latent = [v for v in self.variables if v.kind == "latent"]
        size = sum(prod(v.free_shape) if not v.discrete else prod(v.shape) for v in latent)
        left = size - sum(prod(v.shape) for v in latent if v.name in self._gone)
        stuck = [f"`{v.name}`" for v in latent if v.discrete and v.name not in self._gone]
        if stuck:
            return f"not to be sampled as it stands: see {listed(stuck)}"
        many = counted(size, "dimension")
        said = f"{left:,} of {many} to sample" if self._gone else f"{many} to sample"
        summed = (m for m in self.form.marginals if isinstance(m, SumOut))
        if any(isinstance(m, Approximate) for m in self.form.marginals) or any(
            not m.exact for m in summed
        ):
            said += "; NOT exact: what is approximated is so by your choice"
        return said

    @cached_property
    def _gone(self) -> set[str]:
        """Return the sites taken out of the sampler."""
        return {s for r, _ in self._taken if isinstance(r, Marginal) for s in r.sites}

    @cached_property
    def _account(self) -> Account:
        stays = (v for v in self.variables if v.discrete and v.kind == "latent")
        kept = {v.name: self._kept(v) for v in stays if v.name not in self._gone}
        notation = Notation(self.program, self.variables)
        return Account(notation, self.rewrites, self._left(), kept)

    def _left(self) -> dict[str, str]:
        """Say of the sites that are sampled as they are why no rewrite takes them."""
        found: dict[str, list[str]] = {}
        if Integrate.verb not in self.refused:
            refused = self._refused_sites(Integrate.verb)
            why = obstacles(self.program, self.variables, self._gone)
            found = {n: ["you refused to integrate it out" if n in refused else w]
                     for n, w in why.items()}  # fmt: skip
        if Centre.verb not in self.refused:
            for name, why in self._centred[1].items():
                found.setdefault(name, []).append(why)
        return {name: "; ".join(dict.fromkeys(why)) for name, why in found.items()}

    def __str__(self) -> str:
        """Print the plan as a table of the sites, then one of the rewrites' costs."""
        rows = [(r.site, r.seen, r.done, r.why) for r in self.rows()]
        lines = columns([HEADS, *rows], (20, 46, 18))
        if self.rewrites:
            lines += ["", *columns([COSTS, *self.costs()], (40,))]
        return "\n".join([*lines, "", self.dimensions()])


def choices(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's choices in a plan's record, for `model.plan(**choices(record))`."""
    wish = record["wish"]
    return {
        "refused": frozenset(record["refused"]),
        "wish": wish and Wish(**{**wish, "sites": frozenset(wish["sites"])}),
    }
