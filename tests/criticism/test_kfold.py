"""Check what models predict of folds and of whole groups against exact answers."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from criticism.left_out import (
    EXACT,
    SIZES,
    TREE,
    exact_apples,
    exact_hospitals,
    exact_normal,
    grown,
    weighed,
)
from finetti.criticism.leaving_out.belonging import belonging, sole


@cache
def fitted() -> ft.Posterior:
    return ft.fit(grown(), seed=1, progress=False)


def agrees(found: ft.Elpd, exact: np.ndarray, most: float = 0.1) -> None:
    """Assert that scores are within 4 of their Monte-Carlo standard errors of exact ones."""
    error = found.scores["mcse"].to_numpy().ravel()
    assert error.max() < most
    np.testing.assert_array_less(np.abs(found.pointwise - exact), 4 * error)
    assert not found.unreliable


@pytest.mark.slow
def test_observations_are_predicted_from_all_others():
    # A tree that bore one apple: nothing is left to say where its effect lies.
    found = ft.loo(fitted(), good_k=0.5)
    agrees(found, exact_apples())
    assert found.refitted


def test_groups_are_predicted_as_new_ones_their_effects_integrated_out():
    found = ft.kfold(fitted(), by="tree")
    y, every = weighed(), np.arange(len(TREE))
    exact = [exact_normal(y, every[t == TREE], every[t != TREE]) for t in range(len(SIZES))]
    agrees(found, np.array(exact), 0.15)
    assert list(found.scores["tree"].values) == [f"tree {t}" for t in range(len(SIZES))]
    assert found.method == "leave-one-tree-out"
    assert found.se == pytest.approx(np.sqrt(len(exact) * np.var(found.pointwise, ddof=1)))


def test_groups_are_left_out_a_fold_at_a_time():
    found = ft.kfold(fitted(), 3, by="tree", seed=5)
    y, every = weighed(), np.arange(len(TREE))
    exact = []
    for t in range(len(SIZES)):
        away = np.isin(TREE, np.flatnonzero(found.folds == found.folds[t]))
        exact.append(exact_normal(y, every[t == TREE], every[~away]))
    agrees(found, np.array(exact), 0.15)
    assert np.bincount(found.folds).tolist() == [2, 2, 2]


def test_observations_are_left_out_a_fold_at_a_time():
    found = ft.kfold(fitted(), 4, seed=3)
    y, every = weighed(), np.arange(len(TREE))
    exact = [exact_normal(y, every[[i]], every[found.folds != found.folds[i]]) for i in every]
    agrees(found, np.array(exact))
    assert found.method == "4-fold cross-validation"
    assert sorted(np.bincount(found.folds)) == [4, 4, 5, 5]


def test_observations_are_left_out_by_a_column():
    column = np.array(["odd", "even"])[np.arange(len(TREE)) % 2]
    found = ft.kfold(fitted(), by=column)
    y, even = weighed(), np.arange(len(TREE)) % 2 == 1
    every = np.arange(len(TREE))
    exact = [exact_normal(y, every[part], every[~part]) for part in (even, ~even)]
    agrees(found, np.array(exact), 0.3)
    assert found.scores["group"].values.tolist() == ["even", "odd"]
    with pytest.raises(ft.ModelError, match="by= has 3 values"):
        ft.kfold(fitted(), by=["a", "b", "c"])


@pytest.mark.slow
def test_hospitals_are_predicted_as_new_ones():
    posterior = ft.fit(EXACT["hospitals"][0](), seed=1, progress=False)
    agrees(ft.kfold(posterior, by="hospital"), exact_hospitals())


# who belongs to whom

GROUP = np.array([0, 0, 1, 2, 2, 2])
LABELLED = ft.groups(np.array(["a", "b", "c"])[GROUP])
Y = np.arange(6.0)


def counting(**shapes):
    return {name: np.ones(shape, bool) for name, shape in shapes.items()}


def belongs(model: ft.Model, plate: str, **shapes):
    found = belonging(model, plate, counting(**(shapes or {"y": (6,)})))
    return {name: code.tolist() for name, code in found.codes.items()}, found.own


def grouped(observe) -> ft.Model:
    @ft.model
    def rows(group):
        mu = ft.sample("mu", ft.Normal(0, 1))
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", group):
            theta = ft.sample("theta", ft.Normal(mu, tau))
        observe(group, theta, mu)

    return rows(LABELLED)


def test_the_only_observations_of_groups_are_found():
    assert np.flatnonzero(sole(grown(), "y", counting(y=(len(TREE),)))).tolist() == [0, 1]

    def observe(group, theta, mu):
        with ft.plate("row", 6):
            ft.sample("y", ft.Normal(theta[group], 1), obs=Y)
        with ft.plate("group", group):
            ft.sample("z", ft.Normal(theta, 1), obs=np.zeros(3))

    assert not sole(grouped(observe), "y", counting(y=(6,), z=(3,))).any()


def test_observations_belong_to_the_members_that_bear_on_them():
    def observe(group, theta, mu):
        with ft.plate("row", 6):
            ft.sample("y", ft.Normal(theta[group] + mu, 1), obs=Y)
        with ft.plate("group", group):
            ft.sample("z", ft.Poisson(jnp.exp(theta)), obs=np.array([1, 0, 2]))
        ft.sample("x", ft.Normal(mu, 1), obs=1.0)

    codes, own = belongs(grouped(observe), "group", y=(6,), z=(3,), x=())
    assert codes == {"y": GROUP.tolist(), "z": [0, 1, 2], "x": -1}
    assert own == ("theta",)


def test_members_of_nested_plates_belong_to_the_outer_one():
    @ft.model
    def pupils(school, classroom):
        mu = ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("school", school):
            level = ft.sample("level", ft.Normal(mu, 1))
        with ft.plate("class", len(school)):
            mean = ft.sample("mean", ft.Normal(level[school], 1))
        with ft.plate("pupil", len(classroom)):
            ft.sample("y", ft.Normal(mean[classroom], 1), obs=Y)

    model = pupils(ft.groups([0, 0, 1]), GROUP)
    assert belongs(model, "school") == ({"y": [0, 0, 0, 1, 1, 1]}, ("level", "mean"))
    assert belongs(model, "class") == ({"y": GROUP.tolist()}, ("mean",))


def test_events_and_forms_written_by_hand_are_followed():
    @ft.model
    def scores(group):
        tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
        with ft.plate("group", group):
            z = ft.sample("z", ft.Normal(0, 1).expand([2]).to_event(1))
            effect = ft.deterministic("effect", tau * z)
        with ft.plate("row", 6):
            mean = jnp.stack([effect[group, 0], effect[group, 0] + effect[group, 1]], -1)
            ft.sample("y", ft.Normal(mean, 1).to_event(1), obs=np.zeros((6, 2)))

    assert belongs(scores(LABELLED), "group") == ({"y": GROUP.tolist()}, ("z",))


def test_crossed_effects_are_shared_when_one_of_them_is_left_out():
    @ft.model
    def answers(group, item):
        with ft.plate("group", group):
            theta = ft.sample("theta", ft.Normal(0, 1))
        with ft.plate("item", item):
            beta = ft.sample("beta", ft.Normal(0, 1))
        with ft.plate("answer", 6):
            ft.sample("y", ft.Bernoulli(logits=theta[group] - beta[item]), obs=Y > 2)

    model = answers(LABELLED, ft.groups([0, 1, 0, 1, 0, 1]))
    assert belongs(model, "group") == ({"y": GROUP.tolist()}, ("theta",))
    assert belongs(model, "item") == ({"y": [0, 1, 0, 1, 0, 1]}, ("beta",))


def test_an_observation_of_several_members_is_not_left_out_with_one():
    def observe(group, theta, mu):
        with ft.plate("row", 6):
            ft.sample("y", ft.Normal(theta[group] - theta[::-1][np.asarray(group)], 1), obs=Y)

    with pytest.raises(ft.ModelError, match=r"observation \[0\] of site `y` depends on several"):
        belongs(grouped(observe), "group")


def test_effects_that_others_data_tell_of_are_not_drawn_anew():
    def observe(group, theta, mu):
        total = ft.sample("total", ft.Normal(theta.sum(), 1))
        with ft.plate("row", 6):
            ft.sample("y", ft.Normal(theta[group] + total, 1), obs=Y)

    assert belongs(grouped(observe), "group") == ({"y": GROUP.tolist()}, ())

    def weigh(group, theta, mu):
        ft.factor("near", -(theta**2))
        with ft.plate("row", 6):
            ft.sample("y", ft.Normal(theta[group], 1), obs=Y)

    assert belongs(grouped(weigh), "group") == ({"y": GROUP.tolist()}, ())
    assert belongs(grouped(weigh), "theta") == ({"y": GROUP.tolist()}, ())


def test_plates_that_bear_on_nothing_or_do_not_exist_are_refused():
    def observe(group, theta, mu):
        with ft.plate("row", 6):
            ft.sample("y", ft.Normal(mu, 1), obs=Y)

    with pytest.raises(ft.ModelError, match="no observation of `y` depends on a member of plate"):
        belongs(grouped(observe), "group")
    with pytest.raises(ft.UnknownSite, match=r"no plate `county` \(plates: `group`, `row`\)"):
        belongs(grouped(observe), "county")


def test_leaving_all_out_at_once_is_refused():
    with pytest.raises(ft.ModelError, match="parted into 1 fold"):
        ft.kfold(fitted(), 1)
