"""Check that coefficients are moved net of the effects that trade off with them, and exactly so."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import constraints

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.structure.rewrites.centre.root import Root
from finetti.structure.rewrites.shift.shift import Shift

ROWS, SUBJECTS, ITEMS = 240, 12, 6
RNG = np.random.default_rng(1992)
SUBJECT, ITEM = RNG.integers(0, SUBJECTS, ROWS), RNG.integers(0, ITEMS, ROWS)
X = RNG.normal(size=ROWS)


@ft.model
def crossed(x, subject, item, outcome):
    alpha = ft.sample("alpha", ft.Normal(0, 3))
    beta = ft.sample("beta", ft.Normal(0, 3))
    by_subject, by_item = (ft.sample(name, ft.HalfNormal(1)) for name in ("sigma", "tau"))
    with ft.plate("subject", SUBJECTS):
        a = ft.sample("a", ft.Normal(0, by_subject))
    with ft.plate("item", ITEMS):
        b = ft.sample("b", ft.Normal(0, by_item))
    with ft.plate("row", len(x)):
        ft.sample("y", outcome(alpha + beta * x + a[subject] + b[item]))


def logistic() -> ft.Model:
    eta = 0.3 + RNG.normal(size=SUBJECTS)[SUBJECT] + RNG.normal(size=ITEMS)[ITEM] - 0.4 * X
    y = np.random.default_rng(7).random(ROWS) < 1 / (1 + np.exp(-eta))
    return crossed(X, SUBJECT, ITEM, lambda eta: ft.Bernoulli(logits=eta)).condition(y=y * 1)


def linear(x: np.ndarray = X) -> ft.Model:
    return crossed(x, SUBJECT, ITEM, lambda eta: ft.Normal(eta, 0.5)).condition(y=np.sin(3 * X))


@ft.model
def graded(group, grade):
    cut = ft.sample("cut", ft.ImproperUniform(constraints.ordered_vector, (), event_shape=(3,)))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", 5):
        a = ft.sample("a", ft.Normal(0, sigma))
    with ft.plate("row", len(group)):
        ft.sample("grade", ft.OrderedLogistic(a[group], cut), obs=grade)


@ft.model
def single(x, subject, written):
    alpha, beta = (ft.sample(name, ft.Normal(0, 3)) for name in ("alpha", "beta"))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("subject", SUBJECTS):
        a = ft.sample("a", ft.Normal(alpha if written == "about alpha" else 0, sigma))
    match written:
        case "about alpha":
            eta = a[subject] + beta * x
        case "alpha first":
            eta = alpha + a[subject] + beta * x
        case _:
            eta = alpha + beta * x + a[subject]
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Poisson(jnp.exp(eta)), obs=np.ones(len(x)))


@ft.model
def rated(age, subject, item, about):
    """Subjects' effects and slopes, written about their coefficients or added to them."""
    alpha, beta, gamma = (ft.sample(name, ft.Normal(0, 3)) for name in ("alpha", "beta", "gamma"))
    sigma, tau = (ft.sample(name, ft.HalfNormal(1)) for name in ("sigma", "tau"))
    with ft.plate("subject", SUBJECTS):
        mean = alpha + beta * age
        a = ft.sample("a", ft.Normal(mean if about else 0, sigma))
        s = ft.sample("s", ft.Normal(gamma if about else 0, sigma))
        level, slope = (a, s) if about else (mean + a, gamma + s)
    with ft.plate("item", ITEMS):
        b = ft.sample("b", ft.Normal(0, tau))
    with ft.plate("row", len(subject)):
        eta = level[subject] + slope[subject] * X + b[item]
        ft.sample("y", ft.Poisson(jnp.exp(eta)), obs=np.ones(len(subject)))


AGE = np.linspace(-1, 1, SUBJECTS)
KEY = jax.random.key(0)
ABOUT, ADDED = rated(AGE, SUBJECT, ITEM, True), rated(AGE, SUBJECT, ITEM, False)


def scale(name):
    return ft.sample(name, ft.HalfNormal(1))


def shifts(model: ft.Model) -> list[Shift]:
    return [r for r in model.plan().rewrites if isinstance(r, Shift)]


