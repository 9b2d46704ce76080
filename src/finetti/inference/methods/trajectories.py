"""Name the methods that follow gradients: NUTS, HMC, and NUTS over what Laplace's method leaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from finetti.inference.methods.method import LONG, Chains, check_rate
from finetti.kernels.alternating import Alternating
from finetti.kernels.hmc import Hamiltonian
from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Diagonal, Metric
from finetti.kernels.nuts import NoUTurn
from finetti.models import Model
from finetti.structure.plan import Plan
from finetti.structure.rewrites.approximate.approximate import Approximate
from finetti.targets.layout import Layout

FEW = 6  # dimensions
TOGETHER, SHORT = 1200, 300  # warm-up draws of all chains, and of a chain at the least


@dataclass(frozen=True)
class NUTS(Chains):
    """Sample by the no-U-turn sampler: the default for continuous models.

    `target_acceptance` in (0, 1): nearer 1 gives smaller steps and fewer divergences. Left to the
    method `thin` is 3 where a plan leaves at most 6 dimensions, whose trajectories are short, and
    else 1. Left to it `warmup` is 1,200 draws in all, since the chains learn together: 300 for each
    of 4 or more, 1,000 for one chain, and 1,000 for a `Dense()` metric. `max_depth` bounds a
    trajectory to 2^max_depth - 1 leapfrogs. `metric` is `Diagonal()` or `Dense()`.

    Hoffman & Gelman 2014; Betancourt 2017.

    >>> NUTS(draws=2000, target_acceptance=0.95).chains
    4
    """

    target_acceptance: float = 0.8
    max_depth: int = 10
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def suited(self, dim: int) -> Chains:
        """Return the method with every setting that is None chosen for so many dimensions."""
        thin = self.thin or (3 if dim <= FEW else 1)
        return replace(self, thin=thin, warmup=_warmup(self, self.metric))

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own for gradients."""
        return given or model.plan().for_gradients()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the no-U-turn kernel with these settings, or one that alternates with it."""
        kernel = NoUTurn(self.max_depth, self.target_acceptance, self.metric)
        if layout.apart and self.metric == Diagonal():
            return Alternating(kernel, layout.spans, layout.members)
        return kernel


@dataclass(frozen=True)
class HMC(Chains):
    """Sample by Hamiltonian Monte Carlo, every trajectory having as many leapfrogs.

    A `step_size` given is kept as it is, with the identity for metric, in the model's own
    coordinates unless the fit is given a plan; without it warm-up learns both.

    Duane, Kennedy, Pendleton & Roweth 1987; Neal 2011.

    >>> HMC(step_size=0.4, leapfrogs=3).learns, HMC().learns
    (False, True)
    """

    keeps_step: ClassVar[bool] = True
    step_size: float | None = None
    leapfrogs: int = 10
    target_acceptance: float = 0.8
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)
        if not isinstance(self.leapfrogs, int) or self.leapfrogs < 1:
            raise ValueError(
                f"leapfrogs must be a whole number of at least 1, not {self.leapfrogs!r}"
            )

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own, without moves if the step size is kept."""
        if given:
            return given
        own = model.plan() if self.learns else model.plan().unmoved()
        return own.for_gradients()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the Hamiltonian kernel with these settings."""
        return Hamiltonian(self.leapfrogs, self.target_acceptance, self.metric)


@dataclass(frozen=True)
class EmbeddedLaplace(Chains):
    """Integrate the groups' effects out by Laplace's method, and sample the rest by NUTS.

    The effects are drawn back from the Gaussian at their mode, given each kept draw of the rest.
    It is an approximation, never made unless you choose it: fast where groups are many, good
    where each has enough data. Every fit checks it by Pareto-smoothed importance sampling; see
    `posterior.advice()`, the attribute `pareto_k`, and the log importance ratios `log_ratio` in
    `sample_stats`. All that is Gaussian or discrete is still taken out exactly.

    `sites` names the sites to integrate out; without them it is every group's effect that is not
    taken out exactly. The other settings are those of `NUTS`. Raises `ModelError` where nothing
    fits.

    Tierney & Kadane 1986; Rue, Martino & Chopin 2009; Margossian, Vehtari, Simpson & Agrawal 2020.

    >>> @model
    ... def counts(y):
    ...     tau = sample("tau", HalfNormal(1))
    ...     with plate("place", len(y)):
    ...         effect = sample("effect", Normal(1, tau))
    ...         sample("y", Poisson(jnp.exp(effect)), obs=y)
    >>> bound = counts([3, 7, 2, 5, 9, 4])
    >>> posterior = fit(bound, EmbeddedLaplace(draws=200, warmup=200), progress=False)
    >>> posterior["effect"].shape
    (4, 200, 6)
    """

    target_acceptance: float = 0.8
    max_depth: int = 10
    metric: Metric = field(default_factory=Diagonal)
    sites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def suited(self, dim: int) -> Chains:
        """Return the method with every setting that is None chosen."""
        return replace(self, thin=self.thin or 1, warmup=_warmup(self, self.metric))

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan with the sites approximated, unless it already says which."""
        plan = given or model.plan()
        asked = plan.choices.asks(Approximate.verb)
        made = plan if asked else plan.approximate(*self.sites)
        return made if given else made.for_gradients()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the no-U-turn kernel with these settings."""
        return NoUTurn(self.max_depth, self.target_acceptance, self.metric)


def _warmup(method: Chains, metric: Metric) -> int:
    """Return the number of warm-up draws: so many that all chains together teach a metric well."""
    if method.warmup is not None:
        return method.warmup
    if not isinstance(metric, Diagonal):
        return LONG
    return min(LONG, max(SHORT, TOGETHER // method.chains))
