"""Check that the plan says, for each site, what was seen, what will be done, and why."""

import numpy as np
import pytest

import finetti as ft


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
        ("mu", "Normal", "sample as is", "whole real line"),
        ("tau", "HalfCauchy", "take logs", "positive"),
        ("nu", "Gamma", "hold fixed", "prior density still counts"),
        ("w", "Dirichlet", "transform", "3 numbers from 2 free ones"),
        ("theta", "Normal in i(4)", "sample as is", "whole real line"),
        ("shifted", "deterministic in i(4)", "compute", "from theta, w"),
        ("weight", "factor in i(4)", "add", "log joint"),
        ("y", "Normal in i(4)", "condition", "4 values enter the likelihood"),
    ],
)
def test_a_row_says_what_was_seen_what_is_done_and_why(site, seen, done, why):
    row = ROWS[site]
    assert row.seen == seen
    assert row.done.startswith(done)
    assert why in row.why


def test_the_printed_plan_has_a_line_a_site_and_counts_the_dimensions():
    lines = str(PLAN).splitlines()
    assert lines[0].split() == ["site", "seen", "done", "why"]
    assert [line.split()[0] for line in lines[1:-1]] == list(ROWS)
    assert lines[-1] == "8 dimensions to sample"


def test_the_columns_of_the_printed_plan_are_aligned():
    *table, _ = str(PLAN).splitlines()
    column = table[0].index("why")
    assert all(line[column - 1] == " " and line[column] != " " for line in table)


def test_the_dimensions_it_counts_are_those_of_the_density():
    assert str(PLAN).endswith(
        f"{ft.density(every_kind(np.zeros(4)).substitute(nu=1.0)).dim} dimensions to sample"
    )


@pytest.mark.parametrize("prior", [ft.Flat, ft.HalfFlat])
def test_flat_priors_are_seen_under_their_own_names(prior):
    model = ft.Model(lambda: (ft.sample("x", prior()), None)[1], "m")()
    assert model.plan().rows()[0].seen == prior.__name__


def test_a_transform_is_named_with_the_support_it_serves():
    model = ft.Model(lambda: (ft.sample("p", ft.Beta(1, 1)), None)[1], "m")()
    (row,) = model.plan().rows()
    assert row.done not in ("", "sample as is")
    assert "between 0 and 1" in row.why


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_discrete_latent_variable_is_in_the_plan_as_refused(shape):
    model = ft.Model(lambda: (ft.sample("n", ft.Poisson(np.ones(shape))), None)[1], "m")()
    (row,) = model.plan().rows()
    assert row.done == "refuse"
    with pytest.raises(ft.ModelError, match=r"`n` is discrete \(Poisson\)"):
        ft.density(model)
