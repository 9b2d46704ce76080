"""Check that numpyro's distributions are finetti's, under their own names."""

import jax
import numpy as np
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


def test_counts_of_categories_are_drawn_where_the_trials_are_known_only_then(float64):
    """The mean and the covariance n (diag p - p p'), at five standard errors of 40,000 draws."""
    chances, many = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]), 40_000

    @jax.jit
    def drawn(trials, key):
        return ft.Multinomial(trials, chances).sample(key, (many,))

    for trials in (np.array([7.0, 3.0]), np.array([1, 0])):
        found = np.asarray(drawn(trials, jax.random.key(1)))
        assert found.shape == (many, 2, 3)
        assert (found.sum(-1) == trials).all()
        np.testing.assert_array_equal(found[:, 1], np.tile([0, trials[1], 0], (many, 1)))
        n, p = trials[0], chances[0]
        exact = n * (np.diag(p) - np.outer(p, p))
        np.testing.assert_allclose(found[:, 0].mean(0), n * p, atol=5 * np.sqrt(n / 4 / many))
        within = 5 * np.sqrt(3 * n**2 / 16 / many)  # of products, whose fourth moments are less
        np.testing.assert_allclose(np.cov(found[:, 0].T, bias=True), exact, atol=within)
