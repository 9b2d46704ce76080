"""Make PyMC2's common deterministics: completed probabilities, combinations, numpy's functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import GeneratorType
from typing import Any

import numpy as np

from finetti.dialects.pymc2.decorators import invlogit, logit
from finetti.dialects.pymc2.nodes import Deterministic, Node, nodes_in, resolve
from finetti.types import Tree, Value


def CompletedDirichlet(name: str, D: object, doc: str = "", **settings: Any) -> Deterministic:
    """Append to a Dirichlet's probabilities the one that is left out; shape (1, how many).

    >>> CompletedDirichlet("p", [0.2, 0.3]).value.tolist()
    [[0.2, 0.3, 0.5]]
    """

    def complete(D: Value) -> Value:
        return np.concatenate([D, np.reshape(1.0 - np.sum(D), (1,))])[None]

    return Deterministic(complete, name, {"D": D}, doc, **settings)


def LinearCombination(
    name: str, x: Sequence[object], y: Sequence[object], doc: str = "", **settings: Any
) -> Deterministic:
    """Add up the products of two lists' elements, matrix products where these are arrays.

    >>> float(LinearCombination("z", [1.0, np.ones(2)], [3.0, np.array([1.0, 2.0])]).value)
    6.0
    """
    if len(x) != len(y):
        raise ValueError(f"LinearCombination `{name}` has {len(x)} elements in x and {len(y)} in y")

    def combine(x: list[Value], y: list[Value]) -> Value:
        total: Any = 0.0
        for a, b in zip(x, y, strict=True):
            total = total + np.dot(a, b)
        return total

    return Deterministic(combine, name, {"x": list(x), "y": list(y)}, doc, **settings)


def Index(name: str, x: object, index: Node | int, doc: str = "", **settings: Any) -> Deterministic:
    """Select the element of a list or of a variable at an index.

    >>> float(Index("chosen", [5.0, 7.0], 1).value)
    7.0
    """

    def select(x: Value, index: Value) -> Value:
        return np.asarray(x)[index] if isinstance(x, list) and isinstance(index, int) else x[index]

    at = index if isinstance(index, Node) else int(index)
    return Deterministic(select, name, {"x": x, "index": at}, doc, **settings)


def Logit(name: str, theta: object, doc: str = "", **settings: Any) -> Deterministic:
    """Take the log odds of a probability."""
    return Deterministic(lambda theta: logit(theta), name, {"theta": theta}, doc, **settings)


def InvLogit(name: str, ltheta: object, doc: str = "", **settings: Any) -> Deterministic:
    """Take the probability of log odds."""
    return Deterministic(lambda ltheta: invlogit(ltheta), name, {"ltheta": ltheta}, doc, **settings)


def _function(name: str) -> Callable[..., object]:
    """Return numpy's function, which makes a deterministic of variables."""
    act = getattr(np, name)

    def function(*args: object) -> Tree:
        given = [list(a) if isinstance(a, GeneratorType) else a for a in args]
        if not nodes_in(given):
            return act(*given)
        listed = ", ".join(a.__name__ if isinstance(a, Node) else str(a) for a in given)
        parents = {f"in{i}": a for i, a in enumerate(given)}
        made = lambda **values: act(*values.values())  # noqa: E731
        return Deterministic(made, f"{name}({listed})", parents, trace=False)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return numpy's {name}: of variables, a deterministic."
    return function


FUNCTIONS = {name: _function(name) for name in (
    "abs", "all", "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "cos", "cosh", "exp", "expm1", "hypot", "log", "log1p", "sin", "sinh", "sqrt", "sum", "tan",
    "tanh",
)}  # fmt: skip


def value(thing: object) -> Tree:
    """Return a thing with the values of variables in their places."""
    return resolve(thing, lambda node: node.value)
