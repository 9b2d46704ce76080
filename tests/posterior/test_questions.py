"""Check answers to questions against the draws counted by hand, and what is refused."""

import numpy as np
import pytest
import xarray as xr

import finetti as ft
from finetti.posterior.scalars import Scalars

CHAINS, DRAWS = 4, 500
LABELS = ("A", "New York", "[x, 1]", "B > 2", 'say "no"')


@pytest.fixture(scope="module")
def posterior():
    random = np.random.default_rng(3)
    dims = ("chain", "draw")
    found = xr.Dataset(
        {
            "mu": (dims, random.normal(1, 1, (CHAINS, DRAWS))),
            "exp": (dims, random.normal(0, 1, (CHAINS, DRAWS))),
            "inner.tau": (dims, random.gamma(2, 1, (CHAINS, DRAWS))),
            "two words": (dims, random.normal(0, 1, (CHAINS, DRAWS))),
            "theta": ((*dims, "group"), random.normal(0, 1, (CHAINS, DRAWS, 5))),
            "gamma": ((*dims, "group", "year"), random.normal(0, 1, (CHAINS, DRAWS, 5, 2))),
            "ill": (dims, np.where(random.random((CHAINS, DRAWS)) < 0.01, np.nan, 1.0)),
        },
        {"group": list(LABELS), "year": [2001, 2002], "chain": range(CHAINS), "draw": range(DRAWS)},
    )
    return ft.Posterior(xr.DataTree.from_dict({"posterior": found}))


@pytest.fixture(scope="module")
def draws(posterior):
    theta = posterior["theta"].to_numpy()
    return {
        "mu": posterior["mu"].to_numpy(),
        "exp": posterior["exp"].to_numpy(),
        "tau": posterior["inner.tau"].to_numpy(),
        "two": posterior["two words"].to_numpy(),
        "a": theta[..., 0],
        "york": theta[..., 1],
        "odd": theta[..., 2],
        "more": theta[..., 3],
        "said": theta[..., 4],
        "late": posterior["gamma"].to_numpy()[..., 1, 1],
    }


STATEMENTS = {
    "theta[A] > theta[New York]": lambda d: d["a"] > d["york"],
    'theta["A"]>theta[ New York ]': lambda d: d["a"] > d["york"],
    "theta[A]>-theta[New York]": lambda d: d["a"] > -d["york"],
    "0 < mu < 1": lambda d: (d["mu"] > 0) & (d["mu"] < 1),
    "not mu > 1 and theta[A] <= 0": lambda d: (d["mu"] <= 1) & (d["a"] <= 0),
    "mu > 1 or theta[A] > 1 or theta[New York] != 0": lambda d: np.ones_like(d["mu"], bool),
    "2e-1 * mu ** 2 / 3 - +1 > .5": lambda d: 0.2 * d["mu"] ** 2 / 3 - 1 > 0.5,
    "inner.tau > 1": lambda d: d["tau"] > 1,
    "inner/tau>1": lambda d: d["tau"] > 1,
    "inner.tau/mu > 1": lambda d: d["tau"] / d["mu"] > 1,
    "gamma[New York, 2002] < gamma[New York,2002] + 1": lambda d: d["late"] < d["late"] + 1,
    "theta[[x, 1]] > theta[B > 2]": lambda d: d["odd"] > d["more"],
    'theta[say "no"] > 0': lambda d: d["said"] > 0,
    "two words > mu": lambda d: d["two"] > d["mu"],
    "exp(exp) > log(inner.tau)": lambda d: np.exp(d["exp"]) > np.log(d["tau"]),
    "max(mu, exp, 0) == abs(max(mu, exp, 0))": lambda d: np.ones_like(d["mu"], bool),
    "sqrt(abs(mu)) > min(exp, 2)": lambda d: np.sqrt(abs(d["mu"])) > np.minimum(d["exp"], 2),
}  # fmt: skip


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_probability_is_the_share_of_the_draws(posterior, draws, statement):
    expected = STATEMENTS[statement](draws)
    assert float(posterior.probability(statement)) == pytest.approx(expected.mean(), abs=1e-15)


