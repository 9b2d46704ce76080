"""Hold what terms are written with: the table, the code so far, the priors and their scale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.distributions import Distribution
from finetti.errors import ModelError
from finetti.formulas.design import Block
from finetti.formulas.priors import Priors, fitting, mean_of, sd_of, written
from finetti.formulas.script import Script, literal
from finetti.formulas.text import Grouped

if TYPE_CHECKING:
    import pandas as pd

WIDE = 2.5  # standard deviations of the outcome that a coefficient's prior reaches, as rstanarm's


@dataclass(frozen=True)
class Across:
    """Hold the group terms that predictors share, by id: the prefix, scale and term of each.

    `written` has the identifiers of those whose statements are written.
    """

    terms: Mapping[str, list[tuple[str, float, Grouped]]]
    written: dict[str, str] = field(default_factory=dict)


@dataclass
class Writing:
    """Hold what terms are written with: the table, the code so far, the priors, the scale.

    `level` and `spread` are where the outcome lies on the link's scale, and how far it reaches.
    `prefix` parts the names of one predictor's coefficients from those of others, `base` is that of
    the outcome that they are of; `shared` tells that classes of priors may be named by `base` too.
    `matrices` are those given beside the table, `across` the effects that several predictors have
    together.
    """

    script: Script
    frame: pd.DataFrame
    priors: Priors
    level: float = 0.0
    spread: float = 1.0
    prefix: str = ""
    base: str = ""
    shared: bool = False
    matrices: dict[str, Any] = field(default_factory=dict)
    across: Across = field(default_factory=lambda: Across({}))

    def plain(self) -> Writing:
        """Return what writes the parameters of several predictors, which have no prefix."""
        return replace(self, prefix="", base="")

    def mean(self, column: np.ndarray) -> float:
        """Return the mean of a column over the rows that the table's stand for."""
        return mean_of(column, self.script.counts)

    def sd(self, column: np.ndarray) -> float:
        """Return the standard deviation of a column over these rows, 1 if it does not vary."""
        return sd_of(column, self.script.counts)

    def prior(self, default: Any, *names: str) -> Any:
        """Return the prior of a parameter, by names from the most particular to its class.

        Where a predictor has a prefix so have its classes: `sigma_b`, `sigma_sd`.
        """
        found = self.priors.get(default, *(n for name in names for n in self._known(name)))
        return fitting(found, default, names[0])

    def _known(self, name: str) -> tuple[str, ...]:
        if not self.prefix or name.startswith(self.prefix) or self.prefix in name:
            return (name,)
        return (f"{self.prefix}{name}", *([f"{self.base}{name}"] if self.shared else ()))


def state(writing: Writing, name: str, priors: list[Distribution], dims: str = "") -> str:
    """Write the statement of a coefficient, or of a vector of them, and return its identifier."""
    script = writing.script
    site = script.name(name)
    found = script.identifier(f"b_{name}" if not name.endswith("Intercept") else name)
    prior = written(priors, script, whole=bool(dims))
    script.say(f"{found} = ft.sample({literal(site)}, {prior}{dims})")
    return found


def argument(writing: Writing, block: Block) -> str:
    """Return the argument that holds a block's columns, filled where values of it are missing."""
    script, name = writing.script, pretty(block.name)
    if block.labels is None and block.name in script.filled:
        return script.filled[block.name]
    holed = sorted(block.columns & set(script.filled))
    if holed:
        factors = block.name.split(":")
        rest = ":".join(f for f in factors if f not in holed)
        if set(holed) - set(factors) or len(factors) - len(holed) != len(set(factors) - set(holed)):
            refuse_holes(script, block)
        if not rest:
            return " * ".join(script.filled[factor] for factor in factors)
        name = f"{pretty(rest)} by {' '.join(holed)}"

    def make(frame: pd.DataFrame) -> np.ndarray:  # of a product: what the others multiply
        return block.anew(frame.assign(**dict.fromkeys(holed, 1.0)))

    columns = set(block.columns) - set(holed)
    key = ("columns", block.name, block.labels)  # one name may be coded in several ways
    data = script.argument(name, make, columns, key=key)
    side = "" if block.labels is None else "[:, None]"
    product = " * ".join([data, *(f"{script.filled[column]}{side}" for column in holed)])
    return f"({product})" if holed else data


def pretty(name: str) -> str:
    """Return a term's name without what only says that a column is taken for names.

    >>> pretty("C(period, Treatment('1')):x"), pretty("log(x)")
    ('period:x', 'log(x)')
    """
    return re.sub(r"\b(?:C|T|S|factor)\((\w+)(?:,(?:[^()]|\([^()]*\))*)?\)", r"\1", name)


def rounded(value: float) -> float:
    """Round a number to the digits that a prior is worth, so that it can be read."""
    return float(f"{value:.3g}")


def refuse_holes(script: Script, block: Block) -> None:
    """Refuse a term that computes with a column some of whose values are unknown."""
    lacking = sorted(block.columns & set(script.filled))
    if lacking:
        raise ModelError(
            f"the term {block.name!r} computes with `{lacking[0]}`, of which values are missing: "
            f'such a column can be a term or a factor of a product; else say missing="drop"'
        )
