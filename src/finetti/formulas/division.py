"""Divide what a formula reads into cells, whose rows are alike, and features that are added up.

A feature is a number that a mean is linear in, such as log(x) or x:z: it gets a column of its own,
and the formula is written anew with that column, under the names it had.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from finetti.errors import ModelError, hint
from finetti.formulas.design import functions
from finetti.formulas.frames import need
from finetti.formulas.text import Call, Formula, Predictor, words
from finetti.scale.arithmetic import Expression, read
from finetti.scale.table import Kind

NAMING = ("C", "T", "S", "factor", "B", "binary")  # functions that take a column for names
LEARNING = ("poly", "bs", "cr", "cc", "tp", "s")  # of which the rows decide what they compute


@dataclass
class Division:
    """Gather what formulas read of a table whose columns are of known `kinds`.

    `linear` tells that numbers are to be features; else only what functions such as scale(x) make
    of whole columns is one. `renamed` maps the names of terms as they are written anew to those
    that they had.
    """

    kinds: Mapping[str, Kind]
    where: str
    linear: bool
    cells: dict[str, None] = field(default_factory=dict)
    features: dict[str, Expression] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def keep(self, names: Iterable[str]) -> None:
        """Let rows of a cell be alike in these columns."""
        self.cells |= dict.fromkeys(n for n in self.kinds if n in set(names))

    def keep_named(self, predictor: Predictor) -> None:
        """Let rows of a cell be alike in all that a predictor takes for names, or cannot add up."""
        for group in predictor.groups:
            if isinstance(group.factor, str):
                need(self.kinds, [c.strip(" `") for c in group.factor.split(":")], group.factor)
            self.keep(words(str(group.factor)))
        for call in predictor.special:
            self._refuse(call.name, str(call))
            if call.name != "offset" or not self.linear or self._offset(call) is None:
                self.keep(words(str(call)))
        for text in (predictor.linear, *(g.expression for g in predictor.groups)):
            for _, parts, _ in self._terms(text):
                for name, own in parts:
                    if own is None:
                        self._refuse(name.partition("(")[0], name)
                        self.keep(words(_original(name, text)) | {name})

    def written(self, predictor: Predictor) -> Predictor:
        """Return a predictor of the features' columns; call it when all cells are known."""
        groups = tuple(replace(g, expression=self._written(g.expression)) for g in predictor.groups)
        special = tuple(self._special(call) for call in predictor.special)
        return Predictor(self._written(predictor.linear), groups, special)

    def outcome(self, formula: Formula) -> Formula:
        """Return a formula whose outcome is a feature: a column, or an expression of columns."""
        text = formula.response
        found = read(text, self.numbers) or read(f"`{text.strip('`')}`", self.numbers)
        if found is None:
            raise ModelError(
                f"the outcome {text!r} cannot be computed where the table {self.where} lies: write "
                f"a column, or log, exp, sqrt and arithmetic of columns"
            )
        name = self._feature(text.replace("`", ""), found)
        return replace(formula, response=f"`{name}`")

    @property
    def numbers(self) -> set[str]:
        """Return the columns that hold numbers."""
        return {n for n, kind in self.kinds.items() if kind == "number"}

    def _special(self, call: Call) -> Call:
        found = self._offset(call) if call.name == "offset" and self.linear else None
        if found is None or found.columns <= set(self.cells):
            return call
        name = self._feature(", ".join(call.arguments).replace("`", ""), found)
        return replace(call, arguments=(f"`{name}`",))

    def _offset(self, call: Call) -> Expression | None:
        return read(", ".join(call.arguments), self.numbers)

    def _written(self, text: str) -> str:
        """Write the terms again, each product of features as one column of its own."""
        terms = []
        for name, parts, intercept in self._terms(text):
            if intercept:
                terms.insert(0, "1")
                continue
            own = [(n, x) for n, x in parts if x is not None and self._is_feature(x)]
            rest = [n for n, x in parts if x is None or not self._is_feature(x)]
            pieces = [self._again(n, text) for n in rest]
            if own:
                product = ":".join(n for n, _ in own)
                factors = [f"({x.text})" for _, x in own]
                whole = read(" * ".join(factors), self.numbers)
                assert whole is not None
                single = own[0][1] if len(own) == 1 else whole
                column = self._feature(product, single)
                pieces.insert(0, f"`{column}`")
                self.renamed[":".join([column, *rest])] = name
            terms.append(":".join(pieces))
        return " + ".join(terms if "1" in terms[:1] else ["0", *terms])

    def _again(self, name: str, text: str) -> str:
        return _original(name, text) if "(" in name and name not in self.kinds else f"`{name}`"

    def _is_feature(self, expression: Expression) -> bool:
        """Tell whether a number is added up; what is known of a cell is computed in Python."""
        if expression.learning:
            return True
        return self.linear and not expression.columns <= set(self.cells)

    def _feature(self, name: str, expression: Expression) -> str:
        """Return the column of a feature, which is no other column of the table."""
        plain = self.kinds.get(name) and expression.columns == {name}
        found = name
        while not plain and found in self.kinds:
            found += "_"
        self.features.setdefault(found, expression)
        return found

    def _terms(self, text: str) -> list[tuple[str, list[tuple[str, Expression | None]], bool]]:
        """Return the terms of an expression: name, parts with their numbers, if an intercept."""
        from formulae import model_description

        try:
            terms: Any = model_description(text).terms
        except Exception as error:
            raise ModelError(f"{text!r} cannot be read: {error}") from error
        found = []
        for term in terms:
            parts = [(c.name, self._number(c, text)) for c in getattr(term, "components", ())]
            found.append((term.name, parts, not parts))
        return found

    def _number(self, component: Any, text: str) -> Expression | None:
        """Return a component as a number, None where it is names or cannot be computed in place."""
        name = component.name
        if type(component).__name__ == "Variable":
            if name not in self.kinds:
                known = ", ".join(f"`{c}`" for c in self.kinds)
                raise ModelError(
                    f"{text!r} cannot be read: there is neither a column nor a function {name!r}"
                    f"{hint(name, self.kinds)} (columns: {known})"
                )
            return read(f"`{name}`", self.numbers)
        head = name.partition("(")[0]
        if head in NAMING:
            return None
        found = read(_original(name, text), self.numbers)
        if found is None and head not in (*functions(), *LEARNING) and not head.startswith("np."):
            raise ModelError(
                f"{text!r} cannot be read: there is no function {head!r}{hint(head, functions())}"
            )
        return found

    def _refuse(self, function: str, text: str) -> None:
        if function in LEARNING:
            raise ModelError(
                f"`{text}` learns from all rows what it computes, and they stay in the table "
                f"{self.where}: write powers, as I(x ** 2), or steps of a rounded column, C(x); or "
                f"give the rows themselves, or a sample of them"
            )


def _original(name: str, text: str) -> str:
    """Return a call as it stands in a text; the name it has elsewhere lacks some brackets."""
    from formulae import model_description

    for start in re.finditer(r"(?<![\w.`])[A-Za-z_][\w.]*\(|\{", text):
        piece = _balanced(text[start.start() :])
        try:
            terms: Any = model_description(f"0 + {piece}").terms
        except Exception:  # noqa: BLE001 - a piece that is no term by itself
            continue
        if [t.name for t in terms] == [name]:
            return f"I({piece[1:-1]})" if piece.startswith("{") else piece
    return name


def _balanced(text: str) -> str:
    """Return the beginning of a text up to where its first bracket closes."""
    depth = 0
    for place, letter in enumerate(text):
        depth += letter in "([{"
        depth -= letter in ")]}"
        if letter in ")]}" and not depth:
            return text[: place + 1]
    return text