def test_every_row_of_the_summary_can_be_asked_for(posterior):
    for name in posterior.summary().index.drop("ill"):
        mean = float(Scalars(posterior.draws)[name].mean())
        assert posterior.contrast(name).mean == pytest.approx(mean, abs=1e-12)
        assert posterior.summary().loc[name, "mean"] == pytest.approx(mean, abs=1e-12)


def test_brackets_at_the_end_may_be_left_out_where_one_number_has_them():
    dims, draws = ("chain", "draw"), np.random.default_rng(1).gamma(2, 1, (CHAINS, DRAWS, 1))
    effects = np.random.default_rng(2).normal(size=(CHAINS, DRAWS, 2, 1))
    sites = {
        "sd[a b]": ((*dims, "term"), draws),
        "u": ((*dims, "level", "term"), effects),
        "_L[a b]": ((*dims, "i", "j"), draws[..., None]),
    }
    coordinates = {"term": ("term", ["Intercept"], {"own": 1}), "level": ["x", "x y"]}
    found = ft.Posterior(xr.DataTree.from_dict({"posterior": xr.Dataset(sites, coordinates)}))
    for said, site in (("sd[a b] > 1", draws[..., 0]), ("u[x] > 0", effects[:, :, 0, 0])):
        expected = (site > float(said[-1])).mean()
        assert float(found.probability(said)) == pytest.approx(expected)
    assert found.contrast("sd[ a b ]").mean == pytest.approx(draws.mean())
    with pytest.raises(ft.UnknownSite, match="2 members"):
        found.probability("u > 0")
    with pytest.raises(
        ft.UnknownSite, match=r"\(sites: `sd\[a b\]`, `u`\)"
    ):  # what is hidden is not
        found.probability("w > 0")


def test_the_error_of_a_probability_is_that_of_its_mean(posterior, draws):
    found = posterior.probability("mu > 1")
    trees = xr.DataTree.from_dict({"posterior": xr.Dataset({"p": posterior["mu"] > 1})})
    assert found.mcse == pytest.approx(
        ft.Posterior(trees).summary().loc["p", "mcse_mean"], rel=0.05
    )


def test_what_no_draw_shows_is_not_certain(posterior):
    never, always = posterior.probability("mu > 99"), posterior.probability("mu < 99")
    assert (float(never), float(always)) == (0, 1)
    assert 0 < never.mcse < 2 / never.effective
    assert never.mcse == pytest.approx(always.mcse)
    assert "P(mu > 99) < 0.0" in str(never)
    assert "> 0.99" in str(always)


def test_a_region_of_practical_equivalence_shares_out_the_draws(posterior, draws):
    found = posterior.contrast("theta[A] - theta[New York]", rope=(-0.5, 1))
    values = draws["a"] - draws["york"]
    below, within, above = map(float, found.shares)
    assert below + within + above == pytest.approx(1)
    assert within == pytest.approx(((values >= -0.5) & (values <= 1)).mean())
    assert found.interval == pytest.approx(tuple(np.quantile(values, (0.055, 0.945))))
    assert found.sd == pytest.approx(values.std())


@pytest.mark.parametrize(
    ("expression", "rope", "words"),
    [
        ("mu / 100", 1, "Practically nil"),
        ("mu + 100", 1, "Not nil: the 89% interval lies above"),
        ("mu - 100", (-1, 1), "Not nil: the 89% interval lies below"),
        ("mu", 1, "Undecided"),
    ],
)
def test_a_verdict_says_where_the_interval_lies(posterior, expression, rope, words):
    assert posterior.contrast(expression, rope=rope).verdict.startswith(words)


