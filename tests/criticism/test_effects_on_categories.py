"""Check the probabilities of categories over a column, and of a success, against closed forms."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import norm

import finetti as ft
from criticism.by_hand import posterior_of
from finetti.reporting import plots

RANDOM = np.random.default_rng(3)
SHAPE = (2, 10)
X = np.linspace(-1.0, 2.0, 8)
G = list("aabbabab")
LEVELS = ["lo", "mid", "hi", "lo", "hi", "mid", "lo", "hi"]
TABLE = {"x": X, "g": G, "level": LEVELS, "answer": [1, 2, 3, 1, 3, 2, 1, 3]}
TABLE |= {n: RANDOM.integers(1, 5, 8) for n in ("red", "green", "blue")}
TABLE |= {"n": [3, 5, 9, 4, 4, 7, 2, 8], "k": [1, 2, 9, 0, 3, 4, 2, 5]}
SHARES = RANDOM.dirichlet([2.0, 3.0, 1.0], 8)
TABLE |= {f"share{i}": SHARES[:, i] for i in range(3)}


def drawn(model):
    """Return draws of a model's latent sites, of no particular posterior, and that posterior."""
    draws = {}
    for v in (v for v in model.variables if v.kind == "latent"):
        values = RANDOM.normal(size=(*SHAPE, *v.shape))
        if v.support.startswith("ordered"):
            values = np.sort(values, -1)
        draws[v.name] = np.exp(values) if v.name.startswith(("sd", "phi")) else values
    return draws, posterior_of(model, **draws)


def slopes(draws, names, x):
    return np.stack([draws[f"{n}_Intercept"][..., None] + draws[f"{n}_x"][..., None] * x
                     for n in names], -1)  # fmt: skip


def of_order(cumulative):
    """Return probabilities of categories of those to be at most each, along the last axis."""
    ends = np.concatenate([np.zeros_like(cumulative[..., :1]), cumulative,
                           np.ones_like(cumulative[..., :1])], -1)  # fmt: skip
    return np.diff(ends, axis=-1)


def steps(draws):
    """Return thresholds less the predictor, over the values of x and the thresholds."""
    return draws["Intercept"][..., None, :] - (draws["x"][..., None] * X)[..., None]


def sequential(draws):
    stop = expit(steps(draws))
    return of_order(1 - np.cumprod(1 - stop, -1))


def adjacent(draws):
    sums = np.cumsum(-steps(draws), -1)
    return softmax(np.concatenate([np.zeros_like(sums[..., :1]), sums], -1), -1)


def against(names):
    """Return what makes probabilities of names, of which the first has the predictor 0."""

    def found(draws):
        eta = slopes(draws, names[1:], X)
        return softmax(np.concatenate([np.zeros_like(eta[..., :1]), eta], -1), -1)

    return found


COLOURS = ("red", "green", "blue")
PARTS = ("share0", "share1", "share2")
CASES = {
    "cumulative": ("answer ~ x", {}, lambda d: of_order(expit(steps(d))), ("1", "2", "3")),
    "probit": ("answer ~ x", {"family": "cumulative", "link": "probit"},
               lambda d: of_order(norm.cdf(steps(d))), ("1", "2", "3")),
    "sequential": ("answer ~ x", {}, sequential, ("1", "2", "3")),
    "adjacent": ("answer ~ x", {}, adjacent, ("1", "2", "3")),
    "categorical": ("level ~ x", {}, against(("hi", "lo", "mid")), ("hi", "lo", "mid")),
    "multinomial": ("cbind(red, green, blue) ~ x", {}, against(COLOURS), COLOURS),
    "dirichlet": ("cbind(share0, share1, share2) ~ x", {}, against(PARTS), PARTS),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_category_has_the_probability_that_the_formula_gives_it(case):
    text, settings, by_hand, labels = CASES[case]
    draws, posterior = drawn(ft.formula(text, TABLE, **{"family": case, **settings}))
    found = ft.effects(posterior, "x")
    assert found.predictions.dims == ("chain", "draw", found.category, "x")
    assert tuple(found.predictions[found.category].values) == labels
    expected = np.swapaxes(by_hand(draws), -1, -2)
    np.testing.assert_allclose(found.predictions, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.slopes.sum(found.category), 0, atol=1e-9)
    np.testing.assert_allclose(found.comparisons[..., 0], 0)


def test_groups_and_rows_of_the_data_are_looked_at_as_for_a_mean():
    model = ft.formula("answer ~ x + (1 | g)", TABLE, family="cumulative")
    draws, posterior = drawn(model)
    found = ft.effects(posterior, "x", by="g")
    assert found.predictions.dims == ("chain", "draw", "g", found.category, "x")
    moved = draws["Intercept"][..., None, None, :] - draws["g"][..., None]  # of each group
    away = moved - (draws["x"][..., None] * X)[..., None, :, None]
    expected = np.swapaxes(of_order(expit(away)), -1, -2)
    np.testing.assert_allclose(found.predictions, expected, rtol=1e-9, atol=1e-12)
    averaged = ft.effects(posterior, "g", at="data").predictions
    np.testing.assert_allclose(averaged, expected.mean(-1).swapaxes(-1, -2), rtol=1e-9)
    figure = plots.conditional(found)
    assert [axes.get_title("left") for axes in figure.axes] == ["g a", "g b"]
    assert {len(axes.get_lines()) for axes in figure.axes} == {3}
    assert figure.axes[0].get_ylabel() == "probability of answer"
    assert str(found).startswith("Probability of answer over x by g")


def test_a_model_by_hand_has_numbers_for_its_categories():
    @ft.model
    def colours(x, y):
        b = ft.sample("b", ft.Normal(0, 1).expand([3]).to_event(1))
        with ft.plate("row", len(x)):
            ft.sample("y", ft.Categorical(logits=x[:, None] * b), obs=y)

    draws, posterior = drawn(colours(X, np.arange(8) % 3))
    found = ft.effects(posterior, "x").predictions
    assert found["y_category"].values.tolist() == [0, 1, 2]
    expected = softmax(X[:, None] * draws["b"][..., None, :], -1)
    np.testing.assert_allclose(found, np.swapaxes(expected, -1, -2), rtol=1e-9)


@pytest.mark.parametrize("family", ["binomial", "beta_binomial"])
@pytest.mark.parametrize("at", ["mean", "data"])
def test_successes_among_trials_have_the_probability_of_one(family, at):
    """The numbers of trials, whose mean is no whole number, are not asked for."""
    draws, posterior = drawn(ft.formula("k | trials(n) ~ x", TABLE, family=family))
    found = ft.effects(posterior, "x", at=at)
    expected = expit(draws["Intercept"][..., None] + draws["x"][..., None] * X)
    np.testing.assert_allclose(found.predictions, expected, rtol=1e-9)
    assert "one trial" in found.words
    with pytest.raises(ft.DataError, match="no column `n`"):
        ft.effects(posterior, "n")


def test_shares_of_variance_are_still_not_of_categories():
    _, posterior = drawn(ft.formula("level ~ x + (1 | g)", TABLE, family="categorical"))
    for verb in (ft.r_squared, ft.icc, ft.variance_shares):
        with pytest.raises(ft.ModelError):
            verb(posterior)
