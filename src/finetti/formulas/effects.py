"""Write the effects of groups: their spread, how they go together, and one member each."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import finetti.distributions as families
from finetti.distributions import Distribution
from finetti.errors import ModelError
from finetti.formulas.design import Block, linear
from finetti.formulas.grouping import Factor, factor_of
from finetti.formulas.priors import written
from finetti.formulas.script import literal
from finetti.formulas.text import Grouped
from finetti.formulas.writing import WIDE, Writing, argument, pretty, rounded

FAR = 30.0  # standard deviations of a column from 0


@dataclass(frozen=True)
class Varying:
    """Hold a coefficient that varies: its label, its column, None for the level, and its scale."""

    label: str
    block: Block | None
    column: int
    spread: float


def write_groups(writing: Writing, terms: Sequence[Grouped]) -> list[str]:
    """Write the statements of group terms, and return the expressions that they add."""
    read = [(term, _columns(writing, term)) for term in terms]
    return [part for term, columns in _together(read) for part in _write(writing, term, columns)]


Read = tuple[Grouped, list[Varying]]  # a term, and the coefficients that vary in it


def _together(terms: Sequence[Read]) -> list[Read]:
    """Join terms over one factor that have no correlated coefficients: (1 | g) + (0 + x | g)."""
    found: list[Read] = []
    for term, columns in terms:
        like = [i for i, (t, _) in enumerate(found) if t.factor == term.factor and not t.across]
        loose = not term.across and not _tied(term, columns)
        if like and loose and not _tied(*found[like[0]]):
            first, others = found[like[0]]
            found[like[0]] = replace(first, correlated=False), _distinct([*others, *columns])
        else:
            found.append((term, columns))
    _refuse_twice(found)
    return found


def _refuse_twice(terms: Sequence[Read]) -> None:
    """Refuse terms over one factor that have a coefficient in common: nothing tells them apart."""
    seen: dict[tuple[str, str], Grouped] = {}
    for term, columns in terms:
        for varying in columns:
            other = seen.setdefault((str(term.factor), varying.label), term)
            if other is not term:
                raise ModelError(
                    f"`{varying.label}` varies over {term.factor} in two terms, ({other.expression}"
                    f" | {term.factor}) and ({term.expression} | {term.factor}), and nothing tells "
                    f"them apart: leave one out, or write (0 + x | {term.factor}) for a slope alone"
                )


def _tied(term: Grouped, columns: list[Varying]) -> bool:
    return term.correlated and len(columns) > 1


def _columns(writing: Writing, term: Grouped) -> list[Varying]:
    """Return the coefficients that vary over the groups."""
    found: list[Varying] = []
    prefix, spread = writing.prefix, writing.spread
    design = linear(term.expression, writing.frame, writing.script.renamed)
    if design.intercept:
        found.append(Varying(f"{prefix}Intercept", None, 0, spread))
    for block in design.blocks:
        for i, name in enumerate(block.names):
            size = writing.sd(block.matrix[:, i])
            if abs(writing.mean(block.matrix[:, i])) > FAR * size and np.ptp(block.matrix[:, i]):
                _warn_of_far(name, term)
            found.append(Varying(f"{prefix}{pretty(name)}", block, i, spread / size))
    if not found:
        raise ModelError(f"({term.expression} | ...) has no coefficient that could vary")
    return _distinct(found)


def _distinct(columns: list[Varying]) -> list[Varying]:
    labels = [v.label for v in columns]
    if len(set(labels)) < len(labels):
        raise ModelError(f"the groups' effects name a coefficient twice: {', '.join(labels)}")
    return columns


def _warn_of_far(name: str, term: Grouped) -> None:
    """Say what to do about a slope whose groups' effects are of another place than their level."""
    warnings.warn(
        f"`{name}` lies far from 0 beside its spread, and its slopes in ({term.expression} | "
        f"{term.factor}) are drawn beside levels at 0: write center({name}), or chains creep",
        stacklevel=2,
    )


def _write(writing: Writing, term: Grouped, columns: list[Varying]) -> list[str]:
    factor = factor_of(writing, term.factor)
    if term.across:
        effects, first = _across(writing, term, factor)
    else:
        tied = _tied(term, columns)
        effects, first = _effects(writing, factor, columns, tied, writing.prefix), 0
    flat = bool(factor.covariance) or factor.zero_sum
    parts = []
    for j, varying in enumerate(columns, first):
        picked = [
            f"{effects}[{source}]" if flat else f"{effects}[{source}, {j}]"
            for source in factor.sources
        ]
        if factor.weights:
            picked = [f"{w} * {p}" for w, p in zip(factor.weights, picked, strict=True)]
        times = ""
        if varying.block is not None:
            times = f" * {_column(writing, varying.block, varying.column)}"
        whole = " + ".join(picked)
        parts.append(f"({whole}){times}" if len(picked) > 1 and times else f"{whole}{times}")
    return parts


def _across(writing: Writing, term: Grouped, factor: Factor) -> tuple[str, int]:
    """Return effects that several predictors share, (x |id| g), and the place of this one's first.

    They are written, all of them, when the first of the predictors is.
    """
    shared = writing.across
    every = [
        (prefix, _columns(replace(writing, prefix=prefix, spread=spread), other))
        for prefix, spread, other in shared.terms[term.across]
    ]
    if any(other.factor != term.factor for *_, other in shared.terms[term.across]):
        raise ModelError(f"terms of |{term.across}| are over one grouping: give others another id")
    if term.across not in shared.written:
        columns = [v for _, found in every for v in found]
        tied = len(columns) > 1
        shared.written[term.across] = _effects(writing.plain(), factor, columns, tied, "")
    before = [prefix for prefix, _ in every].index(writing.prefix)
    return shared.written[term.across], sum(len(found) for _, found in every[:before])


