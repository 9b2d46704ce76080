"""Show the estimates: the table of parameters, the groups one under the other, the shrinkage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from finetti.errors import ModelError
from finetti.posterior import mode
from finetti.posterior.diagnose import RHAT_LIMIT
from finetti.posterior.digits import cells
from finetti.posterior.labels import brackets, is_hidden, is_own
from finetti.posterior.posterior import Posterior
from finetti.reporting.effects import own_estimates, shrinkage
from finetti.reporting.forest import forest
from finetti.reporting.page.blocks import Block, Cell, Grid, Picture, Section, Words
from finetti.reporting.page.vector import inline
from finetti.reporting.tables import sites

WHOLE = 250  # rows of one site that are all shown
EXTREMES = 10  # rows at either end of a larger site
FORESTS = 4
MEMBERS = 60  # in one picture
FEWEST = 2


def table(posterior: Posterior) -> Section:
    """Show every parameter; of sites with many members the extremes, and what they range over."""
    summary = posterior.summary()
    found, left = _chosen(summary)
    shown = summary.loc[found]
    texts = cells(shown)
    columns = [
        [
            Cell(text, float(value), bool(alarming))
            for text, value, alarming in zip(*column, strict=True)
        ]
        for column in texts.values()
    ]
    rows = [[Cell(name), *row] for name, row in zip(found, zip(*columns, strict=True), strict=True)]
    grid = Grid(("parameter", *texts), rows, "The posterior of each parameter", sortable=True)
    words = [Words(sentence) for sentence in left]
    if not mode.is_mode(posterior.tree):
        words.insert(0, Words(
            "Numbers stop at the first digit that twice the Monte Carlo standard error reaches. "
            "ESS is the number of independent draws that the draws are worth, for the middle and "
            "for the tails; R-hat is 1 where the chains agree."
        ))  # fmt: skip
    return Section("parameters", "The parameters", (*words, grid))


def _chosen(summary: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the rows to show, small sites first, and what to say of those left out."""
    found, left = [], []
    middle = "mean" if "mean" in summary else "mode"
    for site, rows in sorted(sites(summary).items(), key=lambda item: len(item[1])):
        if len(rows) <= WHOLE:
            found += rows
            continue
        part = summary.loc[rows]
        ranked = part[middle].sort_values(kind="stable").index
        keep = [*ranked[:EXTREMES], *ranked[-EXTREMES:]]
        if "r_hat" in part:
            keep += list(part["r_hat"].sort_values(kind="stable").index[-EXTREMES:])
        found += list(dict.fromkeys(keep))
        said = f"Of the {len(rows):,} members of {site} the table has the {EXTREMES} lowest"
        said += f", the {EXTREMES} highest" + (
            f" and the {EXTREMES} of largest R-hat; of all, R-hat is at most "
            f"{part['r_hat'].max():.3f} and ESS at least {part['ess_bulk'].min():,}"
            if "r_hat" in part
            else ""
        )
        left.append(f"{said}.")
    return found, left


def groups(posterior: Posterior) -> Section | None:
    """Draw the members of each plate's sites."""
    names = list(_grouped(posterior))
    blocks: list[Block] = []
    apart = {name: _apart(posterior, name) for name in dict.fromkeys(n for n, _ in names[:FORESTS])}
    for name, term in names[:FORESTS]:
        count = posterior[name].shape[2]
        of = name if term is None else f"{name}, their {term}"
        words = f"Posterior means and intervals of the {count:,} members of {of}, highest first."
        blocks.append(Picture(inline(forest(posterior, name, MEMBERS, term), words), words))
        if (own := apart[name]) is not None:
            blocks.append(_shrinkage(posterior, name, term, own))
    if len(names) > FORESTS:
        rest = ", ".join(dict.fromkeys(name for name, _ in names[FORESTS:]))
        blocks.append(Words(f"Not drawn: {rest}; plots.forest(posterior, name) draws one."))
    return Section("groups", "The groups", tuple(blocks)) if blocks else None


def _apart(posterior: Posterior, name: str) -> np.ndarray | None:
    """Return each member's own estimate, of all its terms; None where there is none."""
    try:
        return own_estimates(posterior, name)
    except ModelError:
        return None


def _shrinkage(posterior: Posterior, name: str, term: str | None, apart: np.ndarray) -> Picture:
    """Draw how far the hierarchy moved each member's own estimate."""
    of = name if term is None else f"{name}, its {term}"
    words = (
        f"How far the hierarchy moved each member of {of}: from its own estimate, which its "
        f"observations alone favour with all else at its posterior mean, to the partially pooled."
    )
    figure = shrinkage(posterior, name, apart, most=MEMBERS, term=term)
    return Picture(inline(figure, words), words)


def _grouped(posterior: Posterior) -> Iterator[tuple[str, str | None]]:
    """Name the sites of one plate, each with the terms that its members have, if they have several.

    Sites as long as the data are left out, and those that stand in no plate where others do.
    """
    rows = _row_dimensions(posterior)
    draws = posterior.tree["posterior"].dataset
    found: list[tuple[str, str | None, bool]] = []
    for name in posterior.names:
        array = draws[name]
        groups = brackets(array.dims[2:], array.coords)
        if is_hidden(name) or array.ndim < 3 or len(groups[0]) != 1 or array.shape[2] < FEWEST:
            continue
        own = is_own(array.dims[2], array.coords)
        if array.dims[2] in rows or (array.ndim == 4 and len(groups) != 2) or array.ndim > 4:
            continue
        terms = [None] if array.ndim == 3 else map(str, array[array.dims[3]].to_numpy())
        found += [(name, term, own) for term in terms]
    apart = [(name, term) for name, term, own in found if not own]
    yield from apart or [(name, term) for name, term, _ in found]


def _row_dimensions(posterior: Posterior) -> set[str]:
    """Name the dimensions that only observations and what is computed for each of them have."""
    model = posterior.model
    if model is None:
        return set()
    latent = {d for v in model.variables if v.kind == "latent" for d in v.dims}
    observed = {d for v in model.variables if v.kind == "observed" for d in v.dims}
    return observed - latent


def worst(posterior: Posterior, most: int) -> list[str]:
    """Name rows of the summary to look at: single numbers first, then those that mixed worst."""
    summary = posterior.summary()
    by_site = sites(summary)
    single = [rows[0] for rows in by_site.values() if len(rows) == 1]
    moving = [row for row in single if summary.loc[row, "sd"] > 0]
    others = summary.drop(index=single)
    others = others[others["sd"] > 0]
    rhat = np.asarray(others["r_hat"], float)
    ranked = list(others.index[np.argsort(-np.nan_to_num(rhat, nan=RHAT_LIMIT), kind="stable")])
    return [*moving, *ranked][:most]
