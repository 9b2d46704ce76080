"""Draw how far HMC and Metropolis jump, what a draw costs, and where HMC is stuck."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from arviz_stats.base import array_stats
from look import BLUE, CHAINS, GREY, INK, PALE, SMALL, VERMILION, sheet
from matplotlib.axes import Axes
from schools import NON_CENTRED

import finetti as ft

APART = 4.0  # the modes lie at -4 and 4 in both coordinates
DIMENSIONS = (2, 16, 128)
COLOURS = {"HMC": BLUE, "Metropolis": VERMILION}


@ft.model
def two_modes(apart):
    """State a density with two normal modes of variance one, and nothing between them."""
    x, y = ft.sample("x", ft.Flat()), ft.sample("y", ft.Flat())

    def mode(centre):
        return -0.5 * ((x - centre) ** 2 + (y - centre) ** 2)

    ft.factor("modes", jnp.logaddexp(mode(-apart), mode(apart)))


@ft.model
def white(dimensions):
    """State independent standard normal coordinates."""
    with ft.plate("coordinate", dimensions):
        ft.sample("z", ft.Normal(0, 1))


@dataclass(frozen=True)
class Comparison:
    """Hold what the picture shows.

    `jumps` has the jumps of each method between consecutive draws, and `per_evaluation` the
    smallest effective sample size over the evaluations, a number for each of `dimensions`.
    """

    schools: dict[str, ft.Posterior]
    jumps: dict[str, np.ndarray]
    dimensions: tuple[int, ...]
    per_evaluation: dict[str, list[float]]
    two_modes: dict[str, ft.Posterior]
    seeds: list[Seed]


@dataclass(frozen=True)
class Seed:
    """Hold what HMC did on the two modes with one seed, and whether the advice said so."""

    shares: np.ndarray  # of each chain's draws around the upper mode
    crossings: int
    warned: bool

    @classmethod
    def of(cls, posterior: ft.Posterior) -> Seed:
        """Look at a run."""
        upper = (posterior["x"] + posterior["y"]).values > 0  # whose mode is the nearer
        warned = "chains disagree" in [finding.problem for finding in posterior.advice()]
        return cls(upper.mean(1), int((upper[:, 1:] != upper[:, :-1]).sum()), warned)

    @property
    def one_sided(self) -> bool:
        """Tell whether all chains were around the same mode."""
        return bool((self.shares == 0).all() or (self.shares == 1).all())


def methods(draws: int) -> dict[str, ft.HMC | ft.Metropolis]:
    """Return the two methods; Metropolis makes a draw with a tenth of the evaluations."""
    return {
        "HMC": ft.HMC(draws=draws, warmup=500, leapfrogs=10),
        "Metropolis": ft.Metropolis(draws=10 * draws, warmup=2000),
    }


def jumps(posterior: ft.Posterior) -> np.ndarray:
    """Return the root mean square change of a coordinate between draws, in posterior sds."""
    found = [posterior["mu"], np.log(posterior["tau"]), *posterior["eta"].transpose("school", ...)]
    draws = np.stack([np.asarray(d) for d in found], -1)  # (chain, draw, coordinate)
    steps = np.diff(draws, axis=1) / draws.std((0, 1))
    return np.sqrt(np.square(steps).mean(-1)).ravel()


def quarter_turn(dimensions: int, draws: int) -> ft.HMC:
    """Return HMC as it is best on a white target: a quarter of a turn, in steps of d^(-1/4).

    Whole turns come back to where they began. Beskos et al. 2013 give the steps' scaling.
    """
    leapfrogs = round(1.5 * dimensions**0.25)
    return ft.HMC(draws=draws, warmup=100, step_size=1.5 / leapfrogs, leapfrogs=leapfrogs)


def evaluations(posterior: ft.Posterior) -> int:
    """Return how often the draws took the density, or its gradient."""
    return int(posterior.tree["sample_stats"]["n_steps"].sum())


def efficiency(dimensions: int, method: ft.HMC | ft.Metropolis) -> float:
    """Return the ESS an evaluation on a white target, the mean of its first coordinates."""
    model = white(dimensions)
    posterior = ft.fit(model, method, plan=model.plan().as_written(), seed=1, progress=False)
    draws = posterior["z"].values[..., :8]
    each = [
        array_stats.ess(draws[..., i], chain_axis=0, draw_axis=1, method="bulk")
        for i in range(draws.shape[-1])
    ]
    return float(np.mean(each)) / evaluations(posterior)


def main(
    out: Path = Path("runs/gallery"),
    draws: int = 1000,
    dimensions: tuple[int, ...] = DIMENSIONS,
    seeds: int = 40,
) -> Comparison:
    """Run both methods on three targets, print the numbers, and draw the picture under `out`."""
    pair, as_written = methods(draws), NON_CENTRED.plan().as_written()
    schools = {
        name: ft.fit(NON_CENTRED, method, plan=as_written, seed=1, progress=False)
        for name, method in pair.items()
    }
    # A step given is kept, with the identity for metric: no luck of the warm-up carries HMC over.
    short = ft.HMC(draws=draws, warmup=200, step_size=0.3, leapfrogs=5)
    wide = ft.Metropolis(draws=40 * draws, warmup=2000, target_acceptance=0.05)
    target = two_modes(APART)
    runs = [ft.fit(target, short, seed=seed, progress=False) for seed in range(1, seeds + 1)]
    found = Comparison(
        schools,
        {name: jumps(posterior) for name, posterior in schools.items()},
        dimensions,
        {
            "HMC": [efficiency(d, quarter_turn(d, draws)) for d in dimensions],
            "Metropolis": [efficiency(d, pair["Metropolis"]) for d in dimensions],
        },
        {"HMC": runs[0], "Metropolis": ft.fit(target, wide, seed=1, progress=False)},
        [Seed.of(posterior) for posterior in runs],
    )
    tell(found)
    with sheet(out / "gallery_hmc_against_metropolis.png", 9.6, 6.4) as figure:
        (path, distance, cost), (plane, stuck, crossing) = figure.subplots(2, 3)
        paths(path, found)
        distances(distance, found)
        costs(cost, found)
        modes(plane, found.two_modes["HMC"])
        traces(stuck, found.two_modes["HMC"], "HMC stays where it starts")
        traces(crossing, found.two_modes["Metropolis"], "Metropolis with long steps")
    return found


def tell(found: Comparison) -> None:
    """Print what the gallery's page quotes."""
    for name, posterior in found.schools.items():
        stats, jump = posterior.tree["sample_stats"].dataset, found.jumps[name]
        ess = int(posterior.summary()["ess_bulk"].min())
        print(
            f"{name} on Eight Schools: jump {np.sqrt(np.square(jump).mean()):.2f} sd (root mean "
            f"square), stays in {(jump == 0).mean():.0%}, acceptance "
            f"{float(stats['acceptance_rate'].mean()):.2f}, least ESS {ess} of "
            f"{stats['lp'].size} draws, {1000 * ess / evaluations(posterior):.1f} for 1000 "
            f"evaluations"
        )
    for name, rates in found.per_evaluation.items():
        each = ", ".join(
            f"{1000 * r:.2f} (d = {d})" for d, r in zip(found.dimensions, rates, strict=True)
        )
        print(f"{name}: ESS for 1000 evaluations {each}")
    for name, posterior in found.two_modes.items():
        seen = Seed.of(posterior)
        print(
            f"{name} on two modes: share in the upper {seen.shares.round(2)}, crossings "
            f"{seen.crossings}, R-hat {posterior.summary()['r_hat'].max():.3f}, acceptance "
            f"{float(posterior.tree['sample_stats']['acceptance_rate'].mean()):.2f}"
        )
        print(posterior.advice())
    print(
        f"HMC with {len(found.seeds)} seeds: crossings {sum(s.crossings for s in found.seeds)}; "
        f"warned {sum(s.warned for s in found.seeds)} times; all chains around one mode "
        f"{sum(s.one_sided for s in found.seeds)} times, of which warned "
        f"{sum(s.warned and s.one_sided for s in found.seeds)}"
    )


