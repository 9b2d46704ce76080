"""Give PyMC2's variables arithmetic and comparisons, which make deterministics."""

from __future__ import annotations

import operator
from collections.abc import Callable

from finetti.dialects.pymc2.nodes import Deterministic, Node, Variable


def _binary(act: Callable[..., object], sign: str, turned: bool) -> Callable[..., Deterministic]:
    def method(self: Variable, other: object) -> Deterministic:
        a, b = (other, self) if turned else (self, other)
        names = [x.__name__ if isinstance(x, Node) else str(x) for x in (a, b)]
        name = f"({names[0]}_{sign}_{names[1]})"
        return Deterministic(lambda a, b: act(a, b), name, {"a": a, "b": b}, trace=False)

    return method


def _unary(act: Callable[..., object], label: str) -> Callable[..., Deterministic]:
    def method(self: Variable) -> Deterministic:
        name = f"{label}({self.__name__})"
        return Deterministic(lambda a: act(a), name, {"a": self}, trace=False)

    return method


_SIGNS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
_COMPARED = ("lt", "le", "gt", "ge")

METHODS = {f"__{n}__": _binary(getattr(operator, n), sign, False) for n, sign in _SIGNS.items()}
METHODS |= {
    f"__r{name}__": _binary(getattr(operator, name), sign, True)
    for name, sign in _SIGNS.items()
    if name not in _COMPARED
}
METHODS |= {f"__{name}__": _unary(getattr(operator, name), name) for name in ("neg", "abs")}
