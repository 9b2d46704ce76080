"""Write a model as finetti code, statement by statement, and make the model of that code."""

from __future__ import annotations

import json
import keyword
import linecache
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from finetti.errors import DataError
from finetti.formulas.text import cut, levels
from finetti.language.reader import Reader
from finetti.models import Model

if TYPE_CHECKING:
    import pandas as pd

Make = Callable[["pd.DataFrame"], Any]
Role = Literal["given", "outcome", "trials"]


@dataclass(frozen=True)
class Argument:
    """Hold how one argument of the function is made of a table.

    An outcome is only observed, so that new rows may be without it; trials are what successes are
    among. `otherwise` makes it of rows that lack its columns.
    """

    make: Make
    role: Role = "given"
    columns: frozenset[str] = frozenset()
    otherwise: Make | None = None

    @property
    def outcome(self) -> bool:
        """Tell whether it is only observed."""
        return self.role == "outcome"


class Script:
    """Gather a model's statements, the arguments of its function, and the names in use.

    Sites, plates and dimensions share one realm of names, Python's identifiers have another.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        counts: np.ndarray | None = None,
        renamed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.frame = frame
        self.counts = counts  # the rows that each of the frame's stands for, if not one each
        self.renamed = renamed  # names of terms that are written otherwise
        self.arguments: dict[str, Argument] = {}
        self.lines: list[str] = []
        self.values: dict[str, Any] = {}
        self.taken = {"ft", "jax", "jnp", "np", *keyword.kwlist}
        self.named = {"chain", "draw"}
        self.rows = ""  # the name of the plate of rows
        self.wanted: set[str] = set()  # outcomes with unknown values that predict others
        self.filled: dict[str, str] = {}  # columns with unknown values, by what holds them whole
        self._known: dict[Any, str] = {}
        self._depth = 1

    def say(self, line: str = "") -> None:
        """Write a line at the current depth."""
        indent = "    " * self._depth
        self.lines += [indent + part for part in _wrapped(line, 100 - len(indent))]

    @contextmanager
    def deeper(self, line: str) -> Iterator[None]:
        """Write a line that opens a block, and the lines of the block under it."""
        self.say(line)
        self._depth += 1
        yield
        self._depth -= 1

    def identifier(self, wanted: str) -> str:
        """Return an identifier like the name wanted that nothing else has."""
        plain = re.sub(r"\W+", "_", wanted).strip("_") or "x"
        plain = f"x{plain}" if plain[0].isdigit() else plain
        found, number = plain, 1
        while found in self.taken:
            number += 1
            found = f"{plain}_{number}" if plain not in keyword.kwlist else f"{plain}_"
            plain = plain if plain not in keyword.kwlist else f"{plain}_"
        self.taken.add(found)
        return found

    def name(self, wanted: str) -> str:
        """Return a name for a site or a dimension like the one wanted that nothing else has."""
        found = wanted
        while found.replace("/", ".") in self.named:
            found += "_"
        self.named.add(found.replace("/", "."))
        return found

    def argument(
        self,
        wanted: str,
        make: Make,
        columns: set[str],
        key: Any = None,
        role: Role = "given",
        otherwise: Make | None = None,
    ) -> str:
        """Return the name of an argument that `make` makes of a table; one key has one of them."""
        if key is not None and key in self._known:
            return self._known[key]
        found = self.identifier(wanted)
        self.arguments[found] = Argument(make, role, frozenset(columns), otherwise)
        if key is not None:
            self._known[key] = found
        return found

    def value(self, wanted: str, value: Any) -> str:
        """Return the name under which code finds a value that cannot be written down."""
        found = self.identifier(wanted)
        self.values[found] = value
        return found

    def text(self, name: str) -> str:
        """Return the whole code: what it imports, and the function under `@ft.model`."""
        body = "\n".join(self.lines)
        used = [line for word, line in _IMPORTS.items() if re.search(rf"\b{word}\.", body)]
        outcomes = [n for n, a in self.arguments.items() if a.outcome]
        given = [n for n in self.arguments if n not in outcomes]
        parameters = ", ".join([*given, *(f"{n}=None" for n in outcomes)])
        notes = [f"# {n}: {value!r:.90}".replace("\n", " ") for n, value in self.values.items()]
        head = [*used, "", "import finetti as ft", *notes] if used else ["import finetti as ft"]
        return "\n".join([*head, "", "", "@ft.model", f"def {name}({parameters}):", body, ""])

    def model(self, name: str, read: Reader) -> Model:
        """Return the model of the code, with `read` to make its arguments of another table."""
        named = self.identifier(name)
        text = self.text(named)
        place = f"<formula {named} {abs(hash(text)):x}>"
        linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
        space: dict[str, Any] = {"__name__": f"formula {named}", **self.values}
        exec(compile(text, place, "exec"), space)
        return space[named].reading(read)

    def make(
        self, frame: pd.DataFrame, outcomes: bool = True, single: bool = False
    ) -> dict[str, Any]:
        """Return the arguments made of a table; outcomes may be left out where it lacks them.

        With `single` there is one trial in each row. Raises `DataError` for an absent column.
        """
        found = {}
        for name, argument in self.arguments.items():
            if argument.role == "trials" and single:
                found[name] = np.ones(len(frame), int)
                continue
            absent = sorted(argument.columns - set(frame.columns))
            if absent and argument.outcome and not outcomes:
                continue
            if absent and argument.otherwise is not None and not outcomes:
                found[name] = argument.otherwise(frame)
                continue
            if absent:
                raise DataError(
                    f"the table has no column `{absent[0]}`, of which the formula speaks (columns: "
                    f"{', '.join(f'`{c}`' for c in frame.columns)})"
                )
            found[name] = argument.make(frame)
        return found


def _wrapped(line: str, width: int) -> list[str]:
    """Return a statement, on several lines with an argument each where it is too long."""
    whole = line.removesuffix(",")
    opened = _opening(whole)
    if len(line) <= width or opened < 0 or "\n" in line:
        return [line]
    parts = [part.strip() for part in cut(whole[opened + 1 : -1], ",") if part.strip()]
    inner = [f"    {piece}" for part in parts for piece in _wrapped(f"{part},", width - 4)]
    return [line[: opened + 1], *inner, f"){line[len(whole) :]}"]


def _opening(text: str) -> int:
    """Return where the parenthesis opens that closes at the end of a text, -1 if none does.

    >>> _opening('f(x) + g("(a, b]", 2)')
    8
    """
    if not text.endswith(")"):
        return -1
    depths = [depth for depth, _ in levels(text)]
    place = next((i for i in range(len(text) - 1, -1, -1) if depths[i] < depths[-1]), -1) + 1
    return place if text[place] == "(" else -1


_IMPORTS = {"jax": "import jax", "jnp": "import jax.numpy as jnp", "np": "import numpy as np"}


def docstring(text: str) -> str:
    """Write a text as a docstring, whatever quotes it has."""
    plain = text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return f'"""{plain} """' if plain.endswith('"') else f'"""{plain}"""'


def literal(value: Any) -> str:
    """Write a number, a list of numbers or labels as Python reads it, numbers to six digits."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, np.ndarray):
        return literal(value.tolist())
    if isinstance(value, bool | np.bool_):
        return repr(bool(value))
    if isinstance(value, int | np.integer):
        return repr(int(value))
    if isinstance(value, float | np.floating):
        rounded = float(f"{value:.6g}")
        return repr(int(rounded)) if rounded.is_integer() and abs(rounded) < 1e6 else repr(rounded)
    return repr(value)
