"""Read a question about scalars, such as `theta[A] > 2 * mu`, and answer it at every draw.

The text is parsed and walked, never run: names, numbers, arithmetic, comparisons, and, or, not, and
a few functions are all there is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from finetti.errors import ModelError
from finetti.posterior.scalars import Scalars
from finetti.types import Value

LONGEST = 2000  # characters of a question
START = re.compile(r"[^\W\d]")  # how names begin
WORDS = {"and", "or", "not"}

FUNCTIONS: Mapping[str, Callable[..., np.ndarray]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "min": lambda *values: np.minimum.reduce(np.broadcast_arrays(*values)),
    "max": lambda *values: np.maximum.reduce(np.broadcast_arrays(*values)),
}
SEVERAL = {"min", "max"}
ARITHMETIC: Mapping[type[ast.AST], Callable[..., np.ndarray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
COMPARISONS: Mapping[type[ast.AST], Callable[..., np.ndarray]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
OFFERED = (
    "names of the summary's rows, numbers, + - * / **, comparisons, and, or, not, and "
    + ", ".join(FUNCTIONS)
)


@dataclass(frozen=True, eq=False)
class Answer:
    """Hold what an expression is at each draw, shape (chain, draw): truths or numbers.

    `named` holds the draws of the scalars it names.
    """

    text: str
    values: np.ndarray
    named: Mapping[str, np.ndarray]

    @property
    def is_truth(self) -> bool:
        """Tell whether it is a statement that is true or false at each draw."""
        return self.values.dtype == bool


def answer(text: str, scalars: Scalars) -> Answer:
    """Return what an expression is at every draw.

    Raises `UnknownSite` for a name that no scalar has, with the nearest there are, and `ModelError`
    for what is no expression of the kind, or is no number at some draws.
    """
    if not isinstance(text, str) or not text.strip():
        raise ModelError(f"a question is a text such as 'theta[A] > theta[B]', not {text!r:.80}")
    if len(text) > LONGEST:
        raise ModelError(
            f"a question has at most {LONGEST:,} characters, and this has {len(text):,}"
        )
    written, names = _replaced(text, scalars)
    try:
        tree = ast.parse(written.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ModelError(
            f"`{text}` cannot be read: it may hold {OFFERED}; names are as posterior.summary() "
            f"prints them"
        ) from None
    named = {names[key]: scalars[names[key]] for key in names}
    walk = _Walk(text, {key: np.asarray(named[name], float) for key, name in names.items()})
    try:
        with np.errstate(all="ignore"):
            values = walk(tree)
    except RecursionError:
        raise ModelError(f"`{text:.60}...` is nested too deep: ask in parts") from None
    if not named:
        raise ModelError(f"`{text}` names nothing of the posterior: name rows of its summary")
    shape = next(iter(named.values())).shape
    return Answer(text.strip(), np.broadcast_to(values, shape), named)


def _replaced(text: str, scalars: Scalars) -> tuple[str, dict[str, str]]:
    """Put a plain name in the place of each scalar's, and return what each stands for."""
    found: dict[str, str] = {}
    out, at = [], 0
    while at < len(text):
        # A digit's e and a name's middle begin no name.
        inside = at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_.")
        if not START.match(text[at]) or inside:
            out.append(text[at])
            at += 1
            continue
        name, end = _name(text, at, scalars)
        if name is None:
            out.append(text[at:end])
        else:
            key = f"_{len(found)}"
            found[key] = name
            out.append(f" {key} ")
        at = end
    return "".join(out), found


def _name(text: str, start: int, scalars: Scalars) -> tuple[str | None, int]:
    """Return the scalar whose name begins there, the longest that fits, and where it ends.

    Of a word or a function there is none. Raises `UnknownSite` for a name that no scalar has.
    """
    plain = re.match(r"[\w.]+", text[start:])
    end = start + (plain.end() if plain else 1)
    word = text[start:end]
    called = text[end:].lstrip().startswith("(")
    for length in _lengths(text[start:], end - start, scalars):
        known = scalars.find(text[start : start + length])
        if known is not None and not (called and word in FUNCTIONS and length == len(word)):
            return known, start + length
    if word in WORDS or (word in FUNCTIONS and called):
        return None, end
    if called:
        raise ModelError(f"`{word}` is no function here: a question may hold {OFFERED}")
    bracket = re.match(r"(\s*\[[^\]]*\])+", text[end:])
    raise scalars.unknown(text[start : end + (bracket.end() if bracket else 0)])


