"""Check that no finding says of a model what the model, its plan and its draws do not bear out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from zoo.made_up import CHAINS, DRAWS, generator, run, white


@dataclass(frozen=True)
class Said:
    """State what a run's advice must say of a problem, and what it may not."""

    name: str
    posterior: Callable[[], ft.Posterior]
    problem: str = ""
    words: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def check(self) -> None:
        """Ask for advice, and hold it to what may be said."""
        advice = self.posterior().advice()
        problems = [f.problem for f in advice]
        for problem in self.absent:
            assert problem not in problems, str(advice)
        said = " ".join(f.sentence for f in advice if f.problem == self.problem)
        assert said or not self.problem, str(advice)
        for word in self.words:
            assert word in said, said
        for word in self.never:
            assert word.lower() not in str(advice).lower(), str(advice)


def kept(posterior: ft.Posterior, plan) -> ft.Posterior:
    """Return the posterior with a plan's record, as a fit leaves it."""
    posterior.tree.attrs["plan"] = json.dumps(plan.record())
    return posterior


# Funnels

COUNTS = generator(3).poisson(2.0, 8)


@ft.model
def frailty(deaths):
    k = ft.sample("k", ft.Exponential(0.1))
    with ft.plate("group", 8):
        w = ft.sample("w", ft.Gamma(k, k))
        ft.sample("deaths", ft.Poisson(2.0 * w), obs=deaths)


@ft.model
def precise(y):
    precision = ft.sample("precision", ft.Gamma(2.0, 1.0))
    with ft.plate("group", 8):
        theta = ft.sample("theta", ft.Normal(0.0, precision**-0.5))
        ft.sample("y", ft.Poisson(jnp.exp(theta)), obs=y)


@ft.model
def centred(y):
    tau = ft.sample("tau", ft.HalfNormal(1.0))
    with ft.plate("group", 8):
        theta = ft.sample("theta", ft.Normal(0.0, tau))
        ft.sample("y", ft.Poisson(jnp.exp(theta)), obs=y)


@ft.model
def positive_groups(y):
    tau = ft.sample("tau", ft.HalfNormal(1.0))
    with ft.plate("group", 8):
        theta = ft.sample("theta", ft.Gamma(2.0, 1 / tau))
        ft.sample("y", ft.Poisson(theta), obs=y)


@ft.model
def not_centred(y):
    tau = ft.sample("tau", ft.HalfNormal(1.0))
    with ft.plate("group", 8):
        eta = ft.sample("eta", ft.Normal(0.0, 1.0))
        ft.sample("y", ft.Poisson(jnp.exp(tau * eta)), obs=y)


@ft.model
def regression(x, y):
    sigma = ft.sample("sigma", ft.HalfNormal(1.0))
    with ft.plate("group", 8):
        beta = ft.sample("beta", ft.Normal(0.0, 1.0))
    ft.sample("y", ft.StudentT(4.0, x @ beta, sigma), obs=y)


def follows(power: float, scale: str, effect: str, positive: bool = False) -> dict:
    """Return draws of 8 effects whose spread is a power of the scale, and which of them diverge."""
    tau = np.exp(0.8 * white(1))
    theta = white(2, 8) * tau[..., None] ** power
    theta = np.exp(np.clip(theta, -20, 20)) if positive else theta
    return {scale: tau, effect: theta}


def ill(draws: dict, scale: str, side: str, model=None, plan=None) -> ft.Posterior:
    """Return a run of the draws that diverges where the scale is small, or large."""
    tau = draws[scale]
    bad = tau < np.quantile(tau, 0.02) if side == "small" else tau > np.quantile(tau, 0.98)
    posterior = run(draws, model, diverging=bad)
    return posterior if plan is None else kept(posterior, plan)


def gamma_draws() -> dict:
    rng = generator(5)
    k = np.exp(1 + 0.8 * rng.normal(size=(CHAINS, DRAWS)))
    return {"k": k, "w": rng.gamma(k[..., None], 1 / k[..., None], (CHAINS, DRAWS, 8))}


