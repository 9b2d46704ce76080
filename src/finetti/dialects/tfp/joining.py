"""Write joint distributions as lists, dicts and generators of distributions."""

from __future__ import annotations

import inspect
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from numpy.typing import ArrayLike

from finetti.dialects.tfp.distribution import Distribution
from finetti.dialects.tfp.joint import Flow, JointDistribution, Parts, Root
from finetti.dialects.tfp.pinned import by_name
from finetti.types import Tree

Maker = Distribution | Callable[..., Distribution]
STRUCTURE = "StructTuple"
Name = TypeVar("Name", bound=Hashable)  # of a part: its key, or its place


def _needs(maker: Maker, before: Sequence[Name]) -> tuple[str | Name, ...]:
    """Return the parameters that a maker needs; with `*args` or `**kwargs`, all before it."""
    if isinstance(maker, Distribution):
        return ()
    if not callable(maker):
        raise TypeError(
            f"a joint distribution is made of distributions and functions that return them, not "
            f"{maker!r}"
        )
    found = inspect.signature(maker).parameters.values()
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in found if p.default is p.empty and p.kind not in many]
    others = before if any(p.kind in many for p in found) else ()
    return (*needed, *(o for o in others if o not in needed))


class JointDistributionSequential(JointDistribution):
    """Join a list of distributions, and functions of the values before them, the last first.

    >>> from finetti.dialects import tfp
    >>> tfd = tfp.distributions
    >>> joint = tfd.JointDistributionSequential(
    ...     [tfd.Normal(0.0, 1.0), lambda z: tfd.Normal(z, 2.0)])
    >>> joint.names
    ('z', 'x')
    >>> float(joint.log_prob([0.5, 1.5])) == float(
    ...     tfd.Normal(0.0, 1.0).log_prob(0.5) + tfd.Normal(0.5, 2.0).log_prob(1.5))
    True
    """

    ordered = True

    def __init__(
        self,
        model: Sequence[Maker],
        batch_ndims: int | None = None,
        use_vectorized_map: bool = False,
        validate_args: bool = False,
        experimental_use_kahan_sum: bool = False,
        name: str | None = None,
    ) -> None:
        """Take the list."""
        if not isinstance(model, Sequence) or not model:
            raise TypeError(
                f"a sequential joint distribution is a list of distributions: {model!r}"
            )
        self.model, self.name = model, name
        self.batch_ndims, self.use_vectorized_map = _batching(batch_ndims, use_vectorized_map)
        self.needs = [_needs(maker, range(i)) for i, maker in enumerate(model)]
        for i, needed in enumerate(self.needs):
            if len(needed) > i:
                raise ValueError(
                    f"part {i} of the joint distribution needs {len(needed)} values before it, and "
                    f"there are {i}"
                )

    def flow(self) -> Flow:
        """Yield the distributions in order."""
        values: list[ArrayLike] = []
        for maker, needed in zip(self.model, self.needs, strict=True):
            given = values[: -len(needed) - 1 : -1] if needed else []
            made = maker if isinstance(maker, Distribution) else maker(*given)
            values.append((yield made if needed else Root(made)))

    def gathered(self, parts: Sequence[object]) -> Tree:
        """Return the parts as a list or tuple, as the model is."""
        kind = type(self.model)
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)  # pyright: ignore[reportCallIssue]

    def spread(self, values: Tree) -> Parts:
        """Return the parts of a list; of those that it ends before, None."""
        if isinstance(values, Mapping) or not hasattr(values, "__len__"):
            raise TypeError(f"the values of a sequential joint distribution are a list: {values!r}")
        if len(values) > len(self.model):
            raise ValueError(f"there are {len(self.model)} parts, and {len(values)} values")
        return [*values, *[None] * (len(self.model) - len(values))]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return names by which functions call parts, or which parts have, or x, x1, ..."""
        found: list[str | None] = [None] * len(self.model)
        for i, needed in enumerate(self.needs):
            for j, name in enumerate(needed):
                if isinstance(name, str) and name != "_":
                    _agree(found, i - j - 1, name)
        for i, part in enumerate(self.parts):
            if part.name is not None:
                _agree(found, i, part.name)
        taken, number = set(found), 0
        for i in reversed(range(len(found))):
            if found[i] is None:
                while (name := f"x{number or ''}") in taken:
                    number += 1
                found[i] = name
                taken.add(name)
        return _distinct([str(name) for name in found])

    def resolve_graph(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return each part's name with those of the parts that it depends on."""
        return tuple(
            (name, tuple(map(str, needed)))
            for name, needed in zip(self.names, self.needs, strict=True)
        )


