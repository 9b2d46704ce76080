"""Name the methods that look for a mode."""

from __future__ import annotations

from dataclasses import dataclass

from finetti.inference.methods.method import Method, check_counts
from finetti.models import Model
from finetti.structure.plan import Plan


@dataclass(frozen=True)
class Search(Method):
    """Hold the settings of the methods that look for a mode: from how many random starts."""

    starts: int = 4

    def __post_init__(self) -> None:
        check_counts(self, starts=1)


@dataclass(frozen=True)
class MAP(Search):
    """Find the posterior mode: where the joint density of the variables as written is highest.

    The density is that of the constrained variables, with no Jacobian, as in PyMC2 and Stan's
    `optimize`; so the mode depends on how the model is written. Without a plan all latent
    variables are sought jointly. With `plan=model.plan()` what is Gaussian or discrete is
    integrated out exactly first, with `plan=model.plan().approximate()` the other effects by
    Laplace's method: then it is the mode of the parameters alone, and the effects stand at their
    conditional modes, as in lme4. That mode exists more often: with a joint one a scale may shrink
    to zero and the density grow without bound.

    The posterior has one chain of one draw; its `summary()` gives each mode and the standard error
    from the curvature there. The `attributes` are `log_density`, `log_likelihood` (of what is
    observed, given the parameters sought), `parameters` (their number k), `observations` (n),
    `aic` = 2 k - 2 log likelihood and `bic` = k log n - 2 log likelihood.

    Raises `SamplingError` where there is no mode, with the direction in which it runs away.

    >>> posterior = fit(coin(10).condition(heads=7), MAP(), progress=False)
    >>> round(posterior["p"].item(), 6)
    0.7
    """

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given without its changes of coordinates, or the model as written."""
        return given.unmoved() if given else model.plan().as_written()


@dataclass(frozen=True)
class NormalApproximation(Search):
    """Draw from a normal distribution at the mode, with the curvature there, and check it.

    The mode is that of the density on the unconstrained scale, where the curvature's inverse is
    the covariance; draws are then mapped to the variables' supports. What the plan takes out
    is not approximated but drawn back given each draw. As for `EmbeddedLaplace`,
    `pareto_k` and `log_ratio` say how far to trust the draws, which are independent.

    Raises `SamplingError` where there is no mode.

    >>> posterior = fit(coin(10).condition(heads=7), NormalApproximation(), progress=False)
    >>> posterior["p"].shape
    (1, 1000)
    """

    draws: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, draws=1)

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own, without its changes of coordinates."""
        return (given or model.plan()).unmoved()
