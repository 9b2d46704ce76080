"""Draw separate, pooled and partially pooled answers, and shrinkage for tau from 0 to infinity."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from look import BLUE, GREY, INK, SKY, SMALL, VERMILION, WASH, sheet, spread_labels
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from schools import EFFECT, ERROR, SCHOOLS

import finetti as ft

QUANTITY = "effect of coaching (points)"
TAUS = np.r_[np.geomspace(1e-3, 1, 20)[:-1], np.geomspace(1, 100, 60), np.geomspace(100, 1e5, 12)]
HALFWAY = 8.0  # the tau drawn in the middle between 0 and infinity


@ft.model
def hierarchical(sigma):
    """State eight schools with data and two without, with flat priors as in BDA3, section 5.5."""
    mu = ft.sample("mu", ft.Flat())
    tau = ft.sample("tau", ft.HalfFlat())
    with ft.plate("school", [*SCHOOLS, "I", "J"]):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("measured", SCHOOLS):
        ft.sample("y", ft.Normal(theta[:8], sigma))


@ft.model
def side_by_side(tau, sigma):
    """State the eight schools once for each of many given values of tau."""
    with ft.plate("given", len(tau)):
        mu = ft.sample("mu", ft.Flat())
        with ft.plate("school", SCHOOLS):
            theta = ft.sample("theta", ft.Normal(mu[:, None], tau[:, None]))
            ft.sample("y", ft.Normal(theta, sigma))


@ft.model
def one_effect(sigma):
    """State that all schools have the same effect."""
    common = ft.sample("common", ft.Flat())
    with ft.plate("school", SCHOOLS):
        ft.sample("y", ft.Normal(common, sigma))


OBSERVED = hierarchical(sigma=ERROR).condition(y=EFFECT)


@dataclass(frozen=True)
class Pooling:
    """Hold the draws of the hierarchical model, the pooled answer, and what follows given tau.

    `mean` and `sd` have shape (tau, school), `density` (tau,): the posterior density of tau.
    """

    posterior: ft.Posterior
    pooled: tuple[float, float]
    mean: np.ndarray
    sd: np.ndarray
    density: np.ndarray


def given_tau(taus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the posterior means and sds of the effects given tau, shapes (tau, school).

    Given tau all is Gaussian: the mode is the mean, and its standard error the posterior's sd.
    """
    copies = side_by_side(tau=taus, sigma=ERROR).condition(y=np.tile(EFFECT, (len(taus), 1)))
    table = ft.fit(copies, ft.MAP(starts=1), progress=False).summary(["theta"])
    shape = len(taus), len(SCHOOLS)
    return table["mode"].to_numpy().reshape(shape), table["standard_error"].to_numpy().reshape(
        shape
    )


def density_of_tau(taus: np.ndarray) -> np.ndarray:
    """Return the posterior density of tau (a point) at each value, mu and theta integrated out."""
    planned = ft.density(OBSERVED, OBSERVED.plan())  # a function of log tau alone
    with jax.enable_x64(True):
        log = np.asarray(jax.jit(jax.vmap(planned.log_density))(np.log(taus)[:, None]))
    density = np.exp(log - log.max()) / taus  # from the density of log tau to that of tau
    return density / np.trapezoid(density, taus)


def main(out: Path = Path("runs/gallery"), draws: int = 5000) -> Pooling:
    """Compute, print the numbers, and draw the two pictures under `out`."""
    common = ft.fit(one_effect(sigma=ERROR).condition(y=EFFECT), ft.MAP(), progress=False)
    row = common.summary().loc["common"]
    posterior = ft.fit(OBSERVED, ft.NUTS(draws=draws), seed=1, progress=False)
    found = Pooling(
        posterior, (row["mode"], row["standard_error"]), *given_tau(TAUS), density_of_tau(TAUS)
    )
    tell(found)
    with sheet(out / "gallery_pooling.png", 9.6, 3.55) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.1, 1, 1))
        three_answers(left, found)
        pairs(middle, found, ("I", "J"), "Two schools without data")
        pairs(right, found, ("A", "C"), "Two schools with data")
    with sheet(out / "gallery_shrinkage.png", 7.2, 7.6) as figure:
        shrinkage(figure, found)
    return found


def tell(found: Pooling) -> None:
    """Print what the gallery's page quotes."""
    theta, tau = found.posterior["theta"], found.posterior["tau"].values
    print(f"pooled: {found.pooled[0]:.2f} ± {found.pooled[1]:.2f}")
    print(found.posterior.summary()[["mean", "sd", "mcse_mean", "r_hat", "ess_bulk"]].round(3))
    print(f"tau: median {np.median(tau):.2f}, 89% {np.quantile(tau, [0.055, 0.945]).round(1)}")
    for one, other in (("I", "J"), ("A", "C")):
        x, y = (theta.sel(school=name).values for name in (one, other))
        print(f"P(theta_{one} > theta_{other}) = {(x > y).mean():.3f}, "
              f"rank correlation {rank_correlation(x, y):.2f}")  # fmt: skip
    for tau in (0.001, 5, 20, 1e5):
        i = np.abs(TAUS - tau).argmin()
        print(f"given tau = {TAUS[i]:.3g}: E {found.mean[i].round(2)}, sd {found.sd[i].round(2)}")


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's correlation of two arrays of draws."""
    ranks = [a.ravel().argsort().argsort() for a in (x, y)]
    return float(np.corrcoef(ranks)[0, 1])


