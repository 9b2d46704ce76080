"""Check that every refusal names the site, the dimension and the shapes, before any compiling."""

from contextlib import ExitStack
from importlib import import_module

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft


@pytest.fixture(autouse=True)
def compile_nothing(monkeypatch):
    """Fail the test when a start is looked for or a sampler is built before the refusal."""

    def refuse(*args, **kwargs):
        pytest.fail("the model went on to the sampler before it was refused")

    for room, name in (("begin", "one_start"), ("journey", "travel")):
        monkeypatch.setattr(import_module(f"finetti.inference.{room}"), name, refuse)


def refusal(statements, error, seed=None):
    """Return the sentence with which `ft.fit` refuses a model (or `trace`, given a seed)."""
    model = ft.Model(statements, "m")()
    with pytest.raises(error) as caught:
        ft.fit(model, progress=False) if seed is None else model.trace(seed)
    assert type(caught.value) is error
    return str(caught.value)


def sampling(make, obs=None):
    return lambda: (ft.sample("y", make(), obs=obs), None)[1]


def in_plates(make, obs=None, **plates):
    def statements():
        with ExitStack() as stack:
            for name, size in plates.items():
                stack.enter_context(ft.plate(name, size))
            ft.sample("y", make(), obs=obs)

    return statements


def test_the_errors_form_the_tree_that_their_file_draws():
    for error in (
        ft.DuplicateSite,
        ft.UnknownSite,
        ft.ShapeError,
        ft.SupportError,
        ft.MissingValue,
    ):
        assert issubclass(error, ft.ModelError)
    for error in (ft.ModelError, ft.SeedError, ft.DataError, ft.SamplingError, ft.MissingExtra):
        assert issubclass(error, ft.FinettiError)


@pytest.mark.parametrize("seed", [None, 0], ids=["fit", "trace"])
def test_data_that_do_not_fit_the_plate(seed):
    said = refusal(in_plates(lambda: ft.Normal(0, 1), np.zeros(8), school=10), ft.ShapeError, seed)
    assert said == (
        "site `y` has shape (8,), plate `school` has 10 members; "
        "index by `school` or pass its labels"
    )


def test_a_distribution_that_does_not_fit_the_plate():
    said = refusal(in_plates(lambda: ft.Normal(np.zeros(8), 1), school=10), ft.ShapeError)
    assert said.startswith("site `y` has shape (8,), plate `school` has 10 members;")


def test_the_plate_at_fault_is_named_among_several():
    wide = in_plates(lambda: ft.Normal(np.zeros((2, 5)), 1), state=2, county=3)
    said = refusal(wide, ft.ShapeError)
    assert said.startswith("site `y` has shape (2, 5), plate `county` has 3 members;")


def test_a_distribution_that_lacks_a_dimension_for_nested_plates():
    said = refusal(
        in_plates(lambda: ft.Normal(np.zeros(2), 1), state=2, county=3, home=4), ft.ShapeError
    )
    assert "`y` has shape (2,) inside plates state(2) x county(3) x home(4)" in said
    assert "mu[:, None]" in said


def test_a_square_of_plates_never_guesses_which_one_is_meant():
    said = refusal(in_plates(lambda: ft.Normal(np.zeros(3), 1), row=3, column=3), ft.ShapeError)
    assert "inside plates row(3) x column(3)" in said


def test_data_that_do_not_fit_outside_plates():
    said = refusal(sampling(lambda: ft.Normal(np.zeros(3), 1), np.zeros(4)), ft.ShapeError)
    assert said == ("site `y` is given a value of shape (4,), its distribution has shape (3,)")


def test_data_with_the_wrong_event_shape():
    said = refusal(sampling(lambda: ft.Dirichlet(np.ones(3)), np.full(2, 0.5)), ft.ShapeError)
    assert "`y`" in said
    assert "(2,)" in said
    assert "(3,)" in said


def test_a_conditioned_value_of_the_wrong_shape():
    model = ft.Model(in_plates(lambda: ft.Normal(0, 1), school=3), "m")().condition(y=np.ones(4))
    with pytest.raises(ft.ShapeError, match=r"`y` has shape \(4,\), plate `school` has 3 members"):
        model.plan()


@pytest.mark.parametrize("library", [np, jnp])
def test_nan_in_observed_data_is_refused_with_its_index_and_count(library):
    data = library.array([[1.0, 2.0], [np.nan, np.nan]])
    said = refusal(sampling(lambda: ft.Normal(0, 1), data), ft.MissingValue)
    assert said.startswith("site `y` is observed and lacks 2 of its 4 values")
    assert "index (1, 0)" in said
    assert 'missing("drop")' in said
    assert 'missing("impute")' in said


