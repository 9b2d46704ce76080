"""Check that numpyro's distributions are finetti's, under their own names."""

import numpyro.distributions
import pytest

import finetti as ft
import finetti.distributions

BORROWED = sorted(
    name
    for name in numpyro.distributions.__all__
    if name[0].isupper()
    and callable(getattr(numpyro.distributions, name))
    and name not in finetti.distributions.MENDED
)


@pytest.mark.parametrize("name", BORROWED)
def test_every_distribution_is_reachable_under_its_own_name(name):
    assert getattr(ft, name) is getattr(numpyro.distributions, name)
    assert name in ft.__all__


def test_names_list_the_distributions_once_and_in_order():
    names = finetti.distributions.NAMES
    assert list(names) == sorted(set(names))
    own = finetti.distributions.MENDED + finetti.distributions.OWN
    assert set(names) == {*BORROWED, *own}
    assert all(getattr(ft, name).__module__.startswith("finetti.") for name in own)


def test_the_public_vocabulary_is_complete_and_without_repeats():
    assert len(ft.__all__) == len(set(ft.__all__))
    assert [name for name in ft.__all__ if not hasattr(ft, name)] == []


def test_the_public_vocabulary_is_sorted():
    own = [name for name in ft.__all__ if name not in finetti.distributions.NAMES]
    assert own == sorted(own)
