"""Check that models are immutable values that bind their data."""

import dataclasses

import numpy as np
import pytest

import finetti as ft


@ft.model
def coin(n, *, a=1.0):
    """Toss a coin."""
    p = ft.sample("p", ft.Uniform(0, a))
    ft.sample("heads", ft.Normal(n * p, 1))


def test_a_model_keeps_its_function_s_name_and_words():
    assert coin.name == "coin"
    assert coin.__doc__ == "Toss a coin."
    assert repr(coin) == "<model coin, no data yet>"
    assert repr(coin(10)) == "<model coin>"


def test_binding_returns_a_new_model():
    bound = coin(10)
    assert bound is not coin
    assert coin.arguments is None
    assert bound.arguments == ((10,), {})


def test_the_fields_of_a_model_cannot_be_set():
    with pytest.raises(dataclasses.FrozenInstanceError):
        coin.name = "other"


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.condition(heads=7),
        lambda m: m.intervene(p=0.5),
        lambda m: m.substitute(p=0.5),
        lambda m: m.block(["p"]),
        lambda m: m.named("other"),
    ],
    ids=["condition", "intervene", "substitute", "block", "named"],
)
def test_every_method_leaves_the_model_as_it_was(change):
    model = coin(10)
    before = (model.name, model.handlers, [v.kind for v in model.variables])
    changed = change(model)
    assert changed is not model
    assert (changed.name, changed.handlers) != before[:2]
    assert (model.name, model.handlers, [v.kind for v in model.variables]) == before


def test_a_changed_model_is_understood_afresh():
    model = coin(10)
    assert [v.kind for v in model.variables] == ["latent", "latent"]
    assert [v.kind for v in model.condition(heads=7).variables] == ["latent", "observed"]


def test_handlers_may_come_before_the_data():
    early, late = coin.condition(heads=7)(10), coin(10).condition(heads=7)
    assert str(early.plan()) == str(late.plan())


def test_handlers_are_applied_in_the_order_written():
    model = coin(10).condition(heads=7).condition(heads=3)
    assert [v.data for v in model.variables if v.kind == "observed"] == [np.array(3)]


def test_keyword_arguments_and_defaults_are_bound():
    assert coin(10, a=3.0).trace()["p"].distribution.high == 3.0
    assert coin(n=10).trace()["p"].distribution.high == 1.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: coin(), "missing a required argument: 'n'"),
        (lambda: coin(10, 11), "too many positional arguments"),
        (lambda: coin(10, b=1), "unexpected keyword argument 'b'"),
        (lambda: coin(10)(10), "already has its data"),
    ],
)
def test_wrong_arguments_are_refused_when_they_are_given(call, said):
    with pytest.raises(ft.ModelError, match="model `coin`") as caught:
        call()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda m: m.plan(),
        lambda m: m.graph(),
        lambda m: m.trace(),
        lambda m: m.variables,
        ft.density,
        lambda m: ft.fit(m, progress=False),
    ],
    ids=["plan", "graph", "trace", "variables", "density", "fit"],
)
def test_a_model_without_its_data_says_which_argument_it_lacks(use):
    with pytest.raises(ft.ModelError, match="model `coin`: missing a required argument: 'n'"):
        use(coin)


def test_a_model_that_needs_no_data_needs_no_call():
    @ft.model
    def free():
        ft.sample("x", ft.Normal(0, 1))

    assert free.plan().variables == free().plan().variables


def test_two_models_from_one_function_do_not_share_what_was_understood():
    assert coin(10).plan() is not coin(10).plan()
    bound = coin(10).condition(heads=1)
    assert bound.plan() is bound.plan()


def test_trace_returns_the_same_draws_for_the_same_seed():
    first, second, other = (coin(10).trace(seed)["p"].value for seed in (1, 1, 2))
    assert first == second
    assert first != other