def _lengths(text: str, word: int, scalars: Scalars) -> list[int]:
    """Return the lengths that a name at the start of a text may have, the longest first.

    It ends with its word, with a bracket, as a nested model's site does after a slash, or as a
    site whose name is no word.
    """
    found = {word, *(m.end() for m in re.finditer(r"\]", text))}
    nested = re.match(r"[\w.]+(/[\w.]+)+", text)
    found |= {nested.end()} if nested else set()
    found |= {len(site) for site in scalars.phrases if text.startswith(site)}
    return sorted(found, reverse=True)


@dataclass(frozen=True, eq=False)
class _Walk:
    """Compute what a parsed expression is; `values` are those of the names in it."""

    text: str
    values: Mapping[str, np.ndarray]

    def __call__(self, node: ast.AST) -> np.ndarray:
        """Return what a node is at every draw; refuse one of any kind that is not named here."""
        match node:
            case ast.Name(id=key) if key in self.values:
                return self._finite(self.values[key], node)
            case ast.Constant(value=value) if type(value) in (int, float):
                return self._finite(np.asarray(value, float), node)
            case ast.BinOp(left=a, op=op, right=b) if type(op) in ARITHMETIC:
                found = ARITHMETIC[type(op)](self._number(a), self._number(b))
                return self._finite(found, node)
            case ast.UnaryOp(op=ast.Not(), operand=a):
                return ~self._truth(a)
            case ast.UnaryOp(op=op, operand=a) if type(op) in ARITHMETIC:
                return ARITHMETIC[type(op)](self._number(a))
            case ast.BoolOp(op=op, values=parts):
                joined = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return joined.reduce(np.broadcast_arrays(*map(self._truth, parts)))
            case ast.Compare(left=first, ops=ops, comparators=rest):
                return self._compared([first, *rest], ops)
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
                if not parts or (len(parts) > 1 and name not in SEVERAL):
                    raise ModelError(f"in `{self.text}`, `{name}` takes one number")
                return self._finite(FUNCTIONS[name](*map(self._number, parts)), node)
        hint = "write ** for a power; " if "^" in self.text else ""
        raise ModelError(f"`{self.text}` cannot be answered: {hint}it may hold {OFFERED}")

    def _compared(self, parts: list[ast.expr], ops: list[ast.cmpop]) -> np.ndarray:
        """Compare each part with the next, as Python does in `0 < x < 1`."""
        if not all(type(op) in COMPARISONS for op in ops):
            raise ModelError(f"`{self.text}` cannot be answered: it may hold {OFFERED}")
        values = list(map(self._number, parts))
        found = [
            COMPARISONS[type(op)](a, b) for a, op, b in zip(values, ops, values[1:], strict=False)
        ]
        return np.logical_and.reduce(np.broadcast_arrays(*found))

    def _number(self, node: ast.AST) -> np.ndarray:
        found = self(node)
        if found.dtype == bool:
            raise ModelError(f"`{self.text}` computes with a comparison: write `and` or `or`")
        return found

    def _truth(self, node: ast.AST) -> np.ndarray:
        found = self(node)
        if found.dtype != bool:
            raise ModelError(f"`{self.text}` takes a number for true or false: compare it")
        return found

    def _finite(self, found: Value, node: ast.AST) -> np.ndarray:
        """Return values that are numbers at all draws, or refuse."""
        values = np.asarray(found)
        bad = int(np.isnan(values).sum())
        if bad:
            raise ModelError(
                f"`{self.text}` is no number at {bad:,} of {values.size:,} draws (of "
                f"{_part(node)}): ask for what is defined everywhere"
            )
        return values


def _part(node: ast.AST) -> str:
    """Say which part of an expression is meant."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return f"{name}(...)"
        case ast.BinOp(op=op):
            signs = {ast.Div: "a division", ast.Pow: "a power"}
            return signs.get(type(op), "a sum, difference or product")
    return "what it names"
