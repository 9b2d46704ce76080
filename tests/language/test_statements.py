"""Check what the statements of a model mean: sample, plate, deterministic, factor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft


def run(function, seed=0):
    return ft.Model(function, "m")().trace(seed)


def log_joint(function):
    """Return the log joint density of a model whose only latent variable is `x`, at x = 0.3."""
    model = ft.Model(function, "m")()
    with jax.enable_x64(True):
        return float(ft.density(model).log_density(jnp.array([0.3])))


def test_a_sample_outside_plates_has_the_distribution_s_shape():
    def statements():
        ft.sample("scalar", ft.Normal(0, 1))
        ft.sample("batch", ft.Normal(np.zeros((2, 3)), 1))
        ft.sample("event", ft.Normal(np.zeros(4), 1).to_event(1))

    shapes = {name: site.value.shape for name, site in run(statements).items()}
    assert shapes == {"scalar": (), "batch": (2, 3), "event": (4,)}


def test_nested_plates_put_the_outermost_first_and_the_event_last():
    def statements():
        with ft.plate("state", 2), ft.plate("county", 3):
            ft.sample("alpha", ft.Normal(0, 1))
            with ft.plate("home", 4):
                ft.sample("p", ft.Normal(np.zeros(5), 1).to_event(1))

    sites = run(statements)
    assert sites["alpha"].value.shape == (2, 3)
    assert sites["p"].value.shape == (2, 3, 4, 5)
    assert [p.name for p in sites["p"].plates] == ["state", "county", "home"]


def test_members_of_a_plate_are_drawn_independently():
    def statements():
        with ft.plate("i", 50):
            ft.sample("x", ft.Normal(0, 1))

    assert len(np.unique(run(statements)["x"].value)) == 50


def test_a_plate_yields_its_member_indices_and_closes_behind_itself():
    def statements():
        with ft.plate("i", ["a", "b", "c"]) as i:
            assert i.tolist() == [0, 1, 2]
        ft.sample("after", ft.Normal(0, 1))

    assert run(statements)["after"].plates == ()


def test_a_dimension_of_one_is_repeated_over_its_plate():
    def statements():
        row = ft.sample("row", ft.Normal(np.zeros(2), 1))
        with ft.plate("r", 2), ft.plate("c", 3):
            ft.sample("x", ft.Normal(row[:, None], 1e-9))

    sites = run(statements)
    expected = np.repeat(np.asarray(sites["row"].value)[:, None], 3, axis=1)
    np.testing.assert_allclose(sites["x"].value, expected, atol=1e-6)


@pytest.mark.parametrize("members", [4, np.int64(4), range(4), [0, 1, 2, 3], np.arange(4)])
def test_a_plate_takes_a_size_or_labels(members):
    def statements():
        with ft.plate("i", members):
            ft.sample("x", ft.Normal(0, 1))

    (plate,) = run(statements)["x"].plates
    assert plate.size == 4
    assert plate.coordinate().tolist() == [0, 1, 2, 3]


def test_labels_are_the_coordinates_of_the_plate():
    def statements():
        with ft.plate("school", ["B", "A"]):
            ft.sample("x", ft.Normal(0, 1))

    assert run(statements)["x"].plates[0].coordinate().tolist() == ["B", "A"]


def test_statements_return_the_value_they_name():
    def statements():
        x = ft.sample("x", ft.Normal(0, 1))
        y = ft.deterministic("y", 2 * x)
        seen.append((x, y))

    seen = []
    sites = run(statements)
    assert sites["x"].value is seen[0][0]
    assert sites["y"].value is seen[0][1]
    assert float(sites["y"].value) == 2 * float(sites["x"].value)


def test_a_factor_adds_the_sum_of_its_elements_to_the_log_joint():
    def plain():
        ft.sample("x", ft.Normal(0, 1))

    def weighted():
        x = ft.sample("x", ft.Normal(0, 1))
        ft.factor("w", x * np.array([1.0, 2.0, 4.0]))

    assert log_joint(weighted) - log_joint(plain) == pytest.approx(7 * 0.3, abs=1e-12)


def test_a_deterministic_adds_nothing_to_the_log_joint():
    def plain():
        ft.sample("x", ft.Normal(0, 1))

    def named():
        ft.deterministic("y", 5 + ft.sample("x", ft.Normal(0, 1)))

    assert log_joint(named) == log_joint(plain)


def test_flat_priors_have_log_density_zero_on_their_support():
    assert ft.Flat().log_prob(-40.0) == 0
    assert ft.HalfFlat().log_prob(40.0) == 0
    assert not ft.HalfFlat().support(-1.0)


@pytest.mark.parametrize(("prior", "jacobian"), [(ft.Flat, 0.0), (ft.HalfFlat, 0.3)])
def test_flat_priors_leave_the_likelihood_and_the_jacobian_alone(prior, jacobian):
    def statements():
        ft.sample("x", prior())

    assert log_joint(statements) == pytest.approx(jacobian, abs=1e-12)


def test_flat_priors_are_expanded_by_plates():
    def statements():
        with ft.plate("i", 3):
            ft.sample("x", ft.Flat())

    assert ft.Model(statements, "m")().variables[0].shape == (3,)


def test_any_pytree_of_arrays_is_data():
    def statements(data):
        mu = ft.sample("mu", ft.Normal(0, 1))
        for name, (x, y) in data["trials"].items():
            ft.sample(name, ft.Normal(mu * x, data["sd"]), obs=y)

    ones = np.ones(3)
    data = {"sd": 2.0, "trials": {"a": (ones, ones), "b": (2 * ones, ones)}}
    sites = ft.Model(statements, "m")(data).trace(0)
    assert [n for n, s in sites.items() if s.observed] == ["a", "b"]
    assert ft.density(ft.Model(statements, "m")(data)).dim == 1


@pytest.mark.parametrize("as_data", [list, tuple, np.asarray, jnp.asarray])
def test_observed_data_may_be_a_list_or_any_array(as_data):
    def statements():
        ft.sample("x", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(0, 1), obs=data)

    data = as_data([1.0, 2.0])
    assert ft.Model(statements, "m")().variables[1].shape == (2,)
