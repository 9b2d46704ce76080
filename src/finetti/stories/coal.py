"""Tell in which year Britain's coal mines became safer, a discrete unknown that is summed out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from finetti.distributions import Categorical, Exponential, Poisson
from finetti.inference.fit import fit
from finetti.language.sites import plate, sample
from finetti.models import model
from finetti.posterior.posterior import Posterior
from finetti.reporting.drawing import BLUE, GREY, VERMILION, canvas, tidy
from finetti.stories.telling import close, console, head, tell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST = 1851
# Accidents with ten deaths and more, by year from 1851: Jarrett 1979, Biometrika 66(1), 191-193,
# as PyMC2's example counts them.
ACCIDENTS = np.array([
    4, 5, 4, 0, 1, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5,
    2, 2, 3, 4, 2, 1, 3, 2, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0, 1, 1, 1,
    0, 1, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 1, 1, 0, 2, 3, 3, 1, 1, 2, 1, 1, 1, 1, 2, 4, 2, 0, 0, 1, 4,
    0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1,
])  # fmt: skip


@model
def mines(accidents: np.ndarray) -> None:
    """State a rate before a year, and another from that year on."""
    years = len(accidents)
    year = sample("year", Categorical(probs=jnp.full(years, 1 / years)))
    before, after = sample("before", Exponential(1.0)), sample("after", Exponential(1.0))
    with plate("each", years):
        rate = jnp.where(jnp.arange(years) < year, before, after)
        sample("accidents", Poisson(rate), obs=accidents)


def main(out: Path = Path("runs/coal"), seed: int = 0) -> Posterior:
    """Fit the two rates and the year between them, tell, and draw it under `out`."""
    screen = console()
    head(screen, "Britain's coal mines")
    tell(
        screen,
        f"From {FIRST} to {FIRST + len(ACCIDENTS) - 1} there were {ACCIDENTS.sum()} accidents with "
        f"ten deaths or more: {ACCIDENTS[:40].mean():.1f} a year in the first forty years, "
        f"{ACCIDENTS[-40:].mean():.1f} in the last forty. When did it change?",
    )
    known = mines(ACCIDENTS)
    screen.print(f"\n{known.plan()}", markup=False, soft_wrap=True)
    posterior = fit(known, seed=seed, progress=screen.is_terminal)
    chance = posterior.probabilities("year").to_numpy().ravel()
    best = int(chance.argmax())
    tell(
        screen,
        f"Most likely in {FIRST + best} (probability {chance[best]:.2f}), and between "
        f"{FIRST + int((chance.cumsum() < 0.055).sum())} and "
        f"{FIRST + int((chance.cumsum() < 0.945).sum())} with 89%. A year is a whole number, along "
        f"which no gradient leads: the plan sums over all {len(chance)} of them, so that these "
        f"probabilities have no noise of a sampler that jumps from year to year.",
    )
    rates = [float(posterior[name].mean()) for name in ("before", "after")]
    tell(
        screen,
        f"Before it there were {rates[0]:.1f} accidents a year, after it {rates[1]:.1f}. Around "
        f"then the Coal Mines Regulation Act was passed (1887).",
    )
    tell(screen, f"Advice: {posterior.advice()}")
    figure = draw(posterior, chance)
    close(screen, figure, out / "coal.png", "accidents, their rate, and the year of the change")
    return posterior


def draw(posterior: Posterior, chance: np.ndarray) -> Figure:
    """Draw the accidents with their rate, and below how probable each year is."""
    years = FIRST + np.arange(len(ACCIDENTS))
    before, after = (posterior[name].to_numpy().ravel()[:, None] for name in ("before", "after"))
    later = np.r_[0.0, chance.cumsum()[:-1]] + chance  # P(the change was in or before each year)
    rate = before.mean() * (1 - later) + after.mean() * later
    with canvas(9.2, 4.2) as figure:
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        top.bar(years, ACCIDENTS, color=GREY, alpha=0.45, width=0.8, label="accidents")
        top.step(years, rate, where="mid", color=BLUE, lw=2, label="expected rate")
        top.set_ylabel("accidents a year")
        top.set_title("Accidents with ten deaths or more in Britain's coal mines")
        top.legend(loc="upper right")
        below.bar(years, chance, color=VERMILION, width=0.8)
        below.set(ylabel="probability", xlabel="year of the change")
        tidy(top)
        tidy(below)
    return figure