def _agree(found: list[str | None], place: int, name: str) -> None:
    if found[place] not in (None, name):
        raise ValueError(
            f"part {place} of the joint distribution is named `{found[place]}` and `{name}`"
        )
    found[place] = name


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    if twice := sorted({n for n in names if list(names).count(n) > 1}):
        raise ValueError(f"two parts of the joint distribution are named {', '.join(twice)}")
    return tuple(names)


def _batching(batch_ndims: int | None, use_vectorized_map: bool) -> tuple[int | None, bool]:
    if use_vectorized_map and batch_ndims is None:
        raise ValueError("use_vectorized_map needs batch_ndims=, such as 0")
    return batch_ndims, use_vectorized_map


class JointDistributionNamed(JointDistribution):
    """Join a dict of distributions, and functions whose arguments name others of them.

    A named tuple of such does as well.
    """

    def __init__(
        self,
        model: Mapping[str, Maker] | tuple[Maker, ...],
        batch_ndims: int | None = None,
        use_vectorized_map: bool = False,
        validate_args: bool = False,
        experimental_use_kahan_sum: bool = False,
        name: str | None = None,
    ) -> None:
        """Take the dict."""
        makers = by_name(model)
        if not isinstance(makers, Mapping) or not makers:
            raise TypeError(f"a named joint distribution is a dict of distributions: {model!r}")
        self.model, self.name = model, name
        self.batch_ndims, self.use_vectorized_map = _batching(batch_ndims, use_vectorized_map)
        keys = list(makers)
        needs = {k: _needs(makers[k], keys[:i]) for i, k in enumerate(keys)}
        for key, needed in needs.items():
            if unknown := [n for n in needed if n not in makers]:
                raise ValueError(
                    f"part `{key}` needs {', '.join(unknown)}: the parts are {', '.join(keys)}"
                )
        self.needs = {k: needs[k] for k in _in_order(needs)}
        self.makers = {k: makers[k] for k in self.needs}
        self.ordered = not isinstance(model, Mapping) or isinstance(model, OrderedDict)

    def flow(self) -> Flow:
        """Yield the distributions, those that others depend on first."""
        values: dict[str, ArrayLike] = {}
        for name, maker in self.makers.items():
            needed = self.needs[name]
            given = {n: values[n] for n in needed}
            made = maker if isinstance(maker, Distribution) else maker(**given)
            values[name] = yield made if needed else Root(made)

    def gathered(self, parts: Sequence[object]) -> Tree:
        """Return the parts as a dict or a named tuple, as the model is."""
        named = dict(zip(self.names, parts, strict=True))
        if isinstance(self.model, OrderedDict):
            return OrderedDict(named)
        return named if isinstance(self.model, Mapping) else type(self.model)(**named)

    def spread(self, values: Tree) -> Parts:
        """Return the parts of a dict or a named tuple."""
        found = by_name(values)
        if not isinstance(found, Mapping):
            raise TypeError(f"the values of a named joint distribution are a dict: {values!r}")
        if unknown := sorted(map(str, found.keys() - set(self.names))):
            raise ValueError(f"the parts are {', '.join(self.names)}, not {', '.join(unknown)}")
        return [found.get(name) for name in self.names]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the keys, those of parts that others depend on first."""
        return tuple(self.makers)

    def resolve_graph(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return each part's name with those of the parts that it depends on."""
        return tuple(self.needs.items())


