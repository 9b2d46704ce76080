"""Write what is observed of a predictor, by many families and links, and make data for it."""

from __future__ import annotations

import numpy as np

from zoo.made.effects import Factor
from zoo.made.written import Pen

NORMAL = ("plain", "plain", "plain", "grouped noise", "known noise", "left out")
REAL = ("heavy", "laplace", "lognormal", "logistic", "skewed", "censored", "truncated")
OTHERS = (
    "yes", "probit", "binomial", "betabinomial", "count", "exposed", "spread counts", "gamma",
    "beta", "exponential", "weibull", "ordered", "ordered probit", "category", "inflated",
    "rounded", "weighted",
)  # fmt: skip
HIDDEN = ("mixture", "switch", "chain", "in error", "missing", "vectors")


def outcome(pen: Pen, rows: int, eta: str, factors: list[Factor], name: str) -> None:
    """Write one outcome and make its data."""
    kinds = pen.pick([NORMAL, NORMAL, REAL, OTHERS, OTHERS, HIDDEN])
    kind = pen.pick(kinds)
    if kind in ("mixture", "switch", "chain") and "z" in "".join(pen.made.lines):
        kind = "plain"
    law, data = _law(pen, rows, eta, factors, name, kind)
    pen.made.observed[name] = data
    if kind == "vectors":
        pen.say(f"with ft.plate('row_{name}', {rows}):")
        pen.say(f"    ft.sample({name!r}, {law})")
        return
    if kind != "chain" and pen.chance(0.85):
        pen.say(f"with ft.plate('row_{name}', {rows}):")
        pen.depth += 1
        pen.say(f"ft.sample({name!r}, {law})")
        pen.depth -= 1
    else:
        pen.say(f"ft.sample({name!r}, {law})")


def _law(
    pen: Pen, rows: int, eta: str, factors: list[Factor], name: str, kind: str
) -> tuple[str, np.ndarray]:
    """Return the law of an outcome as code, and data that it may have made."""
    rng, f = pen.rng, factors[-1]
    real = rng.normal(0.3, 1.2, rows).round(3)
    above = np.exp(real * 0.5).round(3)
    share = np.clip(1 / (1 + np.exp(-real)), 0.02, 0.98).round(3)
    counts = rng.poisson(2.0, rows)
    match kind:
        case "plain":
            return f"ft.Normal({eta}, {pen.scale('sigma')})", real
        case "grouped noise":
            pen.say(f"with ft.plate('noise_{f.name}_{name}', {f.count}):")
            pen.depth += 1
            sigma = pen.site(pen.fresh("sigma"), "ft.LogNormal(0.0, 0.5)")
            pen.depth -= 1
            return f"ft.Normal({eta}, {sigma}[{f.name}])", real
        case "known noise":
            error = pen.give(f"error_{name}", rng.uniform(0.3, 1.5, rows).round(2))
            return f"ft.Normal({eta}, {error})", real
        case "left out":
            keep = pen.give(f"keep_{name}", rng.random(rows) < 0.7)
            return f"ft.Normal({eta}, {pen.scale('sigma')}).expand([{rows}]).mask({keep})", real
        case "heavy":
            nu = pen.pick(["4.0", pen.site(pen.fresh("nu"), "ft.Gamma(3.0, 0.5)")])
            return f"ft.StudentT({nu}, {eta}, {pen.scale('sigma')})", real
        case "laplace":
            return f"ft.Laplace({eta}, {pen.scale('sigma')})", real
        case "lognormal":
            return f"ft.LogNormal({eta}, {pen.scale('sigma')})", above
        case "logistic":
            return f"ft.Logistic({eta}, {pen.scale('sigma')})", real
        case "skewed":
            return f"ft.SkewNormal({eta}, {pen.scale('sigma')}, {pen.location('skew')})", real
        case "censored":
            limit = pen.give(f"limit_{name}", np.full(rows, 0.9))
            base = f"ft.{pen.pick(['Normal', 'Logistic'])}({eta}, {pen.scale('sigma')})"
            return f"ft.Censored({base}, high={limit})", np.minimum(real, 0.9)
        case "truncated":
            return (
                f"ft.Truncated(ft.Normal({eta}, {pen.scale('sigma')}), low=-1.0, high=2.5)",
                np.clip(real, -0.99, 2.4),
            )
        case "yes":
            law = pen.pick(
                [
                    f"ft.Bernoulli(logits={eta})",
                    f"ft.Bernoulli(probs=expit({eta}))",
                    f"ft.BernoulliLogits({eta})",
                ]
            )
            return law, (real > 0.3).astype(int)
        case "probit":
            return f"ft.Bernoulli(ndtr({eta}))", (real > 0.3).astype(int)
        case "binomial":
            trials = pen.give(f"trials_{name}", rng.integers(4, 9, rows))
            law = pen.pick(
                [f"ft.Binomial({trials}, logits={eta})", f"ft.Binomial({trials}, expit({eta}))"]
            )
            return law, np.minimum(counts, pen.made.data[trials])
        case "betabinomial":
            phi = pen.scale("phi")
            ends = f"expit({eta}) * {phi} + 0.01, (1.0 - expit({eta})) * {phi} + 0.01"
            return f"ft.BetaBinomial({ends}, 9)", np.minimum(counts, 9)
        case "count":
            return f"ft.Poisson(jnp.exp({eta}))", counts
        case "exposed":
            time = pen.give(f"time_{name}", rng.uniform(0.5, 3, rows).round(2))
            law = pen.pick(
                [
                    f"ft.Poisson({time} * jnp.exp({eta}))",
                    f"ft.Poisson(jnp.exp({eta} + jnp.log({time})))",
                ]
            )
            return law, counts
        case "spread counts":
            return f"ft.NegativeBinomial2(jnp.exp({eta}), {pen.scale('phi')})", counts
        case "gamma":
            shape = pen.scale("shape")
            return f"ft.Gamma({shape}, {shape} / jnp.exp({eta}))", above
        case "beta":
            phi = pen.scale("phi")
            return (
                f"ft.Beta(expit({eta}) * {phi} + 0.01, (1.0 - expit({eta})) * {phi} + 0.01)",
                share,
            )
        case "exponential":
            return f"ft.Exponential(jnp.exp(-{eta}))", above
        case "weibull":
            return f"ft.Weibull(jnp.exp({eta}), {pen.scale('shape')})", above
        case "ordered" | "ordered probit":
            cuts = pen.site(pen.fresh("cuts"), "ft.Ordered(ft.Normal(0.0, 1.5).expand([3]))")
            family = "OrderedLogistic" if kind == "ordered" else "OrderedProbit"
            return f"ft.{family}({eta}, {cuts})", rng.integers(0, 4, rows)
        case "category":
            other = pen.location("other")
            logits = f"jnp.stack([jnp.zeros({rows}), {eta}, {other} - {eta}], -1)"
            return f"ft.Categorical(logits={logits})", rng.integers(0, 3, rows)
        case "inflated":
            none = pen.site(pen.fresh("none"), "ft.Beta(2.0, 2.0)")
            return f"ft.ZeroInflatedPoisson({none}, jnp.exp({eta}))", counts * (
                rng.random(rows) < 0.6
            )
        case "rounded":
            cuts = np.stack([np.floor(real), np.floor(real) + 1], -1)
            cuts = pen.give(f"cuts_{name}", cuts)
            return f"ft.IntervalCensored(ft.Normal({eta}, {pen.scale('sigma')}), {cuts})", np.ones(
                rows, int
            )
        case "weighted":
            weight = pen.give(f"weight_{name}", rng.uniform(0, 2, rows).round(1))
            return f"ft.Weighted(ft.Normal({eta}, {pen.scale('sigma')}), {weight})", real
        case "vectors":
            both = f"jnp.stack([{eta}, 0.5 * {eta}], -1)"
            root = pen.site(pen.fresh("root"), "ft.LKJCholesky(2, 2.0)")
            return (
                f"ft.MultivariateNormal({both}, scale_tril={pen.scale('sigma')} * {root})",
                np.stack([real, real[::-1]], -1),
            )
        case _:
            return _hidden(pen, rows, eta, f, name, kind, real)


