"""Tell what 919 homes say of the radon in 85 counties, some of which have a single home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finetti.formulas.formula import formula
from finetti.inference.fit import fit
from finetti.posterior.posterior import Posterior
from finetti.reporting.drawing import BLUE, GREY, SMALL, VERMILION, canvas, tidy
from finetti.stories.telling import close, console, head, table_to, tell

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FORMULA = "log_radon ~ floor + log_uppm + (1 | county)"
NAMED = ("Lac Qui Parle", "Murray", "St Louis")


def main(out: Path = Path("runs/radon"), seed: int = 0) -> Posterior:
    """Fit the counties, tell what pooling did, and draw it under `out`."""
    import pandas as pd

    screen, table = console(), table_to(out, "radon.csv")
    homes = pd.read_csv(table)
    sizes = homes.groupby("county").size()
    head(screen, "Radon in Minnesota")
    tell(
        screen,
        f"Radon comes out of the ground, and {len(homes)} homes of {len(sizes)} counties were "
        f"measured. {(sizes <= 5).sum()} counties have five homes or fewer, {(sizes == 1).sum()} "
        f"have one. Which counties should worry?",
    )
    posterior = fit(formula(FORMULA, homes), seed=seed, progress=screen.is_terminal)
    counties = levels(homes, posterior)
    few = counties[counties["homes"] <= 2]
    tell(
        screen,
        f"By itself a county of one or two homes stands where chance has put it: such counties' "
        f"means run from {few['alone'].min():.2f} to {few['alone'].max():.2f} (log picocuries a "
        f"litre). Fitted as members of one family, by their soil's uranium and by each other, "
        f"they run from {few['together'].min():.2f} to {few['together'].max():.2f}. Counties "
        f"with many homes hardly move.",
    )
    summary = posterior.summary(["log_uppm", "sd[county]", "sigma"])["mean"]
    tell(
        screen,
        f"Uranium tells most of how counties differ: what it leaves between them has a standard "
        f"deviation of {summary.iloc[1]:.2f}, beside {summary.iloc[2]:.2f} between the homes of "
        f"one county.",
    )
    tell(screen, f"Advice: {posterior.advice()}")
    further = f'finetti fit "{FORMULA}" --data {table} --report'
    close(screen, draw(counties), out / "radon.png", "each county alone and together", further)
    return posterior


def levels(homes: pd.DataFrame, posterior: Posterior) -> pd.DataFrame:
    """Return each county's level in a basement, by its own homes alone and by the model."""
    means = {name: float(posterior[name].mean()) for name in ("Intercept", "floor", "log_uppm")}
    basement = homes.assign(alone=homes["log_radon"] - means["floor"] * homes["floor"])
    found = basement.groupby("county").agg(
        alone=("alone", "mean"), homes=("alone", "size"), soil=("log_uppm", "first")
    )
    effect = posterior["county"].mean(("chain", "draw")).to_numpy()[:, 0]
    found["together"] = means["Intercept"] + means["log_uppm"] * found["soil"] + effect
    found["expected"] = means["Intercept"] + means["log_uppm"] * found["soil"]
    return found


def draw(counties: pd.DataFrame) -> Figure:
    """Draw each county's level, alone and together, over its homes and over its soil."""
    with canvas(9.2, 4.0) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        jitter = np.exp(np.random.default_rng(0).uniform(-0.06, 0.06, len(counties)))
        for axes, across in ((left, counties["homes"] * jitter), (right, counties["soil"])):
            axes.vlines(across, counties["alone"], counties["together"], color=GREY, lw=0.5)
            axes.plot(across, counties["alone"], "o", ms=3.5, color=VERMILION, label="alone")
            axes.plot(across, counties["together"], "s", ms=3.5, color=BLUE, label="together")
            tidy(axes)
        for name in NAMED:
            place = counties.loc[name]
            right.annotate(name, (place["soil"], place["alone"]), xytext=(4, 3), size=SMALL,
                           textcoords="offset points", color=GREY)  # fmt: skip
        ordered = counties.sort_values("soil")
        right.plot(ordered["soil"], ordered["expected"], color=BLUE, lw=1, label="by soil")
        left.set(xscale="log", xlabel="homes measured", ylabel="log radon in a basement")
        left.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
        right.set(xlabel="log uranium in the soil")
        right.legend(loc="upper left")
        left.set_title("Few homes are drawn far")
        right.set_title("towards what their soil predicts")
    return figure
