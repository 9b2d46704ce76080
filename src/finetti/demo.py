"""Analyse Eight Schools from the data to the pictures, and tell the story on the way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.distributions import Distribution, Flat, HalfCauchy, HalfFlat, Normal
from finetti.inference.fit import fit
from finetti.inference.methods.trajectories import NUTS
from finetti.language.sites import deterministic, plate, sample
from finetti.models import Model, model
from finetti.posterior.posterior import Posterior

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

IMPORTED = perf_counter()

# Rubin 1981, table 1; Gelman et al., Bayesian Data Analysis (BDA3), table 5.2.
SCHOOLS = tuple("ABCDEFGH")
EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])  # points of the SAT's verbal part
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])

# Smaller steps than usual: with flat priors tau has a heavy tail, where a few draws would diverge.
METHOD = NUTS(draws=5000, target_acceptance=0.95)
LINE = 88  # characters that a paragraph runs to
QUANTITY = "effect of coaching (points)"


@dataclass(frozen=True)
class Variant:
    """Hold one choice of priors, and the exact posterior means that it leads to.

    `exact` has the effects A to H, then mu, then tau, by numerical quadrature: from
    tests/data/eight_schools_exact.json, rounded far below the Monte Carlo error.
    """

    title: str
    mu: Distribution
    tau: Distribution
    exact: tuple[float, ...]


BDA3 = Variant(
    "flat priors", Flat(), HalfFlat(),
    (11.40026, 7.89455, 6.13075, 7.64468, 5.12642, 6.13854, 10.66698, 8.45682, 7.93238, 6.57548),
)  # fmt: skip
WEAK = Variant(
    "weak priors", Normal(0, 5), HalfCauchy(5),
    (6.21188, 4.94018, 3.92700, 4.75710, 3.61548, 4.04261, 6.29672, 4.85425, 4.39682, 3.59771),
)  # fmt: skip


def hierarchical(mu_prior: Distribution, tau_prior: Distribution) -> Model:
    """Return the hierarchical model of the eight schools, with their data."""

    @model
    def eight_schools(sigma: Any) -> None:
        mu = sample("mu", mu_prior)
        tau = sample("tau", tau_prior)
        with plate("school", SCHOOLS):
            eta = sample("eta", Normal(0, 1))
            theta = deterministic("theta", mu + tau * eta)
            sample("y", Normal(theta, sigma))

    return eight_schools(sigma=ERROR).condition(y=EFFECT)


def main(out: Path = Path("runs/eight_schools"), seed: int = 0) -> None:
    """Analyse Eight Schools; tell the story, and write pictures and runs under `out`.

    The same seed gives the same numbers. Raises `MissingExtra` without the extra `all`.
    """
    from rich.console import Console

    console = Console(highlight=False)
    pooled, observed = Pooled.of(EFFECT, ERROR), hierarchical(BDA3.mu, BDA3.tau)
    tell_separate(console)
    tell_pooled(console, pooled, seed)
    tell_hierarchical(console, observed)
    flat = fit(observed, METHOD, seed=seed, progress=console.is_terminal)
    weak_model = hierarchical(WEAK.mu, WEAK.tau)
    weak = fit(weak_model, METHOD, seed=seed, progress=console.is_terminal)
    tell_answers(console, pooled, flat, weak)
    tell_spread(console, flat, weak)
    tell_trust(console, flat, weak)
    head(console, "The pictures and the runs")
    written = write(out, observed, flat, weak)
    tell(console, f"In {out}:")
    for name, words in written.items():
        console.print(f"  {name:18}{words}")
    tell(console, f"From the start of the process to here: {seconds_since_start():.1f} seconds.")


@dataclass(frozen=True)
class Pooled:
    """Hold the estimate of an effect common to all groups, and the test that it is common."""

    estimate: float
    error: float
    statistic: float
    p_value: float

    @classmethod
    def of(cls, effect: np.ndarray, error: np.ndarray) -> Pooled:
        """Weigh estimates of shape (group,) by their precisions, error^-2."""
        from scipy.stats import chi2

        precision = error**-2
        statistic = float(heterogeneity(effect, error))
        return cls(
            float(precision @ effect / precision.sum()),
            float(precision.sum() ** -0.5),
            statistic,
            float(chi2.sf(statistic, len(effect) - 1)),
        )


def heterogeneity(effect: np.ndarray, error: np.ndarray) -> np.ndarray | np.floating:
    """Return the squared standardised distances to the pooled estimate, summed over groups.

    `effect` has shape (..., group). Chi-squared with group - 1 degrees of freedom where the
    effects are equal (Cochran 1954).
    """
    precision = error**-2
    pooled = effect @ precision / precision.sum()
    return (effect - pooled[..., None]) ** 2 @ precision


def overlooked(spread: float, seed: int) -> float:
    """Return how often the test at 5% passes though effects vary by `spread` points (simulated)."""
    from scipy.stats import chi2

    noise = np.random.default_rng(seed).normal(size=(10_000, len(ERROR)))
    statistic = heterogeneity(noise * np.hypot(spread, ERROR), ERROR)
    return float(np.mean(statistic < chi2.ppf(0.95, len(ERROR) - 1)))


def scores(table: pd.DataFrame, variant: Variant) -> np.ndarray:
    """Return how many Monte Carlo standard errors each mean lies from the exact one.

    `table` is the summary of theta, mu and tau, in that order.
    """
    mean, error = table[["mean", "mcse_mean"]].to_numpy(float).T
    return (mean - variant.exact) / error


# The story


def head(console: Console, words: str) -> None:
    """Print the title of a chapter."""
    console.print(f"\n{words}\n{'─' * len(words)}", style="bold", markup=False)


def tell(console: Console, words: str) -> None:
    """Print a paragraph, in lines that are not too long to read."""
    console.print(f"\n{words}", width=min(console.width, LINE), markup=False)


def tell_separate(console: Console) -> None:
    """Tell what the data are, and why not to take each school by itself."""
    head(console, "Eight Schools")
    tell(
        console,
        "Eight schools coached pupils for a test. Each school has an estimate of what coaching "
        "did, in points, and the standard error of that estimate (Rubin 1981; Gelman et al., "
        "Bayesian Data Analysis, section 5.5). What did coaching do in each school?",
    )
    low, high = (EFFECT - 1.96 * ERROR).max(), (EFFECT + 1.96 * ERROR).min()
    head(console, "1. Each school by itself")
    tell(
        console,
        f"Take the estimates as they stand. In school A coaching gained {EFFECT[0]:.0f} points, "
        f"and is as likely as not to be worth even more. But the standard error there is "
        f"{ERROR[0]:.0f}, and all eight 95% intervals share the values from {low:.0f} to "
        f"{high:.0f}. The largest of eight noisy numbers is large partly by luck. Separate "
        f"estimates take luck at its word.",
    )


def tell_pooled(console: Console, pooled: Pooled, seed: int) -> None:
    """Tell what one effect for all would be, and what the test of it can and cannot see."""
    from scipy.stats import norm

    low, high = pooled.estimate - 1.96 * pooled.error, pooled.estimate + 1.96 * pooled.error
    exceeds = norm.sf(EFFECT[0], pooled.estimate, pooled.error)
    head(console, "2. All schools as one")
    tell(
        console,
        f"Suppose that coaching does the same everywhere. Then weigh each school by its "
        f"precision: the effect is {pooled.estimate:.2f} ± {pooled.error:.2f} points, 95% "
        f"interval [{low:.2f}, {high:.2f}]. A chi-squared test does not object: "
        f"{pooled.statistic:.2f} on {len(EFFECT) - 1} degrees of freedom, p = "
        f"{pooled.p_value:.2f}.",
    )
    tell(
        console,
        f"But not to see a difference is not to see that there is none. Were the true effects "
        f"to vary with a standard deviation of 5 points, this test would still pass "
        f"{overlooked(5.0, seed):.0%} of the time. And to believe it is to hold that A and C, "
        f"{EFFECT[0] - EFFECT[2]:.0f} points apart, do exactly the same, and that A's effect is "
        f"above {EFFECT[0]:.0f} with a chance of one in {1 / exceeds / 1e6:.1f} million.",
    )


def tell_hierarchical(console: Console, observed: Model) -> None:
    """Tell what the hierarchical model says, and the two priors it is given."""
    head(console, "3. One family of schools")
    tell(
        console,
        "A hierarchical model stands between. The schools differ, but as members of a family: "
        "effects come from a population with mean mu and standard deviation tau, and the data "
        "speak of those too. tau = 0 is the pooled answer, tau = infinity the separate one.",
    )
    console.print(f"\n{observed.graph()}".replace("\n", "\n    "), markup=False)
    tell(
        console,
        f"We fit it twice: with flat priors on mu and tau, as the book does, and with weak ones, "
        f"mu ~ Normal(0, 5) and tau ~ HalfCauchy(5). Each fit makes {METHOD.chains} chains of "
        f"{METHOD.draws:,} draws.",
    )


def tell_answers(console: Console, pooled: Pooled, flat: Posterior, weak: Posterior) -> None:
    """Print the four answers side by side, how exact they are, and what pooling did."""
    tables = [posterior.summary(["theta", "mu", "tau"]) for posterior in (flat, weak)]
    z = [scores(table, variant) for table, variant in zip(tables, (BDA3, WEAK), strict=True)]
    console.print()
    console.print(side_by_side(pooled, tables, z))
    near = sum(int((np.abs(found) < 2).sum()) for found in z)
    tell(
        console,
        f"The answers are mean ± standard deviation. z says how far a mean is from the exact "
        f"one, known by quadrature, in its own Monte Carlo standard errors: about 19 in 20 "
        f"should lie within 2, and {near} of {2 * len(z[0])} do.",
    )
    theta, mean = flat["theta"].values, tables[0]["mean"]
    tell(
        console,
        f"Each school borrows from the others, and the noisier it is the more it borrows. A "
        f"comes down from {EFFECT[0]:.0f} to {mean.iloc[0]:.1f}, C comes up from "
        f"{EFFECT[2]:.0f} to {mean.iloc[2]:.1f}. That A's effect is above {EFFECT[0]:.0f} now "
        f"has a chance of {(theta[..., 0] > EFFECT[0]).mean():.0%}; that it is above C's, "
        f"{(theta[..., 0] > theta[..., 2]).mean():.0%}.",
    )


def side_by_side(pooled: Pooled, tables: list[pd.DataFrame], z: list[np.ndarray]) -> Table:
    """Return the table of the separate, the pooled and the two hierarchical answers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    found = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    found.add_column("")
    for title in ("separate", "pooled", BDA3.title, "z", WEAK.title, "z"):
        found.add_column(title, justify="right", no_wrap=True)
    one = f"{pooled.estimate:.1f} ± {pooled.error:.1f}"
    separate = [f"{y:.0f} ± {s:.0f}" for y, s in zip(EFFECT, ERROR, strict=True)]
    apart, common = [*separate, "", "infinity"], [*[one] * (len(EFFECT) + 1), "0"]
    for i, name in enumerate((*SCHOOLS, "mu", "tau")):
        cells = [
            cell
            for table, score in zip(tables, z, strict=True)
            for cell in (
                f"{table['mean'].iloc[i]:.1f} ± {table['sd'].iloc[i]:.1f}", f"{score[i]:+.1f}"
            )
        ]  # fmt: skip
        found.add_row(name, apart[i], common[i], *cells, end_section=name == SCHOOLS[-1])
    return found


