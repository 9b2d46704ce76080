"""Write the parameters of a family: each by its predictor where it has one, else as a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from finetti.errors import ModelError
from finetti.formulas.families import INVERSES, Family, Term
from finetti.formulas.faults import sound
from finetti.formulas.outcome import number, numbers
from finetti.formulas.predictor import write_predictor
from finetti.formulas.priors import fitting, written
from finetti.formulas.script import literal
from finetti.formulas.text import Call, Formula
from finetti.formulas.writing import Writing


@dataclass(frozen=True)
class Component:
    """Hold which component of a mixture is written, and what its mean's intercept is.

    `start` is True for one of its own, False for none, or what stands for it.
    """

    number: str
    start: bool | str = True


def parameters(
    writing: Writing,
    main: Formula,
    family: Family,
    extras: Mapping[str, Formula],
    first: Term | None = None,
    of: Component | None = None,
) -> dict[str, Term]:
    """Write the parameters of a family, or of a component of a mixture, and return their terms.

    `first` is that of the mean where it is written already.
    """
    if "se" in main.additions and family.name not in ("gaussian", "student"):
        raise ModelError("se(...) says the errors of normal or Student outcomes")
    script, number = writing.script, "" if of is None else of.number
    (mean, link), *others = family.links.items()
    if first is None:
        name = f"{mean}{number}" if number else "eta" if link != "identity" else "mean"
        first = _mean(writing, main, name, link, not family.thresholds if of is None else of.start)
    terms = {mean: first}
    for plain, link in others:
        parameter = f"{plain}{number}"
        if parameter in extras:
            own = replace(
                writing,
                prefix=f"{writing.base}{parameter}_",
                level=float(np.log(writing.spread)) if plain == "sigma" else 0.0,
                spread=1.0,
            )
            name = script.identifier(parameter)
            predictor = write_predictor(own, extras[parameter].predictor)
            script.say(f"{name} = {INVERSES[link].format(predictor)}")
            terms[plain] = Term(name, "identity")
        elif plain == "sigma" and "se" in main.additions and not _keeps(main.additions["se"]):
            terms[plain] = Term(_error(writing, main.additions["se"]), "identity")
        else:
            name = script.identifier(f"{writing.base}{parameter}")
            site = literal(script.name(f"{writing.base}{parameter}"))
            names = (f"{writing.base}{parameter}", f"{writing.base}{plain}")
            default = family.priors[plain](writing.spread)
            prior = fitting(writing.priors.get(default, *names), default, names[0])
            script.say(f"{name} = ft.sample({site}, {written([prior], script)})")
            terms[plain] = Term(name, "identity")
    if "se" in main.additions and _keeps(main.additions["se"]):
        both = (
            f"jnp.sqrt({terms['sigma'].value} ** 2 + {_error(writing, main.additions['se'])} ** 2)"
        )
        terms["sigma"] = Term(both, "identity")
    return terms


def _mean(writing: Writing, main: Formula, name: str, link: str, intercept: bool | str) -> Term:
    predictor = write_predictor(writing, main.predictor, intercept)
    predictor = _with_rate(writing, predictor, main.additions, link)
    found = writing.script.identifier(name)
    writing.script.say(f"{found} = {predictor}")
    return Term(found, link)


def _error(writing: Writing, call: Call) -> str:
    """Return the argument of errors that are known: y | se(error)."""
    make, columns = numbers(call.arguments[0], writing.frame)
    make = sound(make, str(call), 0.0, strictly=not _keeps(call))
    make(writing.frame)
    return writing.script.argument(call.arguments[0], make, set(columns))


def _with_rate(writing: Writing, predictor: str, additions: Mapping[str, Call], link: str) -> str:
    """Add the log of what a rate is of: y | rate(time)."""
    if "rate" not in additions:
        return predictor
    call = additions["rate"]
    if link != "log":
        raise ModelError(f"{call} divides what the log of is linear: take a family with that link")
    make, columns = number(call.arguments[0], writing.frame)
    make = sound(make, str(call), 0.0, strictly=True)
    make(writing.frame)
    name = writing.script.argument("log_rate", lambda f: np.log(make(f)), set(columns))
    return f"{predictor} + {name}"


def _keeps(call: Call) -> bool:
    return call.truth("sigma")
