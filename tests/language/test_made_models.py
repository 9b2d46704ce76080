"""Check on models made at random that draws have the law of the density, and handlers agree."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.structure.choices import AS_WRITTEN
from finetti.structure.program import Program
from zoo.made import Made, made
from zoo.made.reference import evaluated

DRAWS = 200
UNLIKELY = 1e-7  # of a failure by chance, of some hundred sites
QUICK, ALL = 3, 60
MOST = 3  # numbers of a model that are changed


def seeds(quick: int, count: int) -> Any:
    """Return so many seeds, all but a few marked slow."""
    rest = (pytest.param(s, marks=pytest.mark.slow) for s in range(quick, count))
    return pytest.mark.parametrize("seed", [*range(quick), *rest])


def program(model: ft.Model) -> Program:
    """Return a model's program as it is written."""
    return model.plan(choices=AS_WRITTEN).program


@cache
def point(seed: int) -> tuple[Made, ft.Model, dict[str, Any], dict[str, float]]:
    """Return a model, the values of its latent sites at a random point, and each term there."""
    made_up = made(seed)
    model = made_up.model()
    built, rng = program(model), np.random.default_rng(seed)
    free = {n: rng.normal(0, 0.5, v.aval.shape) for n, v in built.inputs.items()}
    with jax.enable_x64(True):
        found = compiled(ONCE)(built)(built.constants, free)
        values = {n: jnp.asarray(found.values[n]) for n in found.log_jacobians}
        terms = {n: float(np.sum(np.asarray(t))) for n, t in found.log_terms.items()}
    return made_up, model, values, terms


@cache
def joint(built: Program) -> Any:
    """Return the compiled log joint density that equal programs share."""
    return compiled(ONCE)(lambda constants, free: built(constants, free).log_joint)


def terms_of(model: ft.Model) -> dict[str, float]:
    """Run a model that has all its values, and return each site's log density."""
    with jax.enable_x64(True), ft.trace() as sites:
        model.run()
        return {
            n: float(np.sum(np.asarray(s.distribution.log_prob(s.value))))
            for n, s in sites.items()
            if s.kind == "sample"
        }


@seeds(QUICK, ALL)
def test_draws_from_the_prior_have_the_law_of_the_density(seed):
    """Probability integral transforms, given all that a site depends on, are uniform."""
    made_up = made(seed)
    if "ft.Flat()" in made_up.source:
        return  # there is nothing to draw from
    tree = ft.prior(made_up.model(), draws=DRAWS, seed=seed)
    values = {n: a.to_numpy()[0] for g in ("prior", "prior_predictive") for n, a in tree[g].items()}
    rng, found = np.random.default_rng(seed), {}
    for i in range(DRAWS):
        here = {n: v[i] for n, v in values.items()}
        with np.errstate(all="ignore"):
            ours = evaluated(made_up, here)
            for name, law in ours.laws.items():
                if law.cdf is not None:
                    found.setdefault(name, []).append(uniform(law, here[name], rng))
        # It may be without bound, at an end that a draw is rounded to.
        assert all(v > -np.inf or heavy(here) for v in ours.log_densities.values())
    for name, each in found.items():
        first = np.array([np.ravel(u)[0] for u in each])
        known = first[np.isfinite(first)]
        if len(known) > DRAWS / 2:
            assert stats.kstest(known, "uniform").pvalue > UNLIKELY, name


def heavy(values: dict[str, Any]) -> bool:
    """Tell whether a value is so far out that an exponential of it may be no number."""
    return any(np.abs(np.asarray(v, float)).max() > 30 for v in values.values())


def uniform(law: Any, value: Any, rng: np.random.Generator) -> np.ndarray:
    """Return numbers that are uniform if the value is of the law, spread within a whole number."""
    high = np.asarray(law.cdf(value))
    if np.asarray(value).dtype.kind != "i":
        return high
    low = np.where(np.asarray(value) > 0, law.cdf(np.maximum(value - 1, 0)), 0.0)
    return low + rng.uniform(size=high.shape) * (high - low)


@seeds(QUICK, ALL)
def test_a_model_run_at_given_values_has_the_programs_density(seed):
    _, model, values, terms = point(seed)
    ours = terms_of(model.substitute(**values))
    for name, value in ours.items():
        np.testing.assert_allclose(value, terms[name], rtol=1e-9, atol=1e-9, err_msg=name)
    assert terms_of(model.condition(**values)) == pytest.approx(ours)


@seeds(QUICK, ALL)
def test_to_intervene_on_a_site_cuts_its_own_term_alone(seed):
    _, model, values, terms = point(seed)
    chosen = sorted(values)[seed % len(values)]
    left = terms_of(model.intervene(**{chosen: values[chosen]}).substitute(**{
        n: v for n, v in values.items() if n != chosen
    }))  # fmt: skip
    assert chosen not in left
    for name, value in left.items():
        np.testing.assert_allclose(value, terms[name], rtol=1e-9, atol=1e-9, err_msg=name)


@seeds(QUICK, ALL)
def test_a_seed_draws_each_site_by_its_name_alone(seed):
    made_up, *_ = point(seed)
    if "ft.Flat()" in made_up.source:
        return
    more = replace(made_up, lines=["    ft.sample('another', ft.Normal(0.0, 1.0))", *made_up.lines])
    first, again, other = (m.model(False).trace(seed) for m in (made_up, made_up, more))
    for name, site in first.items():
        if site.kind != "factor":
            np.testing.assert_array_equal(site.value, again[name].value)
            np.testing.assert_array_equal(site.value, other[name].value)


@seeds(QUICK, ALL)
def test_programs_are_equal_where_their_code_is_and_else_answer_for_themselves(seed):
    """Each number of the code is changed in turn: what is shared still gives each its density."""
    made_up, model, *_ = point(seed)
    built = program(model)
    assert program(made_up.model()) == built
    rng = np.random.default_rng(seed)
    free = {n: rng.normal(0, 0.5, v.aval.shape) for n, v in built.inputs.items()}
    numbers = list(re.finditer(r"\d\.\d", made_up.source))
    for i in rng.permutation(len(numbers))[:MOST]:
        match = numbers[i]
        changed = f"{float(match[0]) + 0.07:g}"
        source = made_up.source[: match.start()] + changed + made_up.source[match.end() :]
        lines = source.splitlines()[1:]
        other = program(replace(made_up, lines=lines).model())
        with jax.enable_x64(True):
            before, after = (joint(p)(p.constants, free) for p in (built, other))
            line = made_up.source[: match.start()].count("\n") - 1
            assert before != after or "deterministic" in made_up.lines[line]
            if other == built:
                assert joint(built)(other.constants, free) == after
