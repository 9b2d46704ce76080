"""Write a model at random: priors, effects of groups, a predictor, and what is observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import finetti as ft

PROPER = (
    "ft.Normal(0.3, 1.5)", "ft.StudentT(4.0, 0.0, 1.0)", "ft.Cauchy(0.2, 0.7)",
    "ft.Laplace(0.0, 1.0)", "ft.Logistic(0.1, 0.8)", "ft.Uniform(-4.0, 4.0)",
    "ft.Gumbel(0.0, 1.0)", "ft.SkewNormal(0.0, 1.0, 2.0)",
    "ft.Truncated(ft.Normal(0.2, 1.0), low=-2.0)",
    "ft.TruncatedNormal(0.2, 1.0, low=-2.0, high=3.0)",
)  # fmt: skip
LOCATIONS = (*PROPER, *("ft.Normal(0.3, 1.5)",) * 8, "ft.Flat()")
SCALES = (
    "ft.HalfNormal(1.0)", "ft.HalfCauchy(0.8)", "ft.Exponential(1.2)", "ft.Gamma(2.0, 1.5)",
    "ft.InverseGamma(3.0, 2.0)", "ft.LogNormal(-0.2, 0.5)", "ft.Uniform(0.05, 4.0)",
    "ft.Weibull(1.0, 1.6)", "ft.Pareto(0.1, 2.0)", "ft.Chi2(3.0)",
    "ft.Truncated(ft.StudentT(3.0, 0.0, 1.0), low=0.0)", "ft.Beta(2.0, 2.0)",
)  # fmt: skip


@dataclass
class Made:
    """Hold a model as code, with its data; `observed` are those of its outcomes."""

    seed: int
    lines: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    observed: dict[str, np.ndarray] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)  # those of each hidden discrete site

    @property
    def source(self) -> str:
        """Return the code of the model's function."""
        return "\n".join([f"def made({', '.join(self.taken)}):", *self.lines]) + "\n"

    def function(self, around: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the function, whose names mean what `around` says beside the data."""
        space = {**{n: a for n, a in self.data.items() if n not in self.taken}, **around}
        exec(self.source, space)
        return space["made"]

    def model(self, observed: bool = True) -> ft.Model:
        """Return finetti's model, with its outcomes observed or not."""
        names = {
            "ft": ft, "jnp": jnp, "expit": jax.nn.sigmoid, "softplus": jax.nn.softplus,
            "ndtr": jax.scipy.special.ndtr, "picked": _picked,
        }  # fmt: skip
        bound = ft.model(self.function(names))(*(self.data[n] for n in self.taken))
        return bound.condition(**self.observed) if observed else bound


def _picked(members: Any, codes: np.ndarray) -> Any:
    """Return each row's member, zero where a code is beyond the last."""
    return jnp.asarray(members).at[codes].get(mode="fill", fill_value=0.0)


class Pen:
    """Write lines, with an eye on what has been written."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.made = Made(seed)
        self.depth, self.names = 1, 0

    def chance(self, p: float) -> bool:
        """Tell yes with a probability."""
        return bool(self.rng.random() < p)

    def pick(self, options: Sequence[Any]) -> Any:
        """Return one of the options."""
        return options[int(self.rng.integers(len(options)))]

    def say(self, line: str) -> None:
        """Write a line."""
        self.made.lines.append("    " * self.depth + line)

    def fresh(self, stem: str) -> str:
        """Return a name that is not taken."""
        self.names += 1
        return f"{stem}{self.names}"

    def give(self, name: str, value: Any) -> str:
        """Make data known, as an argument or around the function."""
        self.made.data[name] = value
        if self.chance(0.6):
            self.made.taken.append(name)
        return name

    def site(self, name: str, law: str) -> str:
        """Write a latent site."""
        self.say(f"{name} = ft.sample({name!r}, {law})")
        return name

    def location(self, stem: str = "mu") -> str:
        """Write a number of either sign, and return what stands for it."""
        name = self.fresh(stem)
        kind = self.rng.random()
        if kind < 0.12:
            raw = self.site(f"{name}_raw", "ft.Normal(0.0, 1.0)")
            self.say(f"{name} = ft.deterministic({name!r}, 0.4 + 1.5 * {raw})")
            return name
        if kind < 0.2:
            about, width = self.location("about"), self.scale()
            return self.site(name, f"ft.Normal({about}, {width})")
        return self.site(name, self.pick(LOCATIONS))

    def scale(self, stem: str = "tau") -> str:
        """Write a positive number."""
        name = self.fresh(stem)
        kind = self.rng.random()
        if kind < 0.08:
            raw = self.site(f"{name}_log", "ft.Normal(-0.5, 0.6)")
            return f"jnp.exp({raw})"
        if kind < 0.16:
            raw = self.site(f"{name}_precision", "ft.Gamma(3.0, 2.0)")
            return f"(1.0 / jnp.sqrt({raw}))"
        if kind < 0.22:
            return str(self.pick([0.5, 1.0, 1.7]))
        if kind < 0.28:
            width = self.scale("width")
            return self.site(
                name, self.pick([f"ft.HalfNormal({width})", f"ft.HalfCauchy({width})"])
            )
        return self.site(name, self.pick(SCALES))


def made(seed: int) -> Made:
    """Return the model that a seed makes."""
    from zoo.made.effects import groups, predictor
    from zoo.made.outcomes import outcome

    pen = Pen(seed)
    rows = int(pen.pick([9, 14, 20, 70, 90]))
    factors = groups(pen, rows)
    eta = predictor(pen, rows, factors)
    outcome(pen, rows, eta, factors, "y")
    if pen.chance(0.1):
        outcome(pen, rows, eta, factors, "y_too")
    if pen.chance(0.1):
        pen.site("unused", pen.pick(PROPER))
    if pen.chance(0.1):
        pen.say(f"ft.factor('soft', -0.5 * jnp.square(jnp.mean({eta}) - 0.2))")
    if pen.chance(0.2):
        pen.say(f"ft.deterministic('told', jnp.exp(0.1 * {eta}).mean())")
    return pen.made
