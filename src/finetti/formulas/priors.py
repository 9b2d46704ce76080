"""Choose the priors of a formula's parameters: the user's, or else scaled to the data."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np

import finetti.distributions as families
from finetti.distributions import Distribution, bare, describe_support, know
from finetti.distributions.ends import beyond, ends
from finetti.errors import ModelError, hint
from finetti.formulas.script import Script, literal

CLASSES = ("b", "Intercept", "sd", "cor")


@dataclass(frozen=True)
class Priors:
    """Hold the user's wishes by class, coefficient or group, and what they have been used for.

    The most particular wish wins: `sd[Subject][Days]`, then `sd[Subject]`, then `sd`.
    """

    wished: Mapping[str, Distribution]
    asked: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def get(self, default: Any, *names: str) -> Any:
        """Return the prior wished for under the first of these names, or the default."""
        self.asked.update(names)
        for name in names:
            if name in self.wished:
                self.used.add(name)
                return self.wished[name]
        return default

    def refuse_unused(self) -> None:
        """Refuse wishes for what the model does not have, with the nearest that it has."""
        for name in self.wished:
            if name in self.used or name in self.asked:
                continue
            nearest = hint(name, self.asked)
            listed = ", ".join(f"`{n}`" for n in sorted(self.asked))
            raise ModelError(
                f"the model has no parameter `{name}` to give a prior{nearest} ({listed})"
            )


def wishes(priors: Any) -> Priors:
    """Return the user's priors: a mapping from names to distributions, or to text that names them.

    A sequence of texts such as "b ~ Normal(0, 10)" does as well.
    """
    if priors is None:
        return Priors({})
    if isinstance(priors, str):
        priors = [priors]
    if not isinstance(priors, Mapping):
        pairs = []
        for text in priors:
            name, tilde, said = str(text).partition("~")
            if not tilde:
                raise ModelError(f"{text!r} is no prior: write it as 'b ~ Normal(0, 10)'")
            pairs.append((name.strip(), said.strip()))
        priors = dict(pairs)
    found = {}
    for name, prior in priors.items():
        made = read(prior) if isinstance(prior, str) else prior
        if not isinstance(made, Distribution) and not (_is_of_pairs(name) and _number(made)):
            raise ModelError(f"the prior of `{name}` is {prior!r:.60}, no distribution: give one "
                             f"such as ft.Normal(0, 2.5)")  # fmt: skip
        found[str(name)] = made
    return Priors(found)


def fitting(wished: Any, default: Any, name: str) -> Any:
    """Return a prior of a parameter, or refuse one that it cannot have, by its shape or support."""
    if not isinstance(wished, Distribution) or not isinstance(default, Distribution):
        return wished  # of correlations it is a concentration, or what has one
    if wished.batch_shape or wished.event_shape:
        shape = (*wished.batch_shape, *wished.event_shape)
        raise ModelError(
            f"the prior of `{name}` has shape {shape}, and each coefficient is a number: give one "
            f"number for each of its parameters, and single coefficients priors by their names"
        )
    if beyond(wished, default):
        least, most = ends(default)
        shown = f"{type(bare(wished)).__name__}, which is {describe_support(wished.support)}"
        such = "HalfNormal(1)" if most == np.inf and least == 0 else type(bare(default)).__name__
        raise ModelError(
            f"the prior of `{name}` is {shown}, and it is {describe_support(default.support)}: "
            f"give one such as ft.{such}"
            + (
                f", or ft.Truncated(..., low={least:g})"
                if least > -np.inf and most == np.inf
                else ""
            )
        )
    return wished


def _is_of_pairs(name: str) -> bool:
    return name.startswith(("cor", "rescor"))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def read(text: str) -> Distribution:
    """Read a distribution from text such as `StudentT(3, 0, 2.5)`: names and numbers, no more.

    >>> read("Normal(0, 2.5)").scale
    2.5
    """
    try:
        tree = ast.parse(text.strip().removeprefix("ft."), mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise ValueError("it is no distribution")
        values = [_value(a) for a in tree.args]
        named = {k.arg: _value(k.value) for k in tree.keywords if k.arg}
        family = getattr(families, tree.func.id) if tree.func.id in families.NAMES else None
        if tree.func.id in ("Flat", "HalfFlat"):
            family = getattr(families, tree.func.id)
        if family is None:
            near = get_close_matches(tree.func.id, families.NAMES, n=1)
            raise ValueError(f"there is no distribution {tree.func.id}" +
                             (f"; did you mean {near[0]}?" if near else ""))  # fmt: skip
        return family(*values, **named)
    except (SyntaxError, ValueError, TypeError) as error:
        raise ModelError(f"the prior {text!r} cannot be read: {error}") from error


def _value(tree: ast.expr) -> Any:
    """Return the number that code spells, or the array of a list of them."""
    found = ast.literal_eval(tree)
    return np.array(found, float) if isinstance(found, list | tuple) else found


def written(priors: Sequence[Distribution], script: Script, whole: bool = False) -> str:
    """Write the prior of a number, or of as many as are given, as code.

    One prior without `whole` is that of a scalar; else it has an event dimension. Priors of one
    site must be of one family. Raises `ModelError` otherwise.
    """
    single = len(priors) == 1 and not whole
    kinds = {_kind(p) for p in priors}
    if len(kinds) > 1:
        raise ModelError(
            f"the priors of coefficients of one term are of one family, not {', '.join(kinds)}: "
            f"give them one family with several scales"
        )
    parts = [_parameters(p) for p in priors]
    if any(p is None for p in parts):
        return _as_value(priors, script, single)
    (kind,) = kinds
    if single:
        return f"ft.{kind}({', '.join(literal(v) for v in parts[0].values())})"  # pyright: ignore
    alike = all(p == parts[0] for p in parts)
    if alike:
        inner = ", ".join(literal(v) for v in parts[0].values())  # pyright: ignore
        return f"ft.{kind}({inner}).expand([{len(priors)}]).to_event(1)"
    columns = {k: [p[k] for p in parts] for k in parts[0]}  # pyright: ignore
    inner = ", ".join(
        literal(v[0]) if len(set(v)) == 1 else f"jnp.array({literal(v)})" for v in columns.values()
    )
    return f"ft.{kind}({inner}).to_event(1)"


def _kind(prior: Distribution) -> str:
    """Return a family's name; flat priors have their own."""
    plain = bare(prior)
    if not know(plain).improper:
        return type(plain).__name__
    return "HalfFlat" if "positive" in describe_support(plain.support) else "Flat"


