"""Check that groups gather group effects to observations."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

NAMES = ["Pine", "Cook", "Pine", "Lake"]


def test_labels_are_sorted_and_codes_point_into_them():
    county = ft.groups(NAMES)
    assert county.labels == ("Cook", "Lake", "Pine")
    assert [county.labels[code] for code in county] == NAMES


def test_given_labels_keep_their_order_and_may_have_no_rows():
    county = ft.groups(NAMES, labels=["Pine", "Aitkin", "Lake", "Cook"])
    assert county.tolist() == [0, 3, 0, 2]
    assert county.labels == ("Pine", "Aitkin", "Lake", "Cook")


def test_integer_columns_are_groups_too():
    year = ft.groups(np.array([2003, 2001, 2003]))
    assert year.tolist() == [1, 0, 1]
    assert year.labels == (2001, 2003)


@pytest.mark.parametrize("library", [np, jnp])
def test_indexing_by_groups_gathers_effects_to_observations(library):
    alpha = library.array([10.0, 20.0, 30.0])
    assert alpha[ft.groups(NAMES)].tolist() == [30.0, 10.0, 30.0, 20.0]


def test_indexing_by_groups_works_on_traced_effects():
    county = ft.groups(NAMES)
    gathered = jax.jit(lambda alpha: alpha[county])(jnp.array([10.0, 20.0, 30.0]))
    assert gathered.tolist() == [30.0, 10.0, 30.0, 20.0]


def test_a_plate_of_groups_has_a_member_for_each_label():
    def statements(county, y):
        with ft.plate("county", county) as members:
            alpha = ft.sample("alpha", ft.Normal(0, 1))
        assert members.tolist() == [0, 1, 2]
        with ft.plate("home", len(y)):
            ft.sample("y", ft.Normal(alpha[county], 1), obs=y)

    model = ft.Model(statements, "m")(ft.groups(NAMES), np.zeros(4))
    alpha, y = model.variables
    assert alpha.plates[0].coordinate().tolist() == ["Cook", "Lake", "Pine"]
    assert y.shape == (4,)


@pytest.mark.parametrize(
    "again", [lambda g: pickle.loads(pickle.dumps(g)), copy.deepcopy, lambda g: g[:]]
)
def test_groups_keep_their_labels_when_copied(again):
    county = ft.groups(NAMES)
    assert again(county).labels == county.labels
    assert again(county).tolist() == county.tolist()


def test_a_value_without_a_label_is_refused_by_name():
    with pytest.raises(ft.ModelError, match=r"group 'Lake' is not among the 2 labels"):
        ft.groups(NAMES, labels=["Cook", "Pine"])


@pytest.mark.parametrize("column", [["a", None, "b"], [1.0, float("nan"), 2.0]])
def test_a_missing_group_is_refused_with_its_row(column):
    with pytest.raises(ft.ModelError, match=r"row 1 is missing \(1 such rows\)"):
        ft.groups(np.array(column, dtype=object))


def test_a_table_of_groups_is_refused_with_its_shape():
    with pytest.raises(ft.ModelError, match=r"not shape \(2, 2\)"):
        ft.groups([["a", "b"], ["c", "d"]])
