"""Lay out summaries and plans, with no digit that the draws do not support."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import finetti as ft
from finetti.posterior.digits import decimals
from finetti.reporting.tables import plan_table, summary_table


def summary(names, **columns):
    """Return a summary with the columns given and unremarkable others."""
    usual = {
        "mean": 1.23456, "sd": 0.98765, "eti89_lb": -0.34567, "eti89_ub": 2.81234,
        "ess_bulk": 1600, "ess_tail": 1600, "r_hat": 1.001, "mcse_mean": 0.02, "mcse_sd": 0.02,
    }  # fmt: skip
    return pd.DataFrame({**usual, **columns}, index=names)


def shown(table, width=80):
    """Return the lines of a table as a terminal of some width shows them."""
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e3))
def test_a_number_has_the_digits_that_its_error_supports_and_no_fewer(value, error):
    places = decimals(value, error)
    assert abs(round(value, places) - value) <= error * (1 + 1e-6)
    assert 10.0 ** (1 - places) > 2 * error


@pytest.mark.parametrize("error", [0.0, float("nan")])
def test_a_number_without_an_error_has_four_digits(error):
    assert [round(x, decimals(x, error)) for x in (1.23456, 123456.0, 0.0)] == [1.235, 123500, 0]


def test_numbers_are_cut_where_their_errors_begin_and_points_align():
    mean, error = [1.23456, -0.00004, 28437.2], [0.004, 0.0006, 40.0]
    lines = shown(summary_table(summary(["a", "b", "c"], mean=mean, mcse_mean=error)))
    assert [line.split()[1] for line in lines[2:]] == ["1.235", "0.000", "28440"]
    assert lines[2].index(".") == lines[3].index(".") == lines[4].index("28440") + 5


def test_small_sites_come_first_and_long_ones_are_cut():
    names = [*(f"theta[{i}]" for i in range(20)), "beta[0]", "beta[1]", "tau"]
    lines = shown(summary_table(summary(names), limit=3))
    first = [line.partition(" ")[0] for line in lines[2:]]
    assert first == ["tau", "beta[0]", "beta[1]", "theta[0]", "theta[1]", "theta[2]", "and"]
    assert lines[-1].strip() == "and 17 more"
    assert len(shown(summary_table(summary(names), limit=None))) == 2 + len(names)


def test_labels_are_shown_as_they_are_whatever_they_say():
    assert any("theta[red]" in line for line in shown(summary_table(summary(["theta[red]"]))))


def test_every_number_fits_a_narrow_terminal():
    name = "effect[a county with a long name]"
    lines = shown(summary_table(summary([name])), width=80)
    assert "…" not in "".join(lines)
    assert lines[2].endswith("1.001")


def test_one_chain_has_no_r_hat():
    assert shown(summary_table(summary(["mu"], r_hat=np.nan)))[-1].endswith("1,600")


def test_a_plan_has_a_row_a_site_and_a_rewrite_and_its_dimensions():
    @ft.model
    def groups():
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", 3):
            ft.sample("theta", ft.StudentT(4, 0, tau))

    plan = groups().plan()
    lines = shown(plan_table(plan), width=120)
    assert [line.split()[0] for line in lines[2:4]] == ["tau", "theta"]
    assert "~ StudentT(4, 0, tau) in group(3)" in lines[3]
    assert lines[5].split()[0] == "rewrite"
    assert lines[7].startswith("centre theta  ")
    assert lines[-1] == "4 dimensions to sample"
    assert " ".join(plan.costs()[0][1].split()) in " ".join(lines[7].split())


def test_a_plan_without_rewrites_has_one_table():
    lines = shown(
        plan_table(ft.Model(lambda: (ft.sample("x", ft.Beta(2, 1)), None)[1], "m").plan())
    )
    assert [line.split()[0] for line in lines if line] == ["site", "─" * len(lines[1]), "x", "1"]
