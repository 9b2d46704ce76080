"""Check each rule of the advice on draws made up so that it must, or must not, speak."""

from __future__ import annotations

import json

import numpy as np
import pytest

from finetti.posterior import diagnose
from finetti.posterior.illnesses.modes import split
from zoo.made_up import CHAINS, DRAWS, generator, problems, run, the, walk, white

# Several modes


def test_modes_between_which_chains_cross_are_told():
    side = np.where(generator(1).random((CHAINS, DRAWS)) < 0.3, -4, 4)
    found = the(run({"mu": white(2) + side, "nu": white(3)}), "several modes")
    assert found.sites == ("mu",)
    crossed = int((np.diff(side, axis=1) != 0).sum())
    assert f"crossed {crossed} times" in found.sentence


def test_chains_at_different_modes_are_told():
    apart = white(2) + np.array([-4, -4, 4, 4])[:, None]
    found = the(run({"mu": apart}), "chains at different modes")
    assert found.sites == ("mu",)
    assert "none crosses" in found.sentence


@pytest.mark.parametrize("stay", [True, False])
def test_members_that_change_places_are_told(stay):
    """The labels switch between chains, or within them as well."""
    rng = generator(4)
    flips = np.repeat([[True], [False], [True], [False]], DRAWS, 1)
    flips = flips if stay else rng.random((CHAINS, DRAWS)) < 0.5
    centres = np.where(flips[..., None], [-3.0, 3.0], [3.0, -3.0])
    found = the(run({"centre": white(5, 2) + centres}), "label switching")
    assert found.sites == ("centre",)
    left, right = np.moveaxis(white(6, 2) + centres, -1, 0)
    found = the(run({"left": left, "right": right}), "label switching")
    assert found.sites == ("left", "right")


def test_members_each_with_modes_of_their_own_do_not_change_places():
    """Members that take two values each, independently, have no order that leaves one."""
    rng = generator(7)
    sides = np.where(rng.random((CHAINS, DRAWS, 2)) < 0.5, -4, 4)
    assert "label switching" not in problems(run({"centre": white(8, 2) + sides}))
    assert "several modes" in problems(run({"centre": white(8, 2) + sides + [0, 20]}))


def test_signs_that_change_together_are_told():
    sign = np.where(generator(9).random((CHAINS, DRAWS)) < 0.5, -1, 1)
    draws = {"a": sign * (2 + 0.2 * white(1)), "b": sign * (0.5 + 0.1 * white(2))}
    assert the(run(draws), "mirror images").sites == ("a", "b")


UNIMODAL = {
    "normal": lambda rng, n: rng.normal(size=(CHAINS, n)),
    "uniform": lambda rng, n: rng.uniform(size=(CHAINS, n)),
    "exponential": lambda rng, n: rng.exponential(size=(CHAINS, n)),
    "lognormal": lambda rng, n: rng.lognormal(0, 1.5, size=(CHAINS, n)),
    "cauchy": lambda rng, n: rng.standard_cauchy(size=(CHAINS, n)),
}


@pytest.mark.parametrize("name", UNIMODAL)
def test_one_mode_is_not_taken_for_several(name):
    """Of 300 runs none may be: were one in a hundred, that would happen once in twenty tests."""
    rng = generator(10)
    assert not any(split(UNIMODAL[name](rng, 50)) is not None for _ in range(300))


@pytest.mark.parametrize("memory", [0.9, 0.99, 0.999])
def test_a_slow_walk_is_not_taken_for_several_modes(memory):
    rng = generator(11)
    assert not any(split(walk(rng, memory)) is not None for _ in range(30))


def test_a_small_mode_is_found():
    """A tenth of the draws six standard deviations away."""
    rng = generator(12)
    found = [
        split(rng.normal(size=(CHAINS, 250)) + 6 * (rng.random((CHAINS, 250)) < 0.1))
        for _ in range(30)
    ]
    assert all(sides is not None for sides in found)


# Funnels


def funnelled(power: float = 1.0) -> dict[str, np.ndarray]:
    tau = np.exp(white(1))
    return {"mu": white(4), "tau": tau, "theta": white(2, 8) * tau[..., None] ** power}


def test_a_funnel_names_its_scale_and_its_plate():
    draws = funnelled()
    found = the(run(draws, diverging=draws["tau"] < 0.1), "funnel")
    assert found.sites == ("tau", "theta")
    assert "plate" not in found.sentence  # it has no labels
    posterior = run(draws, diverging=draws["tau"] < 0.1)
    posterior.tree["posterior"] = posterior.tree["posterior"].dataset.assign_coords(
        group=list("ABCDEFGH")
    )
    found = the(posterior, "funnel")
    assert "over plate `group`" in found.sentence
    assert f"{int((draws['tau'] < 0.1).sum())} draws diverged" in found.sentence


def test_a_funnel_that_the_plan_has_eased_is_not_left_to_the_plan():
    draws = funnelled()
    posterior = run(draws, diverging=draws["tau"] < 0.1)
    assert "Let the plan" in the(posterior, "funnel").sentence
    posterior.tree.attrs["plan"] = json.dumps({"rewrites": [["centre theta", "8 members"]]})
    found = the(posterior, "funnel").sentence
    assert "Let the plan" not in found
    assert "The plan has eased theta already" in found


def test_a_funnel_turned_round_is_told_apart():
    draws = funnelled(-1)
    found = the(run(draws, diverging=draws["tau"] < 0.1), "inverse funnel")
    assert found.sites == ("tau", "theta")


def test_a_funnel_that_the_sampler_gets_into_is_fine():
    assert problems(run(funnelled())) == []


