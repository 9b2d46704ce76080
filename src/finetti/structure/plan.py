"""Decide what to do with each variable of a model, and say why.

Rewrites are tried in order: discrete sites are summed out, what is Gaussian given the rest is
integrated out, and the groups' effects that are left are centred. The user may refuse any of them
by name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from math import prod

import jax

from finetti.errors import ModelError
from finetti.structure.form import Form, Given
from finetti.structure.graph import Graph
from finetti.structure.program import Program
from finetti.structure.rewrites import discrete, located, quadratic, sufficient
from finetti.structure.rewrites.centre import Centre
from finetti.structure.rewrites.condense import Condense
from finetti.structure.rewrites.integrate import Integrate
from finetti.structure.rewrites.rewrite import Marginal, Rewrite
from finetti.structure.rewrites.sum_out import SumOut
from finetti.structure.variables import Variable


@dataclass(frozen=True)
class Row:
    """Hold one line of a plan: a site, what was seen, what will be done, and why."""

    site: str
    seen: str
    done: str
    why: str


VERBS = (SumOut.verb, Integrate.verb, Condense.verb, Centre.verb)
AS_WRITTEN = frozenset(VERBS)  # refuses every rewrite


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold what finetti saw in a model and what it will do; print it to read it.

    `refused` names the rewrites that the user does not want.
    """

    program: Program
    graph: Graph
    refused: frozenset[str] = frozenset()

    def without(self, *names: str) -> Plan:
        """Return the plan that does not make the rewrites named, such as `integrate out theta`.

        A rewrite's name is its verb and its sites; the verb with one site refuses the rewrite of
        that site alone, the verb by itself all such rewrites. Another rewrite may take its place.
        Raises `ModelError` for a name that no rewrite of the plan has.
        """
        known = AS_WRITTEN.union(*(r.names for r in self.rewrites))
        for name in names:
            if name not in known:
                listed = ", ".join(f"`{r.name}`" for r in self.rewrites) or "none"
                raise ModelError(f"the plan has no rewrite `{name}` (rewrites: {listed})")
        sites = {f"{r.verb} {s}" for r in self.rewrites if r.name in names for s in r.sites}
        return Plan(self.program, self.graph, self.refused | set(names) | sites)

    def as_written(self) -> Plan:
        """Return the plan that makes no rewrite: it samples every latent variable as it stands."""
        return Plan(self.program, self.graph, AS_WRITTEN)

    @cached_property
    def _found(self) -> tuple[tuple[Rewrite, dict], ...]:
        sums, _ = self._summed
        found: list[tuple[Rewrite, dict] | None] = list(sums)
        summed = {term for rewrite, _ in sums for term in rewrite.terms}
        with jax.enable_x64(self.program.dtype == "float64"):
            if Integrate.verb not in self.refused:
                refused = self._refused_sites(Integrate.verb)
                found.append(quadratic.find(self.program, self.variables, refused))
            if Condense.verb not in self.refused:
                refused = {*self._refused_sites(Condense.verb), *summed}
                found += sufficient.find(self.program, self.variables, refused)
        made = [f for f in found if f is not None]
        if Centre.verb not in self.refused:
            gone = {
                s for rewrite, _ in made if isinstance(rewrite, Marginal) for s in rewrite.sites
            }
            refused = self._refused_sites(Centre.verb)
            moves, _ = located.find(self.program, self.variables, gone, refused)
            made += [(move, move.start(self.program.dtype)) for move in moves]
        return tuple(made)

    @cached_property
    def _summed(self) -> tuple[list[tuple[SumOut, dict]], dict[str, str]]:
        """Return the sums over discrete sites, and why other discrete sites cannot be summed."""
        if SumOut.verb in self.refused:
            return [], {}
        with jax.enable_x64(self.program.dtype == "float64"):
            return discrete.find(self.program, self.variables, self._refused_sites(SumOut.verb))

    def _refused_sites(self, verb: str) -> Collection[str]:
        return {n.removeprefix(f"{verb} ") for n in self.refused if n.startswith(f"{verb} ")}

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        """Return the rewrites the plan makes."""
        return tuple(rewrite for rewrite, _ in self._found)

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
        gone = {site for m in self.form.marginals for site in m.sites}
        return tuple(v for v in self.variables if v.kind == "latent" and v.name not in gone)

    @property
    def latent(self) -> tuple[Variable, ...]:
        """Return the variables a gradient moves; refuse discrete ones by name."""
        found = self.left
        for v in found:
            if v.discrete:
                raise ModelError(
                    f"site `{v.name}` is discrete ({v.family}) and unobserved: gradient-based "
                    f"samplers cannot move it, and it is not summed out, as {self._kept(v)}; "
                    f"sum it out of the model by hand with ft.factor or a mixture distribution, "
                    f"observe it, or move it with ft.Compound()"
                )
        return found

    def _kept(self, v: Variable) -> str:
        """Say why a discrete site is not summed out."""
        return self._summed[1].get(v.name, "this plan makes no sums (`model.plan()` does)")

    def rows(self) -> list[Row]:
        """Return the plan line by line."""
        return [self._row(v) for v in self.variables]

    def _row(self, v: Variable) -> Row:
        row = _row(v, self.graph)
        for rewrite in self.rewrites:
            if v.name in rewrite.sites:
                return Row(row.site, row.seen, rewrite.done(v.name), rewrite.reason(v.name))
        if row.done == "refuse":
            return Row(row.site, row.seen, row.done, f"discrete: {self._kept(v)}")
        return row

    def __str__(self) -> str:
        """Print the plan as a table."""
        table = [("site", "seen", "done", "why")]
        table += [(r.site, r.seen, r.done, r.why) for r in self.rows()]
        widths = [max(len(line[i]) for line in table) for i in range(3)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(line[:3], widths, strict=True)), line[3]])
            for line in table
        ]
        gone = {site for m in self.form.marginals for site in m.sites}
        latent = [v for v in self.variables if v.kind == "latent"]
        left = sum(prod(v.free_shape) for v in latent if v.name not in gone)
        size = sum(prod(v.free_shape) for v in latent)
        last = f"{left} of {size} dimensions to sample" if gone else f"{size} dimensions to sample"
        costs = [f"{r.name}: {r.cost()}" for r in self.rewrites]
        return "\n".join([*(line.rstrip() for line in lines), *costs, last])


