"""Ask what would be if a variable were set: what follows changes, what does not stays."""

import numpy as np
import pytest

import finetti as ft
from criticism import exact

RANDOM = np.random.default_rng(7)
SHAPE = (4, 1000)
TREATED = np.array([0, 1, 1, 0, 1])


@ft.model
def trial(n, y=None):
    effect = ft.sample("effect", ft.Normal(0, 1))
    share = ft.sample("share", ft.Beta(1, 1))
    with ft.plate("person", n):
        treated = ft.sample("treated", ft.Bernoulli(share))
        mediator = ft.sample("mediator", ft.Normal(3.0 * treated, 0.5))
        mean = ft.deterministic("mean", effect * treated + mediator)
        ft.sample("y", ft.Normal(mean, 1), obs=y)


@pytest.fixture(scope="module")
def posterior():
    model = trial(5, np.zeros(5)).condition(treated=TREATED)
    draws = {
        "effect": RANDOM.normal(2.0, 0.1, SHAPE),
        "share": RANDOM.beta(4, 3, SHAPE),
        "mediator": np.full((*SHAPE, 5), 77.0),
    }
    return exact.posterior(model, **draws)


def test_an_observed_variable_is_set_and_what_lies_below_is_drawn_anew(posterior):
    tree = ft.predict(ft.intervene(posterior, treated=1))
    assert tree.attrs["intervened"] == "treated"
    assert tree.attrs["redrawn"] == "mediator"
    found = tree["posterior_predictive"]
    assert (found["treated"] == 1).all()
    assert found["treated"].shape == (*SHAPE, 5)  # one number for every member
    below = found["mean"].values - posterior["effect"].values[..., None]
    assert abs(exact.z_mean(below[..., 0], 3.0)) < 4
    assert abs(exact.z_sd(below[..., 0], 0.5)) < 4
    y = found["y"].values[..., 0]
    assert abs(exact.z_mean(y, 5.0)) < 4
    assert abs(exact.z_sd(y, np.sqrt(0.01 + 0.25 + 1))) < 4


def test_without_an_intervention_the_draws_stay(posterior):
    tree = ft.predict(posterior)
    assert "redrawn" not in tree.attrs
    assert (tree["posterior_predictive"]["mean"] >= 70).all()


def test_members_can_be_set_apart_and_on_new_rows(posterior):
    apart = ft.intervene(posterior.model, {"treated": [0, 0, 1, 1, 1]}).trace(0)
    assert apart["treated"].value.tolist() == [0, 0, 1, 1, 1]
    assert apart["treated"].kind == "deterministic"
    everyone = ft.predict(ft.intervene(posterior, treated=0), {"n": 9})
    assert everyone["predictions"]["y"].shape == (*SHAPE, 9)
    assert abs(exact.z_mean(everyone["predictions"]["y"].values, 0.0)) < 4


def test_a_latent_variable_is_set_in_a_model_or_a_run_that_takes_its_model(posterior):
    changed = ft.intervene(posterior.model, {"effect": -4.0, "treated": 1})
    kinds = {v.name: v.kind for v in changed.variables}
    assert (kinds["effect"], kinds["treated"], kinds["y"]) == (
        "deterministic", "deterministic", "observed",
    )  # fmt: skip
    alone = ft.Posterior(posterior.tree)
    tree = ft.predict(alone.of(changed))
    assert abs(exact.z_mean(tree["posterior_predictive"]["y"].values[..., 0], -1.0)) < 4


def test_names_and_shapes_are_checked_at_once(posterior):
    with pytest.raises(ft.UnknownSite, match=r"intervene on `treatment`.*did you mean `treated`"):
        ft.intervene(posterior.model, treatment=1)
    with pytest.raises(ft.ShapeError, match=r"`treated` has shape \(3,\), plate `person`"):
        ft.intervene(posterior, treated=np.zeros(3))


def test_the_handler_is_still_there():
    with ft.intervene({"x": 2.0}), ft.seed(0):
        assert ft.sample("x", ft.Normal(0, 1)) == 2.0
