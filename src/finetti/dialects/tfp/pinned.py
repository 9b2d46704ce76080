"""Give parts of a joint distribution their values, and map the others to the real numbers."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from numpy.typing import ArrayLike

from finetti.dialects.tf.randomness import Seed
from finetti.dialects.tfp.bijector import Bijector, onto
from finetti.dialects.tfp.distribution import Distribution
from finetti.models import Model
from finetti.types import AnyArray, Tree

Parts = list[ArrayLike | None]


def by_name(values: Tree) -> Tree:
    """Return a named tuple as a dict, and other values as they are."""
    return values._asdict() if hasattr(values, "_asdict") else values


class Pinned:
    """Hold a joint distribution of which some parts are given.

    `unnormalized_log_prob` is the joint log density at values of the other parts: in a list, a dict
    or a named tuple, in order or by name. `finetti` is the finetti Model, conditioned.
    """

    def __init__(self, joint: Any, values: Parts) -> None:  # a JointDistribution, which holds these
        """Take the joint distribution and the values of its parts, None for those not given."""
        self.distribution, self.values = joint, values
        given = zip(joint.names, values, strict=True)
        self.pins = {name: value for name, value in given if value is not None}
        self.names = tuple(name for name in joint.names if name not in self.pins)

    def whole(self, args: tuple[Tree, ...], named: Mapping[str, ArrayLike]) -> Parts:
        """Return the values of all parts, those of the others from a call's arguments."""
        structured = len(self.names) > 1 or any(isinstance(a, list | tuple | Mapping) for a in args)
        if len(args) == 1 and not named and structured:
            (value,) = args
            value = by_name(value)
            args, named = ((), value) if isinstance(value, Mapping) else (tuple(value), {})
        given = dict(zip(self.names, args, strict=False)) | dict(named)
        lacking, unknown = set(self.names) - given.keys(), given.keys() - set(self.names)
        if lacking or unknown or len(args) > len(self.names):
            raise ValueError(
                f"the parts that are not given are {', '.join(self.names)}, not "
                f"{', '.join(given) or 'none'}"
            )
        names = zip(self.distribution.names, self.values, strict=True)
        return [given.get(name, value) for name, value in names]

    def gathered(self, parts: Sequence[object]) -> Tree:
        """Return values of the other parts in a structure like the model's."""
        like = self.distribution.gathered(self.distribution.names)
        if isinstance(like, Mapping):
            return dict(zip(self.names, parts, strict=True))
        if hasattr(like, "_fields"):
            return self._structure(*parts)
        return type(like)(parts)

    @cached_property
    def _structure(self) -> Callable[..., tuple]:
        return namedtuple("StructTuple", self.names)

    def unnormalized_log_prob(self, *args: Tree, **named: ArrayLike) -> AnyArray:
        """Return the joint log density at values of the parts that are not given."""
        return self.distribution.log_prob(self.distribution.gathered(self.whole(args, named)))

    log_prob = unnormalized_log_prob

    def sample_unpinned(self, sample_shape: ArrayLike = (), seed: Seed = None) -> Tree:
        """Return draws of the other parts, each given those before it alone."""
        drawn = self.distribution.sample(
            sample_shape, seed, value=self.distribution.gathered(self.values)
        )
        named = dict(zip(self.distribution.names, self.distribution.spread(drawn), strict=True))
        return self.gathered([named[name] for name in self.names])

    @property
    def event_shape(self) -> Tree:
        """Return the shape of one draw of each other part."""
        return self._others(self.distribution.event_shape)

    @property
    def dtype(self) -> Tree:
        """Return the type of each other part."""
        return self._others(self.distribution.dtype)

    def _others(self, structure: Tree) -> Tree:
        named = zip(self.distribution.names, self.distribution.spread(structure), strict=True)
        return self.gathered([v for name, v in named if name in self.names])

    @property
    def finetti(self) -> Model:
        """Return the finetti Model, conditioned on what is given."""
        return self.distribution.conditioned(self.values)

    def experimental_default_event_space_bijector(self) -> JointBijector:
        """Return the map of real numbers onto the supports of the other parts."""
        return JointBijector(self)


class JointBijector:
    """Map real numbers onto the supports of joint parts, each given those before it."""

    def __init__(self, pinned: Pinned) -> None:
        """Take the joint distribution, some parts given."""
        self.pinned = pinned

    def onto(self, parts: Sequence[ArrayLike]) -> tuple[list[AnyArray], AnyArray | int]:
        """Return the constrained parts, and the log Jacobian, one a batch element."""
        pinned, joint = self.pinned, self.pinned.distribution
        maps = self._maps()
        ranks = [
            m.free_rank(p.rank) if m else p.rank for m, p in zip(maps, joint.parts, strict=True)
        ]

        def act(
            place: int, made: Distribution, root: bool, given: ArrayLike
        ) -> tuple[ArrayLike, tuple[AnyArray, AnyArray] | None]:
            if maps[place] is None:
                return given, None
            bijector = onto(made.made.support)
            value = bijector.forward(given)
            kept = joint.batch_ndims
            batch = len(made.batch_shape) if kept is None else kept
            inner = max(ranks[place] - batch, 0)
            return value, (value, bijector.forward_log_det_jacobian(given, inner))

        values = pinned.whole(tuple(parts), {})
        told = joint.mapped(lambda v, key: joint.play(act, v), values, ranks=ranks)
        found = [t for t in told if t is not None]
        return [v for v, _ in found], sum(j for _, j in found)

    def back(self, parts: Sequence[ArrayLike]) -> list[AnyArray]:
        """Return the free values of constrained parts."""
        pinned, joint = self.pinned, self.pinned.distribution
        maps = self._maps()

        def act(
            place: int, made: Distribution, root: bool, given: ArrayLike
        ) -> tuple[ArrayLike, AnyArray | None]:
            return given, None if maps[place] is None else onto(made.made.support).inverse(given)

        told = joint.mapped(lambda v, key: joint.play(act, v), pinned.whole(tuple(parts), {}))
        return [t for t in told if t is not None]

    def _maps(self) -> list[Bijector | None]:
        """Return the map of each part, None for those that are given."""

        def act(
            place: int, made: Distribution, root: bool, given: ArrayLike
        ) -> tuple[AnyArray, Bijector | None]:
            free = self.pinned.values[place] is None
            return made.sample(seed=place), onto(made.made.support) if free else None

        return self.pinned.distribution.play(act)

    def forward(self, x: Tree) -> Tree:
        """Return the constrained values, in a structure like the model's."""
        return self.pinned.gathered(self.onto(self._free(x))[0])

    def inverse(self, y: Tree) -> Tree:
        """Return the free values, in a structure like the model's."""
        return self.pinned.gathered(self.back(self._free(y)))

    def forward_log_det_jacobian(self, x: Tree, event_ndims: object = None) -> AnyArray | int:
        """Return the log Jacobian of all parts together."""
        return self.onto(self._free(x))[1]

    def _free(self, values: Tree) -> list[Any]:
        whole = self.pinned.whole((values,), {})
        pairs = zip(self.pinned.distribution.names, whole, strict=True)
        return [v for name, v in pairs if name in self.pinned.names]
