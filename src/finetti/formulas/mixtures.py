"""Read and write mixtures of families: mixture(gaussian, student), as brms has them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from finetti.errors import ModelError
from finetti.formulas import families
from finetti.formulas.families import Family, Term
from finetti.formulas.parameters import Component, parameters
from finetti.formulas.predictor import intercept_prior, write_predictor
from finetti.formulas.priors import written
from finetti.formulas.script import literal
from finetti.formulas.text import Formula, as_call
from finetti.formulas.writing import Writing

ALONE = ("ordered", "category", "counts of categories", "shares", "angles")


def mixture(text: Any, link: str | Mapping[str, str] | None = None) -> Family | None:
    """Return the family of a mixture, None for text that names another.

    `mixture(gaussian, student)` has components of these families, `mixture(poisson, nmix=3)` three
    of one. Their parameters are numbered: mu1, sigma1, mu2, theta1. Raises `ModelError` for
    families whose outcomes differ in kind.

    >>> list(mixture("mixture(poisson, nmix=2)").links)
    ['mu1', 'mu2', 'theta1', 'theta2']
    """
    call = as_call(text.strip()) if isinstance(text, str) else None
    if call is None or call.name != "mixture":
        return None
    times = call.named.get("nmix", "1")
    if set(call.named) - {"nmix"} or not times.isdigit() or int(times) < 1:
        raise ModelError(f"{call}: write mixture(gaussian, student), or mixture(gaussian, nmix=2)")
    parts = [families.family(name) for name in call.arguments] * int(times)
    if len(parts) < 2:
        raise ModelError(f"{call} has {len(parts)} components: a mixture has two or more")
    kinds = dict.fromkeys(part.kind for part in parts)
    if len(kinds) > 1:
        raise ModelError(f"{call} mixes outcomes of different kinds: {' and '.join(kinds)}")
    if parts[0].kind in ALONE:
        raise ModelError(f"{call}: outcomes that are {parts[0].kind} are not mixed")
    links = {f"{name}{i}": of for i, part in enumerate(parts, 1) for name, of in part.links.items()}
    links |= {f"theta{i}": "logit" for i in range(1, len(parts) + 1)}
    if isinstance(link, str):
        link = {f"mu{i}": link for i in range(1, len(parts) + 1)}
    whole = Family(
        str(call), parts[0].kind, links, lambda terms: "", trials=any(p.trials for p in parts),
        wide=all(p.wide for p in parts), components=tuple(parts),
    ).linked(link)  # fmt: skip
    mended = [
        replace(part, links={name: whole.links[f"{name}{i}"] for name in part.links})
        for i, part in enumerate(parts, 1)
    ]
    return replace(whole, components=tuple(mended))


def write_mixture(
    writing: Writing,
    main: Formula,
    family: Family,
    extras: Mapping[str, Formula],
    trials: Term | None,
) -> str:
    """Write the components, how likely each is, and the law of their mixture.

    Components of one family whose means have the same predictor would change places freely: their
    intercepts ascend, as draws of their one prior that are sorted.
    """
    script, made = writing.script, []
    owns = [
        replace(writing, prefix=f"{writing.prefix}mu{i}_", base=writing.prefix, shared=True)
        for i in range(1, len(family.components) + 1)
    ]
    starts = _ascending(owns, main, family, extras)
    for i, (own, part) in enumerate(zip(owns, family.components, strict=True), 1):
        formula = replace(main, predictor=extras.get(f"mu{i}", main).predictor)
        component = Component(str(i), starts[i - 1] if starts else True)
        terms = parameters(own, formula, part, extras, None, component)
        law = part.law({**terms, **({"trials": trials} if trials is not None else {})}, script)
        made.append(script.identifier(f"component{i}"))
        script.say(f"{made[-1]} = {law}")
    which = _which(writing, len(made), extras)
    return f"ft.MixtureGeneral({which}, [{', '.join(made)}])"


def _ascending(
    owns: list[Writing], main: Formula, family: Family, extras: Mapping[str, Formula]
) -> list[str]:
    """Write intercepts that ascend, and return what stands for each; nothing where none need to."""
    like = len({part.name for part in family.components}) == 1
    if not like or any(f"mu{i}" in extras for i in range(1, len(owns) + 1)):
        return []
    script = owns[0].script
    priors = [intercept_prior(own, main.predictor) for own in owns]
    if priors[0] is None:
        warnings.warn(
            f"the components of {family.name} have no intercept that could ascend, and may change "
            f"places from chain to chain: give them predictors, or priors, of their own",
            stacklevel=2,
        )
        return []
    if len({written([p], script) for p in priors if p is not None}) > 1:
        return []
    name, law = script.name(f"_{owns[0].base}Intercept"), written([priors[0]], script)
    found = script.identifier(f"{owns[0].base}Intercepts")
    script.say(f"{found} = ft.sample({literal(name)}, ft.Ordered({law}.expand([{len(owns)}])))")
    for i, own in enumerate(owns):
        site = literal(script.name(f"{own.prefix}Intercept"))
        script.say(f"ft.deterministic({site}, {found}[{i}])")
    return [f"{found}[{i}]" for i in range(len(owns))]


def _which(writing: Writing, count: int, extras: Mapping[str, Formula]) -> str:
    """Write how likely each component is: by predictors of all but one, or as shares of one."""
    script, named = writing.script, [f"theta{i}" for i in range(1, count + 1)]
    said = [name for name in named if name in extras]
    if said and len(said) != count - 1:
        raise ModelError(
            f"{' and '.join(said)} of {count} components have predictors: give all but one of "
            f"{', '.join(named)} their own, and that one is what they are compared with"
        )
    if said:
        logits = []
        for name in named:
            own = replace(writing, prefix=f"{writing.prefix}{name}_", level=0.0, spread=1.0)
            logits.append(write_predictor(own, extras[name].predictor) if name in said else "0.0")
        found = script.identifier("logits")
        script.say(f"{found} = jnp.stack(jnp.broadcast_arrays({', '.join(logits)}), -1)")
        return f"ft.Categorical(logits={found})"
    prior = writing.priors.get(None, f"{writing.prefix}theta", "theta")
    if prior is not None and (type(prior).__name__ != "Dirichlet" or prior.event_shape != (count,)):
        raise ModelError(
            f"the shares theta of {count} components have a prior such as ft.Dirichlet("
            f"{literal([1.0] * count)}), a number for each"
        )
    law = f"ft.Dirichlet(jnp.ones({count}))"
    law = law if prior is None else script.value("prior_theta", prior)
    found = script.identifier(f"{writing.prefix}theta")
    script.say(f"{found} = ft.sample({literal(script.name(f'_{writing.prefix}theta'))}, {law})")
    for i, name in enumerate(named):
        site = literal(script.name(f"{writing.prefix}{name}"))
        script.say(f"ft.deterministic({site}, {found}[{i}])")
    return f"ft.Categorical(probs={found})"
