"""Tell how eighteen people slow down when sleep lacks, each at their own pace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finetti.formulas.formula import formula
from finetti.inference.fit import fit
from finetti.posterior.posterior import Posterior
from finetti.reporting.drawing import BLUE, INK, SMALL, VERMILION, canvas, tidy
from finetti.stories.telling import close, console, head, table_to, tell

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FORMULA = "Reaction ~ Days + (Days | Subject)"


def main(out: Path = Path("runs/sleepstudy"), seed: int = 0) -> Posterior:
    """Fit a line a person, tell what the family says of each, and draw it under `out`."""
    import pandas as pd

    screen, table = console(), table_to(out, "sleepstudy.csv")
    people = pd.read_csv(table, dtype={"Subject": str})
    head(screen, "Eighteen people, ten days")
    alone = {
        str(name): np.polyfit(rows["Days"], rows["Reaction"], 1)
        for name, rows in people.groupby("Subject")
    }
    own = np.array([slope for slope, _ in alone.values()])
    tell(
        screen,
        f"They sleep three hours a night, and every day their reaction time is measured. A line "
        f"through each one's ten points has slopes from {own.min():.1f} to "
        f"{own.max():.1f} ms a day. Is anybody really getting faster?",
    )
    posterior = fit(formula(FORMULA, people), seed=seed, progress=screen.is_terminal)
    slopes = lines(posterior)[..., 1]
    place = int(own.argmin())
    tell(
        screen,
        f"As one family they slow down by {float(posterior['Days'].mean()):.1f} ms a day, and "
        f"single slopes run from {slopes.mean((0, 1)).min():.1f} to "
        f"{slopes.mean((0, 1)).max():.1f}. Person {list(alone)[place]}, whose own line "
        f"falls by {-own[place]:.1f}, gets faster with a probability of "
        f"{(slopes[..., place] < 0).mean():.2f}: seventeen others say what is likely.",
    )
    tell(screen, f"Advice: {posterior.advice()}")
    further = f'finetti fit "{FORMULA}" --data {table} --report'
    figure = draw(people, alone, lines(posterior))
    close(screen, figure, out / "sleepstudy.png", "each one's line, alone and together", further)
    return posterior


def lines(posterior: Posterior) -> np.ndarray:
    """Return level and slope of each person at each draw, shape (chain, draw, person, 2)."""
    common = [posterior[name].to_numpy()[..., None] for name in ("Intercept", "Days")]
    return posterior["Subject"].to_numpy() + np.stack(common, axis=-1)


def draw(people: pd.DataFrame, alone: dict[str, np.ndarray], together: np.ndarray) -> Figure:
    """Draw a panel a person: the points, the person's own line, and the family's with its 89%."""
    days = np.linspace(0, 9, 20)
    with canvas(9.6, 5.2) as figure:
        grid = figure.subplots(3, 6, sharex=True, sharey=True).ravel()
        for place, (axes, (name, rows)) in enumerate(
            zip(grid, people.groupby("Subject"), strict=True)
        ):
            drawn = together[:, :, place, :1] + together[:, :, place, 1:] * days
            low, middle, high = np.quantile(drawn.reshape(-1, len(days)), [0.055, 0.5, 0.945], 0)
            axes.fill_between(days, low, high, color=BLUE, alpha=0.2, lw=0)
            axes.plot(days, middle, color=BLUE, label="together, 89%")
            own = np.polyval(alone[str(name)], days)
            axes.plot(days, own, color=VERMILION, ls="--", lw=1, label="alone")
            axes.plot(rows["Days"], rows["Reaction"], ".", color=INK, ms=4, label="measured")
            axes.set_title(str(name), fontsize=SMALL, pad=3)
            tidy(axes)
        figure.supxlabel("days of three hours' sleep", fontsize=SMALL)
        figure.supylabel("reaction time, ms", fontsize=SMALL)
        handles = grid[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper right", ncols=3)
    return figure