def _parameters(prior: Distribution) -> dict[str, float] | None:
    """Return the numbers that make a distribution, or None where it is not made of numbers."""
    plain = bare(prior)
    if know(plain).improper:
        return {}
    if type(plain).__module__.partition(".")[0] not in ("numpyro", "finetti"):
        return None
    name = type(plain).__name__
    if name not in families.NAMES and name not in ("Flat", "HalfFlat"):
        return None
    found = {}
    for key in type(plain).arg_constraints:
        value = vars(plain).get(key)
        if value is None or np.ndim(value) or isinstance(value, Distribution):
            return None
        found[key] = float(value)
    try:
        again = getattr(families, name)(*found.values())
    except (TypeError, ValueError):
        return None
    same = all(float(vars(again)[k]) == v for k, v in found.items())
    return found if same and name in families.__dict__ else None


def _as_value(priors: Sequence[Distribution], script: Script, single: bool) -> str:
    name = script.value(re.sub(r"\W+", "", f"prior_{type(bare(priors[0])).__name__}"), priors[0])
    if single:
        return name
    if any(p is not priors[0] for p in priors):
        raise ModelError(
            f"{type(priors[0]).__name__} cannot be given to single coefficients of a term: give "
            f"the whole term one prior"
        )
    return f"{name}.expand([{len(priors)}]).to_event(1)"


ROUNDING = 1e-14  # of a column's size: less of a weighted spread is rounding


def mean_of(values: np.ndarray, counts: np.ndarray | None = None) -> float:
    """Return the mean of a column, whose values may count several times."""
    return float(values.mean() if counts is None else np.average(values, weights=counts))


def sd_of(values: np.ndarray, counts: np.ndarray | None = None) -> float:
    """Return the standard deviation of a column, 1 for one that does not vary."""
    if counts is None:
        found = float(np.std(values))
    else:
        found = float(np.sqrt(np.average((values - mean_of(values, counts)) ** 2, weights=counts)))
        found = found if found > ROUNDING * np.abs(values).max(initial=0.0) else 0.0
    return found if np.isfinite(found) and found > 0 else 1.0
