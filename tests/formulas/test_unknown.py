"""What a table lacks is left unknown, exactly: by densities, and by a closed form."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.formulas.table import table
from tests.formulas.test_by_hand import joint

import finetti as ft

D = table()
LACKING = [2, 7, 30]


def without(name):
    values = D[name].astype(object if D[name].dtype.kind not in "biuf" else float)
    if str(D[name].dtype) == "category":
        values = D[name].copy()
    values[LACKING] = None if values.dtype.kind == "O" else np.nan
    return D.assign(**{name: values})


OUTCOMES = {
    "y ~ x + (1 | g)": None,
    "count ~ x": "poisson",
    "yes ~ x": None,
    "p(wins, n) ~ x": None,
    "grade ~ x": "cumulative",
    "colour ~ x": "categorical",
    "share ~ x": "beta",
    "positive ~ x": "gamma",
}


@pytest.mark.parametrize("text", OUTCOMES)
def test_outcomes_that_are_unknown_tell_what_rows_left_out_tell(text):
    """Their likelihood is that of the table without those rows."""
    name = text.partition(" ")[0].removeprefix("p(").rstrip(",")
    holed, family = without(name), OUTCOMES[text]
    kept = ft.formula(text, holed, family=family, missing="impute")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dropped = ft.formula(text, holed, family=family, missing="drop")
    sites = dropped.trace(5)
    drawn = {n: s.value for n, s in sites.items() if s.kind == "sample" and not s.observed}
    whole = kept.substitute(**drawn).trace(0)
    with jax.enable_x64(True):
        likelihood = [
            sum(float(jnp.sum(s.distribution.log_prob(jnp.asarray(s.value))))
                for s in found.values() if s.observed)
            for found in (whole, sites)
        ]  # fmt: skip
    assert likelihood[0] == pytest.approx(likelihood[1], rel=1e-10)


def test_a_predictor_that_is_unknown_has_a_law_of_its_own():
    holed = without("z")
    model = ft.formula("y ~ z", holed, missing="impute")
    sites = model.trace(3)
    drawn = {n: s.value for n, s in sites.items() if s.kind == "sample" and not s.observed}
    known = holed.z.notna().to_numpy()
    z, y = holed.z.to_numpy(), D.y.to_numpy()
    priors = {n: s.distribution for n, s in sites.items() if s.kind == "sample"}

    def by_hand():
        mean, sd = (ft.sample(n, priors[n]) for n in ("z_mean", "z_sd"))
        with ft.plate("known", int(known.sum())):
            ft.sample("z_known", ft.Normal(mean, sd), obs=z[known])
        with ft.plate("hole", len(LACKING)):
            missing = ft.sample("z_missing", ft.Normal(mean, sd))
        a, b, s = (ft.sample(n, priors[n]) for n in ("Intercept", "z", "sigma"))
        whole = jnp.asarray(np.nan_to_num(z)).at[np.array(LACKING)].set(missing)
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(a + b * whole, s), obs=y)

    theirs = ft.model(by_hand)().substitute(**drawn).trace(0)
    with jax.enable_x64(True):
        assert joint(sites) == pytest.approx(joint(theirs), rel=1e-10)
    hole = model.variables[[v.name for v in model.variables].index("z_missing")].plates[0]
    assert hole.labels == tuple(LACKING)


def test_predictions_for_rows_that_lack_the_outcome():
    """With flat priors and a known spread, a missing outcome is normal about the others' mean."""
    y = np.array([1.0, 2.0, 4.0, np.nan, 3.0])
    model = ft.formula(
        "y | se(s) ~ 1",
        {"y": y, "s": np.ones(5)},
        missing="impute",
        priors={"Intercept": ft.Flat()},
    )
    posterior = ft.fit(model, ft.NUTS(draws=2000), seed=1, progress=False)
    found = ft.predict(posterior, seed=2)["posterior_predictive"]["y"].isel(row=3)
    mean, sd = 2.5, np.sqrt(1 + 1 / 4)
    size = found.size
    assert abs(float(found.mean()) - mean) < 4 * sd / np.sqrt(size)
    assert abs(float(found.std()) - sd) < 4 * sd / np.sqrt(2 * size)