def paths(axes: Axes, found: Comparison) -> None:
    """Draw thirty consecutive draws of one chain of each method."""
    whole = found.schools["HMC"]
    axes.plot(whole["mu"].values.ravel(), np.log(whole["tau"].values).ravel(), ".", color=PALE,
              ms=2.5, mew=0, rasterized=True)  # fmt: skip
    for name, posterior in found.schools.items():
        mu, tau = (posterior[site].values[0, 500:530] for site in ("mu", "tau"))
        axes.plot(mu, np.log(tau), ".-", color=COLOURS[name], lw=0.9, ms=4.5, label=name)
    axes.set(xlim=(-9, 18), ylim=(-6, 4), xlabel="μ (points)", ylabel="log τ (τ in points)")
    axes.set_title("Thirty draws in a row")
    axes.legend(loc="lower right", handlelength=1.2)


def distances(axes: Axes, found: Comparison) -> None:
    """Draw how far each method goes from draw to draw, if it moves at all."""
    bins = np.linspace(0, 3, 61)
    for name, jump in found.jumps.items():
        share = np.histogram(jump[jump > 0], bins)[0] / jump.size
        axes.stairs(share, bins, color=COLOURS[name], lw=1.4, fill=False)
    stays = [f"{name} {(jump == 0).mean():.0%}" for name, jump in found.jumps.items()]
    words = "\n".join(["not shown: draws that", "stay where they are", *stays])
    axes.text(0.98, 0.98, words, transform=axes.transAxes, ha="right", va="top", fontsize=SMALL,
              color=GREY)  # fmt: skip
    axes.set(xlabel="jump (posterior sds a coordinate)", ylabel="share of draws")
    axes.set(xlim=(0, 3), ylim=(0, 0.07), title="How far a draw goes")