REFUSED = {
    "theta[A]": (ft.ModelError, "is a number, not a statement"),
    "thet[A] > 1": (ft.UnknownSite, "did you mean `theta[A]`"),
    "theta[Q] > 1": (ft.UnknownSite, "no `theta[Q]`"),
    "theta > 1": (ft.UnknownSite, "`theta` has 5 members, from `theta[A]`"),
    "group > 1": (ft.UnknownSite, "no `group`"),
    "mu > (1": (ft.ModelError, "cannot be read"),
    "mu >": (ft.ModelError, "cannot be read"),
    "2mu > 1": (ft.ModelError, "cannot be read"),
    "log(mu) > 0": (ft.ModelError, "is no number at"),
    "ill > 0": (ft.ModelError, "is no number at"),
    "__import__('os').system('true') > 0": (ft.ModelError, "`__import__` is no function"),
    "mu.real > 0": (ft.UnknownSite, "no `mu.real`"),
    "(mu > 1) + 1 > 1": (ft.ModelError, "computes with a comparison"),
    "mu and exp": (ft.ModelError, "compare it"),
    "mu ^ 2 > 1": (ft.ModelError, "write ** for a power"),
    "mu[0] > 1": (ft.ModelError, "cannot be answered"),
    "[mu] > 1": (ft.ModelError, "cannot be answered"),
    "mu is 3": (ft.UnknownSite, "no `is`"),
    "mu in [1]": (ft.UnknownSite, "no `in [1]`"),
    "lambda: mu": (ft.UnknownSite, "no `lambda`"),
    "mu > True": (ft.UnknownSite, "no `True`"),
    "mu > 1j": (ft.ModelError, "cannot be answered"),
    "log(mu, 2) > 1": (ft.ModelError, "takes one number"),
    "max() > mu": (ft.ModelError, "takes one number"),
    "1 > 0": (ft.ModelError, "names nothing"),
    "": (ft.ModelError, "a question is a text"),
    "-" * 1500 + "mu > 0": (ft.ModelError, "nested too deep"),
    "(" * 500 + "mu" + ")" * 500 + " > 0": (ft.ModelError, ""),
    "mu + " * 500 + "mu > 0": (ft.ModelError, "at most 2,000 characters"),
}


@pytest.mark.parametrize("statement", REFUSED)
def test_what_is_no_statement_is_refused(posterior, statement):
    error, words = REFUSED[statement]
    with pytest.raises(ft.ModelError) as caught:
        posterior.probability(statement)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert len(str(caught.value)) < 3000


def test_no_text_runs_anything(posterior, tmp_path):
    """An attribute, a call or a subscript is refused whatever it hides behind."""
    target = tmp_path / "made"
    for attack in (f"open('{target}', 'w')", "().__class__", "mu.__class__", "exp.__call__(1)"):
        with pytest.raises(ft.ModelError):
            posterior.probability(f"{attack} > mu")
    assert not target.exists()


def test_contrasts_and_modes_are_refused_in_a_sentence(posterior):
    with pytest.raises(ft.ModelError, match=r"ask posterior\.probability"):
        posterior.contrast("mu > 1")
    for rope in ((1, 0), "wide", (1, 2, 3), 0, float("nan")):
        with pytest.raises(ValueError, match="is no region"):
            posterior.contrast("mu", rope=rope)
    with pytest.raises(ValueError, match="between 0 and 1"):
        posterior.contrast("mu", share=89)
    with pytest.raises(ft.ModelError, match=r"give rope=\(low, high\)"):
        _ = posterior.contrast("mu").shares
    mode = posterior.draws.isel(chain=[0], draw=[0])
    tree = xr.DataTree.from_dict({"posterior": mode, "standard_error": mode[["mu"]][{}]})
    for ask in ("probability", "contrast"):
        with pytest.raises(ft.ModelError, match="this run is a mode"):
            getattr(ft.Posterior(tree), ask)("mu > 0")


def test_answers_print_what_the_draws_support(posterior):
    assert str(posterior.probability("mu > 1")).startswith("P(mu > 1) = 0.")
    said = str(posterior.contrast("mu - exp", rope=0.1))
    assert len(said.splitlines()) == 3
    assert "89% interval" in said
    assert repr(posterior.contrast("mu")) == str(posterior.contrast("mu"))


def test_few_draws_answer_with_the_doubt_that_they_leave(posterior):
    few = ft.Posterior(
        xr.DataTree.from_dict({"posterior": posterior.draws.isel(chain=[0], draw=slice(0, 3))})
    )
    for statement in ("mu > -99", "mu > 99"):
        assert few.probability(statement).mcse > 0.2
    assert "nan" not in str(few.contrast("mu", rope=99))
