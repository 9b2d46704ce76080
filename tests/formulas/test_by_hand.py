"""A formula's model has the joint density of the model that its user would write by hand."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.formulas.table import table

import finetti as ft
from finetti.formulas.grouping import grouped

D = table()
N = len(D)
V = {name: D[name].to_numpy() for name in D}
G, H, F = (np.asarray(grouped([name])(D)) for name in "ghf")
X, Z, Y = V["x"], V["z"], V["y"]
DUMMIES = np.stack([V["f"] == "b", V["f"] == "c"], 1).astype(float)
FLAT = {"b": ft.Normal(0, 2), "Intercept": ft.Normal(1, 3), "sd": ft.HalfNormal(2), "cor": 2.0}


def coefficient(name, size=0):
    law = ft.Normal(0.0, 2.0)
    return ft.sample(name, law.expand([size]).to_event(1) if size else law)


def start():
    return ft.sample("Intercept", ft.Normal(1.0, 3.0))


def spread(name, size=1):
    return ft.sample(f"sd[{name}]", ft.HalfNormal(2.0).expand([size]).to_event(1))


def effect(name, codes, size=5):
    sd = spread(name)
    with ft.plate(f"{name}_level", size):
        u = ft.sample(name, ft.Normal(0.0, sd).to_event(1))
    return u[codes, 0]


def observe(name, law, values):
    with ft.plate("row", N):
        ft.sample(name, law, obs=values)


def normal(mean, sigma=None):
    observe(
        "y", ft.Normal(mean, ft.sample("sigma", ft.HalfNormal(4.0)) if sigma is None else sigma), Y
    )


def pooled():
    normal(start() + coefficient("x") * X)


def no_intercept():
    normal(jnp.eye(3)[F] @ coefficient("f", 3))


def factor():
    normal(start() + DUMMIES @ coefficient("f", 2) + coefficient("x") * X
           + (DUMMIES * X[:, None]) @ coefficient("f:x", 2))  # fmt: skip


def one_group():
    normal(start() + coefficient("x") * X + effect("g", G))


def crossed():
    normal(start() + effect("g", G) + effect("h", H))


def slopes(tied):
    def model():
        mean = start() + coefficient("x") * X
        sd = spread("g", 2)
        root = ft.sample("_L[g]", ft.LKJCholesky(2, 2.0)) if tied else jnp.eye(2)
        law = ft.MultivariateNormal(0.0, scale_tril=sd[:, None] * root)
        with ft.plate("g_level", 5):
            u = ft.sample("g", law)
        normal(mean + u[G, 0] + u[G, 1] * X)

    return model


def nested():
    both = grouped(["f", "g"])(D)
    normal(start() + effect("f", F, 3) + effect("f:g", np.asarray(both), len(both.labels)))


def kinds():
    by = np.array([0, 1, 0, 1, 0])
    mean = start()
    with ft.plate("g_by", 2):
        sd = ft.sample("sd[g]", ft.HalfNormal(2.0).expand([2, 1]).to_event(1))
    with ft.plate("g_level", 5):
        u = ft.sample("g", ft.Normal(0.0, sd[by]).to_event(1))
    normal(mean + u[G, 0])


def members():
    mean = start()
    sd = spread("mm(g, h)")
    with ft.plate("mm_level", 5):
        u = ft.sample("mm(g, h)", ft.Normal(0.0, sd).to_event(1))
    normal(mean + (u[G, 0] + u[H, 0]) / 2)


MATRIX = 0.3 + np.eye(5)


def relatives():
    mean = start()
    sd = spread("g")
    u = ft.sample("g", ft.MultivariateNormal(jnp.zeros(5), sd[0] ** 2 * MATRIX))
    normal(mean + u[G])


def steps():
    mean = (
        start()
        + 3
        * coefficient("mo(k)")
        * jnp.concatenate(
            [jnp.zeros(1), jnp.cumsum(ft.sample("simplex[mo(k)]", ft.Dirichlet(jnp.ones(3))))]
        )[V["k"]]
    )
    normal(mean)


def autoregression():
    mean = start()
    sd = ft.sample("sd[ar(t | g)]", ft.HalfNormal(2.0))
    rho = ft.sample("rho[ar(t | g)]", ft.Uniform(0.0, 1.0))
    gap = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    law = ft.MultivariateNormal(jnp.zeros(6), sd**2 * (rho**gap + 1e-8 * np.eye(6)))
    with ft.plate("ar(t | g)_level", 5):
        u = ft.sample("ar(t | g)", law)
    normal(mean + u[G, V["t"]])


def walk():
    mean = start()
    u = ft.sample("rw(t)", ft.GaussianRandomWalk(ft.sample("sd[rw(t)]", ft.HalfNormal(2.0)), 6))
    normal(mean + u[V["t"]])


def offset():
    normal(start() + coefficient("x") * X + np.log(V["n"]))


def spread_by_predictor():
    mean = start() + coefficient("x") * X
    a = ft.sample("sigma_Intercept", ft.Normal(0.0, 1.0))
    b = ft.sample("sigma_z", ft.Normal(0.0, 0.5))
    normal(mean, jnp.exp(a + b * Z))


def known_errors():
    normal(start() + effect("g", G), V["se"])


def censored():
    mean = start() + coefficient("x") * X
    sigma = ft.sample("sigma", ft.HalfNormal(4.0))
    late = V["late"] == 1
    below, tail = ft.Normal(mean, sigma), jax.scipy.stats.norm.logsf(Y, mean, sigma)
    observe("y", ft.Unit(jnp.where(late, tail, below.log_prob(Y))), np.zeros((N, 0)))


def interval_censored():
    mean = start() + coefficient("x") * X
    law = jax.scipy.stats.norm
    at = (mean, ft.sample("sigma", ft.HalfNormal(4.0)))
    within = jnp.log(law.cdf(np.nan_to_num(V["until"], nan=99.0), *at) - law.cdf(Y, *at))
    kinds = [V["seen"] == kind for kind in ("none", "left", "right")]
    terms = [law.logpdf(Y, *at), law.logcdf(Y, *at), law.logsf(Y, *at)]
    observe("y", ft.Unit(jnp.select(kinds, terms, within)), np.zeros((N, 0)))


def censored_counts():
    """Left is at most the count, right more than it, and an interval its end included, as in brms.

    Its Stan code has poisson_lcdf, poisson_lccdf and the difference of two poisson_lcdf.
    """
    law, at = jax.scipy.stats.poisson, (jnp.exp(start()),)
    count, kinds = V["count"], [V["seen"] == kind for kind in ("none", "left", "right")]
    within = jnp.log(law.cdf(count + 2, *at) - law.cdf(count, *at))
    terms = [law.logpmf(count, *at), jnp.log(law.cdf(count, *at)), jnp.log1p(-law.cdf(count, *at))]
    observe("count", ft.Unit(jnp.select(kinds, terms, within)), np.zeros((N, 0)))


def mixed(*laws, ordered):
    """Weigh the densities of components by hand."""

    def model():
        cut = None
        if ordered:
            cut = ft.sample("_Intercept", ft.Ordered(ft.Normal(1.0, 3.0).expand([len(laws)])))
        terms = []
        for i, law in enumerate(laws, 1):
            start = (
                ft.sample(f"mu{i}_Intercept", ft.Normal(1.0, 3.0)) if cut is None else cut[i - 1]
            )
            terms.append(law(start + coefficient(f"mu{i}_x") * X, str(i)))
        share = ft.sample("_theta", ft.Dirichlet(jnp.ones(len(laws))))
        whole = jax.scipy.special.logsumexp(jnp.stack(terms) + jnp.log(share)[:, None], axis=0)
        observe("y", ft.Unit(whole), np.zeros((N, 0)))

    return model


def normal_part(mean, i):
    return jax.scipy.stats.norm.logpdf(Y, mean, ft.sample(f"sigma{i}", ft.HalfNormal(4.0)))


def student_part(mean, i):
    scale, df = ft.sample(f"sigma{i}", ft.HalfNormal(4.0)), ft.sample(f"nu{i}", ft.Gamma(2.0, 0.1))
    return jax.scipy.stats.t.logpdf(Y, df, mean, scale)


def mixed_by_predictor():
    mean = ft.sample("mu1_Intercept", ft.Normal(1.0, 3.0)) + coefficient("mu1_x") * X
    one = normal_part(mean, "1")
    other = normal_part(ft.sample("mu2_Intercept", ft.Normal(1.0, 3.0)), "2")
    odds = ft.sample("theta1_Intercept", ft.Normal(0.0, 1.0))
    odds = odds + ft.sample("theta1_z", ft.Normal(0.0, 0.5)) * Z
    whole = jnp.logaddexp(one + jax.nn.log_sigmoid(odds), other + jax.nn.log_sigmoid(-odds))
    observe("y", ft.Unit(whole), np.zeros((N, 0)))


def tied_residuals():
    """By the bivariate normal density, with the correlation that it has."""
    away, sizes = [], []
    for name, values in (("y", Y), ("z", Z)):
        start = ft.sample(f"{name}_Intercept", ft.Normal(1.0, 3.0))
        mean = start + ft.sample(f"{name}_x", ft.Normal(0.0, 2.0)) * X
        sizes.append(ft.sample(f"{name}_sigma", ft.HalfNormal(4.0)))
        away.append((values - mean) / sizes[-1])
    rho = ft.sample("_L[rescor]", ft.LKJCholesky(2, 2.0))[1, 0]
    left = 1 - rho**2
    square = (away[0] ** 2 - 2 * rho * away[0] * away[1] + away[1] ** 2) / left
    size = 2 * jnp.pi * sizes[0] * sizes[1] * jnp.sqrt(left)
    observe("both", ft.Unit(-square / 2 - jnp.log(size)), np.zeros((N, 0)))


def eta():
    return start() + coefficient("x") * X


def positive(law):
    return lambda: observe("positive", law(eta()), V["positive"])


def shape():
    return ft.sample("shape", ft.HalfCauchy(5.0))


def phi():
    return ft.sample("phi", ft.HalfCauchy(5.0))


def gate(name):
    return ft.sample(name, ft.Beta(1.0, 1.0))


def gamma(e):
    a = shape()
    return ft.Gamma(a, a / jnp.exp(e))


def weibull(e):
    a = shape()
    return ft.Weibull(jnp.exp(e) / jnp.exp(jax.lax.lgamma(1 + 1 / a)), a)


def share(law):
    return lambda: observe("share", law(jax.nn.sigmoid(eta())), V["share"])


def beta(m):
    p = phi()
    return ft.Beta(m * p, (1 - m) * p)


def inflated_beta(m):
    p, zoi, coi = phi(), gate("zoi"), gate("coi")
    return ft.ZeroOneInflatedBeta(zoi, coi, m * p, (1 - m) * p)


def zero_inflated_beta(m):
    p, z = phi(), gate("zi")
    return ft.ZeroOneInflatedBeta(z, 0.0, m * p, (1 - m) * p)


def hurdle_lognormal(e):
    s, h = sigma(), gate("hu")
    return ft.HurdleLogNormal(h, e, s)


def hurdle_gamma(e):
    a, h = shape(), gate("hu")
    return ft.HurdleGamma(h, a, a / jnp.exp(e))


def zero_inflated_negbinomial(m):
    a, z = shape(), gate("zi")
    return ft.ZeroInflatedNegativeBinomial2(m, a, gate=z)


def hurdle_negbinomial(m):
    a, h = shape(), gate("hu")
    return ft.HurdleNegativeBinomial2(h, m, a)


def zero_inflated_binomial(e):
    return ft.ZeroInflatedDistribution(ft.Binomial(V["n"], logits=e), gate=gate("zi"))


def counts(law):
    return lambda: observe("count", law(jnp.exp(eta())), V["count"])


def wins(law):
    return lambda: observe("wins", law(eta()), V["wins"])


def beta_binomial(e):
    m, p = jax.nn.sigmoid(e), phi()
    return ft.BetaBinomial(m * p, (1 - m) * p, V["n"])


def yes():
    observe("yes", ft.Bernoulli(logits=eta() + effect("g", G)), (V["yes"] == "Y").astype(int))


CODES = np.array([["low", "mid", "high"].index(v) for v in V["grade"]])


def cumulative():
    mean = coefficient("x") * X
    cut = ft.sample("Intercept", ft.Ordered(ft.Normal(1.0, 3.0).expand([2])))
    below = jax.nn.sigmoid(cut - mean[:, None])
    p = jnp.stack([below[:, 0], below[:, 1] - below[:, 0], 1 - below[:, 1]], 1)
    observe("grade", ft.Categorical(probs=p), CODES)


def sequential():
    mean = coefficient("x") * X
    cut = ft.sample("Intercept", ft.Normal(1.0, 3.0).expand([2]).to_event(1))
    stop = jax.nn.sigmoid(cut - mean[:, None])
    first = stop[:, 0]
    second = (1 - stop[:, 0]) * stop[:, 1]
    p = jnp.stack([first, second, 1 - first - second], 1)
    observe("grade", ft.Categorical(probs=p), CODES)


def adjacent():
    mean = coefficient("x") * X
    cut = ft.sample("Intercept", ft.Normal(1.0, 3.0).expand([2]).to_event(1))
    one = mean - cut[0]
    logits = jnp.stack([jnp.zeros(N), one, one + mean - cut[1]], 1)
    observe("grade", ft.Categorical(logits=logits), CODES)


def sigma():
    return ft.sample("sigma", ft.HalfNormal(4.0))


def student():
    mean, s = eta(), sigma()
    observe("y", ft.StudentT(ft.sample("nu", ft.Gamma(2.0, 0.1)), mean, s), Y)


def skewed():
    """By its mean and standard deviation (Azzalini 1985)."""
    mean, s, a = eta(), sigma(), ft.sample("alpha", ft.Normal(0.0, 4.0))
    lean = a / jnp.sqrt(1 + a**2)
    width = s / jnp.sqrt(1 - 2 / jnp.pi * lean**2)
    observe("y", ft.SkewNormal(mean - width * lean * jnp.sqrt(2 / jnp.pi), width, a), Y)


def headings():
    mean, k = 2 * jnp.arctan(eta()), ft.sample("kappa", ft.HalfCauchy(5.0))
    observe("angle", ft.VonMises(mean, k), V["angle"])


def tallies():
    parts = [jnp.zeros(N)]
    for level in ("wins", "n"):
        a = ft.sample(f"{level}_Intercept", ft.Normal(0.0, 3.0))
        parts.append(a + ft.sample(f"{level}_x", ft.Normal(0.0, 1.0)) * X)
    y = np.stack([V["count"], V["wins"], V["n"]], 1)
    law = ft.Multinomial(y.sum(1), logits=jnp.stack(parts, 1))
    observe("cbind(count, wins, n)", law, y)


def colours():
    parts = []
    for level in ("green", "red"):
        a = ft.sample(f"{level}_Intercept", ft.Normal(0.0, 3.0))
        parts.append(a + ft.sample(f"{level}_x", ft.Normal(0.0, 1.0)) * X)
    logits = jnp.stack([jnp.zeros(N), *parts], 1)
    observe("colour", ft.Categorical(logits=logits), F_COLOUR)


def tied_colours():
    sd = spread("g", 2)
    root = ft.sample("_L[g]", ft.LKJCholesky(2, 2.0))
    with ft.plate("g_level", 5):
        u = ft.sample("g", ft.MultivariateNormal(0.0, scale_tril=sd[:, None] * root))
    parts = [jnp.zeros(N)]
    for i, level in enumerate(("green", "red")):
        a = ft.sample(f"{level}_Intercept", ft.Normal(0.0, 3.0))
        parts.append(a + ft.sample(f"{level}_x", ft.Normal(0.0, 1.0)) * X + u[G, i])
    observe("colour", ft.Categorical(logits=jnp.stack(parts, 1)), F_COLOUR)


def shares():
    a = ft.sample("share_b_Intercept", ft.Normal(0.0, 3.0))
    eta = a + ft.sample("share_b_x", ft.Normal(0.0, 1.0)) * X
    logits = jnp.stack([jnp.zeros(N), eta], 1)
    law = ft.Dirichlet(jax.nn.softmax(logits, -1) * phi())
    observe("cbind(share, share_b)", law, np.stack([V["share"], 1 - V["share"]], 1))


F_COLOUR = np.array([["blue", "green", "red"].index(v) for v in V["colour"]])
SIGMA = {"sigma": ft.HalfNormal(4.0)}
PARTS = {"sigma_Intercept": ft.Normal(0, 1), "sigma_b": ft.Normal(0, 0.5)}
EACH = {f"{level}_{name}": prior for level in ("green", "red")
        for name, prior in (("Intercept", ft.Normal(0, 3)), ("b", ft.Normal(0, 1)))}  # fmt: skip
TALLIES = {f"{level}_{name}": prior for level in ("wins", "n")
           for name, prior in (("Intercept", ft.Normal(0, 3)), ("b", ft.Normal(0, 1)))}  # fmt: skip

SHARES = {"share_b_Intercept": ft.Normal(0, 3), "share_b_b": ft.Normal(0, 1)}

PLAIN = {"Intercept": ft.Normal(1, 3), "b": ft.Normal(0, 2), "sigma": ft.HalfNormal(4)}
TIED = {f"{name}_{kind}": prior for name in "yz" for kind, prior in PLAIN.items()}
CASES = {
    "y ~ x": (pooled, {}),
    "y ~ 0 + f": (no_intercept, {}),
    "y ~ f * x": (factor, {}),
    "y ~ x + (1 | g)": (one_group, {}),
    "y ~ (1 | g) + (1 | h)": (crossed, {}),
    "y ~ x + (x | g)": (slopes(True), {}),
    "y ~ x + (x || g)": (slopes(False), {}),
    "y ~ x + (1 | g) + (0 + x | g)": (slopes(False), {}),
    "y ~ (1 | f/g)": (nested, {}),
    "y ~ (1 | gr(g, by=kind))": (kinds, {}),
    "y ~ (1 | mm(g, h))": (members, {}),
    "y ~ (1 | gr(g, cov=A))": (relatives, {"matrices": {"A": MATRIX}}),
    "y ~ mo(k)": (steps, {}),
    "y ~ ar(t | g)": (autoregression, {}),
    "y ~ rw(t)": (walk, {}),
    "y ~ x + offset(log(n))": (offset, {}),
    "y ~ x; sigma ~ z": (spread_by_predictor, {"more": PARTS}),
    "y | se(se) ~ (1 | g)": (known_errors, {}),
    "y | cens(late) ~ x": (censored, {}),
    "y | cens(seen, until) ~ x": (interval_censored, {}),
    "count | cens(seen, I(count + 2)) ~ 1 / poisson": (censored_counts, {}),
    "mvbind(y, z) ~ x; set_rescor(TRUE)": (tied_residuals, {"more": {**TIED, "rescor": 2.0}}),
    "positive ~ x / gamma": (positive(gamma), {}),
    "positive ~ x / exponential": (positive(lambda e: ft.Exponential(jnp.exp(-e))), {}),
    "positive ~ x / weibull": (positive(weibull), {}),
    "positive ~ x / inverse_gaussian": (
        positive(lambda e: ft.InverseGaussian(jnp.exp(e), shape())), {}),
    "share ~ x / beta": (share(beta), {}),
    "share ~ x / zero_one_inflated_beta": (share(inflated_beta), {}),
    "y ~ x / student": (student, {}),
    "y ~ x / skew_normal": (skewed, {}),
    "positive ~ x / lognormal": (positive(lambda e: ft.LogNormal(e, sigma())), {}),
    "positive ~ x / hurdle_lognormal": (positive(hurdle_lognormal), {}),
    "positive ~ x / hurdle_gamma": (positive(hurdle_gamma), {}),
    "share ~ x / zero_inflated_beta": (share(zero_inflated_beta), {}),
    "wins | trials(n) ~ x / zero_inflated_binomial": (wins(zero_inflated_binomial), {}),
    "count ~ x / zero_inflated_negbinomial": (counts(zero_inflated_negbinomial), {}),
    "count ~ x / hurdle_negbinomial": (counts(hurdle_negbinomial), {}),
    "angle ~ x / von_mises": (headings, {}),
    "cbind(count, wins, n) ~ x / multinomial": (tallies, {"more": TALLIES}),
    "cbind(share, share_b) ~ x / dirichlet": (shares, {"more": SHARES}),
    "y ~ x / mixture(gaussian, nmix=3)": (mixed(*(normal_part,) * 3, ordered=True), {}),
    "y ~ x / mixture(gaussian, student)": (
        mixed(normal_part, student_part, ordered=False), {}),
    "y ~ x; mu2 ~ 1; theta1 ~ z / mixture(gaussian, gaussian)": (
        mixed_by_predictor,
        {"more": {"theta1_Intercept": ft.Normal(0, 1), "theta1_b": ft.Normal(0, 0.5)}}),
    "count ~ x / poisson": (counts(ft.Poisson), {}),
    "count ~ x / negbinomial": (counts(lambda m: ft.NegativeBinomial2(m, shape())), {}),
    "count ~ x / geometric": (counts(lambda m: ft.Geometric(1 / (1 + m))), {}),
    "count ~ x / zero_inflated_poisson": (
        counts(lambda m: ft.ZeroInflatedPoisson(gate("zi"), m)), {}),
    "count ~ x / hurdle_poisson": (counts(lambda m: ft.HurdlePoisson(gate("hu"), m)), {}),
    "yes ~ x + (1 | g)": (yes, {}),
    "p(wins, n) ~ x": (wins(lambda e: ft.Binomial(V["n"], logits=e)), {}),
    "wins | trials(n) ~ x / beta_binomial": (wins(beta_binomial), {}),
    "grade ~ x / cumulative": (cumulative, {}),
    "grade ~ x / sequential": (sequential, {}),
    "grade ~ x / adjacent": (adjacent, {}),
    "colour ~ x / categorical": (colours, {"more": EACH}),
    "colour ~ x + (1 |i| g) / categorical": (
        tied_colours, {"more": {**EACH, "sd": ft.HalfNormal(2), "cor": 2.0}}),
}  # fmt: skip


def joint(sites):
    return sum(float(jnp.sum(s.distribution.log_prob(jnp.asarray(s.value))))
               for s in sites.values() if s.kind == "sample")  # fmt: skip


def made(text, family, said):
    """Return the formula's model, with those of the priors that it has a parameter for."""
    priors = {**FLAT, **SIGMA, **said.get("more", {})}
    if family in ("categorical", "multinomial", "dirichlet"):
        priors = dict(said["more"])
    while True:
        try:
            return ft.formula(
                text, D, family=family or None, priors=priors, matrices=said.get("matrices")
            )
        except ft.ModelError as error:
            unknown = re.search("no parameter `(.*?)`", str(error))
            del priors[unknown.group(1)]


