"""Fit one model to many sets of data at once, each fit as `fit` would make it.

Every fit has chains, a step size, a metric and centring of its own, learned from its own draws; all
run in one compiled program. What a plan counts ahead in the data (pooled rows, groups of a kind)
differs from set to set in its shape, so those rewrites, which only save time, are not made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.errors import SamplingError
from finetti.inference.engine.batch import Own, joined, spread
from finetti.inference.engine.draws import Shelf
from finetti.inference.engine.prepare import prepare
from finetti.inference.engine.run import travel
from finetti.inference.engine.start import DTYPE, chain_keys, random_tries, taken
from finetti.inference.methods.independent import Automatic, IndependentMetropolis
from finetti.inference.methods.method import Chains, natural
from finetti.inference.readers.reader import recovery_key
from finetti.inference.readers.values import width
from finetti.language.handlers import condition
from finetti.models import Model
from finetti.posterior.batches import in_batches
from finetti.structure.form import Given
from finetti.structure.plan import Plan
from finetti.structure.program import write_program
from finetti.targets.density import Density, Target
from finetti.targets.layout import Layout
from finetti.types import Array, Key


@dataclass(frozen=True)
class Fits:
    """Hold the draws of many fits: positions (fit, chain, draw, dim), divergences (fit, chain).

    `found` are the places of the data sets that were fitted, of those given: the others had no
    start with a finite density.
    """

    target: Target
    shared: Given
    own: Own
    keys: Key
    positions: np.ndarray
    divergences: np.ndarray
    found: np.ndarray

    def values(self, names: tuple[str, ...], draws: int) -> dict[str, np.ndarray]:
        """Return the sites named at evenly spaced draws of each fit, shape (fit, draw, ...).

        Chains come one after another. What the plan took out is drawn back.
        """
        fits, chains, length, dim = self.positions.shape
        chosen = np.linspace(0, chains * length - 1, draws).round().astype(int)
        thinned = self.positions.reshape(fits, chains * length, dim)[:, chosen]
        numbers = draws * width(self.target, names)
        function = partial(_values, self.target, names, self.shared)

        def some(places: np.ndarray) -> dict[str, Array]:
            own = jax.tree.map(lambda a: a[places], self.own)
            return function(own, self.keys[places], thinned[places])

        with jax.enable_x64(True):
            return in_batches(some, fits, numbers)


@compiled(ONCE, "target", "names")
def _values(
    target: Target, names: tuple[str, ...], shared: Given, own: Own, keys: Key, positions: Array
) -> dict[str, Array]:
    def of_fit(own: Own, keys: Key, positions: Array) -> dict[str, Array]:
        given, numbers = joined(shared, own), np.arange(len(positions))
        one = partial(recovery_key, keys, 0)
        return jax.vmap(lambda n, x: target.values(one(n), given, x, names))(numbers, positions)

    return jax.vmap(of_fit)(own, keys, positions)


def fit_many(
    model: Model, data: Mapping[str, np.ndarray], method: Chains, plan: Plan, seed: int
) -> Fits:
    """Fit a model to each of many sets of data, arrays (fit, *site shape) by observed site.

    `plan` says which rewrites to make. A fit that has no start with a finite density is left
    out; raises `SamplingError` where all are.
    """
    if isinstance(method, Automatic):
        method = method.trajectories()
    if isinstance(method, IndependentMetropolis):
        raise TypeError(
            "IndependentMetropolis learns where to propose from for one set of data at a time: "
            "give many fits at once a method such as ft.NUTS()"
        )
    first = {name: np.asarray(a[0]) for name, a in data.items()}
    with jax.enable_x64(True):
        plan = replan(model, first, plan)
        kept = natural(model, method)
        layout = Layout.of(plan.left, kept, plan.form.alternating)
        built = Density(_given(model, first), plan.choices, kept)
        target, shared = Target(plan.form, layout), plan.given
        count, method = len(next(iter(data.values()))), method.suited(layout.dim)
        keys = chain_keys(np.int64(seed), count * method.chains).reshape(count, method.chains)
        own = _apart(plan, data, count)
        points, fine = taken(random_tries(target, built, shared, own, keys))
        found = np.flatnonzero(fine)
        if not len(found):
            raise SamplingError(
                f"no start with a finite log density for any of {count} sets of data made by "
                f"model `{model.name}`: look for values that overflow, or take narrower priors"
            )
        own, points, keys = jax.tree.map(lambda a: a[found], (own, points, keys))
        sampler, run = prepare(target, method, shared, own, keys, points)
        shelf = Shelf(keys.size, method.draws, method.thin or 1, names=("diverging",))
        for here, chunk in travel(sampler, run):
            if int(here.stage) == len(sampler.warm_up):
                shelf.add(chunk)
            run = here
        drawn = shelf.draws()
        positions, diverging = (
            a.reshape(*keys.shape, *a.shape[1:]) for a in (drawn.positions, drawn.info["diverging"])
        )
        assert run.own is not None
        return Fits(target, shared, run.own, keys, positions, diverging.sum(-1), found)


def _given(model: Model, data: Mapping[str, np.ndarray]) -> Model:
    """Return a model of other data that are missing where its own are."""

    def run() -> None:
        with condition(data):
            model.run()

    return Model(run, model.name, ((), {}))


def _apart(plan: Plan, data: Mapping[str, np.ndarray], count: int) -> Own:
    """Return what each fit has for itself before anything is learned."""
    moved = {m.name: spread(plan.given.rewrites[m.name], count) for m in plan.form.moves}
    return Own(tuple(data[name] for name in sorted(data)), {**plan.again(data), **moved})


def replan(model: Model, first: Mapping[str, np.ndarray], plan: Plan) -> Plan:
    """Return the plan for data that are not fixed, of the shapes and types of `first`."""
    return plan.for_any_data(*write_program(model.run, model.variables, DTYPE, first))
