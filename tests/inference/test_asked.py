"""What no fit can be asked for is refused in a sentence; whole numbers of every kind are taken."""

import jax
import numpy as np
import pytest

import finetti as ft


@ft.model
def pair():
    ft.sample("alpha", ft.Normal(0, 1))
    ft.sample("beta", ft.Normal(0, 1))


MODEL = pair()
SHORT = ft.NUTS(draws=10, warmup=10, chains=2)


@pytest.mark.parametrize("seed", ["a", None, 1.5, 2**70, jax.random.key(0)])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    for ask in (
        lambda: ft.fit(MODEL, SHORT, seed=seed, progress=False),
        lambda: ft.fit_many({"a": MODEL}, SHORT, seed=seed),
        lambda: ft.prior(MODEL, draws=2, seed=seed),
    ):
        with pytest.raises(ft.SeedError, match="a seed is a whole number"):
            ask()


def test_a_seed_of_the_language_is_a_whole_number_or_a_key():
    with pytest.raises(ft.SeedError, match="not 'a'"), ft.seed("a"):
        pass
    for one in (np.int32(3), 3, jax.random.key(3)):
        assert float(_first(one)) == float(_first(3))


def _first(seed):
    with ft.seed(seed):
        return ft.sample("x", ft.Normal(0, 1))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": ft.NUTS}, r"takes a method, such as ft.NUTS\(draws=2000\), not <class"),
        ({"method": "nuts"}, "not 'nuts'"),
        ({"plan": "as written"}, "plan= takes a plan"),
        ({"init": [1.0]}, "init= takes a start of each latent variable by name"),
        ({"tuning": 3}, "tuning= takes the `learned` of a posterior"),
        ({"keep": []}, "name one at least"),
    ],
)
def test_what_is_no_method_plan_start_or_tuning_is_refused(asked, said):
    with pytest.raises(ft.SamplingError, match=said):
        ft.fit(MODEL, **{"method": SHORT, "progress": False, **asked})


def test_settings_that_are_none_are_refused():
    for make, said in (
        (lambda: ft.NUTS(metric="dense"), r"metric takes ft.Diagonal\(\) or ft.Dense\(\)"),
        (lambda: ft.NUTS(step_size="small"), "step_size must be positive, not 'small'"),
        (lambda: ft.NUTS(minutes="ten"), "minutes must be positive, not 'ten'"),
        (lambda: ft.NUTS(draws=True), "draws must be a whole number"),
    ):
        with pytest.raises(ValueError, match=said):
            make()
    with pytest.raises(ft.SamplingError, match="draws must be a whole number of at least 1, not 0"):
        ft.prior(MODEL, draws=0)


def test_a_text_is_one_name_and_numpys_whole_numbers_are_whole():
    method = ft.NUTS(draws=np.int64(10), warmup=np.int32(10), chains=2)
    assert type(method.draws) is int
    assert ft.Block("alpha", ft.Metropolis()).sites == ("alpha",)
    found = ft.fit_many({"a": MODEL}, method, keep="alpha")["a"]
    assert list(found.tree["posterior"].data_vars) == ["alpha"]
