"""Name the samplers that move single variables, and the proposals for whole numbers.

`sampler_methods=[("k", RandomWalkM, {"new_state_fn": gaussian_round_fn(2.0)})]` moves `k` by steps
of its own, in turn with the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from finetti.errors import UnknownSite
from finetti.inference.methods.blocks import BinaryMetropolis, Block, DiscreteMetropolis
from finetti.inference.methods.method import Chains
from finetti.inference.methods.trajectories import HMC as Trajectories
from finetti.inference.methods.walks import Metropolis
from finetti.structure.variables import Variable

Steps = Sequence[Sequence[Any]]  # (names, sampler) or (names, sampler, its settings)


@dataclass(frozen=True)
class Proposal:
    """Say how a whole number jumps: by a rounded normal step of `scale`, or a flip."""

    scale: float = 1.0
    flips: bool = False


def gaussian_round_fn(scale: float = 1.0, name: str | None = None) -> Proposal:
    """Return jumps by rounded normal steps, of `scale` at first: it is learned in warm-up."""
    return Proposal(float(scale))


def bernoulli_fn(name: str | None = None) -> Proposal:
    """Return flips between 0 and 1."""
    return Proposal(flips=True)


def categorical_uniform_fn(classes: int, name: str | None = None) -> Proposal:
    """Return jumps that reach any of a number of classes, by rounded normal steps as wide."""
    return Proposal(float(classes))


class Sampler:
    """Be a sampler to name in `sampler_methods`; `sample` makes it."""

    settings: tuple[str, ...] = ()

    def __init__(self, *args: object, **kwargs: object) -> NoReturn:
        """Say that it is named and not made."""
        name = type(self).__name__
        raise TypeError(
            f"{name} is named, not made: sample(model, sampler_methods=[('x', {name})])"
        )

    @classmethod
    def method(cls, variable: Variable, settings: Mapping[str, Any]) -> Chains:
        """Return the method that moves a variable."""
        raise NotImplementedError


class HMC(Sampler):
    """Move continuous variables by Hamiltonian trajectories."""

    settings = ("step_size", "num_leapfrog_steps")

    @classmethod
    def method(cls, variable: Variable, settings: Mapping[str, Any]) -> Chains:
        """Return Hamiltonian Monte Carlo; raise `ValueError` for whole numbers."""
        if variable.discrete:
            raise ValueError(f"{cls.__name__} cannot move {variable.name}, which has whole numbers")
        leapfrogs = int(settings.get("num_leapfrog_steps", 10))
        return Trajectories(step_size=settings.get("step_size", 0.1), leapfrogs=leapfrogs)


class NUTS(HMC):
    """Move continuous variables by Hamiltonian trajectories: in turn with others, of one length."""

    settings = ("step_size",)


class RandomWalkM(Sampler):
    """Move variables by a random walk, whole numbers by jumps or flips."""

    settings = ("new_state_fn",)

    @classmethod
    def method(cls, variable: Variable, settings: Mapping[str, Any]) -> Chains:
        """Return a random walk of the variable's kind of numbers."""
        proposal = settings.get("new_state_fn")
        if proposal is not None and not isinstance(proposal, Proposal):
            raise TypeError(
                f"new_state_fn of {variable.name} is {proposal!r}: proposals of one's own are not "
                f"imitated; there are {', '.join(STATE_FUNCTIONS)}"
            )
        if not variable.discrete:
            if proposal is not None:
                raise ValueError(f"new_state_fn jumps among whole numbers, not {variable.name}'s")
            return Metropolis()
        if proposal is not None and proposal.flips:
            return BinaryMetropolis()
        return DiscreteMetropolis(step_size=proposal.scale if proposal else 1.0)


class HMCSimple(HMC):
    """Move continuous variables by Hamiltonian trajectories: the same as `HMC` here."""


class NUTSSimple(NUTS):
    """Move continuous variables by Hamiltonian trajectories: the same as `NUTS` here."""


STATE_FUNCTIONS = {f.__name__: f for f in (gaussian_round_fn, bernoulli_fn, categorical_uniform_fn)}
SAMPLERS = {kind.__name__: kind for kind in (HMC, HMCSimple, NUTS, NUTSSimple, RandomWalkM)}


def blocks(steps: Steps, free: Sequence[Variable]) -> tuple[Block, ...]:
    """Return the blocks that `sampler_methods` asks for; names go without their model's.

    Raises `UnknownSite` for a name of no free variable, and `ValueError` or `TypeError` for what
    cannot move one.
    """
    found: dict[str, Block] = {}
    for step in steps:
        if len(step) not in (2, 3):
            raise ValueError(
                f"sampler_methods has (name, sampler) or (name, sampler, dict): {step}"
            )
        names, sampler, settings = step[0], step[1], step[2] if len(step) == 3 else {}
        if not (isinstance(sampler, type) and issubclass(sampler, Sampler)):
            raise TypeError(f"sampler_methods takes {', '.join(SAMPLERS)}, not {sampler!r}")
        if unknown := settings.keys() - set(sampler.settings):
            raise TypeError(f"{sampler.__name__} takes no {', '.join(sorted(unknown))} here")
        for name in _each(names):
            variable = _named(name, free)
            found[variable.name] = Block((variable.name,), sampler.method(variable, settings))
    return tuple(found.values())


def _each(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _named(name: str, free: Sequence[Variable]) -> Variable:
    found = [v for v in free if name == v.name or v.name.endswith(f"/{name}")]
    if len(found) > 1:
        raise ValueError(f"`{name}` may be {' or '.join(v.name for v in found)}: say which")
    if not found:
        raise UnknownSite.among(name, [v.name for v in free], "move")
    return found[0]
