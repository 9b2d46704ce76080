"""Read the linear part of a formula by formulae: blocks of columns, made anew of new rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from itertools import permutations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError, ModelError, hint
from finetti.formulas.faults import refuse_columns
from finetti.formulas.text import cut, signed, words

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Block:
    """Hold the columns of one term: what each stands for, and how they are made of a table.

    `labels` are None for a single column that has no label beside the term's name; `values` has
    shape (row, column), or (row,) without labels. `columns` are the table's that it reads; `alone`
    tells that each row's values are made of that row alone, and of what the fit's rows have taught.
    """

    name: str
    labels: tuple[str, ...] | None
    values: np.ndarray
    make: Callable[[pd.DataFrame], np.ndarray] = field(repr=False)
    columns: frozenset[str] = frozenset()
    alone: bool = True

    def anew(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the columns made of a table, and refuse what would mislead a predictor.

        Raises `DataError` where they are not finite, and where rows other than those of the fit
        would have other values together than by themselves.
        """
        found = self.make(frame)
        if not self.alone and not _same(found, self.values):
            raise DataError(
                f"{self.name!r} is computed of all rows together, and would be another thing in "
                f"other rows than the fit's: write center(...) or scale(...), which remember the "
                f"fit's rows, or give a column of its values"
            )
        _refuse_endless(self.name, found)
        return found

    @property
    def size(self) -> int:
        """Return the number of coefficients."""
        return 1 if self.labels is None else len(self.labels)

    @property
    def matrix(self) -> np.ndarray:
        """Return the values with shape (row, column)."""
        return self.values.reshape(len(self.values), -1)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the name of each coefficient by itself."""
        if self.labels is None:
            return (self.name,)
        return tuple(f"{self.name}[{label}]" for label in self.labels)


@dataclass(frozen=True)
class Linear:
    """Hold the blocks of a linear predictor, and whether it has an intercept."""

    blocks: tuple[Block, ...]
    intercept: bool


def linear(
    text: str, frame: pd.DataFrame, names: Mapping[str, str] = MappingProxyType({})
) -> Linear:
    """Read an expression such as `1 + x * f` on a table; `names` are other names of its terms.

    Raises `ModelError` for what formulae cannot read, naming the expression.
    """
    import formulae
    from formulae.environment import Environment

    alone: Any = Environment([{}])  # else what this file holds could be called
    refuse_columns(frame, sorted(words(text) & set(frame.columns)))
    _refuse_rest(text)
    _refuse_subsets(text)
    _refuse_constants(text, frame)
    try:
        with redirect_stdout(StringIO()):  # formulae prints beside what it raises
            common = formulae.design_matrices(
                once(text), frame, na_action="pass", env=alone, extra_namespace=functions()
            ).common
    except (DataError, ModelError):
        raise
    except Exception as error:
        raise ModelError(f"{text!r} cannot be read: {_said(error, frame)}") from error
    blocks, intercept = [], False
    for name, term in (common.terms if common is not None else {}).items():
        if term.kind == "intercept":
            intercept = True
            continue
        columns = frozenset(term.var_names) & set(frame.columns)
        blocks.append(_block(names.get(name, name), term, columns, frame))
    return Linear(tuple(blocks), intercept)


def once(text: str) -> str:
    """Return an expression in which a:b and b:a are one term, added or taken away, as R has it.

    >>> once("a*b - b:a"), once("a*b + b:a"), once("a*b - a:b")
    ('a*b - b:a - a:b', 'a*b + b:a - b:a', 'a*b - a:b - b:a')
    """
    from formulae.model_description import model_description

    for sign, term in signed(text):
        parts = [part.strip() for part in cut(term, ":")]
        if sign == "-" and len(parts) > 1:
            others = [":".join(order) for order in permutations(parts) if [*order] != parts]
            text += "".join(f" - {other}" for other in others)
    try:
        found = model_description(text).common_terms
    except Exception:  # noqa: BLE001 - formulae says so itself
        return text
    seen: set[frozenset[str]] = set()
    for parts in ([_written(c) for c in getattr(term, "components", ())] for term in found):
        text += f" - {':'.join(parts)}" if len(parts) > 1 and frozenset(parts) in seen else ""
        seen.add(frozenset(parts))
    return text


def _written(component: Any) -> str:
    """Return a factor as a formula writes it: names that are no words in backquotes."""
    name = str(component.name)
    plain = hasattr(component, "call") or re.fullmatch(r"[^\W\d][\w.]*", name)
    return name if plain else f"`{name}`"


def _refuse_rest(text: str) -> None:
    """Refuse what formulae reads the beginning of and then stops, such as x %in% f."""
    from formulae.parser import Parser
    from formulae.scanner import Scanner

    try:
        parser = Parser(Scanner(text).scan())
        parser.parse()
    except Exception:  # noqa: BLE001 - it says so itself
        return
    if not parser.at_end():
        raise ModelError(
            f"{text!r} cannot be read from {parser.peek().lexeme!r} on: terms are joined by +, :, "
            f"* or /, and names with blanks stand in backquotes"
        )


def _refuse_subsets(text: str) -> None:
    """Refuse f[u], of which formulae reads f and leaves out what is in brackets."""
    found = re.search(r"(`[^`]*`|[\w.]+)\s*\[([^]]*)\]?", re.sub(r"'[^']*'|\"[^\"]*\"", "''", text))
    if found is not None:
        raise ModelError(
            f"{text!r} has {found[0]}, and brackets choose nothing in a formula: write "
            f"{found[1]}:{found[2] or 'x'} for an interaction, or make a column of what is meant"
        )


def _refuse_constants(text: str, frame: pd.DataFrame) -> None:
    """Refuse True, False and None as terms: formulae takes the first two for 1 and 0."""
    rest, before = re.sub(r"`[^`]*`", "x", text), ""
    while rest != before:  # arguments of functions may be such values
        rest, before = re.sub(r"\b[\w.]+\([^()]*\)", "x", rest), rest
    found = re.search(r"\b(True|False|None)\b", rest)
    if found is None:
        return
    named = f"; the column of that name is written `{found[0]}`, in backquotes"
    raise ModelError(
        f"{text!r} has {found[0]} for a term, which is a value and no column"
        f"{named if found[0] in frame else ': write 1 for an intercept and 0 for none'}"
    )


def _block(name: str, term: Any, columns: frozenset[str], frame: pd.DataFrame) -> Block:
    """Return what formulae made of a term: numbers, or a column for each level."""
    values = np.asarray(term.data, float)
    if not values.size:
        raise DataError(f"the term {name!r} has one level, and says nothing: leave it out")
    single = values.ndim == 1 or (values.shape[1] == 1 and term.levels is None)
    _refuse_endless(name, values)
    made = _again(name, term, single)
    whole = values.reshape(-1) if single else values
    parts = (slice(-1, None), slice(len(frame) // 2, None)) if "(" in name else ()
    alone = all(_alone(made, frame.iloc[part], whole[part]) for part in parts)
    labels = None if single or term.levels is None else tuple(map(str, term.levels))
    if labels is None and not single:
        labels = tuple(str(label).removeprefix(name).strip("[]") for label in term.labels)
    return Block(name, labels, whole, made, columns, alone)


def _alone(make: Callable[[pd.DataFrame], np.ndarray], rows: pd.DataFrame, was: Any) -> bool:
    """Tell whether rows by themselves have the values that they had among all; or are refused."""
    try:
        with np.errstate(all="ignore"):
            return _same(make(rows), was)
    except DataError:  # as binary(f, 'a') is where no row has an 'a'
        return True


def _refuse_endless(name: str, values: np.ndarray) -> None:
    """Refuse a term that is infinite, or no number, in some row."""
    if not np.isfinite(values).all():
        rows = np.argwhere(~np.isfinite(values))[:, 0]
        raise DataError(
            f"the term {name!r} is not finite in row {int(rows[0]) + 1} ({len(set(rows))} such "
            f"rows): look at what it is computed from"
        )


def _again(name: str, term: Any, single: bool) -> Callable[[pd.DataFrame], np.ndarray]:
    def make(frame: pd.DataFrame) -> np.ndarray:
        try:
            found = np.asarray(term.eval_new_data(frame), float)
        except Exception as error:
            raise DataError(f"{name!r} cannot be made of these rows: {error}") from error
        return found.reshape(-1) if single else found.reshape(len(frame), -1)

    return make


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and np.allclose(first, second, rtol=1e-6, equal_nan=True)


def _said(error: Exception, frame: pd.DataFrame) -> str:
    """Say what formulae found wrong in words that name a column or a function."""
    if isinstance(error, KeyError) and error.args:
        listed = ", ".join(f"`{n}`" for n in frame.columns)
        nearest = hint(str(error.args[0]), frame.columns)
        named = f"there is neither a column nor a function {error.args[0]!r}{nearest}"
        return f"{named} (columns: {listed})"
    return str(error).strip().partition("\n")[0] or type(error).__name__


class Numbers:
    """Stand for numpy in a formula, with its functions of numbers: others read and write files.

    >>> float(Numbers().tanh(0.0))
    0.0
    """

    OTHERS = frozenset({"clip", "mean", "median", "pi", "e", "round", "std", "where"})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of anything, as where formulae copies a call
            raise AttributeError(name)
        found = getattr(np, name, None)
        if name in self.OTHERS or isinstance(found, np.ufunc):
            return found
        raise ModelError(f"`np.{name}` is no function of numbers that a formula may call: compute "
                         f"the column beforehand")  # fmt: skip


@cache
def functions() -> dict[str, Any]:
    """Return what a formula may call beside formulae's own transformations."""
    from formulae.categorical import CategoricalBox, ContrastMatrix, Encoding, Treatment

    class Helmert(Encoding):
        """Compare each level with the mean of those before it, as R's contr.helmert does."""

        def code_with_intercept(self, levels: list[Any]) -> ContrastMatrix:
            return ContrastMatrix(np.eye(len(levels)), list(map(str, levels)))

        def code_without_intercept(self, levels: list[Any]) -> ContrastMatrix:
            matrix = np.zeros((len(levels), len(levels) - 1))
            for j in range(len(levels) - 1):
                matrix[: j + 1, j], matrix[j + 1, j] = -1.0, j + 1.0
            return ContrastMatrix(matrix, list(map(str, levels[1:])))

    def factor(column: Any, levels: Any = None) -> Any:
        """Take a column's values for names."""
        return CategoricalBox(column, Treatment(), levels)

    plain = ("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sin", "cos", "tan")
    found: dict[str, Any] = {name: getattr(np, name) for name in plain}
    found |= {"np": Numbers(), "factor": factor, "Helmert": Helmert, "Treatment": Treatment}
    return found
