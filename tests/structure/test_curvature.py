"""Hold precisions that are formed ahead to those read column by column."""

import jax
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.inference.many import replan
from finetti.structure.rewrites.integrate.integrate import Integrate
from finetti.targets.density import density

ROWS, SUBJECTS, ITEMS = 300, 20, 15
REST = {"slope": 0.0, "a": np.zeros(SUBJECTS), "c": np.zeros(ITEMS)}


@ft.model
def crossed(subject, item, x, y, form, sigma):
    tau, scale = (ft.sample(name, ft.HalfNormal(1)) for name in ("tau", "scale"))
    lift = ft.sample("lift", ft.Normal(0, 1))
    slope = ft.sample("slope", ft.Normal(0, 2))
    noise = ft.sample("sigma", ft.HalfNormal(1)) if sigma is None else sigma
    with ft.plate("subject", SUBJECTS):
        a = ft.sample("a", ft.Normal(0, tau if form == "centred" else 1))
    with ft.plate("item", ITEMS):
        c = ft.sample("c", ft.Normal(0, scale if form == "centred" else 1))
    by_subject = {"centred": 1, "non-centred": tau, "loaded": lift}[form] * a[subject]
    by_item = {"centred": 1, "non-centred": scale, "loaded": -lift}[form] * c[item]
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(slope * x + by_subject + by_item, noise), obs=y)


def bound(form: str, sigma=None) -> ft.Model:
    return crossed(*data(), form, sigma)


def dense(form: str, free: dict[str, float]) -> float:
    """Return the log density with all effects integrated out, by numpy, from the means' design."""
    subject, item, x, y = data()
    by = {"centred": (1, 1), "non-centred": (free["tau"], free["scale"])}
    first, second = by.get(form, (free["lift"], -free["lift"]))
    spread = (free["tau"], free["scale"]) if form == "centred" else (1, 1)
    design = np.zeros((ROWS, 1 + SUBJECTS + ITEMS))
    design[:, 0] = x
    design[np.arange(ROWS), 1 + subject] = first
    design[np.arange(ROWS), 1 + SUBJECTS + item] = second
    prior = np.repeat([4.0, spread[0] ** 2, spread[1] ** 2], [1, SUBJECTS, ITEMS])
    noise = free.get("sigma", 0.7)
    covariance = design * prior @ design.T + noise**2 * np.eye(ROWS)
    log_det = np.linalg.slogdet(covariance)[1]
    quadratic = y @ np.linalg.solve(covariance, y)
    return -0.5 * (quadratic + log_det + ROWS * np.log(2 * np.pi))


def formed_ahead(plan) -> list[str]:
    """Name the terms whose precision a plan's integral forms ahead."""
    (integral,) = plan.form.marginals
    assert isinstance(integral, Integrate)
    return [c.term for c in integral.curved]


@pytest.mark.parametrize(
    ("form", "sigma"), [("centred", None), ("non-centred", None), ("loaded", None), ("loaded", 0.7)]
)
def test_the_density_is_the_exact_marginal_for_scales_of_any_sign(form, sigma):
    """The number of a class is signed: a loading may be negative, and so may be all of them."""
    model = bound(form, sigma)
    plan = model.plan()
    assert formed_ahead(plan) == ["y"]
    built = density(model, plan)
    marginal = _marginal(built)
    with jax.enable_x64(True):
        values = [
            {"tau": 0.6, "scale": 1.4, "lift": lift, **({"sigma": 0.9} if sigma is None else {})}
            for lift in (-1.2, 0.8)
        ]
        found = [float(marginal({**v, **REST})) for v in values]
    for log_density, v in zip(found, values, strict=True):
        np.testing.assert_allclose(log_density, dense(form, v), rtol=1e-10)


def _marginal(built):
    """Return the log of the integral alone, without the priors of what is left, by all values."""
    target, given = built.target(np.dtype("float64"))
    (integral,) = target.form.marginals

    @compiled(ONCE)
    def log_marginal(given, values):
        free = target.layout.split(built.unconstrain(values))
        return target.form.log_marginal(integral, given, free)

    return lambda values: log_marginal(given, values)


def test_a_precision_that_changes_its_form_is_read_column_by_column():
    """Here the rows' weights depend on a parameter."""
    assert not formed_ahead(uneven(*data()).plan())


@ft.model
def uneven(subject, item, x, y):
    tau, lift = ft.sample("tau", ft.HalfNormal(1)), ft.sample("lift", ft.Normal(0, 1))
    with ft.plate("subject", SUBJECTS):
        a = ft.sample("a", ft.Normal(0, tau))
    with ft.plate("item", ITEMS):
        c = ft.sample("c", ft.Normal(0, tau))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(a[subject] + c[item], np.e ** (lift * x)), obs=y)


def data() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1938)
    subject, item = rng.integers(SUBJECTS, size=ROWS), rng.integers(ITEMS, size=ROWS)
    return subject, item, rng.normal(size=ROWS), rng.normal(size=ROWS)


def test_fits_to_many_sets_of_data_form_nothing_ahead():
    """An outcome that is a covariate elsewhere makes the precision another in each fit."""
    model = bound("centred")
    with jax.enable_x64(True):
        plan = replan(model, {"y": np.zeros(ROWS)}, model.plan())
    assert not formed_ahead(plan)