@pytest.mark.parametrize("case", CASES)
def test_the_joint_density_is_that_of_the_model_by_hand(case):
    hand, said = CASES[case]
    text, _, family = case.partition(" / ")
    sites = made(text, family, said).trace(3)
    drawn = {n: s.value for n, s in sites.items() if s.kind == "sample" and not s.observed}
    theirs = ft.model(hand)().substitute(**drawn).trace(0)
    assert {n for n, s in theirs.items() if s.kind == "sample" and not s.observed} == set(drawn)
    with jax.enable_x64(True):
        assert joint(sites) == pytest.approx(joint(theirs), rel=1e-10)


def test_the_code_says_all_formulas_and_calls_have_a_line_an_argument():
    text = "y ~ x; sigma ~ x + (1 | g); alpha ~ z"
    code = ft.formula(text, D, family="skew_normal").code()
    said = code.partition('"""')[2].partition("    Intercept")[0]
    assert said == 'y ~ x"""\n    # sigma ~ x + (1 | g)\n    # alpha ~ z\n'
    assert max(map(len, code.splitlines())) <= 100


def test_a_class_of_priors_is_that_of_every_category():
    priors = {"b": ft.Normal(0, 0.5), "red_x": ft.Normal(0, 0.1)}
    model = ft.formula("colour ~ x + z", D, family="categorical", priors=priors)
    drawn = ft.prior(model, draws=2000, seed=1)["prior"]
    for name, sd in (("green_x", 0.5), ("green_z", 0.5), ("red_z", 0.5), ("red_x", 0.1)):
        assert float(drawn[name].std()) == pytest.approx(sd, rel=5 / np.sqrt(2 * 2000))
