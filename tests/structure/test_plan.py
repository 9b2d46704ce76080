"""Check that the plan says, for each site, what was seen, what will be done, and why."""

import json
from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
import zoo
from finetti.structure.choices import Choices


@ft.model
def every_kind(y):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(5))
    nu = ft.sample("nu", ft.Gamma(2, 1))
    w = ft.sample("w", ft.Dirichlet(np.ones(3)))
    with ft.plate("i", 4):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.deterministic("shifted", theta + w[0])
        ft.factor("weight", theta * 0)
        ft.sample("y", ft.Normal(theta, nu), obs=y)


PLAN = every_kind(np.zeros(4)).substitute(nu=1.0).plan().without("integrate out", "centre")
ROWS = {row.site: row for row in PLAN.rows()}


def test_the_plan_has_a_row_for_every_site_in_order():
    assert list(ROWS) == ["mu", "tau", "nu", "w", "theta", "shifted", "weight", "y"]


@pytest.mark.parametrize(
    ("site", "seen", "done", "why"),
    [
        ("mu", "~ Normal(0, 5)", "sample", "any real number"),
        (
            "tau",
            "~ HalfCauchy(5)",
            "straighten its log",
            "positive: log near zero, linear where large",
        ),
        ("nu", "~ Gamma(2, 1)", "hold fixed", "prior density still counts"),
        ("w", "~ Dirichlet(1) of length 3", "sample", "simplex: 3 numbers from 2 free ones"),
        ("theta", "~ Normal(mu, tau) in i(4)", "sample", "any real number"),
        ("shifted", "= theta + w[0] in i(4)", "compute", "for each draw"),
        ("weight", "factor theta * 0 in i(4)", "add", "log joint"),
        ("y", "~ Normal(theta, nu) in i(4)", "condition", "observed: 4 values"),
    ],
)
def test_a_row_says_what_was_seen_what_is_done_and_why(site, seen, done, why):
    row = ROWS[site]
    assert row.seen == seen
    assert row.done == done
    assert why in row.why


def test_the_printed_plan_has_a_line_a_site_and_counts_the_dimensions():
    lines = str(PLAN).splitlines()
    assert lines[0].split() == ["site", "seen", "done", "why"]
    assert [line.split()[0] for line in lines[1 : lines.index("")]] == list(ROWS)
    assert lines[-2:] == ["", "8 dimensions to sample"]


def test_the_columns_of_the_printed_plan_are_aligned():
    lines = str(PLAN).splitlines()
    table = lines[: lines.index("")]
    for title in ("seen", "done", "why"):
        column = table[0].index(title)
        assert all(line[column - 2 : column] == "  " and line[column] != " " for line in table)


def test_rewrites_follow_with_their_costs_under_the_names_that_refuse_them():
    plan = every_kind(np.zeros(4)).substitute(nu=1.0).plan().without("integrate out")
    *_, blank, last = lines = str(plan).splitlines()
    start = lines.index("") + 1
    assert lines[start].split(maxsplit=1)[0] == "rewrite"
    assert lines[start + 1].startswith("centre theta    4 members, a square root each")
    assert lines[start + 2].startswith("straighten tau  1 logarithm; its level learned")
    assert (blank, last) == ("", "8 dimensions to sample")
    assert plan.without("centre theta", "straighten").costs() == []


@pytest.mark.parametrize("name", ["radon_slopes", "pilots", "irt_2pl", "hidden_chain", "raters"])
def test_the_printed_plan_fits_a_page_and_says_all_that_its_rows_say(name):
    plan = zoo.MODELS[name]().plan()
    lines = str(plan).splitlines()
    assert max(map(len, lines)) <= 110
    words = Counter(str(plan).split())
    said = [word for row in plan.rows() for text in (row.seen, row.why) for word in text.split()]
    assert not Counter(said) - words


def test_an_arrangement_is_said_with_what_it_and_others_would_take():
    (_, text), *_ = zoo.MODELS["crossed"]().plan().costs()
    assert "12 blocks of 1 along subject, bordered by mu, effect and by_item (8 numbers)" in text
    assert "6 blocks of 1 along item would take" in text
    assert "one dense block of 20 would take" in text


