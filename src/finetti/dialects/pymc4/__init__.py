"""Run PyMC4 programs on finetti: `from finetti.dialects import pymc4 as pm`.

PyMC4 had two designs, and both are here. In January 2019 a model was a configuration and a function
that made Edward2's random variables: `Model(**config)`, `define`, `observe`. In January 2020 it was
a generator that yields distributions: `@model`. `sample` takes either; `.finetti` of either is the
finetti Model for `ft.fit`.
"""

from types import SimpleNamespace
from typing import NoReturn

from finetti.dialects.pymc4 import distributions, samplers
from finetti.dialects.pymc4.configured import Config, Model, inline
from finetti.dialects.pymc4.coroutines import Deterministic, Potential, model
from finetti.dialects.pymc4.distributions import DISTRIBUTIONS, Distribution
from finetti.dialects.pymc4.evaluating import State, evaluate_model, evaluate_model_transformed
from finetti.dialects.pymc4.predicting import (
    Predictions,
    sample_posterior_predictive,
    sample_prior_predictive,
)
from finetti.dialects.pymc4.samplers import bernoulli_fn, categorical_uniform_fn, gaussian_round_fn
from finetti.dialects.pymc4.sampling import Draws, sample, trace_to_arviz

globals().update(DISTRIBUTIONS)

# PyMC4's own rooms, by the names that programs reach them.
inference = SimpleNamespace(
    sampling=SimpleNamespace(sample=sample), utils=SimpleNamespace(trace_to_arviz=trace_to_arviz)
)
mcmc = SimpleNamespace(samplers=samplers)
flow = SimpleNamespace(
    evaluate_model=evaluate_model, evaluate_model_transformed=evaluate_model_transformed
)
forward_sampling = SimpleNamespace(
    sample_prior_predictive=sample_prior_predictive,
    sample_posterior_predictive=sample_posterior_predictive,
)

__all__ = [
    "Config",
    "Deterministic",
    "Distribution",
    "Draws",
    "Model",
    "Potential",
    "Predictions",
    "State",
    "bernoulli_fn",
    "categorical_uniform_fn",
    "distributions",
    "evaluate_model",
    "evaluate_model_transformed",
    "flow",
    "forward_sampling",
    "gaussian_round_fn",
    "inference",
    "inline",
    "mcmc",
    "model",
    "sample",
    "sample_posterior_predictive",
    "sample_prior_predictive",
    "samplers",
    "trace_to_arviz",
]
__all__ += [*DISTRIBUTIONS]

LACKING = {
    "fit": "there are no variational fits: sample, or ft.fit(model.finetti)",
    "gp": "there are no Gaussian processes: write the covariance, and MvNormal",
}


def __getattr__(name: str) -> NoReturn:
    """Say of what is not imitated that it is not, and what to do."""
    raise AttributeError(
        f"pymc4.{name} is not imitated: {LACKING.get(name, 'see docs/dialects.md')}"
    )
