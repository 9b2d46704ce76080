"""Examine one model: fit it as told and ask for advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import finetti as ft
from finetti.posterior.finding import Advice

# What a run shows, whatever it has: signs are not diagnoses.
SIGNS = (
    "divergences",
    "chains disagree",
    "too few effective draws",
    "tree depth",
    "energy",
    "stuck chains",
)


@dataclass(frozen=True)
class Patient:
    """Hold a model, what ails it ("" for nothing), and how it is fitted so that it shows.

    `sites` are those that must be named. `planned` says whether the plan is made; the illnesses
    that it cures show only without it. `alone` says that the model is not needed to find it.
    """

    build: Callable[[], ft.Model]
    problem: str = ""
    sites: tuple[str, ...] = ()
    planned: bool = True
    alone: bool = False
    quantiles: tuple[float, ...] = ()
    method: ft.NUTS | ft.Automatic = ft.NUTS()  # noqa: RUF009 - it is frozen

    def fit(self, seed: int = 1) -> ft.Posterior:
        model = self.build()
        plan = model.plan() if self.planned else model.plan().as_written()
        return ft.fit(model, self.method, seed=seed, plan=plan, progress=False)

    def examine(self, seed: int = 1) -> Advice:
        return self.fit(seed).advice(self.quantiles)

    def missed(self, advice: Advice) -> str:
        """Say what is wrong with some advice: nothing where it names the illness and its sites."""
        if not self.problem:
            return f"false alarm:\n{advice}" if advice else ""
        named = [f for f in advice if f.problem == self.problem]
        if not named:
            return f"{self.problem} not named:\n{advice}"
        stems = {site.partition("[")[0] for site in named[0].sites}
        unnamed = [site for site in self.sites if site not in stems]
        return f"{', '.join(unnamed)} not named by:\n{advice}" if unnamed else ""


def diagnoses(advice: Advice) -> tuple[str, ...]:
    """Return the problems named that are no mere signs, in order."""
    return tuple(f.problem for f in advice if f.problem not in SIGNS)
