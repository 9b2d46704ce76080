"""Check that models nest: a model called inside another prefixes its sites."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft


@ft.model
def effects(n):
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("i", n):
        return ft.sample("theta", ft.Normal(0, tau))


@ft.model
def outer(y):
    theta = effects(3)
    with ft.plate("i", 3):
        ft.sample("y", ft.Normal(theta, 1), obs=y)


@ft.model
def two(n):
    return effects.named("first")(n) + effects.named("second")(n)


def test_a_nested_model_prefixes_its_sites_and_returns_its_result():
    sites = outer(np.zeros(3)).trace()
    assert list(sites) == ["effects/tau", "effects/theta", "y"]
    assert outer(np.zeros(3)).graph().parents["y"] == ("effects/theta",)


def test_a_model_alone_has_no_prefix():
    assert list(effects(3).trace()) == ["tau", "theta"]


def test_named_lets_one_model_be_called_twice():
    assert list(two(2).trace()) == ["first/tau", "first/theta", "second/tau", "second/theta"]
    assert effects.name == "effects"


def test_prefixes_add_up_from_the_outside_in():
    @ft.model
    def top():
        return two.named("pair")(2)

    assert next(iter(top().trace())) == "pair/first/tau"


def test_the_same_model_twice_is_refused_with_the_remedy():
    @ft.model
    def twice():
        return effects(2) + effects(2)

    with pytest.raises(ft.DuplicateSite, match=r"`effects/tau`.*named\('other'\)"):
        twice().plan()


def test_a_nested_model_stands_in_the_plates_around_it():
    @ft.model
    def inner():
        with ft.plate("i", 3):
            ft.sample("x", ft.Normal(0, 1))

    @ft.model
    def top():
        with ft.plate("k", 4):
            inner()

    (x,) = top().variables
    assert (x.shape, x.dims) == ((4, 3), ("k", "i"))


def test_outer_handlers_reach_nested_sites_by_their_full_name():
    fixed = outer(np.zeros(3)).substitute(**{"effects/tau": 0.5})
    assert fixed.trace()["effects/tau"].value == 0.5
    with pytest.raises(ft.UnknownSite, match=r"did you mean `effects/tau`"):
        outer(np.zeros(3)).substitute(**{"effect/tau": 0.5}).plan()


def test_a_nested_model_keeps_its_own_handlers_by_its_own_names():
    @ft.model
    def conditioned():
        return effects.condition(tau=0.5)(3)

    sites = conditioned().trace()
    assert sites["effects/tau"].observed
    assert sites["effects/tau"].value == 0.5


def test_a_nested_model_bound_to_its_data_beforehand_runs_too():
    bound = effects(3).condition(tau=0.5)

    @ft.model
    def top():
        return bound()

    assert top().trace()["effects/tau"].observed


def test_nesting_does_not_change_the_density():
    @ft.model
    def flat(y):
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("i", 3):
            theta = ft.sample("theta", ft.Normal(0, tau))
            ft.sample("y", ft.Normal(theta, 1), obs=y)

    position, y = np.linspace(-1, 1, 4), np.array([1.0, 2.0, 3.0])
    with jax.enable_x64(True):
        densities = [ft.density(m(y)).log_density(jnp.asarray(position)) for m in (outer, flat)]
    assert densities[0] == densities[1]
