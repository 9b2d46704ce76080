"""Name the method that draws from a fitted mixture, and the one that chooses it where it suits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from finetti.inference.methods.method import Chains, Usual
from finetti.inference.methods.precision import ESS, MOST
from finetti.inference.methods.trajectories import NUTS
from finetti.kernels.independence import Independence, Mixture
from finetti.kernels.kernel import Kernel
from finetti.models import Model
from finetti.structure.plan import Plan
from finetti.targets.layout import Layout

SOME = 8  # dimensions, up to which a mixture is fitted to see whether it fits
DEAR = 100_000_000  # multiplications of a draw
EMULATED = 1_000_000  # of an evaluation, from which a polynomial is tried in its place
TRAJECTORY = 20  # evaluations that one is worth, some ten gradients
PROPOSAL = 10  # and a draw of a mixture: what is integrated out is drawn back for each
ENOUGH = ESS(400, tails=True)  # effective draws, as many as the advice asks for


@dataclass(frozen=True)
class IndependentMetropolis(Chains):
    """Propose every draw from a mixture of Student-t distributions fitted to the posterior.

    Adaptive importance sampling fits the mixture first, by a few thousand values of the density
    and no gradient; each proposal is then accepted by its importance weight, so that the draws
    are exact whatever the mixture. It suits what a plan leaves of many hierarchical models, a
    handful of hyperparameters, and not many dimensions.

    Where an evaluation of the density is dear, `emulated` saves most of them: a polynomial of
    degree 4 at most, fitted to some hundred values of its logarithm, stands for it. It is used only
    where points that it has not seen find it so near that no mean is off by more than two fifths of
    the standard error that as many independent draws leave: for 400 draws within 0.02 nats (root
    mean square, over the posterior), for 4,000 within 0.006. Else draws are exact, and the
    posterior's method says so.

    Tierney 1994; Cappe, Douc, Guillin, Marin & Robert 2008.

    >>> method = IndependentMetropolis(draws=500)
    >>> posterior = fit(coin(10).condition(heads=7), method, progress=False)
    >>> posterior["p"].shape
    (4, 500)
    """

    keeps_step: ClassVar[bool] = True
    warmup: int = 0
    step_size: float | None = 1.0
    emulated: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.emulated, bool):
            raise ValueError(f"emulated is True or False, not {self.emulated!r}")

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own."""
        return given or model.plan()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the kernel that proposes from a mixture."""
        return Independence(metric=Mixture(self.emulated))

    def trajectories(self) -> NUTS:
        """Return the no-U-turn sampler of as many draws."""
        return NUTS(**_shared(self))


@dataclass(frozen=True)
class Automatic(Chains):
    """Choose `IndependentMetropolis` for up to 8 dimensions where its mixture fits, else `NUTS`.

    It is what `fit` does by itself. `warmup` is that of `NUTS`: a mixture needs none. Where a draw
    takes more than 100 million multiplications, as it does where effects of many crossed groups are
    integrated out, or those of 30,000 groups and more are sampled, and neither `draws` nor `until`
    is given, the run ends once every number that is kept has 400 effective draws, in bulk and
    tails, or at 1,000 draws a chain. The mixture's density is `emulated`, if it can be, where an
    evaluation takes more than a million multiplications.

    >>> found = fit(coin(10).condition(heads=7), Automatic(draws=50), seed=1, progress=False)
    >>> found.attributes["method"].partition("(")[0]  # one dimension is left
    'IndependentMetropolis'
    """

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own."""
        return given or model.plan()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the kernel of trajectories, which any layout can have."""
        return self.trajectories().kernel(layout)

    def independent(self, thin: int = 1, emulated: bool = False) -> IndependentMetropolis:
        """Return the method that proposes from a mixture, with these settings."""
        return IndependentMetropolis(thin=self.thin or thin, emulated=emulated, **_shared(self))

    def trajectories(self) -> NUTS:
        """Return the no-U-turn sampler, with these settings."""
        return NUTS(warmup=self.warmup, thin=self.thin, **_shared(self))

    def sparing(self, found: Chains, price: Callable[[], int]) -> Chains:
        """Return the method found, to end at `ENOUGH` where draws are dear and no number is asked.

        `price` counts the multiplications of an evaluation.
        """
        if not isinstance(self.draws, Usual) or self.wishes:
            return found
        if not dear(price(), PROPOSAL if isinstance(found, IndependentMetropolis) else TRAJECTORY):
            return found
        return replace(found, draws=self.draws // MOST, until=ENOUGH)


def dear(price: int, evaluations: int = PROPOSAL) -> bool:
    """Tell whether a draw of so many evaluations is dear, each of `price` multiplications."""
    return evaluations * price > DEAR


def _shared(method: Chains) -> dict[str, Any]:
    """Return the settings that mean the same to every method of chains."""
    return {name: getattr(method, name) for name in ("draws", "chains", "until", "minutes")}
