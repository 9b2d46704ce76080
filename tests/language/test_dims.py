"""A site's own dimensions bear the names and labels that it gives them."""

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

QUICK = ft.Automatic(draws=40, warmup=40, chains=2)
TERMS = ["level", "slope"]


@ft.model
def slopes(x, y, school):
    sd = ft.sample("sd[school]", ft.HalfNormal(jnp.ones(2)).to_event(1), dims={"term": TERMS})
    root = ft.sample("_root", ft.LKJCholesky(2, 2.0))
    ft.deterministic("cor", root[1, 0][None], dims={"pair": ["level, slope"]})
    with ft.plate("school", school):
        b = ft.sample("b", ft.MultivariateNormal(0.0, scale_tril=sd[:, None] * root), dims=["term"])
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(b[school, 0] + b[school, 1] * x, 1.0), obs=y)


@pytest.fixture(scope="module")
def posterior():
    x = np.arange(12) % 3.0
    school = ft.groups(np.repeat(["A", "B", "C"], 4))
    return ft.fit(slopes(x, x + 0.1, school), QUICK, progress=False)


def test_rows_have_a_bracket_for_plates_and_one_for_the_rest(posterior):
    rows = list(posterior.summary().index)
    assert "b[A][level]" in rows
    assert "b[C][slope]" in rows
    assert rows[:2] == ["sd[school][level]", "sd[school][slope]"]
    assert "cor[level, slope]" in rows


def test_names_with_an_underscore_are_shown_only_when_asked_for(posterior):
    assert not any(row.startswith("_root") for row in posterior.summary().index)
    asked = posterior.summary(["_root"])
    assert len(asked) == 4
    assert posterior["_root"].shape[2:] == (2, 2)


def test_the_tree_has_the_labels(posterior):
    assert posterior["b"].dims == ("chain", "draw", "school", "term")
    assert posterior["b"].sel(term="slope", school="B").shape == (2, 40)


def test_members_are_ranked_term_by_term(posterior):
    found = ft.rank(posterior, "b")
    assert found.ranks["best"].dims == ("term", "school")
    np.testing.assert_allclose(found.ranks["best"].sum("school"), 1)


def test_a_saved_run_keeps_the_names(posterior, tmp_path):
    for ending in (".zarr", ".nc"):
        path = posterior.save(tmp_path / f"run{ending}")
        assert sorted(ft.open(path).summary().index) == sorted(posterior.summary().index)


def test_rows_are_of_their_site(posterior):
    from finetti.reporting.tables import sites

    found = sites(posterior.summary())
    assert found["sd[school]"] == ["sd[school][level]", "sd[school][slope]"]
    assert len(found["b"]) == 6


def test_constants_fill_no_rows():
    @ft.model
    def triangle():
        ft.sample("L", ft.LKJCholesky(2, 2.0))
        ft.sample("y", ft.Normal(0.0, 1.0), obs=0.0)

    found = ft.fit(triangle(), QUICK, progress=False)
    # L[0, 0] is 1 and L[0, 1] is 0.
    assert list(found.summary().index) == ["L[1, 0]", "L[1, 1]"]
    assert len(found.summary(["L"])) == 4


def test_predictions_have_the_labels(posterior):
    new = {"x": np.array([0.0, 1.0]), "school": ["A", "D"], "y": np.zeros(2)}
    found = ft.predict(posterior, new, new_groups="sample")["predictions"]
    assert found["b"].sel(school="D", term="level").shape == (2, 40)


def dims_of(dims, shape=(2,)):
    @ft.model
    def one():
        ft.sample("x", ft.Normal(jnp.zeros(shape), 1.0).to_event(len(shape)), dims=dims)

    return one().variables[0].dims


@pytest.mark.parametrize("dims", ["term", ["term"], {"term": None}, {"term": 2}, {"term": TERMS}])
def test_dims_are_named_in_several_ways(dims):
    assert dims_of(dims) == ("term",)


@pytest.mark.parametrize(
    ("dims", "said"),
    [
        ({"term": ["a", "b", "c"]}, "has size 2"),
        (["a", "b"], "names 2"),
        ([1], "names of its own dimensions"),
        ({"term": ["a", "a"]}, "repeats"),
        ({"x": TERMS}, "has the name of"),
        ({"chain": TERMS}, "has the name of"),
    ],
)
def test_wrong_dims_are_refused(dims, said):
    with pytest.raises(ft.ModelError, match=said):
        dims_of(dims)


def test_two_sites_share_a_dimension_or_are_refused():
    def model(other):
        @ft.model
        def two():
            ft.sample("x", ft.Normal(jnp.zeros(2), 1).to_event(1), dims={"term": TERMS})
            ft.sample("z", ft.Normal(jnp.zeros(2), 1).to_event(1), dims={"term": other})

        return two()

    assert model(TERMS).variables[1].dims == ("term",)
    with pytest.raises(ft.ModelError, match="named twice with different members"):
        _ = model(["a", "b"]).variables
