"""Show what the model would predict, before and after the data, and what its priors weigh."""

from __future__ import annotations

import numpy as np

from finetti.criticism.checking.check import check
from finetti.criticism.leaving_out.loo import loo
from finetti.criticism.predicting.prior import prior_of
from finetti.criticism.sensitivity import LIMIT, sensitivity
from finetti.errors import SeedError
from finetti.models import Model
from finetti.posterior import mode
from finetti.posterior.labels import dotted
from finetti.posterior.posterior import Posterior
from finetti.reporting.checks import checks
from finetti.reporting.page.blocks import Block, Cell, Grid, Note, Picture, Section, Words
from finetti.reporting.page.vector import inline
from finetti.reporting.priors import PANELS, prior_posterior

DRAWS = 1000  # of the posterior, for the predictive checks
LOWEST = 8  # observations named
OUTCOMES = 30


def learned(posterior: Posterior) -> Section | None:
    """Draw prior against posterior of the single parameters."""
    model = _criticised(posterior)
    if model is None:
        return None
    names = [
        v.name
        for v in model.variables
        if v.kind == "latent"
        and not v.shape
        and not v.discrete
        and dotted(v.name) in posterior.names
    ][:PANELS]
    if not names:
        return None
    title = "What the data taught"
    try:
        before = prior_of(model, names, draws=4000)
    except SeedError as error:
        return Section("learned", title, (Words(f"Not drawn: {error}"),))
    picture = prior_posterior(
        before,
        {n: posterior[n].to_numpy() for n in names},
    )
    words = f"Prior (grey) and posterior (blue) of {', '.join(names)}."
    return Section("learned", title, (Picture(inline(picture, words), words),))


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
    words = f"{words}; p is the share of replicates above the data."
    blocks.append(Picture(inline(checks(found, across=2), words), words))
    return Section("predictive", "Would it predict such data?", tuple(blocks))


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