def _column(writing: Writing, block: Block, column: int) -> str:
    data = argument(writing, block)
    return data if block.labels is None else f"{data}[:, {column}]"


def _effects(
    writing: Writing, factor: Factor, columns: list[Varying], tied: bool, prefix: str
) -> str:
    """Write the site of the effects, shape (member, coefficient), and return its identifier."""
    script, labels = writing.script, [v.label for v in columns]
    label = site = script.name(prefix + factor.name)
    dim = script.name(f"{label}_term")
    plate = script.name(f"{label}_level")
    dims = f"dims={{{literal(dim)}: {literal(labels)}}}"
    spread = script.identifier(f"sd_{label}")
    prior = written(_spreads(writing, label, columns), script, whole=True)
    kinds = script.name(f"{label}_by") if factor.by else ""
    opening = f"with ft.plate({literal(kinds)}, {literal(list(factor.kinds))}):"
    with script.deeper(opening) if kinds else nullcontext():
        site_of_spread = literal(script.name(f"sd[{label}]"))
        script.say(f"{spread} = ft.sample({site_of_spread}, {prior}, {dims})")
        root = write_root(writing, label, labels, f"cor[{label}]", "cor") if tied else ""
    own = f"[{factor.by}]" if factor.by else ""
    found = script.identifier(f"u_{label}")
    if factor.covariance or factor.zero_sum:
        return _joint(writing, factor, found, site, plate, spread, labels)
    if tied:
        scale = f"{spread}[..., None] * {root}"
        scale = f"({scale}){own}" if own else scale
        law = f"ft.MultivariateNormal(0, scale_tril={scale})"
    else:
        law = f"ft.Normal(0, {spread}{own}).to_event(1)"
    with script.deeper(f"with ft.plate({literal(plate)}, {factor.sources[0]}):"):
        script.say(f"{found} = ft.sample({literal(site)}, {law}, dims=[{literal(dim)}])")
    return found


def _joint(  # noqa: PLR0913 - the names that code needs
    writing: Writing,
    factor: Factor,
    found: str,
    site: str,
    plate: str,
    spread: str,
    labels: list[str],
) -> str:
    """Write effects that are drawn together: with a covariance given, or that sum to zero."""
    if len(labels) > 1:
        raise ModelError(
            f"effects of `{factor.name}` that are tied to one another vary in one coefficient, not "
            f"{len(labels)} ({', '.join(labels)}): write a term for each"
        )
    script, count = writing.script, len(factor.members)
    if factor.covariance:
        law = f"ft.MultivariateNormal(jnp.zeros({count}), {spread}[0] ** 2 * {factor.covariance})"
    else:
        law = f"ft.ZeroSumNormal({spread}[0], ({count},))"
    dims = f"dims={{{literal(plate)}: {literal(list(factor.members))}}}"
    script.say(f"{found} = ft.sample({literal(site)}, {law}, {dims})")
    return found


def write_root(writing: Writing, label: str, labels: list[str], name: str, kind: str) -> str:
    """Write how numbers go together, correlations under a name, and return the root's identifier.

    `label` names what they are of, `kind` the class of the correlations' prior.
    """
    script, count = writing.script, len(labels)
    eta = concentration(writing.prior(1.0, *dict.fromkeys((name, kind))))
    found = script.identifier(f"L_{label}")
    script.say(
        f"{found} = ft.sample({literal(script.name(f'_L[{label}]'))}, "
        f"ft.LKJCholesky({count}, {literal(eta)}))"
    )
    rows, columns = np.tril_indices(count, -1)
    pairs = [f"{labels[c]}, {labels[r]}" for r, c in zip(rows, columns, strict=True)]
    dims = f"dims={{{literal(script.name(f'{label}_pair'))}: {literal(pairs)}}}"
    matrix = f"{found} @ {found}.swapaxes(-1, -2)"
    script.say(
        f"ft.deterministic({literal(script.name(name))}, "
        f"({matrix})[..., {literal(rows.tolist())}, {literal(columns.tolist())}], {dims})"
    )
    return found


def concentration(prior: Any) -> float:
    """Return the concentration of correlations' prior: of `LKJ(2)` it is 2.

    The number of coefficients is the term's, so that a single number is the concentration.
    """
    if isinstance(prior, int | float):
        return float(prior)
    given = getattr(prior, "concentration", None)
    if type(prior).__name__ not in ("LKJ", "LKJCholesky") or given is None or np.ndim(given):
        raise ModelError("correlations have the prior ft.LKJ(concentration), such as ft.LKJ(2)")
    return float(given) if float(given) != 1.0 else float(prior.dimension)


def _spreads(writing: Writing, label: str, columns: list[Varying]) -> list[Distribution]:
    """Return the prior of each coefficient's standard deviation over the groups."""
    return [
        writing.prior(
            families.HalfNormal(rounded(WIDE * v.spread)),
            f"sd[{label}][{v.label}]", f"sd[{label}]", "sd",
        )
        for v in columns
    ]  # fmt: skip