def test_the_dimensions_it_counts_are_those_of_the_density():
    assert str(PLAN).endswith(
        f"{ft.density(every_kind(np.zeros(4)).substitute(nu=1.0)).dim} dimensions to sample"
    )


def test_dimensions_of_discrete_sites_count_a_member_each():
    plan = zoo.MODELS["zero_inflated"]().plan()
    assert plan.dimensions() == "2 of 14 dimensions to sample"


@pytest.mark.parametrize("prior", [ft.Flat, ft.HalfFlat])
def test_flat_priors_are_seen_under_their_own_names(prior):
    model = ft.Model(lambda: (ft.sample("x", prior()), None)[1], "m")()
    assert model.plan().rows()[0].seen == f"~ {prior.__name__}"


def test_a_transform_is_named_with_the_support_it_serves():
    model = ft.Model(lambda: (ft.sample("p", ft.Beta(1, 1)), None)[1], "m")()
    (row,) = model.plan().rows()
    assert (row.done, row.why) == ("sample its logit", "between 0 and 1")


def test_an_ordered_vector_is_not_taken_for_a_positive_number():
    support = ft.constraints.positive_ordered_vector
    prior = ft.ImproperUniform(support, (), (2,))
    (row,) = ft.Model(lambda: (ft.sample("mu", prior), None)[1], "m")().plan().rows()
    assert (row.done, row.why) == ("transform", "positive ordered vector")


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_discrete_latent_variable_is_in_the_plan_as_refused(shape):
    model = ft.Model(lambda: (ft.sample("n", ft.Poisson(np.ones(shape))), None)[1], "m")()
    (row,) = model.plan().rows()
    assert row.done == "refuse"
    with pytest.raises(ft.ModelError, match=r"`n` is discrete \(Poisson\)"):
        ft.density(model)


def too_wide():
    n = ft.sample("n", ft.DiscreteUniform(0, 9).expand([12]))
    ft.sample("y", ft.Normal(n.sum(), 1), obs=0.0)


def hangs_on_another():
    m = ft.sample("m", ft.DiscreteUniform(1, 5))
    n = ft.sample("n", ft.Binomial(m, 0.5))
    ft.sample("y", ft.Normal(n, 1.0), obs=0.0)


def moves_a_support():
    n = ft.sample("n", ft.Bernoulli(0.5))
    u = ft.sample("u", ft.Uniform(0, 1.0 + n))
    ft.sample("y", ft.Normal(u, 1.0), obs=0.0)


def endless():
    n = ft.sample("n", ft.Poisson(3.0))
    ft.sample("y", ft.Normal(n, 1.0), obs=0.0)


@pytest.mark.parametrize(
    ("function", "reason", "remedy"),
    [
        (endless, "a whole number, at least 0, without a bound", "ft.Categorical over the values"),
        (too_wide, "tables of more than 10,000,000 entries", "let fewer of them meet"),
        (hangs_on_another, "how far its values reach depends on another", "give it the widest"),
        (moves_a_support, "the support of `u` depends on it", "give `u` a support that holds"),
    ],
)
def test_a_discrete_site_that_cannot_be_summed_out_is_refused_with_a_way_out(
    function, reason, remedy
):
    model = ft.Model(function, "m")()
    (row,) = [row for row in model.plan().rows() if row.site == "n"]
    assert row.done == "refuse"
    assert model.plan().dimensions() == "not to be sampled as it stands: see `n`"
    with pytest.raises(
        ft.ModelError,
        match=r"^site `n` is discrete .*; or observe it, or move it with ft\.Compound\(\)$",
    ) as refused:
        ft.density(model, model.plan())
    for said in (row.why, str(refused.value)):
        assert reason in said
        assert remedy in said


def test_a_record_of_a_plan_makes_the_same_plan_again():
    @ft.model
    def counts(n):
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", 3):
            theta = ft.sample("theta", ft.Normal(0, tau))
            ft.sample("n", ft.Poisson(jnp.exp(theta)), obs=n)

    model = counts(np.array([1, 4, 2]))
    for plan in (model.plan(), model.plan().as_written(), model.plan().approximate("theta")):
        record = json.loads(json.dumps(plan.record()))
        again = model.plan(choices=Choices.of(record))
        assert str(again) == str(plan)
        assert json.loads(json.dumps(again.record())) == record
