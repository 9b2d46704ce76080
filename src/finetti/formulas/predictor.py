"""Write a linear predictor as code: intercept, coefficients, groups' effects and special terms."""

from __future__ import annotations

import numpy as np

import finetti.distributions as families
from finetti.distributions import Distribution
from finetti.formulas.advice import advise_terms
from finetti.formulas.design import Block, Linear, linear
from finetti.formulas.effects import write_groups
from finetti.formulas.script import literal
from finetti.formulas.special import write_special
from finetti.formulas.text import Predictor
from finetti.formulas.writing import WIDE, Writing, argument, pretty, rounded, state


def write_predictor(writing: Writing, predictor: Predictor, intercept: bool | str = True) -> str:
    """Write the statements of a predictor and return the expression of its sum.

    Without `intercept` it has none of its own, as where thresholds stand for it; text is what
    stands for it.
    """
    found = linear(predictor.linear, writing.frame, writing.script.renamed)
    parts = _coefficients(writing, found, intercept)
    parts += [write_special(writing, call) for call in predictor.special]
    parts += write_groups(writing, predictor.groups)
    return joined(parts) if parts else "0.0"


def joined(parts: list[str]) -> str:
    """Write a sum, over several lines where it is long."""
    line = " + ".join(parts)
    if len(line) < 80 or len(parts) < 2:
        return line
    inner = "\n        + ".join(parts)
    return f"(\n        {inner}\n    )"


def intercept_prior(writing: Writing, predictor: Predictor) -> Distribution | None:
    """Return the prior of a predictor's intercept, None where it has none."""
    found = linear(predictor.linear, writing.frame, writing.script.renamed)
    blocks = [(block, _priors(writing, block)) for block in found.blocks]
    return _intercept(writing, blocks) if found.intercept else None


def _coefficients(writing: Writing, found: Linear, intercept: bool | str) -> list[str]:
    parts = []
    advise_terms(writing.script, found)
    blocks = [(block, _priors(writing, block)) for block in found.blocks]
    if found.intercept and intercept is True:
        prior = _intercept(writing, blocks)
        parts.append(state(writing, f"{writing.prefix}Intercept", [prior]))
    elif found.intercept and intercept:
        parts.append(intercept)
    for block, priors in blocks:
        parts.append(_block(writing, block, priors))
    return parts


def _intercept(writing: Writing, blocks: list[tuple[Block, list[Distribution]]]) -> Distribution:
    """Return the intercept's prior, by default that of the mean at the middle of the predictors.

    The intercept itself is where they are 0, and its prior as much wider as that may be away.
    """
    away = sum(
        (float(vars(prior).get("scale", 0.0) or 0.0) * mean) ** 2
        for block, priors in blocks
        for prior, mean in zip(priors, map(writing.mean, block.matrix.T), strict=True)
        if np.ndim(vars(prior).get("scale", 0.0)) == 0
    )
    scale = float(np.sqrt((WIDE * writing.spread) ** 2 + away))
    name = f"{writing.prefix}Intercept"
    return writing.prior(families.Normal(rounded(writing.level), rounded(scale)), name, "Intercept")


def _priors(writing: Writing, block: Block) -> list[Distribution]:
    label = pretty(block.name)
    found = []
    for name, column in zip(block.names, block.matrix.T, strict=True):
        default = families.Normal(0.0, rounded(WIDE * writing.spread / writing.sd(column)))
        own = f"{writing.prefix}{pretty(name)}"
        found.append(writing.prior(default, own, f"{writing.prefix}{label}", "b"))
    return found


def _block(writing: Writing, block: Block, priors: list[Distribution]) -> str:
    script, label = writing.script, pretty(block.name)
    data = argument(writing, block)
    if block.labels is None:
        return f"{state(writing, writing.prefix + label, priors)} * {data}"
    dim = script.name(f"{writing.prefix}{label}_level")
    dims = f", dims={{{literal(dim)}: {literal(list(block.labels))}}}"
    return f"{data} @ {state(writing, writing.prefix + label, priors, dims)}"
