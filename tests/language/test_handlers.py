"""Check the laws of the handlers: seed, trace, condition, intervene, substitute, block, replay."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

Y = np.array([1.0, -2.0, 0.5])


def chain():
    """Have x -> z -> y."""
    x = ft.sample("x", ft.Normal(0, 1))
    z = ft.sample("z", ft.Normal(x, 2))
    with ft.plate("i", 3):
        ft.sample("y", ft.Normal(z, 3))


CHAIN = ft.Model(chain, "chain")()


def traced(seed):
    with ft.trace() as sites, ft.seed(seed):
        chain()
    return sites


def log_density(model, *position):
    with jax.enable_x64(True):
        return float(ft.density(model).log_density(jnp.array(position)))


def values(sites):
    return {name: np.asarray(site.value) for name, site in sites.items()}


def test_a_seed_fixes_every_draw():
    first, second = values(CHAIN.trace(3)), values(CHAIN.trace(3))
    assert all((first[name] == second[name]).all() for name in first)


def test_another_seed_gives_other_draws():
    first, second = values(CHAIN.trace(3)), values(CHAIN.trace(4))
    assert all((first[name] != second[name]).all() for name in first)


def test_a_seed_is_an_integer_or_a_key():
    with ft.trace() as by_integer, ft.seed(5):
        chain()
    with ft.trace() as by_key, ft.seed(jax.random.key(5)):
        chain()
    assert by_integer["x"].value == by_key["x"].value


def test_two_sites_of_one_model_get_different_draws():
    with ft.seed(0):
        assert ft.sample("a", ft.Normal(0, 1)) != ft.sample("b", ft.Normal(0, 1))


def test_a_draw_does_not_depend_on_the_other_sites():
    def alone():
        ft.sample("z", ft.Normal(0, 1))

    def crowded():
        ft.sample("before", ft.Normal(0, 1))
        ft.sample("z", ft.Normal(0, 1))
        ft.sample("after", ft.Gamma(1, 1))

    z = [ft.Model(f, "m")().trace(7)["z"].value for f in (alone, crowded)]
    assert z[0] == z[1]


def test_the_innermost_seed_wins():
    with ft.seed(1):
        expected = ft.sample("x", ft.Normal(0, 1))
    with ft.seed(0), ft.seed(1):
        assert ft.sample("x", ft.Normal(0, 1)) == expected


def test_a_trace_records_the_sites_in_order():
    sites = CHAIN.trace()
    assert list(sites) == ["x", "z", "y"]
    assert [site.kind for site in sites.values()] == ["sample"] * 3


def test_obs_and_condition_give_the_same_density_and_the_same_variables():
    def observed():
        x = ft.sample("x", ft.Normal(0, 1))
        z = ft.sample("z", ft.Normal(x, 2))
        with ft.plate("i", 3):
            ft.sample("y", ft.Normal(z, 3), obs=Y)

    by_obs, by_condition = ft.Model(observed, "chain")(), CHAIN.condition(y=Y)
    assert log_density(by_obs, 0.4, -1.0) == log_density(by_condition, 0.4, -1.0)
    assert [v.kind for v in by_obs.variables] == [v.kind for v in by_condition.variables]
    assert str(by_obs.plan()) == str(by_condition.plan())
    with ft.trace() as sites, ft.seed(0), ft.condition({"y": Y}):
        chain()
    assert sites["y"].observed


def test_condition_is_bayes_the_joint_at_the_observed_value():
    observed = CHAIN.condition(y=Y)
    expected = [
        ft.Normal(0, 1).log_prob(0.4),
        ft.Normal(0.4, 2).log_prob(-1.0),
        ft.Normal(-1.0, 3).log_prob(Y).sum(),
    ]
    assert log_density(observed, 0.4, -1.0) == pytest.approx(float(sum(expected)), rel=1e-6)


def test_intervene_cuts_the_prior_and_keeps_the_children():
    fixed = CHAIN.condition(y=Y).intervene(z=-1.0)
    expected = ft.Normal(0, 1).log_prob(0.4) + ft.Normal(-1.0, 3).log_prob(Y).sum()
    assert log_density(fixed, 0.4) == pytest.approx(float(expected), rel=1e-6)
    assert {v.name: v.kind for v in fixed.variables}["z"] == "deterministic"
    assert "z" not in fixed.graph().children("x")
    assert fixed.graph().parents["y"] == ("z",)


def test_intervene_moves_only_what_comes_after():
    natural, moved = CHAIN.trace(2), CHAIN.intervene(z=100.0).trace(2)
    assert natural["x"].value == moved["x"].value
    natural, moved = values(natural), values(moved)
    np.testing.assert_allclose(moved["y"] - natural["y"], 100.0 - natural["z"])


def test_intervene_may_leave_the_support():
    def statements():
        ft.sample("s", ft.HalfNormal(1))

    assert ft.Model(statements, "m")().intervene(s=-1.0).trace()["s"].value == -1.0


def test_substitute_keeps_the_prior():
    fixed = CHAIN.condition(y=Y).substitute(z=-1.0)
    assert log_density(fixed, 0.4) == log_density(CHAIN.condition(y=Y), 0.4, -1.0)
    assert {v.name: v.kind for v in fixed.variables}["z"] == "fixed"


def test_replay_gives_the_latent_values_of_a_trace():
    recorded = traced(0)
    with ft.trace() as again, ft.seed(1), ft.replay(recorded):
        chain()
    assert all((again[n].value == recorded[n].value).all() for n in recorded)


def test_replay_leaves_observations_and_unknown_sites_alone():
    recorded = traced(0)
    del recorded["z"]
    with ft.trace() as again, ft.seed(1), ft.condition({"y": Y}), ft.replay(recorded):
        chain()
    assert again["x"].value == recorded["x"].value
    assert again["z"].value != traced(0)["z"].value
    assert (again["y"].value == Y).all()


def test_replay_does_not_turn_recorded_observations_into_latent_values():
    with ft.condition({"y": Y}):
        recorded = traced(0)
    with ft.trace() as again, ft.seed(0), ft.replay(recorded):
        chain()
    assert (again["y"].value != Y).all()


@pytest.mark.parametrize("hidden", [["z"], lambda site: site.name == "z"])
def test_block_hides_sites_from_outer_handlers_only(hidden):
    with ft.trace() as outer, ft.seed(0), ft.block(hidden), ft.trace() as inner, ft.seed(0):
        chain()
    assert list(outer) == ["x", "y"]
    assert list(inner) == ["x", "z", "y"]


def test_block_takes_one_name_as_it_is_and_not_its_letters():
    @ft.model
    def named():
        ft.sample("mu", ft.Normal(0, 1))
        ft.sample("m", ft.Normal(0, 1))

    with ft.trace() as outer, ft.seed(0), ft.block("mu"), ft.seed(0):
        ft.sample("mu", ft.Normal(0, 1))
        ft.sample("m", ft.Normal(0, 1))
    assert list(outer) == ["m"]
    with pytest.raises(ft.SeedError, match="`mu` is hidden by block"):
        named().block("mu").plan()
    known = named().condition(mu=0.5).block("mu")
    assert [v.name for v in known.variables] == ["m"]


def test_block_keeps_an_outer_condition_off():
    with ft.trace() as plain, ft.seed(0):
        chain()
    with ft.seed(1), ft.block(["z"]), ft.trace() as sites, ft.seed(0):
        chain()
    assert sites["z"].value == plain["z"].value
    with (
        pytest.raises(ft.UnknownSite, match=r"`z`: no such site \(sites: `x`, `y`\)"),
        ft.condition({"z": 0.0}),
        ft.block(["z"]),
        ft.seed(0),
    ):
        chain()


def test_handlers_leave_nothing_behind_after_an_error():
    with pytest.raises(ZeroDivisionError), ft.seed(0), ft.plate("i", 3):
        raise ZeroDivisionError
    with pytest.raises(ft.SeedError):
        ft.sample("x", ft.Normal(0, 1))
    with ft.seed(0):
        assert ft.sample("x", ft.Normal(0, 1)).shape == ()


def test_two_threads_run_models_without_meeting():
    meeting = threading.Barrier(2, timeout=20)
    found = {}

    def work(name, size):
        with ft.trace() as sites, ft.seed(size), ft.plate(name, size):
            meeting.wait()
            ft.sample("x", ft.Normal(0, 1))
            meeting.wait()
            ft.sample(name, ft.Normal(0, 1))
        found[name] = sites

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", 2), ("b", 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, size in (("a", 2), ("b", 3)):
        assert list(found[name]) == ["x", name]
        assert found[name]["x"].value.shape == (size,)
        with ft.seed(size), ft.plate("i", size):
            alone = ft.sample("x", ft.Normal(0, 1))
        assert (found[name]["x"].value == alone).all()


def test_understanding_a_model_leaves_the_handlers_around_it_unaware():
    def inner():
        ft.sample("hidden", ft.Normal(0, 1))

    bound = ft.Model(inner, "inner")()
    with ft.trace() as sites, ft.seed(0):
        ft.sample("x", ft.Normal(0, 1))
        bound.plan()
    assert list(sites) == ["x"]


def test_a_model_runs_inside_itself():
    def countdown(n):
        x = ft.sample("x", ft.Normal(0, 1))
        return x if n == 0 else x + recursive(n - 1)

    recursive = ft.Model(countdown, "again")
    sites = recursive(2).trace()
    assert list(sites) == ["x", "again/x", "again/again/x"]
