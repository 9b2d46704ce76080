"""Draw the funnel of Eight Schools as it is sampled centred, non-centred and as planned."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from look import BLUE, GREY, INK, SMALL, VERMILION, sheet
from matplotlib.axes import Axes
from schools import CENTRED, EFFECT, ERROR, NON_CENTRED, SCHOOLS

import finetti as ft

SCHOOL = "A"
LOG_TAU = np.linspace(-7, 5, 241)
THETA = np.linspace(-20, 40, 241)  # points


@dataclass(frozen=True)
class Run:
    """Hold one way to sample the model."""

    title: str
    posterior: ft.Posterior

    @property
    def diverging(self) -> np.ndarray:
        """Tell which draws diverged, shape (chain, draw)."""
        return self.posterior.tree["sample_stats"]["diverging"].values

    @property
    def gradients(self) -> int:
        """Return the number of gradients that the draws took."""
        return int(self.posterior.tree["sample_stats"]["n_steps"].sum())


def main(out: Path = Path("runs/gallery"), draws: int = 1000) -> list[Run]:
    """Fit the three, print the numbers, and draw the picture under `out`."""
    # The same settings for all three: by itself finetti takes smaller steps in few dimensions.
    method = ft.NUTS(draws=draws, thin=1, target_acceptance=0.8)
    found = [
        Run(title, ft.fit(model, method, plan=plan, seed=1, progress=False))
        for title, model, plan in (
            ("Centred, as written", CENTRED, CENTRED.plan().as_written()),
            ("Non-centred, as written", NON_CENTRED, NON_CENTRED.plan().as_written()),
            ("Centred, as planned", CENTRED, CENTRED.plan()),
        )
    ]
    for run in found:
        tell(run)
    exact = joint()
    with sheet(out / "gallery_funnel.png", 9.6, 4.0) as figure:
        for axes, run in zip(figure.subplots(1, 3, sharex=True, sharey=True), found, strict=True):
            show(axes, run, exact)
        figure.axes[0].set_ylabel("log τ (τ in points)")
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
            markerscale=1.4,
        )  # fmt: skip
    return found


def joint() -> np.ndarray:
    """Return the exact joint density of log tau and the school's effect, shape (log tau, theta).

    With mu and theta integrated out the density of log tau is finetti's own; given tau and
    mu's normal prior the effect is normal, with mean and variance in closed form.
    """
    planned = ft.density(CENTRED, CENTRED.plan())
    with jax.enable_x64(True):
        log = np.asarray(jax.jit(jax.vmap(planned.log_density))(LOG_TAU[:, None]))
    between = np.exp(2 * LOG_TAU)[:, None]
    precision = 1 / (ERROR**2 + between)  # (log tau, school)
    variance = 1 / (precision.sum(1) + 1 / 5**2)  # of mu given tau
    mu = (precision @ EFFECT) * variance
    i = SCHOOLS.index(SCHOOL)
    kept = ERROR[i] ** 2 * precision[:, i]  # how far the effect is drawn to mu
    mean = kept * mu + (1 - kept) * EFFECT[i]
    sd = np.sqrt((1 - kept) * ERROR[i] ** 2 + kept**2 * variance)
    z = (THETA - mean[:, None]) / sd[:, None]
    density = np.exp(log - log.max())[:, None] * np.exp(-0.5 * z**2) / sd[:, None]
    return density / density.sum()


def tell(run: Run) -> None:
    """Print what the gallery's page quotes."""
    row = run.posterior.summary(["tau"]).loc["tau"]
    print(
        f"{run.title}: {run.diverging.sum()} of {run.diverging.size} draws diverged; tau "
        f"{row['mean']:.2f} ± {row['mcse_mean']:.2f}, R-hat {row['r_hat']:.3f}, ESS "
        f"{row['ess_bulk']}; least log tau {np.log(run.posterior['tau'].values).min():.1f}; "
        f"{run.gradients} gradients"
    )
    print(run.posterior.advice())


def show(axes: Axes, run: Run, exact: np.ndarray) -> None:
    """Draw one run's draws, those that diverged, and the exact regions of highest density."""
    theta = run.posterior["theta"].sel(school=SCHOOL).values
    log_tau = np.log(run.posterior["tau"].values)
    ordered = np.sort(exact.ravel())[::-1]
    held = np.cumsum(ordered)
    levels = [ordered[np.searchsorted(held, share)] for share in (0.99, 0.9, 0.5)]
    axes.contour(THETA, LOG_TAU, exact, levels=levels, colors=INK, linewidths=0.7)
    axes.plot([], [], color=INK, lw=0.7, label="exact: 50%, 90%, 99% of the posterior")
    fine = ~run.diverging
    axes.plot(theta[fine], log_tau[fine], ".", color=BLUE, ms=3, mew=0, alpha=0.45, label="draw")
    axes.plot(theta[run.diverging], log_tau[run.diverging], "x", color=VERMILION, ms=4.5, mew=1.1,
              label="draw that diverged")  # fmt: skip
    ess = run.posterior.summary(["tau"])["ess_bulk"].item()
    words = f"{run.diverging.sum()} of {run.diverging.size:,} diverged\nESS of τ: {ess:,}"
    axes.text(0.97, 0.03, words, transform=axes.transAxes, ha="right", fontsize=SMALL, color=GREY)
    axes.set(xlim=(-15, 35), ylim=(-6.5, 4), title=run.title)
    axes.set_xlabel(f"effect of school {SCHOOL} (points)")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
