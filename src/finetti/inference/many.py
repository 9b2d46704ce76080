"""Fit one model to many sets of data at once, each fit as `fit` would make it.

Every fit has chains, a step size, a metric and centring of its own, learned from its own draws; all
run in one compiled program. What a plan counts ahead in the data (pooled rows, groups of a kind)
differs from set to set in its shape, so those rewrites, which only save time, are not made. Fits
are batches of a fixed size, each of them a piece of work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.errors import SamplingError
from finetti.inference.cluster.pieces import done, parts
from finetti.inference.engine.batch import Own, joined, spread
from finetti.inference.engine.draws import Draws, Shelf
from finetti.inference.engine.prepare import prepare
from finetti.inference.engine.run import Run, Sampler, travel
from finetti.inference.engine.start import DTYPE, chain_keys, random_tries, taken
from finetti.inference.methods.independent import Automatic, IndependentMetropolis
from finetti.inference.methods.method import Chains, natural
from finetti.inference.readers.reader import recovery_key
from finetti.inference.readers.values import width
from finetti.inference.stopping import asked_to_stop
from finetti.language.handlers import condition
from finetti.models import Model
from finetti.posterior.batches import in_batches
from finetti.posterior.evaluate import enclosed
from finetti.structure.choices import Choices
from finetti.structure.form import Given
from finetti.structure.plan import Plan
from finetti.structure.tracing import write_program
from finetti.targets.density import Density, Target
from finetti.targets.layout import Layout
from finetti.types import Array, Key

if TYPE_CHECKING:
    from distributed import Client

TOGETHER = 50  # fits in one program: more of them wait longer for the slowest


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


class Read(NamedTuple):
    """Hold sites (fit, draw, ...) and divergences (fit, chain) of fits at the places `found`."""

    values: dict[str, np.ndarray]
    divergences: np.ndarray
    found: np.ndarray


@dataclass(frozen=True, eq=False)
class Batches:
    """Fit a model to sets of data, arrays (fit, *site shape) by observed site, some at a time.

    It is a job whose pieces are places of data sets that are fitted together; of each fit it reads
    so many `draws` of the sites named. A fit's draws depend on the seed, its place and which
    are fitted together: warm-up lasts until all have theirs.
    """

    model: Model
    data: Mapping[str, np.ndarray]
    method: Chains
    choices: Choices
    seed: int
    names: tuple[str, ...] = ()
    draws: int = 0

    @property
    def count(self) -> int:
        """Return the number of data sets."""
        return len(next(iter(self.data.values())))

    @cached_property
    def prepared(self) -> tuple[Density, Plan, Target, Chains]:
        """Return the density for the first set of data, and plan, target and method for any."""
        first = {name: np.asarray(a[0]) for name, a in self.data.items()}
        plan = replan(self.model, first, self.model.plan(choices=self.choices))
        kept = natural(self.model, self.method)
        layout = Layout.of(plan.left, kept, plan.form.alternating)
        built = Density(enclosed(self.model, partial(condition, first)), plan.choices, kept)
        return built, plan, Target(plan.form, layout), self.method.suited(layout.dim)

    def fit(self, places: np.ndarray) -> Fits | None:
        """Fit the data sets at consecutive places; None where no set has a start.

        As many are sampled as there are places: one without a start has another in its stead.
        """
        with jax.enable_x64(True):
            built, plan, target, method = self.prepared
            data, shared = {name: a[places] for name, a in self.data.items()}, plan.given
            shape = (len(places), method.chains)
            first = np.int64(places[0] * method.chains)
            keys = chain_keys(np.int64(self.seed), prod(shape), first).reshape(shape)
            own = _apart(plan, data, len(places))
            points, fine = taken(random_tries(target, built, shared, own, keys))
            found = np.flatnonzero(fine)
            if not len(found):
                return None
            # A batch of another size would be another program to compile.
            sampled = np.resize(found, len(places))
            own, points, keys = jax.tree.map(lambda a: a[sampled], (own, points, keys))
            own, drawn = _sampled(*prepare(target, method, shared, own, keys, points), method)
        positions, diverging = (
            a.reshape(*shape, *a.shape[1:])[: len(found)]
            for a in (drawn.positions, drawn.info["diverging"])
        )
        own, keys = jax.tree.map(lambda a: a[: len(found)], (own, keys))
        return Fits(target, shared, own, keys, positions, diverging.sum(-1), found)

    def __call__(self, places: np.ndarray) -> Read | None:
        """Fit the data sets at the places, the last again for those beyond it, and read them."""
        fits = self.fit(np.minimum(places, self.count - 1))
        if fits is None:
            return None
        found = places[fits.found]
        once = found < self.count
        values = fits.values(self.names, self.draws)
        values = {name: a[once] for name, a in values.items()}
        return Read(values, fits.divergences[once], found[once])


def _sampled(sampler: Sampler, run: Run, method: Chains) -> tuple[Own, Draws]:
    """Return what fits have learned, and their draws with divergences."""
    shelf = Shelf(len(run.keys), method.draws, method.thin or 1, names=("diverging",))
    for here, chunk in travel(sampler, run):
        if asked_to_stop():
            raise KeyboardInterrupt
        if int(here.stage) == len(sampler.warm_up):
            shelf.add(chunk)
        run = here
    assert run.own is not None
    return run.own, shelf.draws()


def batches(
    model: Model, data: Mapping[str, np.ndarray], method: Chains, plan: Plan, seed: int
) -> Batches:
    """Return the fits of a model to many sets of data, under a plan's choices.

    Raises `TypeError` for a method that fits one set of data at a time.
    """
    if isinstance(method, Automatic):
        method = method.trajectories()
    if isinstance(method, IndependentMetropolis):
        raise TypeError(
            "IndependentMetropolis learns where to propose from for one set of data at a time: "
            "give many fits at once a method such as ft.NUTS()"
        )
    return Batches(model, data, method, plan.choices, seed)


def read_many(
    job: Batches, names: tuple[str, ...], draws: int, client: Client | None = None
) -> Read:
    """Make all fits, `TOGETHER` at most at a time, and read so many draws of the sites named.

    A fit that has no start with a finite density is left out; raises `SamplingError` where all
    are.
    """
    cut = parts(job.count, TOGETHER)
    pieces = [np.arange(part.start, part.start + len(cut[0])) for part in cut]
    rows = [r for r in done(replace(job, names=names, draws=draws), pieces, client) if r]
    if not rows:
        raise SamplingError(
            f"no start with a finite log density for any of {job.count} sets of data made by "
            f"model `{job.model.name}`: look for values that overflow, or take narrower priors"
        )
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *rows)


def _apart(plan: Plan, data: Mapping[str, np.ndarray], count: int) -> Own:
    """Return what each fit has for itself before anything is learned."""
    taught = spread(plan.form.taught(plan.given.rewrites), count)
    return Own(tuple(data[name] for name in sorted(data)), {**plan.again(data), **taught})


def replan(model: Model, first: Mapping[str, np.ndarray], plan: Plan) -> Plan:
    """Return the plan for data that are not fixed, of the shapes and types of `first`."""
    return plan.for_any_data(*write_program(model.run, model.variables, DTYPE, first))