def test_rare_divergences_are_no_funnel():
    """Fits that integrate the effects out diverge now and then where the scale is tiny."""
    draws = funnelled()
    diverging = draws["tau"] < np.quantile(draws["tau"], 0.003)
    assert problems(run(draws, diverging=diverging)) == ["divergences"]


def test_effects_that_do_not_follow_the_scale_are_no_funnel():
    draws = funnelled(0)
    assert problems(run(draws, diverging=draws["tau"] < 0.1)) == ["divergences"]


# Tails and boundaries


def test_a_tail_without_a_mean_is_told():
    found = the(run({"x": generator(1).standard_cauchy((CHAINS, DRAWS))}), "heavy tails")
    assert found.sites == ("x",)


@pytest.mark.parametrize("name", ["normal", "exponential", "student3", "lognormal"])
def test_a_tail_with_a_mean_is_fine(name):
    rng = generator(2)
    draw = {**UNIMODAL, "student3": lambda r, n: r.standard_t(3, (CHAINS, n)),
            "lognormal": lambda r, n: r.lognormal(0, 1, (CHAINS, n))}[name]  # fmt: skip
    assert all("heavy tails" not in problems(run({"x": draw(rng, DRAWS)})) for _ in range(5))


def test_k_hat_is_the_inverse_of_the_tails_order():
    """Draws 1/u have k = 1 and u^(-1/2) k = 1/2; a standard error is about 0.1."""
    u = generator(3).random((CHAINS, DRAWS))
    assert diagnose.tail_k(1 / u, "right") == pytest.approx(1, abs=0.4)
    assert diagnose.tail_k(u**-0.5, "right") == pytest.approx(0.5, abs=0.4)


def test_a_scale_that_seeks_zero_is_told():
    found = the(
        run({"tau": generator(4).gamma(0.1, size=(CHAINS, DRAWS))}), "boundary-seeking scale"
    )
    assert found.sites == ("tau",)


@pytest.mark.parametrize("name", ["half-normal", "exponential", "half-cauchy"])
def test_a_scale_with_a_finite_density_at_zero_is_fine(name):
    rng = generator(5)
    draw = {
        "half-normal": lambda: np.abs(rng.normal(size=(CHAINS, DRAWS))),
        "exponential": lambda: rng.exponential(size=(CHAINS, DRAWS)),
        "half-cauchy": lambda: np.abs(rng.standard_cauchy((CHAINS, DRAWS))),
    }[name]
    assert all("boundary-seeking scale" not in problems(run({"tau": draw()})) for _ in range(10))


# Predictors


def tied(correlation: float) -> dict[str, np.ndarray]:
    one, other = white(1), white(2)
    return {"beta": np.stack([one, correlation * one + np.sqrt(1 - correlation**2) * other], -1)}


def test_collinear_predictors_are_named():
    x = generator(6).normal(size=(50, 1))
    x = np.concatenate([x, x + 0.01 * generator(7).normal(size=(50, 1))], 1)
    data = {"observed": {"y": generator(9).normal(size=50)}, "given": {"x": x}}
    found = the(run(tied(-0.99), **data), "collinear predictors")
    assert found.sites == ("beta[0]", "beta[1]")
    assert "x[0], x[1]" in found.sentence
    assert problems(run(tied(-0.5), **data)) == []  # felt by no coefficient
    apart = {"x": generator(8).normal(size=(50, 2))}
    assert problems(run(tied(-0.99), observed=data["observed"], given=apart)) == []


def test_predictors_far_from_zero_are_named_where_the_sampler_labours():
    data = {"observed": {"y": np.zeros(50)}, "given": {"year": np.linspace(1950, 1999, 50)}}
    steps = np.full((CHAINS, DRAWS), 511)
    found = the(run({"slope": white()}, **data, n_steps=steps), "badly scaled predictors")
    assert found.sites == ("year",)
    assert "far from zero" in found.sentence
    assert problems(run({"slope": white()}, **data, n_steps=steps // 100)) == []


def logit_data(separated: bool) -> dict[str, dict[str, np.ndarray]]:
    x = np.linspace(-1, 1, 40)
    y = (x > 0).astype(int)
    y[[5, 30]] = y[[5, 30]] if separated else 1 - y[[5, 30]]
    return {"observed": {"y": y}, "given": {"x": x}}


def test_separation_is_told_where_coefficients_run_away():
    far, near = {"beta": 50 + white()}, {"beta": 2 + white()}
    assert the(run(far, **logit_data(True)), "separation").sites == ("y",)
    assert problems(run(near, **logit_data(True))) == []  # a prior holds them
    assert problems(run(far, **logit_data(False))) == []


# Too few draws


def test_quantiles_are_judged_by_the_draws_beyond_them():
    """4000 independent draws leave 40 beyond the 0.99 quantile and 4 beyond the 0.999."""
    posterior = run({"x": white()})
    assert problems(posterior) == []
    assert problems(posterior, quantiles=[0.01, 0.5, 0.99]) == []
    (found,) = posterior.advice([0.99, 0.999])
    assert found.problem == "too few draws for a quantile"
    assert found.sites == ("x",)
    assert "0.999 quantile of x" in found.sentence
    with pytest.raises(ValueError, match=r"quantile 97\.5 is not between 0 and 1"):
        posterior.advice([97.5])


def test_a_constant_site_beside_a_slow_one_is_no_trouble():
    """A constant has no effective sample size."""
    draws = {"limit": np.full((CHAINS, DRAWS), 2.0), "x": walk(generator(1), 0.99)}
    found = the(run(draws), "too few effective draws")
    assert found.sites == ("x",)


def test_draws_that_are_no_numbers_are_told():
    x = white()
    broken = {"x": x, "root": np.where(x < -1, np.nan, np.abs(x + 1) ** 0.5)}
    found = the(run(broken), "undefined values")
    assert found.sites == ("root",)
