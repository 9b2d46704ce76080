"""Write effects of groups, and the predictor that they are part of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import finetti as ft
from zoo.made.written import Pen


@dataclass(frozen=True)
class Factor:
    """Hold a grouping of the rows: its name, its number of members, the column of its codes.

    `column` is written where a column of the members is known.
    """

    name: str
    count: int
    codes: np.ndarray
    column: str


def groups(pen: Pen, rows: int) -> list[Factor]:
    """Make one to three groupings, nested, crossed, of one member, with members without rows."""
    found: list[Factor] = []
    for i in range(int(pen.pick([1, 1, 1, 1, 2, 2]))):
        count = int(pen.pick([1, 2, 3, 3, 4, 5]))
        codes = pen.rng.integers(0, count, rows)
        if found and pen.chance(0.4):  # nested in the one before
            parent = found[-1]
            count = 2 * parent.count
            codes = 2 * parent.codes + pen.rng.integers(0, 2, rows)
        if count > 2 and pen.chance(0.3):
            codes[codes == count - 1] = 0  # a group without rows
        name = f"g{i}"
        given = ft.groups(codes, range(count)) if pen.chance(0.5) else codes
        pen.give(name, given)
        column = pen.give(f"{name}_level", pen.rng.normal(size=count).round(2))
        found.append(Factor(name, count, codes, column))
    return found


def plate(pen: Pen, factor: Factor) -> str:
    """Return how the plate of a grouping is opened."""
    return f"with ft.plate('in_{factor.name}', {factor.count}):"


def effect(pen: Pen, f: Factor) -> str:
    """Write one number a member; return what stands for the column of all."""
    name, scale = pen.fresh("theta"), pen.scale()
    about = pen.pick(["0.0", "0.0", pen.location]) if pen.chance(0.8) else f"0.5 * {f.column}"
    about = about if isinstance(about, str) else about()
    kind = pen.pick(["centred", "centred", "written", "heavy", "other", "own", "positive", "walk"])
    if kind == "walk" and f.count > 1:
        return pen.site(name, f"ft.GaussianRandomWalk({scale}, num_steps={f.count})")
    pen.say(plate(pen, f))
    pen.depth += 1
    match kind:
        case "written":
            raw = pen.site(
                f"{name}_raw", pen.pick(["ft.Normal(0.0, 1.0)", "ft.StudentT(4.0, 0.0, 1.0)"])
            )
            pen.say(f"{name} = ft.deterministic({name!r}, {about} + {scale} * {raw})")
        case "heavy":
            pen.site(name, f"ft.StudentT(4.0, {about}, {scale})")
        case "other":
            family = pen.pick(["Laplace", "Logistic", "Gumbel", "Cauchy"])
            pen.site(name, f"ft.{family}({about}, {scale})")
        case "own":
            own = pen.site(f"{name}_scale", pen.pick(["ft.HalfCauchy(1.0)", "ft.Exponential(1.0)"]))
            pen.site(name, f"ft.Normal({about}, {scale} * {own})")
        case "positive":
            pen.site(
                name, pen.pick([f"ft.LogNormal({about}, {scale})", f"ft.Gamma(2.0, 1.0 / {scale})"])
            )
        case _:
            pen.site(name, f"ft.Normal({about}, {scale})")
    pen.depth -= 1
    if pen.chance(0.1):
        return f"({name} - {name}.mean())"
    return name


def slopes(pen: Pen, f: Factor, x: str) -> str:
    """Write an intercept and a slope a member, tied or not; return what a row gets of both."""
    name = pen.fresh("both")
    root = pen.site(f"{name}_root", "ft.LKJCholesky(2, 1.5)")
    widths = pen.site(
        f"{name}_widths",
        pen.pick(["ft.HalfNormal(1.0).expand([2])", "ft.Exponential(1.0).expand([2])"]),
    )
    pen.say(f"{name}_tril = {widths}[:, None] * {root}")
    kind = pen.pick(["tril", "covariance", "precision", "written", "heavy"])
    mean = pen.pick(["jnp.zeros(2)", "jnp.array([0.5, -0.2])"])
    if kind == "precision":
        pen.say(f"{name}_p = jnp.linalg.inv({name}_tril @ {name}_tril.T)")
    pen.say(plate(pen, f))
    pen.depth += 1
    match kind:
        case "tril":
            pen.site(name, f"ft.MultivariateNormal({mean}, scale_tril={name}_tril)")
        case "covariance":
            pen.site(
                name,
                f"ft.MultivariateNormal({mean}, covariance_matrix={name}_tril @ {name}_tril.T)",
            )
        case "precision":
            pen.site(name, f"ft.MultivariateNormal({mean}, precision_matrix={name}_p)")
        case "heavy":
            pen.site(name, f"ft.MultivariateStudentT(5.0, {mean}, scale_tril={name}_tril)")
        case _:
            pen.site(f"{name}_raw", f"ft.Normal(0.0, 1.0).expand([{f.count}, 2]).to_event(1)")
    pen.depth -= 1
    if kind == "written":
        pen.say(f"{name} = {mean} + {name}_raw @ {name}_tril.T")
    return f"{name}[{f.name}, 0] + {name}[{f.name}, 1] * {x}"


def predictor(pen: Pen, rows: int, factors: list[Factor]) -> str:
    """Write a linear predictor, or one that is not quite, and return its name."""
    x = pen.give("x", pen.rng.normal(size=rows).round(2))
    w = pen.give("w", pen.rng.normal(size=(rows, 2)).round(2))
    parts = [pen.location("alpha")] if pen.chance(0.8) else []
    for f in factors:
        kind = pen.rng.random()
        if kind < 0.22:
            parts.append(slopes(pen, f, x))
        elif kind < 0.34:
            parts.append(f"{effect(pen, f)}[{f.name}] + {effect(pen, f)}[{f.name}] * {x}")
        elif kind < 0.42:
            load = pen.site(pen.fresh("load"), "ft.LogNormal(0.0, 0.5)")
            parts.append(f"{load} * {effect(pen, f)}[{f.name}]")
        else:
            parts.append(f"{effect(pen, f)}[{f.name}]")
    if pen.chance(0.35):
        parts.append(unusual(pen, pen.pick(factors), rows))
    if pen.pick([0, 0, 1, 1]):
        parts.append(coefficients(pen, x, w))
    rng = pen.rng
    rng.shuffle(parts)
    pen.say("eta = " + " + ".join(parts))
    if pen.chance(0.15):
        pen.say(f"eta = eta + {pen.give('known', rng.normal(0, 0.3, rows).round(2))}")
    return "eta"


def unusual(pen: Pen, f: Factor, rows: int) -> str:
    """Write effects that come to the rows in another way than by an index, or by two."""
    name, scale, rng = pen.fresh("odd"), pen.scale(), pen.rng
    kinds = [
        "two ways",
        "reference",
        "absent",
        "design",
        "summed up",
        "smooth",
        "shared",
        "process",
    ]
    kind = pen.pick(kinds)
    count = f.count
    match kind:
        case "two ways":
            other = pen.give(f"{name}_other", rng.integers(0, 3, rows))
            row = pen.site(f"{name}_rows", f"ft.Normal(0.0, {scale}).expand([{count}])")
            pen.say(plate(pen, f))
            pen.say(f"    with ft.plate('in_{name}', 3):")
            pen.say(f"        {name} = ft.sample({name!r}, ft.Normal({row}[:, None], {scale}))")
            return f"{name}[{f.name}, {other}]"
        case "reference":
            pen.site(name, f"ft.Normal(0.0, {scale}).expand([{count}])")
            codes = pen.give(f"{name}_codes", rng.integers(0, count + 1, rows))
            return f"jnp.concatenate([jnp.zeros(1), {name}])[{codes}]"
        case "absent":
            pen.site(name, f"ft.Normal(0.0, {scale}).expand([{count}])")
            codes = pen.give(f"{name}_codes", rng.integers(0, count + 1, rows))
            return f"{pen.location()} + picked({name}, {codes})"
        case "design":
            pen.site(name, f"ft.Normal(0.0, {scale}).expand([{count}])")
            return f"{pen.give(f'{name}_design', np.eye(count)[f.codes])} @ {name}"
        case "summed up":
            pen.site(name, f"ft.Normal(0.0, 1.0).expand([{count}])")
            return f"jnp.cumsum({scale} * {name})[{f.name}]"
        case "smooth":
            pen.site(name, f"ft.Normal(0.0, 2.0).expand([{count}])")
            step = f"jnp.square({name}[1:] - {name}[:-1]).sum()"
            pen.say(f"ft.factor('{name}_smooth', -0.5 * {step} / ({scale}) ** 2)")
            return f"{name}[{f.name}]"
        case "shared":
            pen.say(plate(pen, f))
            pen.say(f"    {name} = ft.sample({name!r}, ft.Normal(0.0, {scale}))")
            other = pen.give(f"{name}_other", rng.integers(0, count, rows))
            return f"0.4 * {name}[{f.name}] + 0.6 * {name}[{other}]"
        case _:
            apart = np.subtract.outer(np.arange(count), np.arange(count)) ** 2.0
            apart = pen.give(f"{name}_apart", apart)
            length = pen.site(f"{name}_length", "ft.LogNormal(0.0, 0.5)")
            near = f"jnp.exp(-0.5 * {apart} / {length} ** 2) + 0.01 * jnp.eye({count})"
            law = f"ft.MultivariateNormal(jnp.zeros({count}), covariance_matrix="
            law += f"{scale} ** 2 * ({near}))"
            return f"{pen.site(name, law)}[{f.name}]"


def coefficients(pen: Pen, x: str, w: str) -> str:
    """Write what a row gets of covariates."""
    name = pen.fresh("beta")
    kinds = ["one", "two", "matrix", "event", "tied", "hinge", "knot", "shrunk", "monotone"]
    match pen.pick([*kinds, "whole", "which"]):
        case "one":
            return f"{pen.location('beta')} * {x}"
        case "two":
            both = pen.site(name, "ft.Normal(0.0, 1.0).expand([2])")
            return f"{both}[0] * {x} + {both}[1] * {x} ** 2"
        case "matrix":
            family = pen.pick(["Normal", "Laplace"])
            return f"{w} @ {pen.site(name, f'ft.{family}(0.0, 1.0).expand([2])')}"
        case "event":
            law = "ft.MultivariateNormal(jnp.zeros(2), covariance_matrix="
            law += "jnp.array([[1.0, 0.3], [0.3, 0.8]]))"
            return f"({w} * {pen.site(name, law)}).sum(-1)"
        case "tied":
            shared = pen.site(name, "ft.Normal(0.0, 1.0)")
            return f"{shared} * {x} - 0.5 * {shared} * {w}[:, 1]"
        case "hinge":
            knot = pen.site(f"{name}_knot", "ft.Normal(0.0, 1.5)")
            low, high = (
                pen.site(f"{name}_{side}", "ft.Normal(0.0, 1.0)") for side in ("low", "high")
            )
            before, after = f"{knot} - 1.0 - {x}", f"{x} - 1.0 - {knot} ** 2"
            return f"{low} * jnp.maximum({before}, 0.0) + {high} * jnp.maximum({after}, 0.0)"
        case "knot":
            knot = pen.site(f"{name}_knot", "ft.Uniform(-2.0, 2.0)")
            return f"jnp.where({x} < {knot}, {pen.location('before')}, {pen.location('after')})"
        case "whole":
            return f"jnp.asarray({pen.location('near')}).astype(int) * {x}"
        case "which":
            knot = pen.site(f"{name}_knot", "ft.Normal(0.0, 1.5)")
            both = pen.site(name, "ft.Normal(0.0, 1.0).expand([2])")
            return f"{both}[({x} < {knot}).astype(int)]"
        case "shrunk":
            width = pen.scale()
            own = pen.site(f"{name}_own", "ft.HalfCauchy(1.0).expand([2])")
            return f"{w} @ {pen.site(name, f'ft.Normal(0.0, {width} * {own})')}"
        case _:
            parts = pen.site(name, "ft.Dirichlet(jnp.array([2.0, 1.0, 1.5]))")
            step = pen.give(f"{name}_step", pen.rng.integers(0, 3, len(pen.made.data["x"])))
            return f"{pen.location('rise')} * jnp.cumsum({parts})[{step}]"
