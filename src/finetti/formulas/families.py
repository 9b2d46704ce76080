"""State in one table, a row a family, how outcomes are distributed and what they are linked by.

Names and parameters are those of brms where it has the family, so that its users find theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

import finetti.distributions as ft
from finetti.distributions import Distribution
from finetti.errors import ModelError
from finetti.formulas.script import Script

Kind = Literal[
    "numbers", "positive", "not negative", "unit", "unit or 0", "closed unit", "counts",
    "yes or no", "successes", "ordered", "category", "counts of categories", "shares", "angles",
]  # fmt: skip

# How a link's inverse is written, of a predictor's expression.
INVERSES: Mapping[str, str] = {
    "identity": "{}",
    "log": "jnp.exp({})",
    "logit": "jax.nn.sigmoid({})",
    "probit": "jax.scipy.special.ndtr({})",
    "cloglog": "-jnp.expm1(-jnp.exp({}))",
    "cauchit": "0.5 + jnp.arctan({}) / jnp.pi",
    "inverse": "1 / ({})",
    "sqrt": "jnp.square({})",
    "softplus": "jax.nn.softplus({})",
    "1/mu^2": "1 / jnp.sqrt({})",
    "tan_half": "2 * jnp.arctan({})",
}


@dataclass(frozen=True)
class Term:
    """Hold a parameter of a family in code: its linear predictor, its link, and its own value."""

    predictor: str
    link: str

    @property
    def value(self) -> str:
        """Return the parameter's value."""
        return INVERSES[self.link].format(self.predictor)


Write = Callable[[Mapping[str, Term]], str]


@dataclass(frozen=True)
class Family:
    """Describe one family: `links` by parameter, the mean's first, and how its law is written.

    `kind` is what outcomes are, `wide` that the outcome's own scale sets that of the priors.
    `priors` are those of parameters without a predictor, of the outcome's spread. `trials` tells
    that each outcome is of a number of trials, `thresholds` that cutpoints stand for an intercept,
    `several` that each category but one has a predictor of its own. `components` are the families
    of which it is a mixture. `steps` are what is computed of parameters before the law is written.
    """

    name: str
    kind: Kind
    links: Mapping[str, str]
    write: Write
    priors: Mapping[str, Callable[[float], Distribution]] = field(default_factory=dict)
    wide: bool = False
    trials: bool = False
    thresholds: bool = False
    several: bool = False
    components: tuple[Family, ...] = ()
    steps: Mapping[str, str] = field(default_factory=dict)

    def law(self, terms: Mapping[str, Term], script: Script) -> str:
        """Write what its law needs of parameters, and return the law."""
        found = dict(terms)
        for name, pattern in self.steps.items():
            step = script.identifier(name)
            script.say(f"{step} = {pattern.format(**{n: t.value for n, t in found.items()})}")
            found[name] = Term(step, "identity")
        return self.write(found)

    def linked(self, link: str | Mapping[str, str] | None) -> Family:
        """Return the family with other links: one for the mean, or by parameter."""
        if link is None:
            return self
        first = next(iter(self.links))
        wished = {first: link} if isinstance(link, str) else dict(link)
        for parameter, name in wished.items():
            if parameter not in self.links:
                raise ModelError(
                    f"the family {self.name} has no parameter `{parameter}` (it has "
                    f"{', '.join(self.links)})"
                )
            if name not in INVERSES or (self.thresholds and name not in ("logit", "probit")):
                known = ("logit", "probit") if self.thresholds else tuple(INVERSES)
                raise ModelError(f"there is no link {name!r}: take one of {', '.join(known)}")
        return replace(self, links={**self.links, **wished})


def _log(spread: float) -> Distribution:
    return ft.HalfCauchy(5.0)


def _half(spread: float) -> Distribution:
    return ft.HalfNormal(float(f"{2.5 * spread:.3g}"))


def _share(spread: float) -> Distribution:
    return ft.Beta(1.0, 1.0)


def _degrees(spread: float) -> Distribution:
    return ft.Gamma(2.0, 0.1)


def _bend(spread: float) -> Distribution:
    return ft.Normal(0.0, 4.0)