def funnels(record: bool, model: bool) -> list[Said]:
    """Return cases of which the model is known, or only the plan's record, or both."""

    def made(draws: Callable[[], dict], scale: str, side: str, known: ft.Model, plan=None):
        chosen = plan or (lambda m: m.plan())
        return lambda: ill(
            draws(), scale, side, known if model else None, chosen(known) if record else None
        )

    how = f"{'model' if model else ''}{' and ' if model and record else ''}{'plan' * record}"
    refuses = lambda m: m.plan().without("centre")  # noqa: E731
    return [
        Said(
            f"centred gamma frailty, by {how}",
            made(gamma_draws, "k", "large", frailty(COUNTS)),
            "funnel",
            ("w", "its neck where k is large", "prior"),
            ("non-centred", "without plan=", "write it centred", "mu + tau"),
        ),
        Said(
            f"centred effects with a precision, by {how}",
            made(lambda: follows(-0.5, "precision", "theta"), "precision", "large",
                 precise(COUNTS), refuses),
            "funnel",
            ("its neck where precision is large",),
            ("it is written non-centred", "write it centred"),
        ),
        Said(
            f"centred effects that the plan was kept from, by {how}",
            made(lambda: follows(1, "tau", "theta"), "tau", "small", centred(COUNTS), refuses),
            "funnel",
            ("its neck where tau is small", *(("without plan=",) if record else ())),
            ("is written non-centred", "The plan has eased"),
        ),
        Said(
            f"gamma effects, by {how}",
            made(lambda: follows(1, "tau", "theta", True), "tau", "small",
                 positive_groups(COUNTS)),
            "funnel",
            ("draw longer",),
            ("without plan=", "eta ~ Normal", "The plan has eased"),
        ),
    ]  # fmt: skip


CASES = [
    *funnels(True, True),
    *funnels(False, True),
    *funnels(True, False),
    Said(
        "centred effects that the plan eased",
        lambda: ill(follows(1, "tau", "theta"), "tau", "small", centred(COUNTS),
                    centred(COUNTS).plan()),
        "funnel",
        ("The plan has eased theta already",),
        ("without plan=", "non-centred", "Let the plan"),
    ),
    Said(
        "non-centred effects",
        lambda: ill(follows(-1, "tau", "eta"), "tau", "large", not_centred(COUNTS)),
        "inverse funnel",
        ("written non-centred", "Write it centred"),
        ("without plan=", "most where tau is small"),
    ),
    Said(
        "effects of a form that is not known",
        lambda: ill(follows(-1, "tau", "eta"), "tau", "large"),
        "inverse funnel",
        ("If tau multiplies eta",),
        ("it is written non-centred", "without plan=", "most where tau is small"),
    ),
    Said(
        "a noise scale beside coefficients",
        lambda: ill(follows(-1, "sigma", "beta"), "sigma", "large",
                    regression(generator(1).normal(size=(20, 8)), np.zeros(20))),
        absent=("funnel", "inverse funnel"),
    ),
]  # fmt: skip


# Members tied by construction


@ft.model
def mixed(n):
    p = ft.sample("p", ft.Dirichlet(jnp.ones(3)))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(p[0], 5.0))


@ft.model
def pair(n):
    p = ft.sample("p", ft.Dirichlet(jnp.ones(2)))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(p[0], 5.0))


@ft.model
def contrasts(n):
    z = ft.sample("z", ft.ZeroSumNormal(1.0, (3,)))
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(z[0], 5.0))


@ft.model
def cut(n):
    c = ft.sample(
        "c",
        ft.TransformedDistribution(
            ft.Normal(jnp.zeros(3), 1.0).to_event(1), ft.distributions.transforms.OrderedTransform()
        ),
    )
    with ft.plate("row", n):
        ft.sample("y", ft.Normal(c[0], 5.0))


def simplex(members: int) -> np.ndarray:
    return generator(2).dirichlet(np.ones(members), (CHAINS, DRAWS))


def zero_sum() -> np.ndarray:
    z = white(4, 3)
    return z - z.mean(-1, keepdims=True)


def ordered() -> np.ndarray:
    z = white(6, 3)
    return np.cumsum(np.concatenate([z[..., :1], np.exp(z[..., 1:])], -1), -1)


TIED = {
    "a simplex": (lambda: mixed(4).condition(y=np.zeros(4)), "p", lambda: simplex(3)),
    "a simplex of two": (lambda: pair(4).condition(y=np.zeros(4)), "p", lambda: simplex(2)),
    "a zero-sum vector": (lambda: contrasts(4).condition(y=np.zeros(4)), "z", zero_sum),
    "cut points": (lambda: cut(4).condition(y=np.zeros(4)), "c", ordered),
}
NEAR = np.arange(CHAINS * DRAWS).reshape(CHAINS, DRAWS) % 97 == 0

CASES += [
    Said(f"{name} as wide as its prior, {how}",
         lambda m=model, s=site, d=draws, w=with_model: run(
             {s: d()}, m() if w else None, diverging=NEAR),
         never=("apart", "functions of each other"), absent=("flat direction",))
    for name, (model, site, draws) in TIED.items()
    for how, with_model in (("by the model", True), ("by the draws", False))
]  # fmt: skip


# Predictors

X = 100 + generator(7).normal(size=30)
SLOW = {"n_steps": np.full((CHAINS, DRAWS), 511)}


