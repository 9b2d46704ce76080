"""Check that every sick model of the zoo is named rightly, and no healthy one raises an alarm."""

from __future__ import annotations

from dataclasses import replace

import pytest

import finetti as ft
import zoo
from zoo.healthy import HEALTHY
from zoo.sick import SICK

ILL = zoo.shortened(
    SICK,
    "few trials, centred",
    "two named components",
    "half separated, wide priors",
    "the log of what is negative",
)
WELL = zoo.shortened(
    HEALTHY, "eight schools, centred, planned", "a line", "separated, firm priors", "half seen"
)


@pytest.mark.parametrize("name", ILL)
def test_an_illness_is_named_with_its_sites(name):
    patient = SICK[name]
    posterior = patient.fit()
    missed = patient.missed(posterior.advice(patient.quantiles))
    assert not missed, missed
    if patient.alone:  # as a run opened from a file, which knows no model
        missed = patient.missed(ft.Posterior(posterior.tree).advice(patient.quantiles))
        assert not missed, missed


CHOSEN = zoo.shortened(
    [name for name, patient in SICK.items() if patient.planned and patient.method == ft.NUTS()],
    "Cauchy on a sure chance",
)


@pytest.mark.parametrize("name", CHOSEN)
def test_an_illness_is_named_whatever_method_fit_chooses(name):
    patient = replace(SICK[name], method=ft.Automatic())
    missed = patient.missed(patient.fit().advice(patient.quantiles))
    assert not missed, missed


@pytest.mark.parametrize("seed", zoo.shortened(range(2, 8)))
def test_a_mean_that_does_not_exist_is_named_for_every_seed(seed):
    patient = replace(SICK["Cauchy on a sure chance"], method=ft.Automatic(draws=200))
    missed = patient.missed(patient.fit(seed).advice())
    assert not missed, missed


@pytest.mark.parametrize("name", WELL)
def test_a_healthy_model_raises_no_alarm(name):
    patient = HEALTHY[name]
    posterior = patient.fit()
    for run in (posterior, ft.Posterior(posterior.tree)):
        missed = patient.missed(run.advice(patient.quantiles))
        assert not missed, missed


def test_the_zoo_is_large_enough():
    assert len(SICK) >= 20
    assert len(HEALTHY) >= 20
    assert len({patient.problem for patient in SICK.values()}) >= 12