def _hidden(
    pen: Pen, rows: int, eta: str, f: Factor, name: str, kind: str, real: np.ndarray
) -> tuple[str, np.ndarray]:
    """Write an outcome behind which something hidden stands, discrete or not."""
    sigma = pen.scale("sigma")
    if kind == "in error":
        pen.say(f"with ft.plate('case_{name}', {rows}):")
        pen.say(f"    true_{name} = ft.sample('true_{name}', ft.Normal({eta}, {sigma}))")
        return f"ft.{pen.pick(['Normal(', 'StudentT(4.0, '])}true_{name}, 0.4)", real
    if kind == "missing":
        pen.say(f"with ft.plate('lacking_{name}', 3):")
        pen.say(f"    gap_{name} = ft.sample('gap_{name}', ft.Normal(0.2, 1.0))")
        place = pen.give(f"place_{name}", pen.rng.integers(0, 3, rows))
        lacks = pen.give(f"lacks_{name}", pen.rng.random(rows) < 0.3)
        beta = pen.location("beta")
        return (
            f"ft.Normal({eta} + {beta} * jnp.where({lacks}, gap_{name}[{place}], x), {sigma})",
            real,
        )
    if kind == "chain":
        pen.made.states["z"] = 2
        pen.say("move = jnp.array([[0.8, 0.2], [0.3, 0.7]])")
        pen.say("z = ft.sample('z', ft.MarkovChain(jnp.array([0.5, 0.5]), move, 4))")
    else:
        share = pen.site(pen.fresh("share"), "ft.Beta(2.0, 2.0)")
        pen.say(f"with ft.plate('hidden', {min(f.count, 5)}):")
        two = [f"ft.Bernoulli({share})"]
        three = ["ft.Categorical(jnp.array([0.2, 0.5, 0.3]))", "ft.DiscreteUniform(0, 2)"]
        law = pen.pick(two if kind == "switch" else [*two, *three, "ft.Binomial(2, 0.4)"])
        pen.made.states["z"] = 2 if law in two else 3
        pen.say(f"    z = ft.sample('z', {law})")
    count = 4 if kind == "chain" else min(f.count, 5)
    which = pen.give(f"which_{name}", pen.rng.integers(0, count, rows))
    shift = pen.site(pen.fresh("jump"), "ft.Normal(1.0, 1.0)")
    if kind == "switch":
        return f"ft.Normal({eta} + {shift}, jnp.where(z[{which}] == 1, 2.0, 1.0) * {sigma})", real
    return f"ft.Normal({eta} + {shift} * z[{which}], {sigma})", real
