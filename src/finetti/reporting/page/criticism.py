"""Show what the model would predict, before and after the data, and what its priors weigh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import TypeVar

import numpy as np

from finetti.criticism.checking.check import check
from finetti.criticism.checking.checked import Check, Outcome
from finetti.criticism.checking.pit import LooPit
from finetti.criticism.leaving_out.loo import loo
from finetti.criticism.predicting.prior import prior_of
from finetti.criticism.sensitivity import LIMIT, sensitivity
from finetti.errors import SeedError
from finetti.models import Model
from finetti.posterior import mode
from finetti.posterior.labels import dotted, is_hidden
from finetti.posterior.posterior import Posterior
from finetti.posterior.scalars import each
from finetti.reporting.checks import checks, panel_name, panels_of
from finetti.reporting.page.blocks import Block, Cell, Grid, Note, Picture, Section, Words
from finetti.reporting.page.vector import WIDTH, inline
from finetti.reporting.priors import PANELS, prior_posterior
from finetti.structure.variables import Variable

T = TypeVar("T")

DRAWS = 1000  # of the posterior, for the predictive checks
LOWEST = 8  # observations named
OUTCOMES = 30
FEW = 6  # numbers of a parameter that has no plate
PART = 4  # panels of one picture


def learned(posterior: Posterior) -> Section | None:
    """Draw prior against posterior of the parameters that no plate has."""
    model = _criticised(posterior)
    if model is None:
        return None
    names = [v.name for v in model.variables if _single(v) and dotted(v.name) in posterior.names]
    if not names:
        return None
    title = "What the data taught"
    try:
        drawn = prior_of(model, names, draws=4000)
    except SeedError as error:
        return Section("learned", title, (Words(f"Not drawn: {error}"),))
    before, after = {}, {}
    for name in names:
        members = dict(each(posterior[name].rename(name)))
        columns = drawn[name].reshape(-1, len(members)).T
        before |= zip(members, columns, strict=True)
        after |= {label: draws for label, draws in members.items() if np.ptp(draws) > 0}
    pictures = []
    for labels in _in_parts(list(after)[:PANELS]):
        words = f"Prior (grey) and posterior (blue) of {', '.join(labels)}."
        picture = prior_posterior(before, {label: after[label] for label in labels}, WIDTH)
        pictures.append(Picture(inline(picture, words), words))
    return Section("learned", title, tuple(pictures))


def _single(v: Variable) -> bool:
    """Tell whether a parameter is one number, or few that belong to no plate and are not hidden."""
    few = not v.plates and prod(v.shape) <= FEW
    return (
        v.kind in ("latent", "deterministic") and few and not v.discrete and not is_hidden(v.name)
    )


def _in_parts(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield as many panels as one picture has: where there is room, pictures stand in a row."""
    for start in range(0, len(things), PART):
        yield things[start : start + PART]


def predictive(posterior: Posterior) -> Section | None:
    """Compare the data with data that the posterior predicts."""
    if _criticised(posterior) is None:
        return None
    found = check(posterior, draws=DRAWS)
    blocks: list[Block] = [Note(sentence, "warn") for sentence in found.failures]
    if found.passed:
        blocks.append(Note(found.sentences().partition("\n")[0].removeprefix("- "), "good"))
    blocks += [Words(f"{note[:1].upper()}{note[1:]}.") for note in found.notes]
    rows = [
        [
            Cell(o.name),
            _number(float(np.mean(o.observed))),
            _number(o.interval[0]),
            _number(o.interval[1]),
            Cell(f"{o.p:.3f}", float(o.p), bool(o.fails)),
            Cell(f"{o.p_low:.3f} to {o.p_high:.3f}", float(o.p_low)),
        ]
        for o in found.shown(OUTCOMES)
    ]
    heads = ("quantity", "data", "replicated from", "to (89%)", "p", "p within")
    words = "Test quantities of the data among those of replicated data sets"
    blocks.append(Grid(heads, rows, words))
    for panels in _in_parts(panels_of(found)):
        part = replace(
            found,
            outcomes=tuple(panel for panel in panels if isinstance(panel, Outcome)),
            pits=tuple(panel for panel in panels if isinstance(panel, LooPit)),
        )
        words = _caption(part)
        blocks.append(Picture(inline(checks(part, across=2, width=WIDTH), words), words))
    return Section("predictive", "Would it predict such data?", tuple(blocks))


def _caption(found: Check) -> str:
    """Say what the panels of a picture show."""
    said = []
    if found.outcomes:
        shown = ", ".join(f"{panel_name(o)} (p = {o.p:.3f})" for o in found.outcomes)
        said.append(f"Replicates and data: {shown}; p is the share of replicates above the data.")
    if found.pits:
        shown = ", ".join(f"{panel_name(pit)} (p = {pit.p:.3f})" for pit in found.pits)
        said.append(f"{shown}: calibrated predictions keep the line within the band.")
    return " ".join(said)


def held_out(posterior: Posterior) -> Section | None:
    """Score each observation as predicted from the others."""
    model = _criticised(posterior)
    if model is None:
        return None
    blocks: list[Block] = []
    for v in (v for v in model.variables if v.kind == "observed"):
        scores = loo(posterior, v.name, refits=0)
        head, *notes = str(scores).splitlines()
        blocks.append(Words(f"{head}."))
        blocks += [Note(note, "warn") for note in notes]
        values, k = scores.pointwise, scores.scores["pareto_k"].to_numpy().ravel()
        labels = scores.labels
        rows = [
            [
                Cell(labels[i]),
                _number(float(values[i])),
                Cell(f"{k[i]:.2f}", float(k[i]), bool(k[i] > scores.good_k)),
            ]
            for i in np.argsort(values)[:LOWEST]
        ]
        heads = (v.name, "log density", "k-hat")
        blocks.append(Grid(heads, rows, f"The observations of {v.name} that are predicted worst"))
    return Section("held-out", "Each observation from the others", tuple(blocks))


def sensitive(posterior: Posterior) -> Section | None:
    """Say how far the answers hang on the priors."""
    if _criticised(posterior) is None:
        return None
    found = sensitivity(posterior)
    tone = "warn" if found.conflicts or found.weak else "good"
    notes = [Note(sentence, tone) for sentence in found.sentences()]
    columns = [str(c) for c in found.table.columns][:2]
    rows = [
        [Cell(str(name)), *(Cell(f"{x:.2f}", float(x), bool(x >= LIMIT and c == columns[0]))
                            for c, x in zip(columns, line, strict=True))]
        for name, line in zip(found.table.index, found.table[columns].to_numpy(), strict=True)
    ]  # fmt: skip
    heads = ("variable", "to its priors", "to the likelihood")
    words = f"How fast each posterior moves when priors or likelihood weigh more; {LIMIT} is much"
    return Section("sensitivity", "What hangs on the priors", (*notes, Grid(heads, rows, words)))


def _criticised(posterior: Posterior) -> Model | None:
    """Return the model of a run that can be criticised: one with draws and data."""
    model = posterior.model
    if model is None or mode.is_mode(posterior.tree):
        return None
    return model if any(v.kind == "observed" for v in model.variables) else None


def _number(value: float) -> Cell:
    return Cell(f"{value:.4g}", float(value))
