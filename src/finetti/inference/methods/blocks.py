"""Part a model's variables into blocks, each with a method, for compound stepping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from finetti.errors import SamplingError, UnknownSite
from finetti.inference.methods.method import Chains, check_rate
from finetti.inference.methods.trajectories import NUTS, EmbeddedLaplace
from finetti.kernels import blockwise
from finetti.kernels.discrete import BinaryFlip, DiscreteWalk
from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Diagonal, Metric
from finetti.kernels.metropolis import RandomWalk
from finetti.models import Model
from finetti.structure.plan import Plan
from finetti.targets.layout import Layout


@dataclass(frozen=True)
class DiscreteMetropolis(Chains):
    """Sample whole numbers by Metropolis: jumps of one coordinate at a time.

    For models all of whose latent variables are discrete, or as the method of a `Block`.

    >>> Block(("count",), DiscreteMetropolis()).sites
    ('count',)
    """

    moves_discrete: ClassVar[bool] = True
    draws: int = 10_000
    warmup: int = 5_000
    step_size: float | None = 1.0
    target_acceptance: float = 0.44

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given without its changes of coordinates, or the model as written."""
        return _written(model, given)

    def kernel(self, layout: Layout) -> Kernel:
        """Return the kernel that jumps among whole numbers; refuse continuous variables."""
        _demand_whole(layout, "DiscreteMetropolis")
        return DiscreteWalk(target_acceptance=self.target_acceptance)


@dataclass(frozen=True)
class BinaryMetropolis(Chains):
    """Sample zeros and ones by Metropolis: one flip at a time.

    For models all of whose latent variables are binary, or as the method of a `Block`.

    >>> Block(("switch",), BinaryMetropolis()).sites
    ('switch',)
    """

    keeps_step: ClassVar[bool] = True
    moves_discrete: ClassVar[bool] = True
    draws: int = 10_000
    warmup: int = 5_000
    step_size: float | None = 1.0

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given without its changes of coordinates, or the model as written."""
        return _written(model, given)

    def kernel(self, layout: Layout) -> Kernel:
        """Return the kernel that flips zeros and ones; refuse other variables."""
        _demand_whole(layout, "BinaryMetropolis")
        for name, binary in zip(layout.names, layout.binary, strict=True):
            if not binary:
                raise SamplingError(
                    f"site `{name}` is not binary: BinaryMetropolis flips zeros and ones alone; "
                    f"use ft.DiscreteMetropolis() or ft.Compound()"
                )
        return BinaryFlip()


@dataclass(frozen=True)
class Block:
    """Name sites to move together, and the method whose kernel moves them.

    >>> blocks = (Block(("p",), HMC()), Block(("year",), DiscreteMetropolis()))
    >>> [block.sites for block in Compound(blocks=blocks).blocks]
    [('p',), ('year',)]
    """

    sites: tuple[str, ...]
    method: Chains

    def __post_init__(self) -> None:
        if isinstance(self.sites, str):
            object.__setattr__(self, "sites", (self.sites,))
        if isinstance(self.method, NUTS | EmbeddedLaplace | Compound):
            raise ValueError(
                f"{type(self.method).__name__} cannot move a block, as it takes several steps for "
                f"a draw: use ft.HMC()"
            )


@dataclass(frozen=True)
class Compound(Chains):
    """Sample blocks of variables in turn, each given all the others, discrete ones among them.

    Variables that no block names are moved one number at a time: continuous ones by a random
    walk, binary ones by flips, other discrete ones by jumps. The model is sampled as it is
    written, discrete sites and all, unless the fit is given a plan. Each block learns a step
    size of its own, unless its method keeps one.

    >>> Compound(blocks=(Block(("mu", "tau"), HMC(leapfrogs=5)),)).draws
    10000
    """

    moves_discrete: ClassVar[bool] = True
    blocks: tuple[Block, ...] = ()
    draws: int = 10_000
    warmup: int = 5_000
    metric: Metric = field(default_factory=Diagonal)

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given without its changes of coordinates, or the model as written."""
        return _written(model, given)

    def kernel(self, layout: Layout) -> blockwise.Blockwise:
        """Return the kernel that steps through the blocks."""
        found, left = [], dict(layout.places)
        for block in self.blocks:
            for name in block.sites:
                if name not in left:
                    raise UnknownSite.among(name, left, "move")
            method, within = block.method, layout.only(block.sites)
            place = tuple(i for name in block.sites for i in left.pop(name))
            kept = None if method.learns else method.first_step
            found.append(blockwise.BlockKernel(method.kernel(within), (place,), kept))
        kinds = dict(zip(layout.names, zip(layout.whole, layout.binary, strict=True), strict=True))
        for kernel, kind in (
            # 0.44 is best where one number moves at a time (Gelman, Roberts & Gilks 1996).
            (RandomWalk(0.44), (False, False)),
            (BinaryFlip(), (True, True)),
            (DiscreteWalk(), (True, False)),
        ):
            places = tuple((i,) for name in left if kinds[name] == kind for i in left[name])
            if places:
                found.append(blockwise.BlockKernel(kernel, places))
        return blockwise.Blockwise(tuple(found), self.metric)


def _written(model: Model, given: Plan | None) -> Plan:
    return given.unmoved() if given else model.plan().as_written()


def _demand_whole(layout: Layout, method: str) -> None:
    for name, whole in zip(layout.names, layout.whole, strict=True):
        if not whole:
            raise SamplingError(
                f"site `{name}` is continuous: {method} moves whole numbers alone; "
                f"use ft.Compound(), which moves both"
            )