def test_nan_in_conditioned_data_is_refused_as_well():
    model = ft.Model(sampling(lambda: ft.Normal(0, 1)), "m")().condition(y=np.nan)
    with pytest.raises(ft.MissingValue, match="`y` is observed and lacks 1 of its 1"):
        model.plan()


@pytest.mark.parametrize(
    ("make", "data", "value", "index", "family"),
    [
        (lambda: ft.HalfNormal(1), [1.0, -2.0], "-2.0", "(1,)", "HalfNormal"),
        (lambda: ft.Poisson(2.0), [1.5, 2.0], "1.5", "(0,)", "Poisson"),
        (lambda: ft.BernoulliLogits(0.0), [0, 1, 2], "2", "(2,)", "Bernoulli"),
        (lambda: ft.BinomialProbs(0.5, 3), [1, 7], "7", "(1,)", "Binomial"),
        (lambda: ft.Beta(1, 1), [[0.5, 1.5]], "1.5", "(0, 1)", "Beta"),
    ],
)
def test_data_outside_the_support(make, data, value, index, family):
    said = refusal(sampling(make, np.array(data)), ft.SupportError)
    assert said.startswith(f"site `y` is observed as {value} at index {index}, outside the support")
    assert family in said


def test_data_outside_bounds_that_are_arguments():
    said = refusal(sampling(lambda: ft.Uniform(0.0, 1.0), np.array([0.5, 2.0])), ft.SupportError)
    assert said.startswith("site `y` is observed as 2.0 at index (1,), outside the support")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ft.Normal(0, -1), "Normal has scale = -1 (shape ())"),
        (
            lambda: ft.Normal(0, np.array([1.0, 2.0, -3.0])),
            "Normal has scale = -3.0 at index (2,) (shape (3,))",
        ),
        (lambda: ft.HalfNormal(-1.0), "HalfNormal has scale = -1.0"),
        (lambda: ft.LogNormal(0.0, -1.0), "LogNormal has scale = -1.0"),
        (lambda: ft.Gamma(-1.0, 1.0), "Gamma has concentration = -1.0"),
        (lambda: ft.BernoulliProbs(1.5), "BernoulliProbs has probs = 1.5"),
        (lambda: ft.Normal(np.nan, 1.0), "Normal has loc = nan"),
        (lambda: ft.Normal(np.zeros(3), -1.0).mask(True), "Normal has scale = -1.0"),
        (lambda: ft.Normal(0.0, -1.0).expand([3]), "Normal has scale = -1.0"),
        (lambda: ft.Normal(np.zeros(3), -1.0).to_event(1), "Normal has scale = -1.0"),
    ],
)
def test_an_argument_outside_its_support(make, said):
    sentence = refusal(sampling(make), ft.SupportError)
    assert "`y`" in sentence
    assert said in sentence
    assert "it must be " in sentence


def test_an_argument_outside_its_support_inside_a_plate():
    sentence = refusal(in_plates(lambda: ft.Normal(0, -1), school=3), ft.SupportError)
    assert sentence.startswith("site `y`: Normal has scale = -1")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ft.Uniform(0.0, 1.0),
        lambda: ft.Uniform(np.zeros(3), 1.0),
        lambda: ft.Wishart(3.0, np.eye(2)),
        lambda: ft.WishartCholesky(3.0, np.eye(2)),
        lambda: ft.InverseWishart(3.0, np.eye(2)),
        lambda: ft.TwoSidedTruncatedDistribution(ft.Normal(0.0, 1.0), -1.0, 1.0),
    ],
    ids=["Uniform", "Uniforms", "Wishart", "WishartCholesky", "InverseWishart", "truncated"],
)
def test_bounds_that_depend_on_one_another_are_no_reason_to_refuse(make):
    assert ft.Model(sampling(make), "m")().variables[0].kind == "latent"


def test_a_support_that_no_bijection_reaches_is_refused_by_name():
    said = refusal(sampling(lambda: ft.ProjectedNormal(np.ones(3))), ft.ModelError)
    assert "site `y`: no bijection from the real numbers to" in said


@pytest.mark.parametrize("verb", ["condition", "intervene", "substitute"])
def test_an_unknown_name_is_refused_with_a_suggestion(verb):
    model = ft.Model(sampling(lambda: ft.Normal(0, 1)), "m")()
    with pytest.raises(ft.UnknownSite) as caught:
        ft.fit(getattr(model, verb)(yy=1.0), progress=False)
    said = str(caught.value)
    assert verb in said
    assert "`yy`: no such site; did you mean `y`? (sites: `y`)" in said


