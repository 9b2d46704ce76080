"""Take a formula for a model where a command is given one in place of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetti.cli.source import Source
from finetti.errors import ModelError
from finetti.models import Model


@dataclass(frozen=True)
class Written:
    """Hold a formula and what a command says of it; it stands where a `Source` may stand."""

    formula: str
    family: str | None = None
    link: str | None = None
    priors: tuple[str, ...] = ()
    missing: str = "refuse"
    in_place: bool = False

    @property
    def file(self) -> Path:
        """Return what stands for the file: a formula is in none."""
        return Path("formula")

    def __str__(self) -> str:
        """Write the reference that `parse` reads."""
        return json.dumps(asdict(self))

    def content(self) -> bytes:
        """Return all that is said, which tells whether it was fitted here."""
        return str(self).encode()

    @contextmanager
    def answerable(self) -> Iterator[None]:
        """Let errors pass as they are: no file of the user's is behind them."""
        yield

    def model(self, data: Path | None) -> Model:
        """Return the model of the formula with its table; raises `ModelError` without one."""
        from finetti.formulas.formula import formula

        if data is None:
            raise ModelError("a formula needs its table: give one, as in --data table.csv")
        given: Any = data
        if self.in_place:
            from finetti.scale.opening import table

            given = table(whereabouts(data))
        return formula(
            self.formula, given, family=self.family, link=self.link, priors=self.priors,
            missing=self.missing,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip


def whereabouts(data: Path) -> str:
    """Return a path as text, and an address, `postgres://host/name`, as it was before it was one.

    >>> whereabouts(Path("postgres://host/name"))
    'postgres://host/name'
    """
    return re.sub(r"^([A-Za-z][A-Za-z0-9+]+):/(?!/)", r"\1://", str(data))


def noted_as(data: Path) -> str:
    """Return what a run notes of where its table lies: no address with a password.

    >>> noted_as(Path("postgres://me:secret@host/name"))
    'postgres://me@host/name'
    """
    where = whereabouts(data)
    if "://" not in where:
        return str(data.resolve())
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1@", where)


def is_formula(text: str) -> bool:
    """Tell whether a command's model is a formula and no file: it has a tilde after something.

    >>> is_formula("y ~ x"), is_formula("~/models/radon.py"), is_formula("radon.py")
    (True, False, False)
    """
    return "~" in text.lstrip().lstrip("~") and not text.rpartition(":")[0].endswith(".py")


def parse(reference: str) -> Source | Written:
    """Read a reference to a model: a file, a formula, or a formula that a run notes."""
    if reference.lstrip().startswith("{"):
        try:
            noted = json.loads(reference)
            return Written(**{**noted, "priors": tuple(noted.get("priors", ()))})
        except (ValueError, TypeError) as error:
            raise ModelError(f"{reference!r:.80} is no formula that a run has noted") from error
    return Written(reference) if is_formula(reference) else Source.parse(reference)
