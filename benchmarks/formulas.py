"""State regressions once, by formula, for finetti and for Bambi, whose models nutpie samples.

Each has its own default priors, which are weak in both, and says how many draws warm up. Bambi's
effects of one grouping are not correlated: so neither are finetti's here (`||`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.problem import Problem

ROOT = Path(__file__).parents[1]
REFERENCES = ROOT / "tests" / "data" / "posteriordb"
TABLES = Path(os.environ.get("FINETTI_TABLES", ROOT))  # where `verbagg.csv.gz` of lme4 lies
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """Hold a formula of finetti's, what makes the table, and the family.

    `scale` names the scalar in finetti's posterior and in Bambi's that shows whether they agree.
    """

    formula: str
    columns: Callable[[], Columns]
    family: str = "gaussian"
    scale: tuple[str, ...] = ("sigma",)

    def finetti(self):
        import pandas as pd

        import finetti as ft

        return ft.formula(self.formula, pd.DataFrame(self.columns()), family=self.family)

    def pymc(self):
        import bambi
        import pandas as pd

        text = re.sub(r"(\w+) \| trials\((\w+)\) ~", r"p(\1, \2) ~", self.formula)
        model = bambi.Model(
            text.replace("||", "|"), pd.DataFrame(self.columns()), family=self.family
        )
        model.build()
        return model.backend.model


def no_numpyro():
    raise NotImplementedError("these are written for finetti and Bambi")


def table(name: str) -> Columns:
    """Read one of the tables of the examples."""
    import pandas as pd

    found = pd.read_csv(ROOT / "examples" / f"{name}.csv")
    return {column: found[column].to_numpy() for column in found}


def reference(name: str) -> dict:
    """Read the data of one of posteriordb's models."""
    return json.loads((REFERENCES / name / "data.json").read_text())


def names(letter: str, numbers: np.ndarray) -> np.ndarray:
    """Name groups, so that no library takes their numbers for a covariate."""
    return np.array([f"{letter}{number:05d}" for number in numbers])


def rats() -> Columns:
    d = reference("rats")
    return {"rat": names("r", d["rat"]), "age": np.array(d["x"]), "weight": np.array(d["y"])}


def seeds() -> Columns:
    d = reference("seeds")
    plates = names("p", np.arange(d["I"]))
    return {"plate": plates, **{name: np.array(d[name]) for name in ("n", "N", "x1", "x2")}}


def surgical() -> Columns:
    d = reference("surgical")
    return {"hospital": names("h", np.arange(d["N"])), "r": np.array(d["r"]), "n": np.array(d["n"])}


def falcons() -> Columns:
    d = reference("GLMM_Poisson")
    year = np.array(d["year"])
    powers = {"year": year, "squared": year**2, "cubed": year**3}
    return {"season": names("y", np.arange(len(year))), "pairs": np.array(d["C"]), **powers}


def crossed(subjects: int = 100, items: int = 50) -> Columns:
    random = np.random.default_rng(2026)
    subject, item = np.divmod(np.arange(subjects * items), items)
    x = random.standard_normal(len(subject))
    effects = random.normal(0, 0.7, subjects)[subject] + random.normal(0, 0.4, items)[item]
    y = 1 + 0.5 * x + effects + random.standard_normal(len(x))
    return {"subject": names("s", subject), "item": names("i", item), "x": x, "y": y}


def simulated(groups: int, each: int, counts: bool) -> Columns:
    """Simulate counts, or answers of yes and no, with a covariate and groups' intercepts."""
    random = np.random.default_rng(2026)
    group = np.repeat(np.arange(groups), each)
    x = random.standard_normal(len(group))
    eta = 0.5 + 0.3 * x + random.normal(0, 0.7, groups)[group]
    y = random.poisson(np.exp(eta)) if counts else random.random(len(x)) < 1 / (1 + np.exp(-eta))
    return {"group": names("g", group), "x": x, "y": y.astype(int)}


def verbal_aggression() -> Columns:
    import pandas as pd

    found = pd.read_csv(TABLES / "verbagg.csv.gz")
    found["yes"] = (found["r2"] == "Y").astype(int)
    found["id"] = names("p", found["id"].to_numpy())
    return {column: found[column].to_numpy() for column in found.drop(columns="r2")}


def of(grouping: str) -> tuple[str, ...]:
    """Return the names that the deviation of a grouping's intercepts has in either library."""
    return f"sd[{grouping}]", f"1|{grouping}_sigma"


CASES = {
    "radon": Case("log_radon ~ floor + (1 | county)", partial(table, "radon")),
    "radon_slopes": Case("log_radon ~ floor + (floor || county)", partial(table, "radon")),
    "sleepstudy": Case("Reaction ~ Days + (Days || Subject)", partial(table, "sleepstudy")),
    "rats": Case("weight ~ age + (age || rat)", rats),
    "seeds": Case("n | trials(N) ~ x1 * x2 + (1 | plate)", seeds, "binomial", of("plate")),
    "surgical": Case("r | trials(n) ~ 1 + (1 | hospital)", surgical, "binomial", of("hospital")),
    "falcons": Case(
        "pairs ~ year + squared + cubed + (1 | season)", falcons, "poisson", of("season")
    ),
    "crossed": Case("y ~ x + (1 | subject) + (1 | item)", crossed),
    "logistic": Case(
        "y ~ x + (1 | group)", partial(simulated, 1_000, 20, False), "bernoulli", of("group")
    ),
    "poisson": Case(
        "y ~ x + (1 | group)", partial(simulated, 10_000, 3, True), "poisson", of("group")
    ),
    "verbagg": Case(
        "yes ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)",
        verbal_aggression,
        "bernoulli",
        of("id"),
    ),
}
PROBLEMS = {
    name: Problem(name, case.finetti, no_numpyro, case.pymc, watched=(), scale=case.scale)
    for name, case in CASES.items()
}


def at_hand(name: str) -> bool:
    """Say whether a problem's table can be read; `FINETTI_TABLES` says where verbagg.csv.gz is."""
    return name != "verbagg" or (TABLES / "verbagg.csv.gz").exists()
