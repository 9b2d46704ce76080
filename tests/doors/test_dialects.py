"""Try what comes in by the doors of the dialects: each is refused in one sentence, or answered."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import finetti as ft
from doors.cases import LONGEST
from finetti.dialects import edward2 as ed
from finetti.dialects import pymc2, pymc4, tf, tfp

tfd, mcmc = tfp.distributions, tfp.mcmc
HMC = mcmc.HamiltonianMonteCarlo


def node(**settings: Any) -> Any:
    return pymc2.Normal("x", 0.0, 1.0, **settings)


def sampled(*args: Any, **settings: Any) -> Any:
    model = pymc2.MCMC([node(value=0.0)])
    model.sample(*args, **settings)
    return model


def moved_by(*args: Any, **settings: Any) -> None:
    x = node()
    pymc2.MCMC([x]).use_step_method(*args, **settings)


def yielding(*items: Any) -> Any:
    @pymc4.model
    def model():
        for item in items:
            yield item() if callable(item) else item

    return model()


def chain(kernel: Any, state: Any = 0.0, count: int = 10, **settings: Any) -> Any:
    return mcmc.sample_chain(count, state, kernel=kernel, **settings)


def square(*parts: Any) -> Any:
    return -sum(p * p for p in parts)


def replicas(make: Any = lambda f: HMC(f, 0.1, 2), **settings: Any) -> Any:
    return mcmc.ReplicaExchangeMC(square, [1.0, 0.5], make, **settings)


def annealed(steps: int, make: Any = lambda f: HMC(f, 0.1, 2)) -> Any:
    return mcmc.sample_annealed_importance_chain(steps, square, square, 0.1, make)


def joint() -> Any:
    return tfd.JointDistributionSequentialAutoBatched(
        [tfd.Normal(0.0, 1.0), lambda x: tfd.Normal(x * np.ones(3), 1.0, name="y")]
    )


def program() -> None:
    mu = ed.Normal(0.0, 1.0, name="mu")
    ed.Normal(mu * np.ones(4), 1.0, name="y", value=np.zeros(3))


Attempt = tuple[Callable[[], Any], type[Exception], tuple[str, ...]]
REFUSED: dict[str, Attempt] = {
    "pymc2: an unknown parameter": (
        lambda: pymc2.Normal("x", 0, 1, sigma=2), TypeError, ("Normal takes", "sigma")),
    "pymc2: a lacking parameter": (lambda: pymc2.Normal("x", 0), TypeError, ("needs tau",)),
    "pymc2: no name": (lambda: pymc2.Normal(0, 1, 2), TypeError, ("a text, not 0",)),
    "pymc2: observed without a value": (
        lambda: node(observed=True), ValueError, ("Stochastic x", "initial value")),
    "pymc2: a value of another shape": (
        lambda: pymc2.Normal("x", np.zeros(4), 1, value=np.zeros(3)), ValueError,
        ("Stochastic x", "(3,)", "(4,)")),
    "pymc2: a size of another shape": (
        lambda: pymc2.Normal("x", np.zeros(3), 1, size=2), ValueError, ("Stochastic x", "(2,)")),
    "pymc2: a value that is a text": (
        lambda: node(value="a"), ValueError, ("Stochastic x", "'a'")),
    "pymc2: a parent that is a text": (
        lambda: pymc2.Normal("x", "a", 1), TypeError, ("Stochastic x", "'a'")),
    "pymc2: a precision below zero": (
        lambda: pymc2.Normal("x", 0, -1), ValueError, ("Stochastic x", "scale")),
    "pymc2: a model of a number": (lambda: pymc2.MCMC(3), TypeError, ("made of nodes", "not 3")),
    "pymc2: two nodes of a name": (
        lambda: pymc2.MCMC([node(), node()]).sample(5), ft.DuplicateSite, ("`x`",)),
    "pymc2: iterations that are a text": (
        lambda: sampled("10"), TypeError, ("iter", "'10'")),
    "tfp: a parameter that is a text": (
        lambda: tfd.Normal("b", 1.0), TypeError, ("Normal's loc is a number", "'b'")),
    "tfp: a parameter that is None": (
        lambda: tfd.Normal(None, 1.0), TypeError, ("Normal needs loc",)),
    "tfp: a parameter that is a distribution": (
        lambda: tfd.Normal(tfd.Normal(0.0, 1.0), 1.0), TypeError, ("Normal's loc is a number",)),
    "pymc2: no iterations": (lambda: sampled(0), ValueError, ("iter is at least 1",)),
    "pymc2: burn-in of all": (lambda: sampled(10, 10), ValueError, ("burn = 10",)),
    "pymc2: none thinned": (lambda: sampled(10, thin=0), ValueError, ("thin is at least 1",)),
    "pymc2: an unknown setting": (lambda: sampled(10, chains=2), TypeError, ("chains",)),
    "pymc2: no such trace": (lambda: sampled(5).trace("q"), KeyError, ("`q`", "traces: x")),
    "pymc2: a step method's name": (
        lambda: moved_by("Metropolis", node()), TypeError, ("a class", "'Metropolis'")),
    "pymc2: a step method made already": (
        lambda: moved_by(pymc2.Metropolis(node())), TypeError, ("a class of step methods",)),
    "pymc2: a step method's unknown setting": (
        lambda: moved_by(pymc2.Metropolis, node(), foo=3), TypeError, ("foo",)),
    "pymc2: a step of what is observed": (
        lambda: moved_by(pymc2.Metropolis, node(value=0.0, observed=True)), ValueError,
        ("x is observed",)),
    "pymc4: no name": (lambda: pymc4.Normal(0, 1), TypeError, ("a text, not 0",)),
    "pymc4: an unknown parameter": (
        lambda: pymc4.Normal("x", 0, sigma=1), TypeError, ("`x`", "sigma")),
    "pymc4: what is no distribution": (
        lambda: pymc4.sample(yielding(3)), TypeError, ("yields distributions", "not 3")),
    "pymc4: two variables of a name": (
        lambda: pymc4.sample(yielding(*[lambda: pymc4.Normal("x", 0, 1)] * 2)), ft.DuplicateSite,
        ("model/x",)),
    "pymc4: a text": (
        lambda: pymc4.sample(yielding(lambda: pymc4.Normal("x", "a", 1))), TypeError, ("'a'",)),
    "pymc4: data of another shape": (
        lambda: pymc4.sample(
            yielding(lambda: pymc4.Normal("y", np.zeros(4), 1, observed=np.zeros(3)))),
        ft.ShapeError, ("model/y", "(3,)", "(4,)")),
    "pymc4: data of no variable": (
        lambda: pymc4.sample(yielding(lambda: pymc4.Normal("x", 0, 1)), observed={"model/z": 1.0}),
        ft.UnknownSite, ("model/z", "model/x")),
    "pymc4: a direction that is unknown": (
        lambda: pymc4.sample(
            yielding(lambda: pymc4.VonMisesFisher("d", np.array([0.0, 1.0]), 1.0))), ft.ModelError,
        ("no map takes the real numbers onto a sphere", "observe it")),
    "pymc4: a direction of six elements": (
        lambda: pymc4.sample(yielding(lambda: pymc4.VonMisesFisher("d", np.eye(6)[0], 1.0))),
        ValueError, ("2 to 5 elements", "has 6")),
    "pymc4: no draws": (
        lambda: pymc4.sample(yielding(lambda: pymc4.Normal("x", 0, 1)), num_samples=0), ValueError,
        ("at least 1, not 0",)),
    "edward2: an unknown parameter": (
        lambda: ed.Normal(0.0, sigma=2.0, name="x"), TypeError, ("Normal takes", "sigma")),
    "edward2: a text": (lambda: ed.Normal("a", 1.0, name="x"), TypeError, ("'a'",)),
    "edward2: a value of another shape": (program, ValueError, ("`y`", "(3,)", "(4,)")),
    "edward2: a program that is a number": (
        lambda: ed.as_model(3), TypeError, ("a program is a function", "not 3")),
    "edward2: a log joint of a number": (
        lambda: ed.make_log_joint_fn(3), TypeError, ("a program is a function",)),
    "tfp: no kernel": (lambda: mcmc.sample_chain(10, 0.0), ValueError, ("kernel=",)),
    "tfp: a kernel's name": (lambda: chain("hmc"), TypeError, ("'hmc'",)),
    "tfp: adapting a number": (
        lambda: chain(mcmc.SimpleStepSizeAdaptation(3, 5)), TypeError, ("not 3",)),
    "tfp: a target that is a number": (
        lambda: chain(HMC(3, 0.1, 2)), TypeError, ("target_log_prob_fn",)),
    "tfp: step sizes of another number": (
        lambda: chain(HMC(square, [0.1], 2), [0.0, 1.0]), ValueError, ("1 step sizes for 2",)),
    "tfp: a step back": (lambda: chain(HMC(square, -0.1, 2)), ValueError, ("positive", "-0.1")),
    "tfp: no leapfrog": (
        lambda: chain(HMC(square, 0.1, 0)), ValueError, ("num_leapfrog_steps", "not 0")),
    "tfp: no results": (
        lambda: chain(HMC(square, 0.1, 2), count=0), ValueError, ("at least one result",)),
    "tfp: a state that is a text": (
        lambda: chain(HMC(square, 0.1, 2), "a"), TypeError, ("'a'",)),
    "tfp: a state off the support": (
        lambda: chain(HMC(tfd.Gamma(1.0, 1.0).log_prob, 0.1, 2), -1.0), ValueError,
        ("not finite at current_state",)),
    "tfp: parameters of other shapes": (
        lambda: tfd.Normal(np.zeros(3), np.ones(4)), ValueError, ("Normal", "(3,)", "(4,)")),
    "tfp: a value of another shape": (
        lambda: tfd.Normal(np.zeros(3), 1.0).log_prob(np.zeros(4)), ValueError,
        ("Normal has shape (3,)", "(4,)")),
    "tfp: neither odds nor probabilities": (
        lambda: tfd.Bernoulli(), ValueError, ("one of logits and probs",)),
    "tfp: a part of another shape": (
        lambda: joint().log_prob(0.0, np.zeros(4)), ValueError, ("`y`", "(3,)", "(4,)")),
    "tfp: a pin of another shape": (
        lambda: joint().experimental_pin(y=np.zeros(4)).finetti.variables, ft.ShapeError,
        ("`y`", "(3,)", "(4,)")),
    "tfp: replicas within another kernel": (
        lambda: chain(mcmc.SimpleStepSizeAdaptation(replicas(), 10)), TypeError,
        ("within no other kernel", "make_kernel_fn")),
    "tfp: replicas that adapt": (
        lambda: chain(replicas(make=lambda f: mcmc.SimpleStepSizeAdaptation(HMC(f, 0.1, 2), 10))),
        ValueError, ("adapts no step size", "make_kernel_fn")),
    "tfp: replicas of one density and a half": (
        lambda: chain(replicas(tempered_log_prob_fn=square)), ValueError,
        ("target_log_prob_fn, or else both",)),
    "tfp: replicas in the state": (
        lambda: chain(replicas(state_includes_replicas=True)), ValueError,
        ("results.post_swap_replica_states",)),
    "tfp: a program's own swaps": (
        lambda: chain(replicas(swap_proposal_fn=lambda *args, **kwargs: [1, 0])), TypeError,
        ("tfp.mcmc.default_swap_proposal_fn(...)",)),
    "tfp: one temperature": (
        lambda: chain(mcmc.ReplicaExchangeMC(square, 1.0, lambda f: HMC(f, 0.1, 2))), ValueError,
        ("inverse_temperatures is a list", "shape ()")),
    "tfp: step sizes of another shape": (
        lambda: chain(replicas(make=lambda f: HMC(f, np.ones(3), 2)), np.zeros(5)), ValueError,
        ("shape (3,)", "(2, 5)")),
    "tfp: annealing without a step": (
        lambda: annealed(0), ValueError, ("at least one step, not 0",)),
    "tfp: annealing that adapts": (
        lambda: annealed(5, lambda f: mcmc.SimpleStepSizeAdaptation(HMC(f, 0.1, 2), 10)),
        ValueError, ("adapts no step size", "make_kernel_fn")),
    "tf: a text": (lambda: tf.constant("a"), TypeError, ("'a'",)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_sentence(name):
    attempt, error, words = REFUSED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error) as caught:
            attempt()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) <= LONGEST
    for word in words:
        assert word in said


ANSWERED: dict[str, Callable[[], Any]] = {
    "pymc2: whole numbers of iterations as others write them": lambda: sampled(np.int64(10), 5.5),
    "tfp: a whole number for a state": lambda: chain(HMC(square, 0.1, 2), 0),
    "tfp: a state of nested numbers": lambda: chain(
        HMC(lambda x: -tf.reduce_sum(x * x), 0.1, 2), [[0.0, 1.0]]
    ),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_it_is_answered(name):
    assert ANSWERED[name]() is not None