def _row(v: Variable, graph: Graph) -> Row:
    where = " x ".join(str(p) for p in v.plates)
    seen = " in ".join(filter(None, [v.family or v.kind, where]))
    match v.kind:
        case "observed":
            size = "x".join(map(str, v.shape)) or "1"
            return Row(v.name, seen, "condition", f"observed: {size} values enter the likelihood")
        case "fixed":
            return Row(v.name, seen, "hold fixed", "substituted: its prior density still counts")
        case "deterministic":
            parents = ", ".join(graph.parents[v.name]) or "data alone"
            return Row(v.name, seen, "compute", f"from {parents}, for each draw")
        case "factor":
            return Row(v.name, seen, "add", "a term of the log joint density")
    done, why = _transform(v)
    return Row(v.name, seen, done, why)


def _transform(v: Variable) -> tuple[str, str]:
    """Name the bijection to the real numbers and the reason for it."""
    if v.discrete:
        return "refuse", "discrete: gradients cannot move it"
    if v.support == "real" or v.transform == "Identity":
        return "sample as is", "its support is the whole real line"
    before, after = prod(v.free_shape), prod(v.shape)
    why = f"support: {v.support}"
    if before != after:
        why += f", {after} numbers from {before} free ones"
    match v.support.split()[0]:
        case "positive":
            done = "take logs"
        case "above" | "below":
            done = "log of the excess"
        case "between":
            done = "scaled logit"
        case _:
            words = "".join(f" {c.lower()}" if c.isupper() else c for c in v.transform)
            done = f"transform ({words.strip()})"
    return done, why
