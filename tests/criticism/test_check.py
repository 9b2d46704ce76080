"""Check right models, which pass, and wrong ones, which fail where they are wrong."""

import numpy as np
import pytest
from scipy import stats

import finetti as ft
from criticism import exact
from criticism.by_hand import posterior_of

SHAPE = (4, 500)
MEMBERS = 400


@ft.model
def known(member, scale, y):
    """Give each row its own observation of a mean that is all but known."""
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("member", member):
        ft.sample("y", ft.Normal(mu, scale), obs=y)


def check_of_normal(y, scale=1.0, **options):
    mean, sd = y.mean() / (1 + 1 / len(y)), 1 / np.sqrt(1 + len(y))
    mu = np.random.default_rng(3).normal(mean, sd, SHAPE)
    members = [f"m{i}" for i in range(len(y))]
    return ft.check(exact.posterior(known(members, scale, y), mu=mu), **options)


@pytest.fixture(scope="module")
def right():
    y = np.random.default_rng(1).normal(0.3, 1.0, MEMBERS)
    return y, check_of_normal(y, groups="member")


def test_the_most_typical_data_of_a_model_pass():
    found = check_of_normal(0.3 + stats.norm.ppf((np.arange(100) + 0.5) / 100))
    assert found.passed, str(found)
    assert not found.notes
    assert "reproduces all 6 quantities" in str(found)
    assert found.pits[0].p > 0.99
    assert all(0.1 < o.p < 0.9 for o in found)


@pytest.mark.slow
def test_a_right_model_fails_one_quantity_in_a_hundred_at_most():
    random = np.random.default_rng(2)
    fails = []
    for _ in range(40):
        found = check_of_normal(random.normal(random.normal(), 1.0, 30))
        fails += [o.fails for o in found] + [c.fails for c in found.pits]
    assert sum(fails) <= stats.binom(len(fails), 0.01).ppf(1 - 3e-5)  # four standard errors


def test_p_values_are_tail_probabilities_and_uniform_for_a_right_model(right):
    y, found = right
    members = [o for o in found if o.member]
    p = np.array([o.p for o in members])
    expected = stats.norm.sf((y - y.mean()) / np.sqrt(1 + 1 / MEMBERS))
    error = np.sqrt(expected * (1 - expected) / 2000)
    assert (np.abs(p - expected) < 5 * error + 1e-3).all()  # 400 of them
    assert stats.kstest(p, "uniform").pvalue > 0.01
    inside = np.mean([o.p_low <= e <= o.p_high for o, e in zip(members, expected, strict=True)])
    assert abs(inside - 0.89) < 4 * np.sqrt(0.89 * 0.11 / MEMBERS)


def test_a_wrong_member_among_many_is_found_though_draws_are_few():
    y = 0.3 + stats.norm.ppf((np.arange(300) + 0.5) / 300)
    y[[7, 150]] = -3.6, 5.5  # 3.9 and 5.2 sds out; the limit is 0.005 / 300, or 4.15 sds
    found = check_of_normal(y, groups="member")
    assert [o.member for o in found if o.fails and o.member] == ["m150"]


def test_quantities_that_the_model_fits_have_cautious_p_values(right):
    _, found = right
    mean = next(o for o in found if o.quantity == "mean" and not o.member)
    assert abs(mean.p - 0.5) < 0.05  # the mean of the data was fitted
    assert mean.replicated.shape == SHAPE
    np.testing.assert_allclose(
        mean.replicated, found.tree["posterior_predictive"]["y"].mean("member")
    )