def _pattern(pattern: str) -> Write:
    return lambda terms: pattern.format(**{n: t.value for n, t in terms.items()})


def _logits(plain: str, logits: str) -> Write:
    """Write a law by the log odds where the link is the logit, which loses no digits far out."""

    def write(terms: Mapping[str, Term]) -> str:
        mean = terms["mu"]
        rest = {n: t.value for n, t in terms.items()}
        if mean.link == "logit":
            return logits.format(**{**rest, "mu": mean.predictor})
        return plain.format(**rest)

    return write


SHAPE = {"shape": _log}
INFLATED = "ft.ZeroInflatedDistribution(ft.Binomial({trials}, %s), gate={zi})"


# By mean and standard deviation, as brms has it.
SKEWED = {
    "lean": "jnp.sqrt(2 / jnp.pi) * {alpha} / jnp.sqrt(1 + ({alpha}) ** 2)",
    "width": "{sigma} / jnp.sqrt(1 - {lean} ** 2)",
}

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("gaussian", "numbers", {"mu": "identity", "sigma": "log"},
               _pattern("ft.Normal({mu}, {sigma})"), {"sigma": _half}, wide=True),
        Family("student", "numbers", {"mu": "identity", "sigma": "log", "nu": "log"},
               _pattern("ft.StudentT({nu}, {mu}, {sigma})"),
               {"sigma": _half, "nu": _degrees}, wide=True),
        Family("skew_normal", "numbers", {"mu": "identity", "sigma": "log", "alpha": "identity"},
               _pattern("ft.SkewNormal({mu} - {width} * {lean}, {width}, {alpha})"),
               {"sigma": _half, "alpha": _bend}, wide=True, steps=SKEWED),
        Family("lognormal", "positive", {"mu": "identity", "sigma": "log"},
               _pattern("ft.LogNormal({mu}, {sigma})"), {"sigma": _half}),
        Family("gamma", "positive", {"mu": "log", "shape": "log"},
               _pattern("ft.Gamma({shape}, {shape} / ({mu}))"), SHAPE),
        Family("exponential", "positive", {"mu": "log"}, _pattern("ft.Exponential(1 / ({mu}))")),
        Family("weibull", "positive", {"mu": "log", "shape": "log"},
               _pattern("ft.Weibull(({mu}) / jnp.exp(jax.lax.lgamma(1 + 1 / ({shape}))), {shape})"),
               SHAPE),
        Family("inverse_gaussian", "positive", {"mu": "log", "shape": "log"},
               _pattern("ft.InverseGaussian({mu}, {shape})"), SHAPE),
        Family("bernoulli", "yes or no", {"mu": "logit"},
               _logits("ft.Bernoulli({mu})", "ft.Bernoulli(logits={mu})")),
        Family("binomial", "successes", {"mu": "logit"},
               _logits("ft.Binomial({trials}, {mu})", "ft.Binomial({trials}, logits={mu})"),
               trials=True),
        Family("beta_binomial", "successes", {"mu": "logit", "phi": "log"},
               _pattern("ft.BetaBinomial(({mu}) * {phi}, (1 - {mu}) * {phi}, {trials})"),
               {"phi": _log}, trials=True),
        Family("zero_inflated_binomial", "successes", {"mu": "logit", "zi": "logit"},
               _logits(INFLATED % "{mu}", INFLATED % "logits={mu}"),
               {"zi": _share}, trials=True),
        Family("beta", "unit", {"mu": "logit", "phi": "log"},
               _pattern("ft.Beta(({mu}) * {phi}, (1 - {mu}) * {phi})"), {"phi": _log}),
        Family("zero_one_inflated_beta", "closed unit",
               {"mu": "logit", "phi": "log", "zoi": "logit", "coi": "logit"},
               _pattern("ft.ZeroOneInflatedBeta({zoi}, {coi}, ({mu}) * {phi}, (1 - {mu}) * {phi})"),
               {"phi": _log, "zoi": _share, "coi": _share}),
        Family("zero_inflated_beta", "unit or 0", {"mu": "logit", "phi": "log", "zi": "logit"},
               _pattern("ft.ZeroOneInflatedBeta({zi}, 0.0, ({mu}) * {phi}, (1 - {mu}) * {phi})"),
               {"phi": _log, "zi": _share}),
        Family("poisson", "counts", {"mu": "log"}, _pattern("ft.Poisson({mu})")),
        Family("negbinomial", "counts", {"mu": "log", "shape": "log"},
               _pattern("ft.NegativeBinomial2({mu}, {shape})"), SHAPE),
        Family("geometric", "counts", {"mu": "log"}, _pattern("ft.Geometric(1 / (1 + {mu}))")),
        Family("zero_inflated_poisson", "counts", {"mu": "log", "zi": "logit"},
               _pattern("ft.ZeroInflatedPoisson({zi}, {mu})"), {"zi": _share}),
        Family("zero_inflated_negbinomial", "counts", {"mu": "log", "shape": "log", "zi": "logit"},
               _pattern("ft.ZeroInflatedNegativeBinomial2({mu}, {shape}, gate={zi})"),
               {**SHAPE, "zi": _share}),
        Family("hurdle_poisson", "counts", {"mu": "log", "hu": "logit"},
               _pattern("ft.HurdlePoisson({hu}, {mu})"), {"hu": _share}),
        Family("hurdle_negbinomial", "counts", {"mu": "log", "shape": "log", "hu": "logit"},
               _pattern("ft.HurdleNegativeBinomial2({hu}, {mu}, {shape})"),
               {**SHAPE, "hu": _share}),
        Family("hurdle_gamma", "not negative", {"mu": "log", "shape": "log", "hu": "logit"},
               _pattern("ft.HurdleGamma({hu}, {shape}, {shape} / ({mu}))"),
               {**SHAPE, "hu": _share}),
        Family("hurdle_lognormal", "not negative",
               {"mu": "identity", "sigma": "log", "hu": "logit"},
               _pattern("ft.HurdleLogNormal({hu}, {mu}, {sigma})"),
               {"sigma": _half, "hu": _share}),
        Family("von_mises", "angles", {"mu": "tan_half", "kappa": "log"},
               _pattern("ft.VonMises({mu}, {kappa})"), {"kappa": _log}),
        Family("cumulative", "ordered", {"mu": "logit"}, lambda terms: "", thresholds=True),
        Family("sequential", "ordered", {"mu": "logit"}, lambda terms: "", thresholds=True),
        Family("adjacent", "ordered", {"mu": "logit"}, lambda terms: "", thresholds=True),
        Family("categorical", "category", {"mu": "identity"},
               _pattern("ft.Categorical(logits={mu})"), several=True),
        Family("multinomial", "counts of categories", {"mu": "identity"},
               _pattern("ft.Multinomial({trials}, logits={mu})"), several=True, trials=True),
        Family("dirichlet", "shares", {"mu": "identity", "phi": "log"},
               _pattern("ft.Dirichlet(jax.nn.softmax({mu}) * {phi})"), {"phi": _log},
               several=True),
    )
}  # fmt: skip
ALIASES = {
    "normal": "gaussian", "t": "student", "studentt": "student", "logistic": "bernoulli",
    "ordinal": "cumulative", "ordered": "cumulative", "sratio": "sequential", "acat": "adjacent",
    "negative_binomial": "negbinomial", "negativebinomial": "negbinomial",
    "inverse.gaussian": "inverse_gaussian",
}  # fmt: skip


def family(name: str | Family, link: str | Mapping[str, str] | None = None) -> Family:
    """Return a family by its name, with other links where they are wished for.

    >>> family("gamma").links
    {'mu': 'log', 'shape': 'log'}
    """
    if isinstance(name, Family):
        return name.linked(link)
    plain = str(name).strip().lower().replace("-", "_").replace(" ", "_")
    plain = ALIASES.get(plain, plain)
    if plain not in FAMILIES:
        near = get_close_matches(plain, [*FAMILIES, *ALIASES], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ModelError(f"there is no family {name!r}{hint} (families: {', '.join(FAMILIES)})")
    return FAMILIES[plain].linked(link)


def guess(values: Any) -> str:
    """Return the family of an outcome that speaks for itself: of names, or yes or no, Bernoulli."""
    named = values.dtype.kind in "Ob" or str(values.dtype) == "category"
    return "bernoulli" if named else "gaussian"