def tell_spread(console: Console, flat: Posterior, weak: Posterior) -> None:
    """Tell what the data say of tau, and how far the prior is heard."""
    low, middle, high = np.quantile(flat["tau"].values, [0.055, 0.5, 0.945])
    head(console, "4. How different are the schools?")
    tell(
        console,
        f"That is what tau says. With flat priors its median is {middle:.1f} points, and its 89% "
        f"interval runs from {low:.1f} to {high:.1f}: a little or a lot, eight schools cannot "
        f"tell. Where the data are vague the prior is heard: the weak one, which expects mu "
        f"near zero, makes tau's median {np.median(weak['tau'].values):.1f} and mu "
        f"{weak['mu'].values.mean():.1f} instead of {flat['mu'].values.mean():.1f}. An honest "
        f"report shows both.",
    )


def tell_trust(console: Console, flat: Posterior, weak: Posterior) -> None:
    """Print the diagnostics and the advice."""
    from finetti.reporting.tables import summary_table

    table = flat.summary(["mu", "tau", "theta"])
    errors = table["mcse_mean"].astype(float)
    head(console, "5. How far to trust the draws")
    tell(
        console,
        f"R-hat near 1 says that the chains agree. ESS and tail ESS say how many independent "
        f"draws these are worth, for means and for the ends of intervals. So the means below, "
        f"of flat priors, have Monte Carlo standard errors of {errors.min():.2f} to "
        f"{errors.max():.2f} points; no digit is printed that the draws do not support.\n",
    )
    console.print(summary_table(table, limit=None))
    for title, posterior in ((BDA3.title, flat), (WEAK.title, weak)):
        tell(console, f"Advice, {title}:\n{posterior.advice()}")


