"""Decide what to do with each variable of a model, and say why.

The rewrites are tried in order (`rewrites/order`), each after a look at what those before it made.
The user may refuse any of them by name. All are exact, or to errors of a stated size, but those
that are made only when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from finetti.errors import ModelError
from finetti.hypertext.html import block, code, grid, words
from finetti.structure.account import COSTS, HEADS, Account, Row
from finetti.structure.choices import FREE, Choices, sites
from finetti.structure.form import Form, Given
from finetti.structure.graph import Graph
from finetti.structure.notation import Notation
from finetti.structure.program import Program
from finetti.structure.rewrites import order
from finetti.structure.rewrites.approximate.approximate import Approximate
from finetti.structure.rewrites.rewrite import Found, Kind, Made, Rewrite, Sight
from finetti.structure.rewrites.sum_out.find import TOLD_NOT_TO
from finetti.structure.rewrites.sum_out.sum_out import Propagate
from finetti.structure.variables import Variable
from finetti.types import Constants


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold what finetti saw in a model and what it will do; print it to read it.

    `choices` are the user's, whose methods return other plans of the same model. `note` tells of
    the data what the program does not.
    """

    program: Program
    graph: Graph
    choices: Choices = FREE
    note: str = ""

    def without(self, *names: str) -> Plan:
        """Return the plan that does not make the rewrites named, such as `integrate out theta`.

        A rewrite's name is its verb and its sites; the verb with one site refuses the rewrite of
        that site alone, the verb by itself all such rewrites. Another rewrite may take its place,
        which a later name may refuse as well. Raises `ModelError` for a name that no rewrite of
        the plan has.
        """
        plan = self
        for name in names:
            plan = replace(plan, choices=plan._refusing(name))
        return plan

    def _refusing(self, name: str) -> Choices:
        """Return the choices with a rewrite refused, whatever sites the plan takes with it."""
        choices, known = self.choices, {kind.verb for kind in order.ORDER}
        if name in known | choices.refused:
            return choices.refuse({name})
        if not any(name in r.names for r in self.rewrites):
            made = ", ".join(f"`{r.name}`" for r in self.rewrites) or "none"
            raise ModelError(f"the plan has no rewrite `{name}` (rewrites: {made})")
        sites = {f"{r.verb} {s}" for r in self.rewrites if r.name == name for s in r.sites}
        return choices.refuse({name, *sites})

    def as_written(self) -> Plan:
        """Return the plan that makes no rewrite: it samples every latent variable as it stands."""
        return replace(self, choices=FREE.refuse_kinds(order.ORDER))

    def unmoved(self) -> Plan:
        """Return the plan that gives no variable other coordinates."""
        moves = (kind for kind in order.ORDER if kind.rewrite.moves)
        return replace(self, choices=self.choices.refuse_kinds(moves))

    def for_gradients(self) -> Plan:
        """Return the plan without rewrites that are dear where gradients are followed."""
        dear = {r.verb for r in self.rewrites if r.by_values}
        return replace(self, choices=self.choices.refuse(dear)) if dear else self

    @property
    def by_values(self) -> bool:
        """Tell whether a rewrite is made that pays where values are asked for, and no gradients."""
        return any(r.by_values for r in self.rewrites)

    def for_any_data(self, program: Program, graph: Graph) -> Plan:
        """Return the same choices for a program whose data differ from one fit to the next.

        What is counted ahead in the data differs in its shape, so it is not.
        """
        ahead = (kind for kind in order.ORDER if kind.rewrite.ahead)
        return Plan(program, graph, self.choices.refuse_kinds(ahead), self.note)

    def approximate(self, *sites: str) -> Plan:
        """Return the plan that also integrates out, by Laplace's method, what is not Gaussian.

        `sites` names what to take out; without them it is every group's effect that fits: what
        lies in a plate, and vectors whose prior depends on others, such as Gaussian processes.
        Exact rewrites come first. The approximation is good where each group's effect is nearly
        normal given the rest; a fit checks it and its advice says when not to trust it.

        Raises `UnknownSite` for a name that no latent variable has, and `ModelError` where
        nothing fits.
        """
        made = replace(self, choices=self.choices.ask(Approximate.verb, sites))
        _ = made.rewrites  # refuses what does not fit
        return made

    def propagate(self) -> Plan:
        """Return the plan that also sums out, by belief propagation, what is too wide to be exact.

        It takes discrete sites so many of whose members meet that no exact sum fits. The sum is
        then Bethe's approximation, exact where no members meet in a cycle, and members are drawn
        back each by itself: their probabilities are approximate, and no correlations are drawn.
        """
        return replace(self, choices=self.choices.ask(Propagate.verb))

    @cached_property
    def _found(self) -> tuple[tuple[Kind, Found], ...]:
        """Return what each kind of rewrite found, in order."""
        found: list[tuple[Kind, Found]] = []
        made: tuple[Made, ...] = ()
        for kind in order.ORDER:
            if not self.choices.allow(kind):
                continue
            # Finders look at points of the program, in the numbers that it computes in.
            with jax.enable_x64(self.program.dtype == "float64"):
                here = kind.find(self._sight(kind, made))
            made += here.made
            found.append((kind, here))
        return tuple(found)

    def _sight(self, kind: Kind, made: tuple[Made, ...]) -> Sight:
        """Return what a finder sees when some rewrites are made."""
        chosen = self.choices
        refused, asked = (sites(names, kind.verb) for names in (chosen.refused, chosen.asked))
        return Sight(self.program, self.variables, made, refused, asked)

    @property
    def _made(self) -> tuple[Made, ...]:
        return tuple(made for _, found in self._found for made in found.made)

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        """Return the rewrites the plan makes."""
        return tuple(rewrite for rewrite, _ in self._made)

    def again(self, data: Mapping[str, np.ndarray]) -> dict[str, Constants]:
        """Return by rewrite the constants that differ between sets of data, (set, *site shape)."""
        weights = {v.name: v.weights for v in self.variables}
        return {
            r.name: kind.again(self.program, r, data[r.sites[0]], weights[r.sites[0]])
            for kind, found in self._found
            for r, _ in found.made
            if kind.again is not None and r.sites[0] in data
        }

    def dot(self) -> str:
        """Return the graph in Graphviz's language; dashed: taken out, double: centred."""
        return self.graph.dot(self._whole.gone, self._centred)

    def svg(self) -> str:
        """Return the graph drawn as SVG; dashed: taken out, double: centred."""
        return self.graph.svg(self._whole.gone, self._centred)

    @property
    def _centred(self) -> set[str]:
        return {site for move in self.form.settling for site in move.sites}

    @cached_property
    def form(self) -> Form:
        """Return the program under its rewrites."""
        return Form(self.program, self.rewrites)

    @cached_property
    def given(self) -> Given:
        """Return the constants of the form: the data's, and each rewrite's at the start."""
        return Given(self.program.constants, {r.name: constants for r, constants in self._made})

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return the model's variables in order."""
        return self.graph.variables

    @property
    def left(self) -> tuple[Variable, ...]:
        """Return the variables that are neither summed nor integrated out."""
        return self._whole.left

    @property
    def latent(self) -> tuple[Variable, ...]:
        """Return the variables a gradient moves; refuse discrete ones by name."""
        found = self.left
        for v in found:
            if v.discrete:
                raise ModelError(
                    f"site `{v.name}` is discrete ({v.family}) and unobserved: no gradient moves "
                    f"it, and it is not summed out: {self._why[v.name]}; or observe it, or move it "
                    f"with ft.Compound()"
                )
        return found

    @cached_property
    def _whole(self) -> Sight:
        """Return what is seen when all rewrites are made."""
        return Sight(self.program, self.variables, self._made)

    @cached_property
    def _why(self) -> dict[str, str]:
        """Say of sites that are sampled as they are why no rewrite takes them."""
        reasons: dict[str, list[str]] = {v.name: [] for v in self.left}
        for kind, found in self._found:
            for name, why in found.why(self._sight(kind, self._made)).items():
                if name in reasons:
                    reasons[name].append(why)
        for v in self.left:
            # The last finder to look at it has the last word.
            if v.discrete:
                reasons[v.name] = reasons[v.name][-1:] or [TOLD_NOT_TO]
        return {name: "; ".join(dict.fromkeys(why)) for name, why in reasons.items()}

    @cached_property
    def account(self) -> Account:
        """Return the account of the plan in words."""
        notation = Notation(self.program, self.variables)
        return Account(notation, self.variables, self.rewrites, self._why)

    def rows(self) -> list[Row]:
        """Return the plan line by line, a site each."""
        return self.account.rows()

    def costs(self) -> list[tuple[str, str]]:
        """Return the name of each rewrite, and what it takes at each evaluation of the density."""
        return self.account.costs()

    def dimensions(self) -> str:
        """Say how many dimensions are left to sample, and of how many."""
        return self.account.dimensions()

    def record(self) -> dict[str, Any]:
        """Return the account of the plan as plain lists and text, to be kept with a run.

        `Choices.of` reads from it what makes the same plan of the same model again.
        """
        return {**self.account.record(), **self.choices.record()}

    def __str__(self) -> str:
        """Print the plan as a table of the sites, then one of the rewrites' costs."""
        return f"{self.account}\n\n{self.note}" if self.note else str(self.account)

    def __repr__(self) -> str:
        return f"<plan: {self.dimensions()}>"

    def _repr_html_(self) -> str:
        rows = [(row.site, row.seen, row.done, row.why) for row in self.rows()]
        return block(
            self.svg(),
            grid(HEADS, rows, "What finetti saw, what it will do, and why"),
            grid(COSTS, self.costs(), "What the rewrites take"),
            words(self.dimensions()),
            *([code(self.note)] if self.note else []),
        )
