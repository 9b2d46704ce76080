"""Run PyMC4 models of January 2019: a configuration, and a function of Edward2 variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects import edward2 as ed
from finetti.dialects import tf
from finetti.dialects.tfp import mcmc
from finetti.models import Model as FinettiModel
from finetti.types import Array


class Config(dict):
    """Hold a configuration: a dict whose entries are attributes too."""

    def __getattr__(self, item: str) -> Any:
        try:
            return self[item]
        except KeyError:
            raise KeyError(
                f"`{item}` is not in the model's configuration: pass it as Model(..., {item}=value)"
            ) from None


Program = Callable[[Config], object]  # it makes the variables; nobody reads what it returns


class VariableDescription(NamedTuple):
    """Describe a random variable of a model: its distribution's class, its shape, and itself."""

    Dist: type
    shape: tuple[int, ...]
    rv: ed.RandomVariable


class Model:
    """Hold a model: `Model(**config)`, then `@model.define`, then `model.observe(y=y)`.

    The configuration is observed too, where it has a variable's name. `model.finetti` is the
    finetti Model, conditioned on what is observed.
    """

    def __init__(self, name: str | None = None, **config: object) -> None:
        """Take a configuration."""
        self.name, self._cfg = name, Config(config)
        self._f: Program | None = None
        self._variables: dict[str, VariableDescription] = {}
        self._observed: dict[str, object] = dict(config)

    def define(self, f: Program) -> Program:
        """Take the function that makes the variables; return it as it is.

        Raises `KeyError` where two variables have one name.
        """
        self._f = f
        self._variables = self._collect()
        return f

    def _collect(self) -> dict[str, VariableDescription]:
        """Run the function once, and note each random variable that it makes."""
        found: dict[str, VariableDescription] = {}

        def note(
            make: Callable[..., ed.RandomVariable], *args: object, **kwargs: Any
        ) -> ed.RandomVariable:
            name = kwargs.get("name")
            if name is None:
                raise KeyError(f"{make.__name__} is made without name=: name every random variable")
            if name in found:
                raise KeyError(f"two random variables are named `{name}`")
            made = ed.interceptable(make)(*args, **kwargs)
            found[name] = VariableDescription(type(made.distribution), made.shape, made)
            return made

        with ed.interception(note):
            self._function(self.cfg)
        return found

    @property
    def _function(self) -> Program:
        if self._f is None:
            raise ValueError("the model has no variables yet: write them under @model.define")
        return self._f

    def configure(self, **override: object) -> Model:
        """Change entries of the configuration, and observe it anew."""
        self._cfg.update(override)
        if self._f is not None:
            self._variables = self._collect()
        return self.observe(**self._cfg)

    def observe(self, **observations: object) -> Model:
        """Replace what is observed."""
        self._observed = dict(observations)
        return self

    def reset(self) -> Model:
        """Observe nothing."""
        return self.observe()

    @property
    def cfg(self) -> Config:
        """Return the configuration."""
        return self._cfg

    @property
    def observed(self) -> dict[str, object]:
        """Return what is observed, by name."""
        return self._observed

    @property
    def variables(self) -> dict[str, VariableDescription]:
        """Return the random variables, in order."""
        return self._variables

    @property
    def unobserved(self) -> dict[str, VariableDescription]:
        """Return the random variables that are not observed, in order."""
        return {k: v for k, v in self._variables.items() if k not in self._observed}

    def test_point(self, sample: bool = True) -> dict[str, np.ndarray]:
        """Return values of the unobserved: drawn, or each distribution's mean if not `sample`."""
        found: dict[str, np.ndarray] = {}

        def give(
            make: Callable[..., ed.RandomVariable], *args: object, **kwargs: Any
        ) -> ed.RandomVariable:
            name = kwargs["name"]
            made = ed.interceptable(make)(*args, **kwargs)
            if name in self._observed:
                return make(*args, **{**kwargs, "value": self._observed[name]})
            if not sample:
                value = np.broadcast_to(made.distribution.mean(), made.shape)
                made = make(*args, **{**kwargs, "value": value})
            found[name] = np.asarray(made.value)
            return made

        with ed.interception(give):
            self._function(self.cfg)
        return found

    def target_log_prob_fn(
        self, *states: ArrayLike, **named: ArrayLike
    ) -> Callable[..., Array] | Array:
        """Return the log joint density as a function of the unobserved, or its value at states."""
        if states or named:
            return self._log_joint(*states, **named)
        return self._log_joint

    def _log_joint(self, *states: ArrayLike, **named: ArrayLike) -> Array:
        known = dict(zip(self.unobserved, states, strict=False)) | named
        known |= {k: v for k, v in self._observed.items() if k in self._variables}
        return ed.make_log_joint_fn(lambda: self._function(self.cfg))(**known)

    @property
    def finetti(self) -> FinettiModel:
        """Return the finetti Model, conditioned on what is observed."""

        def program() -> object:
            return self._function(self.cfg)

        program.__name__ = self.name or self._function.__name__
        data = {k: np.asarray(v) for k, v in self._observed.items() if k in self._variables}
        return ed.as_model(program)().condition(**data)


def inline(f: Program | None = None, **config: Any) -> Model | Callable[[Program], Model]:
    """Make a model of a function: `@inline(num_schools=8)`."""
    return (lambda g: _inlined(g, config)) if f is None else _inlined(f, config)


def _inlined(f: Program, config: dict[str, Any]) -> Model:
    made = Model(**config)
    made.define(f)
    return made


def sample(
    model: Model,
    num_results: int = 5000,
    num_burnin_steps: int = 3000,
    step_size: float | int = 0.4,
    num_leapfrog_steps: int = 3,
    numpy: bool = True,
) -> dict[str, np.ndarray]:
    """Return draws of the unobserved variables by Hamiltonian Monte Carlo, from 0.5 everywhere."""
    kernel = mcmc.HamiltonianMonteCarlo(
        model._log_joint, step_size=step_size, num_leapfrog_steps=num_leapfrog_steps
    )
    start = [0.5 * tf.ones(v.shape) for v in model.unobserved.values()]
    states, results = mcmc.sample_chain(
        num_results=num_results,
        num_burnin_steps=num_burnin_steps,
        current_state=start,
        kernel=kernel,
    )
    print(f"Acceptance rate: {np.mean(results.is_accepted)}")
    return dict(zip(model.unobserved, states, strict=True))


__all__ = ["Config", "Model", "inline", "sample"]
