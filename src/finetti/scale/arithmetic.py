"""Read an expression of columns, such as log(x) * z, and compute it in an engine or in numpy."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = Any  # an engine's column, an array or a number: they share operators, but no type
Call = Callable[[Numbers], Numbers]
LEARNED = ("scale", "standardize", "center")  # functions that know the whole column
PLAIN: Mapping[str, tuple[Call, Call]] = {  # in an engine, and in numpy
    "I": (lambda x: x, lambda x: x),
    "log": (lambda x: x.ln(), np.log),
    "log2": (lambda x: x.ln() / float(np.log(2.0)), np.log2),
    "log10": (lambda x: x.ln() / float(np.log(10.0)), np.log10),
    "log1p": (lambda x: _log1p(x), np.log1p),
    "exp": (lambda x: x.exp(), np.exp),
    "expm1": (lambda x: _expm1(x), np.expm1),
    "sqrt": (lambda x: x.sqrt(), np.sqrt),
    "abs": (lambda x: x.abs(), np.abs),
    "sin": (lambda x: x.sin(), np.sin),
    "cos": (lambda x: x.cos(), np.cos),
    "tan": (lambda x: x.tan(), np.tan),
}
OPERATIONS: Mapping[type, Callable[[Numbers, Numbers], Numbers]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip


@dataclass(frozen=True)
class Learned:
    """Hold what a function of a whole column has learned of it: value -> (value - mean) / sd."""

    mean: float
    sd: float

    def __call__(self, value: Numbers) -> Numbers:
        """Return the value moved and scaled."""
        return (value - self.mean) / self.sd if self.sd != 1.0 else value - self.mean


@dataclass(frozen=True)
class Expression:
    """Hold an expression of columns; `names` are those that stand for columns in its tree."""

    text: str
    tree: ast.expr
    names: Mapping[str, str]

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns that it is made of."""
        return frozenset(
            self.names[node.id] for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and node.id in self.names
        )  # fmt: skip

    @property
    def learning(self) -> tuple[tuple[str, Expression], ...]:
        """Return the calls that know a whole column, innermost first: their text and argument."""
        found = [
            node for node in ast.walk(self.tree)
            if isinstance(node, ast.Call) and _called(node) in LEARNED
        ]  # fmt: skip
        return tuple(
            (ast.unparse(node), Expression(ast.unparse(node.args[0]), node.args[0], self.names))
            for node in reversed(found)
        )

    def compute(self, column: Callable[[str], Numbers], learned: Mapping[str, Learned]) -> Numbers:
        """Return its value of an engine's columns, or of arrays."""
        return self._value(self.tree, column, learned)

    def _value(
        self, node: ast.expr, column: Callable[[str], Numbers], known: Mapping[str, Learned]
    ) -> Numbers:
        """Compute a part of it; `read` let in no other kinds of nodes than are named here."""
        match node:
            case ast.Name(id=name):
                return column(self.names[name])
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._value(inner, column, known)
            case ast.UnaryOp(operand=inner):
                return self._value(inner, column, known)
            case ast.BinOp(left=left, op=op, right=right):
                sides = (self._value(side, column, known) for side in (left, right))
                return OPERATIONS[type(op)](*sides)
            case ast.Call(args=[inner]):
                value = self._value(inner, column, known)
                if _called(node) in LEARNED:
                    return known[ast.unparse(node)](value)
                return PLAIN[_called(node)][isinstance(value, np.ndarray | float)](value)
        raise AssertionError(ast.dump(node))


def read(text: str, columns: Mapping[str, str] | set[str]) -> Expression | None:
    """Return text as an expression of numeric columns, or None where it is anything else.

    >>> read("log(x) / `my z`", {"x", "my z"}).columns == {"x", "my z"}
    True
    >>> read("poly(x, 2)", {"x"}) is None
    True
    """
    names: dict[str, str] = {}

    def quoted(found: re.Match[str]) -> str:
        names[f"_q{len(names)}"] = found.group(1)
        return f"_q{len(names) - 1}"

    plain = re.sub(r"`([^`]+)`", quoted, text)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.setdefault(node.id, node.id)
    known = {name: column for name, column in names.items() if column in columns}
    return Expression(text, tree, known) if _fits(tree, known) else None


def _fits(node: ast.expr, names: Mapping[str, str]) -> bool:
    match node:
        case ast.Name(id=name):
            return name in names
        case ast.Constant(value=number):
            return isinstance(number, int | float) and not isinstance(number, bool)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            return _fits(inner, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return _fits(left, names) and _fits(right, names)
        case ast.Call(args=[inner], keywords=[]):
            return _called(node) in (*PLAIN, *LEARNED) and _fits(inner, names)
    return False


def _called(node: ast.Call) -> str:
    """Return the name of a function, `np.log` as `log`."""
    match node.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="np"), attr=name):
            return name
    return ""


def _log1p(x: Numbers) -> Numbers:
    """Return log(1 + x) with the digits of a small x (Higham 2002, section 1.14.1)."""
    import ibis

    u = 1.0 + x
    return ibis.ifelse(u == 1.0, x, u.ln() * x / ibis.ifelse(u == 1.0, 1.0, u - 1.0))


def _expm1(x: Numbers) -> Numbers:
    """Return exp(x) - 1 with the digits of a small x (Higham 2002, section 1.14.1)."""
    import ibis

    u = x.exp()
    plain = (u == 1.0) | (u == 0.0)
    safe: Any = ibis.ifelse(plain, 2.0, u)
    return ibis.ifelse(u == 1.0, x, ibis.ifelse(u == 0.0, -1.0, (u - 1.0) * x / safe.ln()))
