"""Draw how one Metropolis sampler fares on a simple regression and on Eight Schools."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arviz_stats.base import array_stats
from look import CHAINS, GREY, INK, SMALL, WASH, sheet
from schools import CENTRED

import finetti as ft
from finetti.dialects.pymc2 import geweke

LAGS = 100
TABLE = Path(__file__).parents[1] / "radon.csv"


@ft.model
def regression(upstairs):
    """State the log radon of homes of one county as a line in the floor it was measured on."""
    level = ft.sample("level", ft.Normal(0, 5))
    slope = ft.sample("slope", ft.Normal(0, 5))
    spread = ft.sample("spread", ft.HalfNormal(5))
    with ft.plate("home", len(upstairs)):
        ft.sample("log_radon", ft.Normal(level + slope * upstairs, spread))


def homes(county: str = "HENNEPIN") -> ft.Model:
    """Return the regression with the homes of a county."""
    with TABLE.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["county"].upper() == county]
    upstairs, log_radon = (np.array([float(r[c]) for r in rows]) for c in ("floor", "log_radon"))
    return regression(upstairs=upstairs).condition(log_radon=log_radon)


@dataclass(frozen=True)
class Run:
    """Hold one run: its title, the quantity shown, and its draws of shape (chain, draw)."""

    title: str
    quantity: str
    posterior: ft.Posterior
    draws: np.ndarray

    @property
    def unit(self) -> str:
        """Return the quantity shown with its unit."""
        return f"{self.quantity} ({'log pCi/L' if self.quantity == 'slope' else 'τ in points'})"

    @property
    def rhat(self) -> float:
        """Return R-hat of the quantity shown."""
        return float(array_stats.rhat(self.draws, chain_axis=0, draw_axis=1))

    @property
    def ess(self) -> float:
        """Return the bulk effective sample size of the quantity shown."""
        return float(array_stats.ess(self.draws, chain_axis=0, draw_axis=1, method="bulk"))

    @property
    def autocorrelation(self) -> np.ndarray:
        """Return the autocorrelation of each chain, shape (chain, lag)."""
        return np.asarray(array_stats.autocorr(self.draws, axis=1))[:, :LAGS]

    @property
    def geweke(self) -> np.ndarray:
        """Return Geweke's starts and scores, shape (chain, interval, 2)."""
        return np.array([geweke(chain) for chain in self.draws])


def main(out: Path = Path("runs/gallery"), draws: int = 5000) -> list[Run]:
    """Run the sampler three times, print the numbers, and draw the picture under `out`."""
    method = ft.Metropolis(draws=draws, warmup=2000)
    line, schools, plan = homes(), CENTRED, CENTRED.plan()
    found = []
    for title, quantity, model, chosen in (
        ("Simple regression", "slope", line, line.plan().as_written()),
        ("Eight Schools as written", "log τ", schools, plan.as_written()),
        ("Eight Schools as planned", "log τ", schools, plan),
    ):
        posterior = ft.fit(model, method, plan=chosen, seed=1, progress=False)
        values = posterior["slope"] if quantity == "slope" else np.log(posterior["tau"])
        found.append(Run(title, quantity, posterior, values.values))
    for run in found:
        tell(run)
    with sheet(out / "gallery_convergence.png", 9.6, 6.6) as figure:
        panels = figure.subplots(3, 3, sharex="row", height_ratios=(1.2, 1, 1))
        for row in panels[1:]:
            for axes in row[1:]:
                axes.sharey(row[0])
        panels[0, 2].sharey(panels[0, 1])
        for column, run in zip(panels.T, found, strict=True):
            show(column, run)
        for name, axes in zip(("autocorrelation", "Geweke score"), panels[1:, 0], strict=True):
            axes.set_ylabel(name)
        figure.align_ylabels()
    return found


def tell(run: Run) -> None:
    """Print what the gallery's page quotes."""
    scores = np.abs(run.geweke[..., 1])
    print(
        f"{run.title}: {run.quantity} has R-hat {run.rhat:.3f}, ESS {run.ess:.0f} of "
        f"{run.draws.size}; |Geweke| > 2 in {(scores > 2).mean():.0%}, at most {scores.max():.1f}; "
        f"lowest {run.draws.min():.1f}; acceptance "
        f"{float(run.posterior.tree['sample_stats']['acceptance_rate'].mean()):.2f}"
    )
    print(run.posterior.advice())


def show(column: np.ndarray, run: Run) -> None:
    """Draw one run: its trace, its autocorrelation and its Geweke scores."""
    trace, autocorrelation, scores = column
    shown = np.arange(0, run.draws.shape[1], -(-run.draws.shape[1] // 500))
    for colour, chain, acf, pairs in zip(
        CHAINS, run.draws, run.autocorrelation, run.geweke, strict=True
    ):
        trace.plot(shown, chain[shown], color=colour, lw=0.6, alpha=0.8)
        autocorrelation.plot(acf, color=colour, lw=1.2)
        scores.plot(*pairs.T, "o", color=colour, ms=3, mew=0)
    trace.set(xlabel="draw", ylabel=run.unit)
    trace.set_title(f"{run.title}\n", pad=10)
    trace.text(0, 1.05, f"R-hat {run.rhat:.3f}, ESS {run.ess:,.0f} of {run.draws.size:,}",
               transform=trace.transAxes, color=GREY, fontsize=SMALL)  # fmt: skip
    autocorrelation.axhline(0, color=GREY, lw=0.8)
    autocorrelation.set(xlabel="lag (draws)", ylim=(-0.15, 1.03))
    scores.axhspan(-2, 2, color=WASH, lw=0)
    scores.axhline(0, color=INK, lw=0.8)
    scores.set_title("grey: two standard errors", color=GREY, fontsize=SMALL, loc="right", pad=2)
    scores.set(xlabel="start of the early part (draw)")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