def three_answers(axes: Axes, found: Pooling) -> None:
    """Draw the separate, the pooled and the hierarchical answer for each school."""
    y, (pooled, error) = np.arange(len(SCHOOLS)), found.pooled
    theta = found.posterior["theta"].values[..., :8].reshape(-1, 8)
    axes.axvspan(pooled - error, pooled + error, color=WASH, lw=0, label="pooled ± one s.e.")
    axes.axvline(pooled, color=INK, lw=1, ls=(0, (4, 3)))
    axes.hlines(y - 0.15, EFFECT - ERROR, EFFECT + ERROR, color=VERMILION, lw=1.3)
    axes.plot(EFFECT, y - 0.15, "o", color="white", mec=VERMILION, mew=1.3, ms=5.5,
              label="separate ± one s.e.")  # fmt: skip
    mean, sd = theta.mean(0), theta.std(0)
    axes.hlines(y + 0.15, mean - sd, mean + sd, color=SKY, lw=3.5)
    axes.plot(mean, y + 0.15, "o", color=BLUE, ms=5.5, label="hierarchical ± one sd")
    axes.set_yticks(y, SCHOOLS)
    axes.set(ylim=(7.6, -0.6), xlabel=QUANTITY, ylabel="school", title="Three answers")
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)


def pairs(axes: Axes, found: Pooling, names: tuple[str, str], title: str) -> None:
    """Draw joint posterior draws of two effects with the diagonal, and who is ahead how often."""
    x, y = (found.posterior["theta"].sel(school=n).values.ravel() for n in names)
    shown = np.linspace(0, len(x) - 1, min(len(x), 1500)).astype(int)
    axes.plot([-40, 60], [-40, 60], color=INK, lw=1, ls=(0, (4, 3)))
    axes.plot(x[shown], y[shown], ".", color=BLUE, ms=3.5, alpha=0.45, mew=0)
    ahead = (x > y).mean()
    plain = {"fontsize": SMALL, "transform": axes.transAxes}
    plain["bbox"] = {"fc": "white", "ec": "none", "pad": 1.5, "alpha": 0.85}
    axes.text(0.97, 0.04, f"{names[0]} ahead: {ahead:.0%}", ha="right", **plain)
    axes.text(0.04, 0.96, f"{names[1]} ahead: {1 - ahead:.0%}", va="top", **plain)
    axes.set(xlim=(-25, 40), ylim=(-25, 40), title=title, box_aspect=1)
    axes.set(xlabel=f"effect in {names[0]} (points)", ylabel=f"effect in {names[1]} (points)")


def place(tau: np.ndarray) -> np.ndarray:
    """Return where tau lies on an axis from 0, at 0, to infinity, at 1."""
    return 1 / (1 + HALFWAY / np.maximum(tau, 1e-300))


def shrinkage(figure: Figure, found: Pooling) -> None:
    """Draw the posterior of tau above the effects' means and sds given tau."""
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(1, 2.2, 1.8))
    x = place(TAUS)
    stretch = HALFWAY / (TAUS + HALFWAY) ** 2  # of the axis, so that area is probability
    top.fill_between(x, found.density / stretch, color=SKY, lw=0)
    top.plot(x, found.density / stretch, color=BLUE, lw=1.4)
    top.set(ylim=(0, None), yticks=[], ylabel="density")
    top.set_title("The posterior of τ: its median dashed, its middle half grey")
    middle.plot(x, found.mean, color=BLUE, lw=1.4)
    spread_labels(middle, 1, EFFECT.tolist(), SCHOOLS, gap=1.7)
    middle.set(ylabel="mean effect given τ\n(points)", title="From one estimate to eight")
    bottom.plot(x, found.sd, color=BLUE, lw=1.4)
    spread_labels(bottom, 1, ERROR.tolist(), SCHOOLS, gap=1.3)
    bottom.set(ylim=(0, 19.5), yticks=[0, 5, 10, 15], ylabel="sd of effect given τ\n(points)")
    bottom.set_title("From the pooled standard error to each school's own")
    quartiles = place(np.quantile(found.posterior["tau"].values, [0.25, 0.5, 0.75]))
    for axes in (top, middle, bottom):
        axes.axvspan(quartiles[0], quartiles[2], color=WASH, lw=0, zorder=0)
        axes.axvline(quartiles[1], color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
        axes.tick_params(labelbottom=axes is bottom)
    words = {"color": GREY, "fontsize": SMALL, "ha": "left"}
    middle.text(0.01, found.pooled[0] + 0.8, f"pooled: {found.pooled[0]:.1f}", **words)
    bottom.text(0.01, found.pooled[1] - 1.6, f"pooled: {found.pooled[1]:.1f}", **words)
    figure.align_ylabels()
    ticks = np.array([0, 1, 2, 5, 10, 20, 50, np.inf])
    bottom.set_xticks(place(ticks), ["0", "1", "2", "5", "10", "20", "50", "∞"])
    bottom.set(xlim=(0, 1), xlabel="τ, the spread between schools (points)")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