def costs(axes: Axes, found: Comparison) -> None:
    """Draw the effective draws for 1000 evaluations against the dimension."""
    for name, rates in found.per_evaluation.items():
        axes.plot(found.dimensions, 1000 * np.array(rates), "o-", color=COLOURS[name], lw=1.4, ms=5)
    axes.set(xscale="log", yscale="log", xlabel="dimensions of a standard normal")
    axes.set_xticks(found.dimensions, map(str, found.dimensions))
    axes.set_yticks([3, 10, 30, 100, 300], ["3", "10", "30", "100", "300"])
    axes.minorticks_off()
    axes.set(ylabel="ESS for 1000 evaluations", title="What a draw costs")


def modes(axes: Axes, posterior: ft.Posterior) -> None:
    """Draw the target's contours and each chain's draws."""
    grid = np.linspace(-9, 9, 200)
    x, y = np.meshgrid(grid, grid)
    density = sum(np.exp(-0.5 * ((x - c) ** 2 + (y - c) ** 2)) for c in (-APART, APART))
    for chain, colour in enumerate(CHAINS):
        shown = slice(None, None, max(1, posterior["x"].shape[1] // 200))
        axes.plot(posterior["x"].values[chain, shown], posterior["y"].values[chain, shown], ".",
                  color=colour, ms=4, mew=0, alpha=0.8, label=f"chain {chain}")  # fmt: skip
    axes.contour(x, y, density, levels=np.exp([-8, -4.5, -2, -0.5]), colors=INK, linewidths=0.7)
    axes.set(xlabel="x", ylabel="y", title="Two modes, four chains of HMC", xlim=(-9, 9))
    axes.set(ylim=(-9, 9), xticks=[-8, -4, 0, 4, 8], yticks=[-8, -4, 0, 4, 8])
    axes.legend(loc="upper left", handlelength=0.8, handletextpad=0.4, markerscale=1.6)


def traces(axes: Axes, posterior: ft.Posterior, title: str) -> None:
    """Draw where each chain has been in its first thousand draws."""
    draws = posterior["x"].values
    for values, colour in zip(draws, CHAINS, strict=True):
        axes.plot(values[:1000], color=colour, lw=0.6, alpha=0.8)
    rhat = float(posterior.summary()["r_hat"].max())
    axes.text(0.98, 0.02, f"R-hat {rhat:.2f} after {draws.shape[1]:,} draws a chain", ha="right",
              transform=axes.transAxes, fontsize=SMALL, color=GREY)  # fmt: skip
    axes.set(xlabel="draw", ylabel="x", title=title, ylim=(-9.5, 9), yticks=[-8, -4, 0, 4, 8])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