def write(out: Path, observed: Model, flat: Posterior, weak: Posterior) -> dict[str, str]:
    """Write the pictures and the runs; return what each file shows."""
    from finetti.reporting import plots

    shown = ["mu", "tau", "theta[A]", "theta[C]"]
    pictures = {
        "effects.png": (plots.effects(EFFECT, ERROR, SCHOOLS, QUANTITY), "the eight estimates"),
        "shrinkage.png": (
            plots.shrinkage(flat, "theta", EFFECT, "mu", QUANTITY), "what partial pooling does"
        ),
        "trace.png": (plots.trace(flat, shown), "where the chains have been"),
        "ranks.png": (plots.ranks(flat, shown), "whether they agree"),
        "graph.png": (plots.graph(observed), "the model"),
    }  # fmt: skip
    runs = {"flat_priors.zarr": (flat, BDA3), "weak_priors.zarr": (weak, WEAK)}
    out.mkdir(parents=True, exist_ok=True)
    for name, (figure, _) in pictures.items():
        figure.savefig(out / name)
    for name, (posterior, _) in runs.items():
        posterior.save(out / name)
    shows = {name: words for name, (_, words) in pictures.items()}
    return shows | {name: f"the draws with {v.title}, for ft.open" for name, (_, v) in runs.items()}


def seconds_since_start() -> float:
    """Return the age of this process, or of this module where the system does not say."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")  # proc(5): starttime
    except (OSError, ValueError, IndexError):
        return perf_counter() - IMPORTED