@ft.model
def line(x, y):
    a, b = ft.sample("a", ft.Normal(0, 5)), ft.sample("b", ft.Normal(0, 5))
    ft.sample("y", ft.Normal(a + b * x, 1.0), obs=y)


@ft.model
def standardised(x, y):
    a, b = ft.sample("a", ft.Normal(0, 5)), ft.sample("b", ft.Normal(0, 5))
    ft.sample("y", ft.Normal(a + b * (x - x.mean()) / x.std(), 1.0), obs=y)


@ft.model
def location(y):
    a, b = ft.sample("a", ft.Normal(0, 5)), ft.sample("b", ft.Normal(0, 5))
    ft.sample("y", ft.Normal(a + b, 1.0), obs=y)


@ft.model
def logged(y):
    a, b = ft.sample("a", ft.Normal(0, 5)), ft.sample("b", ft.Normal(0, 5))
    ft.sample("logs", ft.Normal(a + b, 1.0), obs=jnp.log(y))


@ft.model
def measured(error, y):
    a, b = ft.sample("a", ft.Normal(0, 5)), ft.sample("b", ft.Normal(0, 5))
    ft.sample("y", ft.Normal(a + b, error), obs=y)


@ft.model
def exposed(exposure, y):
    a, b = ft.sample("a", ft.Normal(0, 5)), ft.sample("b", ft.Normal(0, 5))
    ft.sample("y", ft.Poisson(exposure * jnp.exp(a + b)), obs=y)


@ft.model
def chances(y):
    a, b = ft.sample("a", ft.Normal(0, 5)), ft.sample("b", ft.Normal(0, 5))
    ft.sample("y", ft.Bernoulli(logits=a + b + jnp.zeros(len(y))), obs=y)


def laboured(model: ft.Model | None, seen: str, observed: np.ndarray, **given: np.ndarray):
    draws = {"a": 30 * white(1), "b": 30 * white(2)}
    return lambda: run(draws, model, {seen: observed}, given, **SLOW)


Y = 500 + generator(8).normal(size=30)
YES = (generator(9).random(30) < 0.5).astype(int)
KNOWN = 3000 + generator(8).normal(size=30)

CASES += [
    Said("a predictor far from zero", laboured(line(X, Y), "y", Y, x=X, y=Y),
         "badly scaled predictors", ("x far from zero",), ("y far", "x, y")),
    Said("the outcome of a line", laboured(location(Y), "y", Y, y=Y),
         absent=("badly scaled predictors",)),
    Said("the outcome, without the model", laboured(None, "y", Y, y=Y),
         absent=("badly scaled predictors",)),
    Said("the outcome's logarithm", laboured(logged(Y), "logs", np.log(Y), y=Y),
         absent=("badly scaled predictors",)),
    Said("the outcome's logarithm, without the model", laboured(None, "logs", np.log(Y), y=Y),
         absent=("badly scaled predictors",)),
    Said("known errors", laboured(measured(KNOWN, Y), "y", Y, error=KNOWN, y=Y),
         absent=("badly scaled predictors",)),
    Said("an exposure", laboured(exposed(KNOWN, YES), "y", YES, exposure=KNOWN, y=YES),
         absent=("badly scaled predictors",)),
    Said("a predictor that the model standardises",
         laboured(standardised(X, Y), "y", Y, x=X, y=Y), absent=("badly scaled predictors",)),
    Said("yeses and noes that separate themselves", laboured(chances(YES), "y", YES, y=YES),
         absent=("separation",)),
    Said("yeses and noes, without the model", laboured(None, "y", YES, y=YES),
         absent=("separation",)),
]  # fmt: skip


# Chains and divergences


def still() -> ft.Posterior:
    a, b = white(1), white(2)
    a[1], b[3] = 0.5, 0.25
    return run({"a": a, "b": b})


def rare() -> ft.Posterior:
    flag = np.zeros((CHAINS, DRAWS), int)
    flag[2, ::50] = 1
    return run({"x": white(), "flag": flag})


CASES += [
    Said("each chain stuck in a site of its own", still, "stuck chains",
         ("Chain 1 never moved in a:", "Chain 3 never moved in b:"), ("in a, b",)),
    Said("a chain in which a rare event never happens", rare, absent=("stuck chains",)),
    Said("divergences where a location is low",
         lambda: run({"mu": white(1), "eta": white(2, 4)}, diverging=white(1) < -2),
         "divergences", ("mostly where mu is small",), ("funnel", "non-centred")),
    Said("a chain lost far below",
         lambda: run({"x": white()}, lp=np.where(np.arange(CHAINS)[:, None] == 2, -1e62, -3.0)
                     + white(3)),
         "stuck chains", ("Chain 2 is lost",), ("never moved",)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_advice_says_only_what_is_so(case):
    case.check()
