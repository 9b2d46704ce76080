"""Join distributions that depend on one another, by TensorFlow Probability's interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects import tf
from finetti.dialects.tf.randomness import Seed
from finetti.dialects.tf.tensors import extents
from finetti.dialects.tfp.distribution import Distribution, site_law
from finetti.dialects.tfp.pinned import Pinned
from finetti.language import sites
from finetti.models import Model, model
from finetti.types import AnyArray, Array, DType, Key, Tree

Shape = tuple[int, ...]
Parts = list[ArrayLike | None]  # a value for each part, None where it is to be drawn
Told = TypeVar("Told")
# What is done with a part: its place, its distribution, whether it is a root, its value if given.
Act = Callable[[int, Distribution, bool, ArrayLike | None], tuple[ArrayLike, Told]]


@dataclass(frozen=True, eq=False)
class Root:
    """Mark a distribution that depends on no other: drawn of a sample shape, it has it first."""

    distribution: Distribution


Flow = Generator[Distribution | Root, ArrayLike, object]


@dataclass(frozen=True)
class Part:
    """Describe what is drawn of one part when the joint distribution is drawn once."""

    batch_shape: Shape
    event_shape: Shape
    dtype: DType
    name: str | None

    @property
    def rank(self) -> int:
        """Return how many axes a single draw has."""
        return len(self.batch_shape) + len(self.event_shape)


class JointDistribution(ABC):
    """Join distributions: `sample(shape, seed)`, `log_prob(values)`, and so on.

    Values come and go in the structure of the model: a list, a dict, a named tuple. Where
    `batch_ndims` is None the log densities of the parts are added as they are, one a batch element;
    else all axes of a part's batch but the first `batch_ndims` are summed over. Where
    `use_vectorized_map` the model speaks of single draws, and is mapped over axes that lead.
    """

    batch_ndims: int | None
    use_vectorized_map: bool
    ordered: bool  # whether positions can name the parts

    @abstractmethod
    def flow(self) -> Flow:
        """Yield the distributions in order; each is sent its value back."""

    @abstractmethod
    def gathered(self, parts: Sequence[object]) -> Tree:
        """Return the parts in the model's structure."""

    @abstractmethod
    def spread(self, values: Tree) -> Parts:
        """Return the parts of a structure in order, None for those that it has not."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Return the name of each part."""

    def play(self, act: Act[Told], values: Parts | None = None) -> list[Told]:
        """Return what `act` tells of each part, which it gives its value as well."""
        flow, told = self.flow(), []
        with jax.enable_x64(True), suppress(StopIteration):
            asked = next(flow)
            for place in count():
                made = asked.distribution if isinstance(asked, Root) else asked
                if not isinstance(made, Distribution):
                    raise TypeError(
                        f"part {place} of a joint distribution is a distribution of "
                        f"tfp.distributions, not {made!r}"
                    )
                given = None if values is None else values[place]
                value, found = act(place, made, isinstance(asked, Root), given)
                told.append(found)
                asked = flow.send(value)
        return told

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Return the description of each part, of one draw."""

        def describe(
            place: int, made: Distribution, root: bool, given: ArrayLike | None
        ) -> tuple[ArrayLike, Part]:
            named = made.name if made.name and type(made).__name__ not in made.name else None
            if named in ("value", "name"):
                raise ValueError(f"no part of a joint distribution can be named `{named}`")
            part = Part(made.batch_shape, made.event_shape, made.dtype, named)
            try:
                return made.sample(seed=place), part
            except NotImplementedError:  # known by its density alone
                return tf.zeros(part.batch_shape + part.event_shape, part.dtype), part

        return tuple(self.play(describe))

    @property
    def batch_shape(self) -> Tree:
        """Return the shape of independent copies: of each part where `batch_ndims` is None."""
        if self.batch_ndims is None:
            return self.gathered([p.batch_shape for p in self.parts])
        return np.broadcast_shapes(*(p.batch_shape[: self.batch_ndims] for p in self.parts))

    @property
    def event_shape(self) -> Tree:
        """Return the shape of one draw of each part."""
        kept = self.batch_ndims
        inner = [() if kept is None else p.batch_shape[kept:] for p in self.parts]
        return self.gathered([s + p.event_shape for s, p in zip(inner, self.parts, strict=True)])

    @property
    def dtype(self) -> Tree:
        """Return the type of each part."""
        return self.gathered([p.dtype for p in self.parts])

    def sample(
        self,
        sample_shape: ArrayLike = (),
        seed: Seed = None,
        value: Tree = None,
        **named: ArrayLike,
    ) -> Tree:
        """Return draws of every part, those given excepted: by `value=` or by name.

        Shapes are (*sample_shape, *batch shape, *event shape); what depends on values with axes
        that lead has these too.
        """
        values = self.resolved((), {"value": value, **named}, partly=True)
        return self.gathered(self._drawn(extents(sample_shape), seed, values, lambda d, x: x))

    def sample_distributions(
        self,
        sample_shape: ArrayLike = (),
        seed: Seed = None,
        value: Tree = None,
        **named: ArrayLike,
    ) -> tuple[Tree, Tree]:
        """Return the distributions that parts were drawn of, and the draws."""
        values = self.resolved((), {"value": value, **named}, partly=True)
        shape = extents(sample_shape)
        given = {i: tf.convert_to_tensor(v) for i, v in enumerate(values) if v is not None}
        if self.use_vectorized_map and (shape or _leading(given, [p.rank for p in self.parts])):
            raise ValueError("a model of single draws has no distributions of many: draw one")
        pairs = self._drawn(shape, seed, values, lambda d, x: (d, x))
        return self.gathered([d for d, _ in pairs]), self.gathered([x for _, x in pairs])

    def log_prob(self, *args: Tree, **named: ArrayLike) -> AnyArray:
        """Return the log density of values, given as a structure, in order or by name."""
        terms = self._terms(self.resolved(args, named))
        return sum(terms[1:], terms[0])

    unnormalized_log_prob = log_prob

    def prob(self, *args: Tree, **named: ArrayLike) -> AnyArray:
        """Return the density of values."""
        return tf.exp(self.log_prob(*args, **named))

    def log_prob_parts(self, *args: Tree, **named: ArrayLike) -> Tree:
        """Return the log density of each part, in the model's structure."""
        return self.gathered(self._terms(self.resolved(args, named)))

    def prob_parts(self, *args: Tree, **named: ArrayLike) -> Tree:
        """Return the density of each part, in the model's structure."""
        return self.gathered([tf.exp(t) for t in self._terms(self.resolved(args, named))])

    def experimental_pin(self, *args: Tree, **named: ArrayLike) -> Pinned:
        """Return the joint distribution of the other parts, some being given."""
        by_name = len(args) == 1 and not named and isinstance(args[0], Mapping)
        values = ((), dict(args[0])) if by_name else (args, named)
        return Pinned(self, self.resolved(*values, partly=True))

    @property
    def finetti(self) -> Model:
        """Return the finetti Model, in which no part is observed.

        Raises `ValueError` for a batch of joint distributions.
        """
        return self.conditioned([None] * len(self.names))

    def conditioned(self, values: Parts) -> Model:
        """Return the finetti Model in which parts with values are observed."""
        kept = self.batch_ndims
        for name, part in zip(self.names, self.parts, strict=True):
            if batch := part.batch_shape if kept is None else part.batch_shape[:kept]:
                raise ValueError(
                    f"part `{name}` has batch shape {batch}, and a Model is one joint "
                    f"distribution: make the batch an event by Independent, or use AutoBatched"
                )

        def state(
            place: int, made: Distribution, root: bool, given: ArrayLike | None
        ) -> tuple[AnyArray, AnyArray]:
            name, obs = self.names[place], None
            if given is not None:
                obs = np.asarray(tf.value_of(given))
            value = sites.sample(name, site_law(made, name), obs=obs)
            return value, value

        def statements() -> Tree:
            """State the parts in order."""
            return self.gathered(self.play(state, values))

        statements.__name__ = str(getattr(self, "name", None) or "joint")
        return model(statements)()

    def resolved(
        self, args: tuple[Tree, ...], named: dict[str, Tree], partly: bool = False
    ) -> Parts:
        """Return the value of each part from a call's arguments; None where `partly` allows it."""
        named = {k: v for k, v in named.items() if k != "name"}
        value = named.pop("value", None)
        if value is not None and (named or args):
            raise ValueError("pass value= or the parts by name, not both")
        single = len(self.names) == 1 and not isinstance(
            args[0] if args else None, list | tuple | dict
        )
        if value is None and len(args) == 1 and not named and not single:
            value, args = args[0], ()
        found = self._by_name(args, named) if value is None else self.spread(value)
        lacking = [n for n, v in zip(self.names, found, strict=True) if v is None]
        if lacking and not partly:
            raise ValueError(f"the log density needs a value of {', '.join(lacking)}")
        return found

    def _by_name(self, args: tuple[ArrayLike, ...], named: Mapping[str, ArrayLike]) -> Parts:
        names = self.names
        if unknown := sorted(named.keys() - set(names)):
            raise ValueError(f"the parts are {', '.join(names)}, not {', '.join(unknown)}")
        if args and not self.ordered:
            raise ValueError(f"the parts have no order: give {', '.join(names)} by name")
        if len(args) > len(names):
            raise ValueError(f"the parts are {', '.join(names)}: {len(args)} values are too many")
        if twice := sorted(set(names[: len(args)]) & named.keys()):
            raise ValueError(f"{', '.join(twice)} is given twice")
        given = {**dict(zip(names, args, strict=False)), **named}
        return [given.get(name) for name in names]

    def _typed(self, place: int, made: Distribution, value: ArrayLike | None) -> AnyArray:
        """Return a given value as an array, of its distribution's type where that is real."""
        found = tf.convert_to_tensor(value)
        real = np.dtype(made.dtype).kind == "f" and found.dtype.kind in "iub"
        return tf.cast(found, made.dtype) if real else found

    def _terms(self, values: Parts) -> list[AnyArray]:
        """Return the log density of each part."""

        def term(
            place: int, made: Distribution, root: bool, given: ArrayLike | None
        ) -> tuple[AnyArray, AnyArray]:
            value = self._typed(place, made, given)
            return value, made.log_prob(value)

        terms = self.mapped(lambda parts, key: self.play(term, parts), values)
        if self.batch_ndims is None:
            return terms
        inner = [len(p.batch_shape) - self.batch_ndims for p in self.parts]
        return [
            tf.reduce_sum(t, axis=tuple(range(-n, 0))) if n > 0 else t
            for t, n in zip(terms, inner, strict=True)
        ]

    def _drawn(
        self,
        shape: Shape,
        seed: Seed,
        values: Parts,
        told: Callable[[Distribution, AnyArray], Told],
    ) -> list[Told]:
        """Return what is told of each part and its value, drawn or given."""
        within = () if self.use_vectorized_map else shape

        def draw(key: Key) -> Act[Told]:
            def act(
                place: int, made: Distribution, root: bool, given: ArrayLike | None
            ) -> tuple[AnyArray, Told]:
                if given is not None:
                    value = self._typed(place, made, given)
                else:
                    one = jax.random.fold_in(key, place)
                    value = made.sample(within if root else (), seed=one)
                return value, told(made, value)

            return act

        key = tf.RANDOMNESS.key(seed)
        extra = shape if self.use_vectorized_map else ()
        return self.mapped(lambda parts, k: self.play(draw(k), parts), values, key, extra)

    def mapped(
        self,
        act: Callable[[Parts, Any], Tree],
        values: Parts,
        key: Key | None = None,
        extra: Shape = (),
        ranks: Sequence[int] | None = None,
    ) -> Tree:
        """Return `act(values, key)`, mapped over axes that lead if the model is of single draws."""
        if not self.use_vectorized_map:
            return act(values, key)
        ranks = ranks or [p.rank for p in self.parts]
        arrays = {i: tf.convert_to_tensor(v) for i, v in enumerate(values) if v is not None}
        lead = extra + _leading(arrays, ranks)
        if not lead:
            return act(values, key)
        size, rows = int(np.prod(lead)), {}
        for i, array in arrays.items():
            core = array.shape[max(array.ndim - ranks[i], 0) :]
            with jax.enable_x64(True):
                rows[i] = jnp.broadcast_to(array, lead + core).reshape(size, *core)
        keys = None if key is None else jax.random.split(key, size)

        def one(rows: dict[int, Array], key: Key | None) -> Tree:
            return act([rows.get(i) for i in range(len(values))], key)

        with jax.enable_x64(True):
            found = jax.vmap(one, in_axes=(0, None if keys is None else 0))(rows, keys)
            return jax.tree.map(lambda x: tf.reshape(x, lead + x.shape[1:]), found)


def _leading(arrays: Mapping[int, AnyArray], ranks: Sequence[int]) -> Shape:
    """Return the axes that lead in given values, before those of a single draw."""
    return np.broadcast_shapes(*(a.shape[: max(a.ndim - ranks[i], 0)] for i, a in arrays.items()))
