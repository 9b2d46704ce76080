"""A model is read several times, and must be the same each time: else draws are of another one."""

import csv
import random

import numpy as np
import pytest

import finetti as ft


@ft.model
def level(y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(mu, 1), obs=np.array([float(v) for v in y]))


def observing(value):
    @ft.model
    def one():
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu, 1), obs=value())

    return one()


def test_data_drawn_inside_a_model_are_refused():
    chance = random.Random(1)
    with pytest.raises(ft.ModelError, match=r"`y` is observed as other values.*random numbers"):
        observing(chance.random).plan()


def test_data_that_are_used_up_inside_a_model_are_refused():
    lines = csv.reader(["1", "2", "3"])
    with pytest.raises(ft.ModelError, match="1, 2, 3 at first, then no value"):
        observing(lambda: np.array([float(v) for (v,) in lines])).plan()


def test_a_model_whose_sites_change_is_refused():
    numbers = iter(range(10))

    @ft.model
    def renamed():
        ft.sample(f"mu{next(numbers)}", ft.Normal(0, 1))

    with pytest.raises(ft.ModelError, match="other sites each time it is read: `mu0` at first"):
        renamed().plan()


@pytest.mark.parametrize(
    ("data", "said"),
    [(map(float, [1, 2]), "`y` is a map"), ({"a": (v for v in "12")}, r"`y\['a'\]` is a gener")],
)
def test_an_argument_that_can_be_read_once_is_refused_by_its_name(data, said):
    with pytest.raises(ft.ModelError, match=said):
        level(data)


def test_data_that_lack_values_or_come_as_lists_are_the_same_each_time():
    row = [1.0, None, 3.0]
    ft.model(lambda y: ft.sample("y", ft.Normal(0, 1), obs=y)).missing("impute")(row).plan()
    assert observing(lambda: [1.0, 2.0]).plan().variables[1].data.tolist() == [1, 2]


def test_a_function_that_a_call_does_not_run_is_no_model():
    def waiting():
        yield ft.sample("x", ft.Normal(0, 1))

    async def later():
        ft.sample("x", ft.Normal(0, 1))

    with pytest.raises(ft.ModelError, match="`waiting` has `yield` in it"):
        ft.model(waiting)
    with pytest.raises(ft.ModelError, match="`later` is async"):
        ft.model(later)
