"""Check predictions, slopes and comparisons over a column against closed forms."""

import numpy as np
import pandas as pd
import pytest

import finetti as ft
from criticism.by_hand import posterior_of
from finetti.reporting import plots

CHAINS, DRAWS = 2, 20
RANDOM = np.random.default_rng(5)
NAMES = ["b", "a", "b", "c", "a", "c", "b", "a"]
CODES = np.array([1, 0, 1, 2, 0, 2, 1, 0])
X = np.array([0.0, 1.5, 2.0, 3.0, 4.5, 5.0, 6.0, 7.0])
W = np.array([1.0, 2.0, 4.0, 1.0, 0.0, 2.0, 3.0, 3.0])
COUNT = np.arange(8)


def drawn(*shape):
    return RANDOM.normal(size=(CHAINS, DRAWS, *shape))


@ft.model
def level_and_slope(herd, x, w, count, logit, y=None):
    mu = ft.sample("mu", ft.Normal(0, 5))
    b = ft.sample("b", ft.Normal(0, 5))
    c = ft.sample("c", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("herd", herd):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    mean = theta[herd] + b * x + c * w * x
    with ft.plate("cow", len(x)):
        law = ft.Bernoulli(logits=mean) if logit else ft.Normal(mean, 1)
        ft.sample("y", law, obs=y)


@ft.model
def alone():
    mu = ft.sample("mu", ft.Normal(0, 5))
    with ft.plate("cow", len(X)):
        ft.sample("y", ft.Normal(mu, 1), obs=X)


def made(logit=False):
    draws = {"mu": drawn(), "b": drawn(), "c": drawn() / 10, "tau": np.exp(drawn()),
             "theta": drawn(3)}  # fmt: skip
    y = (COUNT % 2) if logit else X
    model = level_and_slope(ft.groups(NAMES), X, W, COUNT, logit, y=y)
    return posterior_of(model, **draws), draws


@pytest.fixture(scope="module")
def linear():
    return made()


def close(found, expected, room=1e-9):
    np.testing.assert_allclose(found, expected, rtol=room, atol=room)


def wide(a):
    return a[..., None]


def test_a_column_goes_over_its_values_with_the_others_at_their_mean(linear):
    posterior, d = linear
    found = ft.effects(posterior, "x")
    assert found.predictions.dims == ("chain", "draw", "x")
    close(found.predictions["x"], X)
    slope = d["b"] + d["c"] * W.mean()
    close(found.predictions, wide(d["mu"]) + wide(slope) * X)
    close(found.slopes, np.broadcast_to(wide(slope), (CHAINS, DRAWS, 8)), 1e-6)
    close(found.comparisons, wide(slope) * X)


def test_other_columns_are_held_where_asked(linear):
    posterior, d = linear
    found = ft.effects(posterior, "x", at={"w": 10.0})
    close(found.predictions, wide(d["mu"]) + wide(d["b"] + 10 * d["c"]) * X)
    assert "w = 10.0" in found.words


def test_by_a_column_of_numbers_there_are_predictions_at_its_values(linear):
    posterior, d = linear
    found = ft.effects(posterior, "x", by="w")
    assert found.predictions.dims == ("chain", "draw", "w", "x")
    values = found.predictions["w"].to_numpy()
    slope = wide(d["b"]) + wide(d["c"]) * values
    close(found.predictions, d["mu"][..., None, None] + slope[..., None] * X)


def test_groups_that_are_looked_at_have_their_own_effects(linear):
    posterior, d = linear
    found = ft.effects(posterior, "x", by="herd")
    assert found.predictions["herd"].values.tolist() == ["a", "b", "c"]
    slope = d["b"] + d["c"] * W.mean()
    close(found.predictions, wide(d["theta"]) + slope[..., None, None] * X)
    only = ft.effects(posterior, "herd")
    close(only.predictions, d["theta"] + wide(slope * X.mean()))
    close(only.comparisons, d["theta"] - d["theta"][..., :1])
    assert only.slopes is None


def test_averages_over_the_data_are_those_of_every_row(linear):
    posterior, d = linear
    found = ft.effects(posterior, "x", at="data")
    slope = d["b"] + d["c"] * W.mean()  # linear in w: at its mean and averaged are the same
    close(found.predictions, wide(d["mu"]) + wide(slope) * X)
    assert found.words.startswith("Averaged over the rows")


def test_on_the_scale_of_probabilities_slopes_bend_and_averages_differ():
    posterior, d = made(logit=True)
    found = ft.effects(posterior, "x")
    slope = d["b"] + d["c"] * W.mean()
    p = 1 / (1 + np.exp(-(wide(d["mu"]) + wide(slope) * X)))
    close(found.predictions, p)
    close(found.slopes, wide(slope) * p * (1 - p), 1e-5)
    averaged = ft.effects(posterior, "x", at="data").predictions
    each = (d["b"][..., None] + d["c"][..., None] * W)[..., None, :] * X[:, None]
    close(averaged, (1 / (1 + np.exp(-(d["mu"][..., None, None] + each)))).mean(-1))


def test_whole_numbers_have_comparisons_and_no_slopes(linear):
    posterior, _ = linear
    found = ft.effects(posterior, "count")
    assert found.predictions["count"].values.tolist() == COUNT.tolist()
    assert found.slopes is None
    with pytest.raises(ft.ModelError, match="it has comparisons, no slopes"):
        found.table("slopes")


def test_what_cannot_be_looked_at_is_refused(linear):
    posterior, _ = linear
    with pytest.raises(ft.DataError, match="no column `z` of rows"):
        ft.effects(posterior, "z")
    with pytest.raises(ft.DataError, match="no column `logit`"):
        ft.effects(posterior, "logit")
    with pytest.raises(ft.DataError, match=r"no column `x` of rows \(columns: none\)"):
        ft.effects(posterior_of(alone(), mu=drawn()), "x")
    with pytest.raises(ft.DataError, match="cannot be parted by itself"):
        ft.effects(posterior, "x", by="x")
    with pytest.raises(ft.DataError, match="`v` of at= is no other column"):
        ft.effects(posterior, "x", at={"v": 1})
    with pytest.raises(ValueError, match="neither"):
        ft.effects(posterior, "x", at="median")
    with pytest.raises(ft.ModelError, match="needs the model"):
        ft.effects(ft.Posterior(posterior.tree), "x")


def test_effects_print_and_show_a_table(linear):
    found = ft.effects(linear[0], "x", by="herd")
    assert str(found).startswith("Mean of y over x by herd")
    assert repr(found) == "<effects: Mean of y over x by herd>"
    assert "<table>" in found._repr_html_()
    assert found.table("comparisons").frame.index[0].startswith("difference[")


@pytest.mark.parametrize(
    ("name", "by"), [("x", None), ("x", "herd"), ("herd", None), ("herd", "w")]
)
def test_effects_are_drawn(linear, name, by):
    found = ft.effects(linear[0], name, by)
    figure = plots.conditional(found)
    (axes,) = figure.axes
    assert axes.get_xlabel() == name
    assert axes.get_ylabel() == "mean of y"
    groups = 1 if by is None else found.predictions.sizes[by]
    assert len(axes.get_lines()) + len(axes.containers) >= groups
    assert bool(axes.get_legend()) == (by is not None)


def test_a_formula_knows_its_table_and_speaks_of_its_columns():
    pytest.importorskip("formulae")
    beside = np.where(COUNT == 2, 1.0, np.nan)  # what the formula does not speak of may lack values
    table = pd.DataFrame(
        {"y": X + CODES, "days": COUNT, "herd": CODES + 300, "w": W, "beside": beside}
    )
    model = ft.formula("y ~ days + w + (1 | herd)", table)
    sizes = {v.name: v.shape for v in model.variables if v.kind == "latent"}
    draws = {n: drawn(*s) for n, s in sizes.items()}
    draws = {n: np.exp(a) if n.startswith(("sd", "sigma")) else a for n, a in draws.items()}
    posterior = posterior_of(model, **draws)
    found = ft.effects(posterior, "days", data=table)
    close(ft.effects(posterior, "days").predictions, found.predictions)
    level = wide(draws["Intercept"]) + wide(draws["w"] * W.mean())
    close(found.predictions, level + wide(draws["days"]) * COUNT)
    close(found.slopes, np.broadcast_to(wide(draws["days"]), (CHAINS, DRAWS, 8)), 1e-6)
    own = ft.effects(posterior, "days", by="herd", data=table).predictions
    assert own["herd"].values.tolist() == ["300", "301", "302"]
    close(own, (level[..., None] + wide(draws["days"])[..., None] * COUNT)
          + draws["herd"].reshape(CHAINS, DRAWS, 3)[..., None])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "column", "goes_over"),
    [
        ("y | cens(event) ~ w", "w", np.unique(W).tolist()),
        ("y ~ w + mo(step)", "step", ["0", "1", "2", "10"]),
        ("y ~ w + C(step)", "step", ["0", "1", "2", "10"]),
        ("y ~ w * size", "size", ["small", "large"]),
    ],
)
def test_names_and_codes_are_held_at_one_of_them_and_gone_over_in_their_order(
    text, column, goes_over
):
    """A mean of codes is none of them, and what states an order is not the alphabet's."""
    pytest.importorskip("formulae")
    sizes = pd.Categorical(["small", "large"] * 4, ["small", "large"], ordered=True)
    steps = np.array([0, 1, 2, 10, 0, 1, 2, 10])
    table = pd.DataFrame({"y": X, "w": W, "event": COUNT % 2, "step": steps, "size": sizes})
    model = ft.formula(text, table)
    zeros = {v.name: np.zeros((2, 3, *v.shape)) for v in model.variables if v.kind == "latent"}
    posterior = posterior_of(model, **{n: a + (n == "sigma") for n, a in zeros.items()})
    found = ft.effects(posterior, column).predictions
    assert found[column].values.tolist() == goes_over
    assert found.shape == (2, 3, len(goes_over))
    ft.effects(posterior, "w")