def test_the_plan_shifts_what_meets_effects_of_several_groupings_and_says_so():
    plan = logistic().plan()
    rows = {row.site: row for row in plan.rows()}
    assert [rows[name].done for name in ("alpha", "beta")] == ["shift", "shift"]
    assert rows["alpha"].why == "trades off with a and b: moved net of what they add"
    assert dict(plan.costs())["shift alpha, beta"].startswith("36 products")


def test_cutpoints_are_shifted_by_effects_of_one_grouping():
    """No effect can be centred about a cutpoint: there are several."""
    (move,) = shifts(graded(np.arange(40) % 5, np.arange(40) % 4))
    assert move.sites == ("cut",)


@pytest.mark.parametrize("scale", [ft.HalfNormal(1), ft.Uniform(0, 100), ft.HalfFlat()])
def test_a_scale_that_effects_of_several_groupings_meet_is_no_coefficient(scale):
    @ft.model
    def measured(y):
        noise = ft.sample("noise", scale)
        with ft.plate("subject", SUBJECTS):
            a = ft.sample("a", ft.Normal(0, 1))
        with ft.plate("item", ITEMS):
            b = ft.sample("b", ft.Normal(0, 1))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(a[SUBJECT] + b[ITEM], noise), obs=y)

    plan = measured(np.sin(3 * X)).plan().without("integrate out")
    assert not any(isinstance(r, Shift) for r in plan.rewrites)


@pytest.mark.parametrize("written", ["about alpha", "alpha first"])
def test_effects_of_one_grouping_are_centred_about_the_coefficient_instead(written):
    assert not shifts(single(X, SUBJECT, written))


def test_unless_the_coefficient_is_added_to_the_rows_first():
    assert shifts(single(X, SUBJECT, "rows first"))[0].sites == ("alpha", "beta")


def test_effects_of_nested_groups_are_centred_about_one_another_instead():
    @ft.model
    def nested(ward):
        mu, sigma, tau = ft.sample("mu", ft.Normal(0, 2)), *map(scale, ("sigma", "tau"))
        with ft.plate("ward", 4):
            above = mu + sigma * ft.sample("z_ward", ft.Normal(0, 1))
        with ft.plate("bed", len(ward)):
            bed = above[ward] + tau * ft.sample("z_bed", ft.Normal(0, 1))
            ft.sample("calls", ft.Poisson(jnp.exp(bed)), obs=np.ones(len(ward)))

    assert not shifts(nested(np.arange(20) % 4))


def test_effects_that_multiply_one_another_are_left_to_be_centred():
    """How far the item's place moves the answers depends on its slope: no one shear fits."""

    @ft.model
    def answers(person, item):
        mu, sigma, tau = ft.sample("mu", ft.Normal(0, 2)), *map(scale, ("sigma", "tau"))
        with ft.plate("person", SUBJECTS):
            theta = ft.sample("theta", ft.Normal(0, sigma))
        with ft.plate("item", ITEMS):
            slope = ft.sample("slope", ft.LogNormal(0, tau))
            place = ft.sample("place", ft.Normal(mu, tau))
        with ft.plate("row", len(person)):
            eta = slope[item] * (theta[person] - place[item])
            ft.sample("y", ft.Bernoulli(logits=eta), obs=np.ones(len(person), int))

    assert not shifts(answers(SUBJECT, ITEM))


def test_it_can_be_refused_whole_or_for_one_site():
    plan = logistic().plan()
    assert not any(r.verb == "shift" for r in plan.without("shift").rewrites)
    assert not any(r.verb == "shift" for r in plan.without("shift alpha, beta").rewrites)
    assert "shift beta" in [r.name for r in plan.without("shift alpha").rewrites]
    assert not plan.as_written().rewrites


def test_it_is_not_made_beside_members_that_may_move_by_themselves():
    """Each must be independent of the others given the rest."""

    @ft.model
    def wide(one, two):
        alpha, sigma = ft.sample("alpha", ft.Normal(0, 1)), ft.sample("sigma", ft.HalfNormal(1))
        with ft.plate("many", 600):
            a = ft.sample("a", ft.Normal(0, sigma))
        with ft.plate("few", 5):
            b = ft.sample("b", ft.Normal(0, sigma))
        with ft.plate("row", len(one)):
            ft.sample("y", ft.Poisson(jnp.exp(alpha + a[one] + b[two])), obs=np.ones(len(one)))

    assert not shifts(wide(np.arange(1200) % 600, np.arange(1200) % 5))