def _in_order(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return names, each after those that it needs."""
    ordered: list[str] = []
    while len(ordered) < len(needs):
        ready = [k for k, n in needs.items() if k not in ordered and set(n) <= set(ordered)]
        if not ready:
            circle = ", ".join(k for k in needs if k not in ordered)
            raise ValueError(f"parts of the joint distribution need one another: {circle}")
        ordered.append(ready[0])
    return ordered


class JointDistributionCoroutine(JointDistribution):
    """Join the distributions that a generator function yields; each is sent its value back.

    The first is yielded as `Root(distribution)`, as are all that depend on no other.
    """

    Root = Root
    ordered = True

    def __init__(  # noqa: PLR0913 - TensorFlow Probability's own arguments
        self,
        model: Callable[[], Flow],
        sample_dtype: Tree = None,
        batch_ndims: int | None = None,
        use_vectorized_map: bool = False,
        validate_args: bool = False,
        experimental_use_kahan_sum: bool = False,
        name: str | None = None,
    ) -> None:
        """Take the generator function."""
        if not inspect.isgeneratorfunction(getattr(model, "func", model)):
            raise TypeError(f"a joint distribution by coroutine is a generator function: {model!r}")
        self.model, self.sample_dtype, self.name = model, sample_dtype, name
        self.batch_ndims, self.use_vectorized_map = _batching(batch_ndims, use_vectorized_map)

    def flow(self) -> Flow:
        """Yield what the function yields."""
        return self.model()

    def gathered(self, parts: Sequence[object]) -> Tree:
        """Return the parts as a named tuple, or in the structure of `sample_dtype`."""
        like = self.sample_dtype
        kind = type(like)
        if isinstance(like, Mapping):
            return kind(zip(like, parts, strict=True))
        if like is None or hasattr(like, "_fields"):
            return (self._structure if like is None else kind)(*parts)
        return kind(parts)

    @cached_property
    def _structure(self) -> Callable[..., tuple]:
        return namedtuple(STRUCTURE, self.names)

    def spread(self, values: Tree) -> Parts:
        """Return the parts of a list, a dict or a named tuple; of those it ends before, None."""
        if isinstance(values, Mapping):
            return self._by_name((), dict(values))
        if len(values) > len(self.names):
            raise ValueError(f"there are {len(self.names)} parts, and {len(values)} values")
        return [*values, *[None] * (len(self.names) - len(values))]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names that distributions have, or var0, var1, ..."""
        return _distinct([p.name or f"var{i}" for i, p in enumerate(self.parts)])


def JointDistributionSequentialAutoBatched(
    model: Sequence[Maker], batch_ndims: int = 0, use_vectorized_map: bool = True, **settings: Any
) -> JointDistributionSequential:
    """Join a list of distributions that speaks of single draws; axes that lead are of many."""
    return JointDistributionSequential(model, batch_ndims, use_vectorized_map, **settings)


def JointDistributionNamedAutoBatched(
    model: Mapping[str, Maker] | tuple[Maker, ...],
    batch_ndims: int = 0,
    use_vectorized_map: bool = True,
    **settings: Any,
) -> JointDistributionNamed:
    """Join a dict of distributions that speaks of single draws; axes that lead are of many."""
    return JointDistributionNamed(model, batch_ndims, use_vectorized_map, **settings)


def JointDistributionCoroutineAutoBatched(
    model: Callable[[], Flow],
    sample_dtype: Tree = None,
    batch_ndims: int = 0,
    use_vectorized_map: bool = True,
    **settings: Any,
) -> JointDistributionCoroutine:
    """Join what a generator of single draws yields; axes that lead are of many."""
    return JointDistributionCoroutine(
        model, sample_dtype, batch_ndims, use_vectorized_map, **settings
    )


JointDistributionCoroutineAutoBatched.Root = Root  # pyright: ignore[reportFunctionMemberAccess]