@pytest.mark.parametrize(
    ("y", "scale", "quantity", "words"),
    [
        (stats.t(2).rvs(300, random_state=1), 1.0, "max", "above what the model predicts"),
        pytest.param(
            stats.expon().rvs(300, random_state=2) - 1,
            1.0,
            "skewness",
            "skewed likelihood",
            marks=pytest.mark.slow,
        ),
        (stats.norm().rvs(300, random_state=3), 2.0, "sd", "below what the model predicts"),
        pytest.param(
            stats.norm().rvs(300, random_state=4),
            0.5,
            "sd",
            "above what the model predicts",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_wrong_model_fails_where_it_is_wrong(y, scale, quantity, words):
    found = check_of_normal(y, scale)
    failed = {o.quantity: o for o in found if o.fails}
    assert quantity in failed
    assert words in failed[quantity].sentence
    assert not found.passed
    assert failed[quantity].sentence in str(found)
    pit = found.pits[0]
    if scale != 1.0:
        assert pit.fails
        assert ("too wide" if scale > 1 else "too narrow") in pit.sentence


COUNTY = ft.groups(np.repeat(["Cook", "Lake", "Pine"], 60))
RATE = np.array([1.0, 3.0, 6.0])[COUNTY]


@ft.model
def counts(county, y):
    with ft.plate("county", county):
        rate = ft.sample("rate", ft.Gamma(2.0, 1.0))
    with ft.plate("row", len(county)):
        ft.sample("y", ft.Poisson(rate[county]), obs=y)


@pytest.mark.parametrize("inflated", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_counts_are_checked_as_counts(inflated):
    y = np.random.default_rng(8).poisson(RATE)
    y = np.where(np.random.default_rng(9).random(180) < 0.3 * inflated, 0, y)
    rate = np.random.default_rng(4).gamma(
        2 + np.bincount(COUNTY, y), 1 / (1 + np.bincount(COUNTY)), (*SHAPE, 3)
    )  # conjugate
    found = ft.check(exact.posterior(counts(COUNTY, y), rate=rate))
    names = [o.quantity for o in found]
    assert names[:4] == ["mean", "sd", "share of zeros", "max"]
    assert names[4:] == ["sd of county means", "smallest county mean", "largest county mean"]
    assert found.passed != inflated, str(found)
    failed = [o.quantity for o in found if o.fails]
    assert ("share of zeros" in failed) == inflated
    assert "mean" not in failed


@ft.model
def pooled(county, y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(mu, 1.0), obs=y)


def pooled_posterior(y):
    mu = np.random.default_rng(3).normal(y.mean(), 1 / np.sqrt(len(y)), SHAPE)
    return exact.posterior(pooled(COUNTY, y), mu=mu)


def test_functions_of_the_data_and_of_the_draw_are_checked():
    y = np.random.default_rng(8).normal(size=180)

    def chi_square(y, state):
        return np.sum((y - state["mu"]) ** 2)

    found = ft.check(pooled_posterior(y), [np.median, chi_square], draws=400)
    assert [o.quantity for o in found] == ["median", "chi_square"]
    assert found.passed, str(found)
    discrepancy = list(found)[1]
    assert discrepancy.observed.shape == discrepancy.replicated.shape == (4, 100)
    p = stats.chi2(180).sf(np.sum((y - y.mean()) ** 2) + 1)  # the sum has mean + 1 at the draws
    assert abs(discrepancy.p - p) < 4 * np.sqrt(p * (1 - p) / 400) + 0.02
    found = ft.check(pooled_posterior(2 * y), {"chi": chi_square}, draws=400)
    assert [o.fails for o in found] == [True]
    assert found.frame()["p"].item() == 0.0
    assert 0.001 < found.frame()["p_high"].item() < 0.005


def test_one_wrong_group_is_named():
    y = np.random.default_rng(8).normal(size=180) + 1.5 * (np.asarray(COUNTY) == 2)
    posterior = pooled_posterior(y)
    found = ft.check(posterior, groups="county")
    assert "Pine" in [o.member for o in found if o.fails]
    assert any("mean of y[Pine]" in sentence for sentence in found.failures)
    assert "sd of county means" in [o.quantity for o in found if o.fails]
    with pytest.raises(ft.UnknownSite, match=r"cannot check by `country`.*did you mean `county`"):
        ft.check(posterior, groups="country")
    with pytest.raises(ft.DataError, match="groups give 2 rows and site `y` has 180"):
        ft.check(posterior, groups=["a", "b"])


def test_a_formulas_groups_have_the_names_that_it_has_for_them():
    pytest.importorskip("formulae")
    rng = np.random.default_rng(3)
    rows = {"g": np.repeat(list("abc"), 20), "f": np.tile(["u", "v"], 30)}
    model = ft.formula("y ~ f + (1 | g)", {"y": rng.normal(size=60), **rows})
    sizes = {v.name: v.shape for v in model.variables if v.kind == "latent"}
    draws = {n: np.abs(rng.normal(size=(4, 25, *shape))) for n, shape in sizes.items()}
    posterior = posterior_of(model, **draws)
    for name, members in {"g": "abc", "g_level": "abc", "f": "uv"}.items():
        found = ft.check(posterior, {"mean": np.mean}, groups=name)
        assert [o.member for o in found if o.member] == list(members)
    with pytest.raises(ft.UnknownSite, match=r"check by `h`: no such group.*`g_level`.*`f`"):
        ft.check(posterior, groups="h")


@pytest.mark.slow
def test_groups_can_be_a_column_and_have_quantities_of_their_own():
    y = np.random.default_rng(8).normal(size=180) + 1.5 * (np.asarray(COUNTY) == 2)
    posterior, column = pooled_posterior(y), np.repeat(["Cook", "Lake", "Pine"], 60)
    by_name = ft.check(posterior, groups="county")
    by_column = ft.check(posterior, {"mean": np.mean, "range": np.ptp}, groups=column)
    ps = [[o.p for o in c if o.member and o.quantity == "mean"] for c in (by_name, by_column)]
    assert ps[0] == ps[1]
    ranges = [(o.member, o.fails) for o in by_column if o.quantity == "range"]
    assert ranges == [("", False), ("Cook", False), ("Lake", False), ("Pine", False)]


def test_ties_count_half():
    @ft.model
    def tosses(y):
        p = ft.sample("p", ft.Beta(1, 1))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Bernoulli(p), obs=y)

    posterior = exact.posterior(tosses(np.array([0, 1, 1, 0])), p=np.full(SHAPE, 0.5))
    found = ft.check(posterior, {"sum": np.sum})
    expected = stats.binom(4, 0.5)
    p = expected.sf(2) + 0.5 * expected.pmf(2)
    assert abs(next(iter(found)).p - p) < 4 * np.sqrt(p * (1 - p) / 2000)
    assert "fewer than 8 values" in found.notes[0]
    usual = ft.check(posterior)
    assert [o.quantity for o in usual] == ["mean"]


def test_what_is_no_quantity_is_refused():
    y = np.zeros(10)
    for function, message in (
        (lambda y: y, r"`.*` returns shape \(10,\)"),
        (lambda a, b, c: 0.0, "takes 3 arguments"),
        (lambda y: np.nan, "is NaN for a data set"),
    ):
        with pytest.raises(ft.DataError, match=message):
            check_of_normal(y, quantities=[function])


def test_a_mode_and_a_model_without_data_cannot_be_checked():
    @ft.model
    def unseen():
        ft.sample("x", ft.Normal(0, 1))

    with pytest.raises(ft.ModelError, match="observes nothing"):
        ft.check(exact.posterior(unseen(), x=np.zeros(SHAPE)))
    with pytest.raises(ft.ModelError, match="a mode predicts without its own uncertainty"):
        ft.check(ft.fit(unseen(), ft.MAP(), progress=False))