def test_effects_about_coefficients_are_moved_as_those_that_are_added_to_them():
    """Learned constants and log densities are the same, at the same coordinates."""
    with jax.enable_x64(True):
        rng, found = np.random.default_rng(8), []
        for model in (ABOUT, ADDED):
            plan = model.plan()
            (move,) = (r for r in plan.rewrites if isinstance(r, Shift))
            assert move.sites == ("alpha", "beta", "gamma")
            target, given = ft.density(model, plan).target()
            form, split = target.form, target.layout.split
            if model is ABOUT:
                free = {
                    n: rng.normal(0, 0.5, np.shape(x))
                    for n, x in split(jnp.zeros(target.layout.dim)).items()
                }
                plain = {**free, "a": free["a"] + free["alpha"] + free["beta"] * AGE}
                plain["s"] = free["s"] + free["gamma"]
            else:
                plain = free
            looked = compiled(ONCE)(lambda x, f=form, g=given: f.look(g, x, KEY))(plain)
            learned = {
                m.name: m.agree(jax.tree.map(lambda a: jnp.asarray(a)[None], looked[m.name]))
                for m in form.moves
                if m.name in looked
            }
            density = compiled(ONCE)(form.log_density)(given.learned(learned), free)
            found.append((learned, density))
    assert float(found[0][1]) == pytest.approx(float(found[1][1]), rel=1e-10)
    assert found[0][0].keys() == found[1][0].keys()
    jax.tree.map(
        lambda one, two: np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-9),
        found[0][0],
        found[1][0],
    )


def test_effects_about_a_coefficient_that_meets_them_alone_are_centred_about_it():
    @ft.model
    def one_grouping(subject):
        alpha, sigma = ft.sample("alpha", ft.Normal(0, 3)), ft.sample("sigma", ft.HalfNormal(1))
        with ft.plate("subject", SUBJECTS):
            a = ft.sample("a", ft.Normal(alpha, sigma))
        with ft.plate("row", len(subject)):
            ft.sample("y", ft.Poisson(jnp.exp(a[subject])), obs=np.ones(len(subject)))

    assert not shifts(one_grouping(SUBJECT))


def test_effects_about_more_than_coefficients_stay_centred_about_it():
    """The location of `a` is a group's effect too: nothing of it can be left out."""

    @ft.model
    def nested(subject, item):
        alpha, sigma = ft.sample("alpha", ft.Normal(0, 3)), ft.sample("sigma", ft.HalfNormal(1))
        with ft.plate("ward", 3):
            w = ft.sample("w", ft.Normal(0, sigma))
        with ft.plate("subject", SUBJECTS):
            a = ft.sample("a", ft.Normal(alpha + w[np.arange(SUBJECTS) % 3], sigma))
        with ft.plate("item", ITEMS):
            b = ft.sample("b", ft.Normal(0, sigma))
        with ft.plate("row", len(subject)):
            ft.sample("y", ft.Poisson(jnp.exp(a[subject] + b[item])), obs=np.ones(len(subject)))

    plan = nested(SUBJECT, ITEM).plan()
    assert {"w", "a", "b"} <= {
        site for r in plan.rewrites if r.verb == "centre" for site in r.sites
    }
    assert not shifts(nested(SUBJECT, ITEM))