def test_an_unknown_name_far_from_all_lists_the_sites_without_a_suggestion():
    model = ft.Model(sampling(lambda: ft.Normal(0, 1)), "m")()
    with pytest.raises(ft.UnknownSite) as caught:
        model.condition(quite_other=1.0).trace()
    assert str(caught.value) == "cannot condition on `quite_other`: no such site (sites: `y`)"


def test_two_sites_of_one_name_are_refused():
    def statements():
        ft.sample("mu", ft.Normal(0, 1))
        ft.deterministic("mu", 1.0)

    assert "two sites are named `mu`" in refusal(statements, ft.DuplicateSite)


def test_a_draw_without_a_seed_names_the_site_and_the_remedy():
    with pytest.raises(ft.SeedError, match=r"`mu` needs a value .* `with ft.seed\(0\):`"):
        ft.sample("mu", ft.Normal(0, 1))


@pytest.mark.parametrize("prior", [ft.Flat, ft.HalfFlat])
def test_an_improper_prior_cannot_be_drawn_from(prior):
    with pytest.raises(ft.SeedError, match=r"`mu` has an improper prior"), ft.seed(0):
        ft.sample("mu", prior())


def test_repeated_labels_are_refused_with_the_remedy():
    said = refusal(in_plates(lambda: ft.Normal(0, 1), school=["a", "b", "a"]), ft.ModelError)
    assert "plate `school` repeats the label 'a'" in said
    assert "ft.groups(column)" in said


def test_a_plate_opened_twice_with_other_members_is_refused():
    def statements():
        for name, size in (("x", 3), ("y", 4)):
            with ft.plate("school", size):
                ft.sample(name, ft.Normal(0, 1))

    said = refusal(statements, ft.ModelError)
    assert "plate `school` is opened twice with different members (3 and 4)" in said


def test_a_plate_opened_twice_with_the_same_members_is_welcome():
    def statements():
        for name in ("x", "y"):
            with ft.plate("school", ["a", "b"]):
                ft.sample(name, ft.Normal(0, 1))

    assert [v.dims for v in ft.Model(statements, "m")().variables] == [("school",), ("school",)]


def test_a_plate_inside_itself_is_refused():
    def statements():
        with ft.plate("school", 2), ft.plate("school", 2):
            ft.sample("x", ft.Normal(0, 1))

    assert "plate `school` is opened inside itself" in refusal(statements, ft.ModelError)


@pytest.mark.parametrize(
    "members",
    [
        0,
        -1,
        [],
        2.5,
        True,
        None,
        "abc",
        np.zeros((2, 2)),
        np.array(5.0),
        {"a"},
    ],
    ids=repr,
)
def test_members_that_are_neither_size_nor_labels_are_refused(members):
    said = refusal(in_plates(lambda: ft.Normal(0, 1), school=members), ft.ModelError)
    assert "`school`" in said


@pytest.mark.parametrize("data", [["a", "b"], ["a", None]])
def test_data_that_are_not_numbers_are_refused(data):
    said = refusal(sampling(lambda: ft.Normal(0, 1), data), ft.ModelError)
    assert said.startswith("site `y` is observed as ")
    assert said.endswith(", not numbers")


def test_something_that_is_no_distribution_is_refused():
    assert "site `y` needs a distribution" in refusal(sampling(lambda: 3.0), ft.ModelError)


def test_a_discrete_latent_variable_is_refused_by_name():
    said = refusal(sampling(lambda: ft.Poisson(2.0)), ft.ModelError)
    assert "site `y` is discrete (Poisson) and unobserved" in said


def test_a_model_without_latent_variables_is_refused():
    said = refusal(sampling(lambda: ft.Normal(0, 1), 1.0), ft.SamplingError)
    assert "model `m` has no latent variable" in said


@pytest.mark.parametrize(
    ("shape", "observed"), [((12, 6), (12,)), ((12, 6), (12, 5)), ((12,), (12, 6))]
)
def test_a_value_that_fits_its_plate_but_not_its_distribution_is_shown_with_both_shapes(
    shape, observed
):
    def statements():
        with ft.plate("row", 12):
            ft.sample("y", ft.Normal(np.zeros(shape), 1), obs=np.zeros(observed))

    said = refusal(statements, ft.ShapeError)
    assert f"a value of shape {observed} in row(12), its distribution has shape {shape}" in said
