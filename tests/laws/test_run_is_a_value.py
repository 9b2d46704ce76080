"""Check that a run is a value: what goes on from it depends on it alone, wherever it has been."""

from __future__ import annotations

from functools import cache

import jax
import numpy as np
import pytest

import finetti as ft
from finetti.inference.engine.batch import Own, spread
from finetti.inference.engine.draws import Shelf
from finetti.inference.engine.prepare import prepare
from finetti.inference.engine.run import Run, Sampler, travel
from finetti.inference.engine.start import chain_keys, random_tries, taken
from finetti.inference.many import batches
from finetti.inference.methods.method import natural
from finetti.targets.density import density
from zoo.groups import shops

Y = np.array([3, 0, 4, 1, 7])


METHODS = {
    "NUTS": ft.NUTS(draws=30, warmup=60, chains=2, thin=1),
    "HMC": ft.HMC(draws=30, warmup=60, chains=2),
    "compound": ft.Compound(draws=30, warmup=60, chains=2),
}
each_method = pytest.mark.parametrize("name", METHODS)


@cache
def begun(name: str) -> tuple[Sampler, Run]:
    method, model = METHODS[name], shops(Y)
    built = density(model, method.plan(model, None), natural(model, method))
    method = method.suited(built.dim)
    target, given = built.target("float64")
    own = Own(rewrites=spread({m.name: given.rewrites[m.name] for m in target.form.moves}, 1))
    keys = chain_keys(np.int64(3), method.chains)[None]
    points, _ = taken(random_tries(target, built, given, own, keys))
    return prepare(target, method, given, own, keys, points)


def stored(run: Run) -> Run:
    """Return the run as it would come back from a file: new arrays of the same bytes."""

    def copied(a):
        if jax.dtypes.issubdtype(getattr(a, "dtype", None), jax.dtypes.prng_key):
            return jax.random.wrap_key_data(np.array(jax.random.key_data(a)))
        return np.array(a)

    return jax.tree.map(copied, run)


def finished(sampler: Sampler, run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Go on to the end; return the positions drawn, and the step size."""
    shelf = Shelf(len(run.keys), sampler.stages[-1].draws)
    for here, chunk in travel(sampler, run):
        if int(here.stage) == len(sampler.warm_up):
            shelf.add(chunk)
        run = here
    return shelf.draws().positions, np.asarray(run.carry.tuning.step_size)


@each_method
def test_a_run_is_one_pytree_of_arrays(name, float64):
    _, run = begun(name)
    leaves = jax.tree.leaves(run)
    assert all(hasattr(leaf, "dtype") and hasattr(leaf, "shape") for leaf in leaves)


@each_method
@pytest.mark.parametrize("steps", [7, 150])
def test_a_run_that_was_stored_goes_on_bit_for_bit(name, steps, float64):
    """From any chunk of warm-up; and what goes on leaves the run that it was as it is."""
    sampler, run = begun(name)
    whole, size = finished(sampler, run)
    while int(run.stage) < len(sampler.warm_up):
        run, _ = sampler.advance(run, steps)
        if int(run.stage) == len(sampler.warm_up):
            break
        before = jax.tree.map(np.asarray, stored(run)._replace(keys=None))
        positions, again = finished(sampler, stored(run))
        np.testing.assert_array_equal(again, size)
        np.testing.assert_array_equal(positions, whole)
        after = jax.tree.map(np.asarray, stored(run)._replace(keys=None))
        jax.tree.map(np.testing.assert_array_equal, before, after)
        run, _ = sampler.advance(run, 20 * steps)


def test_one_set_of_data_is_a_batch_of_one():
    """`fit` and `batches` of the same data are one engine: the draws are the same."""
    model, method = shops(Y), METHODS["NUTS"]
    alone = ft.fit(model, method, seed=4, progress=False)
    fits = batches(model, {"y": Y[None]}, method, model.plan(), 4).fit(np.arange(1))
    found = fits.values(("mu", "tau", "a"), 60)
    for name, values in found.items():
        drawn = alone[name].values.reshape(60, *values.shape[2:])
        np.testing.assert_allclose(values[0], drawn, rtol=1e-6, err_msg=name)