@pytest.mark.parametrize("model", [logistic(), ABOUT, graded(np.arange(40) % 5, np.arange(40) % 4)])
def test_the_density_is_that_of_the_model_as_written(model):
    """With any constants: the log density differs by the log Jacobian alone."""
    density = ft.density(model, model.plan())
    target, given = density.target()
    form, layout, rng = target.form, density.layout, np.random.default_rng(3)
    constants = {}
    for move in form.moves:
        found = {n: a + rng.normal(0, 0.3, np.shape(a)) for n, a in move.start("float64").items()}
        if "information" in found:
            half = found["information"]
            found["information"] = half @ np.swapaxes(half, -1, -2) + np.eye(half.shape[-1])
        if "common" in found:  # no more than there is: learning takes .999 of it at most
            found["common"] /= 3
        constants[move.name] = found
    given = given.learned(constants)

    def release(z):
        return layout.join(form.release(given, layout.split(z)))

    @compiled(ONCE)
    @jax.vmap
    def both(z):
        plain, jacobian = release(z), jnp.linalg.slogdet(jax.jacfwd(release)(z))[1]
        expected = form.unmoved().log_density(given, layout.split(plain)) + jacobian
        return form.log_density(given, layout.split(z)), expected, target.adopt(given, plain)

    points = rng.normal(0, 0.7, (3, density.dim))
    with jax.enable_x64(True):
        found, expected, back = both(points)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(back, points, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("x", [X, AGE[SUBJECT]], ids=["of rows", "of subjects"])
def test_coefficients_of_a_linear_model_become_white_noise_apart_from_the_effects(x):
    """Its log density is quadratic, so that what is learned is exact; scales are held fixed."""
    model = linear(x)
    density = ft.density(model, model.plan().without("integrate out", "condense", "straighten"))
    target, given = density.target()
    form, split = target.form, density.layout.split
    with jax.enable_x64(True):
        points = jnp.asarray(np.random.default_rng(2).normal(0, 0.1, (20, density.dim)))
        look = jax.vmap(lambda x: form.look(given, split(x), jax.random.key(0)))
        looked = compiled(ONCE)(look)(points)
        learned = {move.name: move.agree(looked[move.name]) for move in form.moves}
        given = given.learned(learned)
        hessian = -compiled(ONCE)(jax.hessian(lambda x: target.log_density(given, x)))(points[0])
    place = {name: np.flatnonzero(density.layout.mask({name})) for name in density.layout.names}
    both, effects = (np.concatenate([place[n] for n in pair]) for pair in (("alpha", "beta"), "ab"))
    np.testing.assert_allclose(hessian[np.ix_(both, both)], np.eye(2), atol=1e-6)
    np.testing.assert_allclose(hessian[np.ix_(both, effects)], 0, atol=1e-6)
    for name in "ab":  # what coefficients take up of the members is as wide as the rest
        own = hessian[np.ix_(place[name], place[name])]
        values = np.linalg.eigvalsh(own)
        assert values[0] > 0.5
        assert values[-1] < 2


def test_a_root_is_that_of_the_precision_less_what_is_taken():
    rng = np.random.default_rng(4)
    with jax.enable_x64(True):
        blocks = jnp.asarray(np.tril(rng.normal(0, 0.3, (5, 2, 2))) + 2 * np.eye(2))
        taken = jnp.asarray(rng.normal(0, 0.4, (2, 5, 2)))
        root = Root(blocks, ()).less(taken[0]).less(taken[1])
        whole = jax.scipy.linalg.block_diag(*(b @ b.T for b in blocks))
        whole -= sum(np.outer(t, t) for t in taken)
        rows = jnp.asarray(rng.normal(size=(5, 2)))
        solved = root.back(root.forward(rows))
        np.testing.assert_allclose(whole @ solved.ravel(), rows.ravel(), rtol=1e-10)
        np.testing.assert_allclose(root.times(root.back(rows)), rows, rtol=1e-10)
        expected = np.linalg.slogdet(whole)[1] / 2
        np.testing.assert_allclose(root.log_determinant(), expected, rtol=1e-10)


def test_no_more_is_taken_from_a_precision_than_there_is():
    with jax.enable_x64(True):
        root = Root(jnp.ones((3, 1, 1)), ()).less(jnp.full((3, 1), 10.0))
        assert np.isfinite(root.back(jnp.ones((3, 1)))).all()
        assert np.isfinite(root.log_determinant())


def test_a_fit_finds_the_posterior_with_more_effective_draws_and_can_be_tuned_again():
    model = logistic()
    shifted = ft.fit(model, seed=1, progress=False)
    plain = ft.fit(model, plan=model.plan().as_written(), seed=2, progress=False)
    one, two = shifted.summary(), plain.summary().reindex(shifted.summary().index)
    error = np.hypot(one["mcse_mean"], two["mcse_mean"])
    assert (np.abs(one["mean"] - two["mean"]) < 4 * error).all()
    assert one["ess_bulk"].min() > 400
    learned = shifted.learned.coordinates["shift alpha, beta"]
    assert np.abs(learned["shear"][0]).sum() > 1  # nearly each grouping's mean
    again = ft.fit(model, ft.NUTS(draws=50), tuning=shifted.learned, seed=3, progress=False)
    np.testing.assert_array_equal(
        again.learned.coordinates["shift alpha, beta"]["shear"], learned["shear"]
    )
