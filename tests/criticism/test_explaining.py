"""Check R-squared, variance shares and shrinkage against closed forms, on draws made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import polygamma

import finetti as ft
from criticism.by_hand import posterior_of

CHAINS, DRAWS = 2, 15
COUNTY = ft.groups(["a", "b", "c", "a", "b", "a", "c", "c", "b", "a"])
X = np.linspace(-1, 2, 10)
Y = np.arange(10.0)
CODES, SIZES = np.asarray(COUNTY), np.bincount(np.asarray(COUNTY))
RANDOM = np.random.default_rng(7)


def drawn(*shape):
    return RANDOM.normal(size=(CHAINS, DRAWS, *shape))


def positive(*shape):
    return np.exp(0.3 * drawn(*shape))


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)  # of rounding


def hyper():
    return {"mu": drawn(), "beta": drawn(), "tau": positive(), "sigma": positive()}


def start():
    mu, beta = ft.sample("mu", ft.Normal(0, 5)), ft.sample("beta", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfNormal(1))
    return mu, beta, tau, ft.sample("sigma", ft.HalfNormal(1))


@ft.model
def centred():
    mu, beta, tau, sigma = start()
    with ft.plate("county", COUNTY):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(theta[COUNTY] + beta * X, sigma), obs=Y)


@ft.model
def by_hand():
    mu, beta, tau, sigma = start()
    with ft.plate("county", COUNTY):
        z = ft.sample("z", ft.Normal(0, 1))
        theta = ft.deterministic("theta", mu + tau * z)
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(theta[COUNTY] + beta * X, sigma), obs=Y)


def intercepts():
    """Return the same draws of one model written in two ways, and the effects."""
    top, z = hyper(), drawn(3)
    theta = top["mu"][..., None] + top["tau"][..., None] * z
    return {
        "centred": (posterior_of(centred(), **top, theta=theta), top, theta),
        "by hand": (posterior_of(by_hand(), **top, z=z), top, theta),
    }


INTERCEPTS = intercepts()
either = pytest.mark.parametrize("way", INTERCEPTS)


@either
def test_variances_of_a_normal_model_are_its_own(way):
    posterior, top, _ = INTERCEPTS[way]
    found = ft.variance_shares(posterior)
    population = top["beta"] ** 2 * X.var(ddof=1)
    total = population + top["tau"] ** 2 + top["sigma"] ** 2
    close(found["population"], population / total)
    close(found["county"], top["tau"] ** 2 / total)
    close(found["residual"], top["sigma"] ** 2 / total)


@either
def test_the_intraclass_correlation_is_the_textbooks(way):
    posterior, top, _ = INTERCEPTS[way]
    close(ft.icc(posterior)["county"], top["tau"] ** 2 / (top["tau"] ** 2 + top["sigma"] ** 2))


@either
def test_r_squared_is_that_of_the_means_of_each_draw(way):
    posterior, top, theta = INTERCEPTS[way]
    mean = theta[..., CODES] + top["beta"][..., None] * X
    explained, left = mean.var(-1, ddof=1), top["sigma"] ** 2
    found = ft.r_squared(posterior)
    close(found["conditional"], explained / (explained + left))
    population = top["beta"] ** 2 * X.var(ddof=1)
    close(found["marginal"], population / (explained + left))


@either
def test_shrinkage_is_the_textbooks(way):
    posterior, top, theta = INTERCEPTS[way]
    site = "theta" if way == "centred" else "z"
    own = top["sigma"][..., None] ** 2 / SIZES
    found = ft.shrinkage(posterior)
    close(found[site], own / (own + top["tau"][..., None] ** 2))
    away = theta - top["mu"][..., None]
    away = away if way == "centred" else away / top["tau"][..., None]
    each = away.reshape(-1, 3)
    close(found.pooling[site], 1 - each.mean(0).var() / each.var(1).mean())


@ft.model
def slopes():
    mu, beta, _, sigma = start()
    scales = ft.sample("scales", ft.HalfNormal(np.ones(2)))
    rho = ft.sample("rho", ft.Uniform(-1, 1))
    root = jnp.stack([jnp.stack([1.0, 0.0 * rho]), jnp.stack([rho, jnp.sqrt(1 - rho**2)])])
    with ft.plate("county", COUNTY):
        b = ft.sample("b", ft.MultivariateNormal(jnp.stack([mu, beta]),
                                                 scale_tril=scales[:, None] * root))  # fmt: skip
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(b[COUNTY, 0] + b[COUNTY, 1] * X, sigma), obs=Y)


def test_slopes_that_go_with_levels_have_the_variance_of_both_at_each_row():
    top, scales = hyper(), positive(2)
    rho = np.tanh(drawn())
    posterior = posterior_of(slopes(), **top, scales=scales, rho=rho, b=drawn(3, 2))
    design = np.stack([np.ones(10), X], -1)
    cross = rho * scales.prod(-1)
    covariance = np.stack([scales[..., 0] ** 2, cross, cross, scales[..., 1] ** 2], -1)
    covariance = covariance.reshape(CHAINS, DRAWS, 2, 2)
    between = np.einsum("ni,cdij,nj->cdn", design, covariance, design).mean(-1)
    close(ft.icc(posterior)["county"], between / (between + top["sigma"] ** 2))
    known = np.stack([design[c == CODES].T @ design[c == CODES] for c in range(3)])
    known = known / top["sigma"][..., None, None, None] ** 2
    left = np.linalg.inv(np.linalg.inv(covariance)[:, :, None] + known)
    own = np.diagonal(left, axis1=-2, axis2=-1)
    population = np.diagonal(covariance, axis1=-2, axis2=-1)[:, :, None]
    found = ft.shrinkage(posterior)
    close(found["b"], own / population)
    assert list(found.pooling) == ["b[0]", "b[1]"]


@ft.model
def nested(written):
    mu, _, tau, sigma = start()
    sd = ft.sample("sd", ft.HalfNormal(1))
    with ft.plate("state", ["n", "s"]):
        state = ft.sample("state_effect", ft.Normal(mu, sd))
    place = np.array([0, 0, 1])
    with ft.plate("county", COUNTY):
        if written == "centred":
            theta = ft.sample("theta", ft.Normal(state[place], tau))
        else:
            theta = state[place] + tau * ft.sample("theta", ft.Normal(0, 1))
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(theta[COUNTY], sigma), obs=Y)


@pytest.mark.parametrize("written", ["centred", "by hand"])
def test_groups_within_groups_each_have_their_share(written):
    top, sd = hyper(), positive()
    posterior = posterior_of(nested(written), **top, sd=sd, state_effect=drawn(2), theta=drawn(3))
    found = ft.icc(posterior)
    total = sd**2 + top["tau"] ** 2 + top["sigma"] ** 2
    close(found["state"], sd**2 / total)
    close(found["county"], top["tau"] ** 2 / total)
    shares = ft.variance_shares(posterior)
    close(shares["population"], np.zeros((CHAINS, DRAWS)))
    close(sum(shares.draws.data_vars.values()), np.ones((CHAINS, DRAWS)))
    rows = np.array([SIZES[:2].sum(), SIZES[2]])
    own = top["sigma"][..., None] ** 2 / rows
    close(ft.shrinkage(posterior)["state_effect"], own / (own + sd[..., None] ** 2))


CUTS = jnp.array([-1.0, 1.0])


def latent(family, eta, shape):
    """Return an outcome's law by its linear predictor, and what it is observed as."""
    yes, counts, sizes = (Y > 4).astype(int), Y.astype(int), Y + 0.5
    cloglog = -jnp.expm1(-jnp.exp(eta))
    return {
        "logits": lambda: (ft.Bernoulli(logits=eta), yes),
        "probabilities": lambda: (ft.Bernoulli(jax.nn.sigmoid(eta)), yes),
        "probit": lambda: (ft.Bernoulli(jax.scipy.stats.norm.cdf(eta)), yes),
        "cloglog": lambda: (ft.Binomial(9, cloglog), counts),
        "Poisson": lambda: (ft.Poisson(jnp.exp(eta)), counts),
        "NegativeBinomial2": lambda: (ft.NegativeBinomial2(jnp.exp(eta), shape), counts),
        "Geometric": lambda: (ft.Geometric(1 / (1 + jnp.exp(eta))), counts),
        "Gamma": lambda: (ft.Gamma(shape, shape / jnp.exp(eta)), sizes),
        "Exponential": lambda: (ft.Exponential(jnp.exp(-eta)), sizes),
        "Weibull": lambda: (ft.Weibull(jnp.exp(eta), shape), sizes),
        "LogNormal": lambda: (ft.LogNormal(eta, shape), sizes),
        "InverseGaussian": lambda: (ft.InverseGaussian(jnp.exp(eta), shape), sizes),
        "OrderedLogistic": lambda: (ft.OrderedLogistic(eta, CUTS), counts // 4),
        "OrderedProbit": lambda: (ft.OrderedProbit(eta, CUTS), counts // 4),
        "censored": lambda: (ft.Censored(ft.Normal(eta, shape), high=Y), Y),
        "Beta": lambda: (ft.Beta(jnp.exp(eta), shape), sizes / 20),
        "BetaBinomial": lambda: (ft.BetaBinomial(jnp.exp(eta), shape, 9), counts),
        "Gumbel": lambda: (ft.Gumbel(eta, shape), sizes),
    }[family]()


@ft.model
def linked(family):
    mu, beta, tau, shape = start()
    with ft.plate("county", COUNTY):
        z = ft.sample("z", ft.Normal(0, 1))
    with ft.plate("home", 10):
        law, observed = latent(family, mu + tau * z[COUNTY] + beta * X, shape)
        ft.sample("y", law, obs=observed)


# What is left on the scale of the link, of the mean over all rows and the shape: Nakagawa, Johnson
# & Schielzeth 2017, table 1 and appendix S2.
LEFT = {
    "logits": lambda mean, shape: np.pi**2 / 3,
    "probabilities": lambda mean, shape: np.pi**2 / 3,
    "probit": lambda mean, shape: 1.0,
    "cloglog": lambda mean, shape: np.pi**2 / 6,
    "Poisson": lambda mean, shape: np.log(1 + 1 / mean),
    "NegativeBinomial2": lambda mean, shape: np.log(1 + 1 / mean + 1 / shape),
    "Geometric": lambda mean, shape: np.log(2 + 1 / mean),
    "Gamma": lambda mean, shape: polygamma(1, shape),
    "Exponential": lambda mean, shape: np.pi**2 / 6,
    "Weibull": lambda mean, shape: np.pi**2 / 6 / shape**2,
    "LogNormal": lambda mean, shape: shape**2,
    "InverseGaussian": lambda mean, shape: np.log(1 + mean / shape),
    "OrderedLogistic": lambda mean, shape: np.pi**2 / 3,
    "OrderedProbit": lambda mean, shape: 1.0,
    "censored": lambda mean, shape: shape**2,
}
FAST = ("probit", "cloglog", "NegativeBinomial2", "InverseGaussian", "OrderedLogistic", "censored")


@pytest.mark.parametrize(
    "family", [f if f in FAST else pytest.param(f, marks=pytest.mark.slow) for f in LEFT]
)
def test_links_leave_the_variance_that_is_known_for_them(family):
    top = {name: 0.4 * a for name, a in hyper().items()}  # no probability is 1 to rounding
    posterior = posterior_of(linked(family), **top, z=drawn(3))
    rows = top["mu"][..., None] + top["beta"][..., None] * X
    mean = np.exp(rows + top["tau"][..., None] ** 2 / 2).mean(-1)
    left, between = LEFT[family](mean, top["sigma"]), top["tau"] ** 2
    shares = ft.variance_shares(posterior)
    population = rows.var(-1, ddof=1)
    total = population + between + left
    np.testing.assert_allclose(shares["residual"], left / total, rtol=1e-6)
    np.testing.assert_allclose(shares["county"], between / total, rtol=1e-6)
    if family in ("NegativeBinomial2", "probit"):
        np.testing.assert_allclose(ft.icc(posterior)["county"], between / (between + left), 1e-6)
        found = ft.r_squared(posterior, link=True)
        np.testing.assert_allclose(found["marginal"], population / total, rtol=1e-6)
        np.testing.assert_allclose(found["conditional"], 1 - left / total, rtol=1e-6)


@pytest.mark.parametrize("family", ["Beta", "BetaBinomial"])
def test_shares_leave_the_variance_of_the_logit_of_what_is_drawn(family):
    """That of the logit of Beta(a, b) is trigamma(a) + trigamma(b) (Johnson et al. 1995, 25.4)."""
    top, z = hyper(), drawn(3)
    posterior = posterior_of(linked(family), **top, z=z)
    rows = top["mu"][..., None] + top["beta"][..., None] * X
    chance = np.exp(rows + (top["tau"][..., None] * z)[..., CODES])
    left = polygamma(1, chance).mean(-1) + polygamma(1, top["sigma"])
    left += np.pi**2 / 3 if family == "BetaBinomial" else 0.0
    total = rows.var(-1, ddof=1) + top["tau"] ** 2 + left
    found = ft.variance_shares(posterior)
    np.testing.assert_allclose(found["residual"], left / total, rtol=1e-6)
    np.testing.assert_allclose(found["county"], top["tau"] ** 2 / total, rtol=1e-6)


def test_r_squared_of_censored_outcomes_is_that_of_the_outcomes_themselves():
    top, z = hyper(), drawn(3)
    mean = top["mu"][..., None] + top["beta"][..., None] * X
    mean = mean + (top["tau"][..., None] * z)[..., CODES]
    found = ft.r_squared(posterior_of(linked("censored"), **top, z=z))
    explained = mean.var(-1, ddof=1)
    close(found["conditional"], explained / (explained + top["sigma"] ** 2))
    assert any("whether or not it is censored" in note for note in found.notes)


@ft.model
def pair():
    mu, beta, tau, sigma = start()
    with ft.plate("county", COUNTY):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    mean = jnp.stack([theta[COUNTY] + beta * X, jnp.zeros(10)], -1)
    root = jnp.stack([jnp.stack([sigma, 0.0 * sigma]), jnp.array([0.3, 0.8])])
    with ft.plate("home", 10):
        ft.sample("both", ft.MultivariateNormal(mean, scale_tril=root), obs=np.stack([Y, X], -1),
                  dims={"outcome": ["one", "other"]})  # fmt: skip


def test_an_entry_of_a_vector_is_looked_at_by_its_own_law():
    top, z = hyper(), drawn(3)
    theta = top["mu"][..., None] + top["tau"][..., None] * z
    posterior = posterior_of(pair(), **top, theta=theta)
    close(ft.icc(posterior, of="one")["county"],
          top["tau"] ** 2 / (top["tau"] ** 2 + top["sigma"] ** 2))  # fmt: skip
    mean = theta[..., CODES] + top["beta"][..., None] * X
    explained = mean.var(-1, ddof=1)
    found = ft.r_squared(posterior, of="one")["conditional"]
    close(found, explained / (explained + top["sigma"] ** 2))
    close(ft.r_squared(posterior, of="other")["conditional"], np.zeros((CHAINS, DRAWS)))
    with pytest.raises(ft.ModelError, match="is of `one` and `other`: say of which"):
        ft.r_squared(posterior)


@pytest.mark.parametrize(
    ("law", "words"),
    [
        (lambda eta: ft.OrderedLogistic(eta, CUTS), r"categories.*link=True"),
        (lambda eta: ft.VonMises(eta, 2.0), "on a circle"),
    ],
)
def test_what_has_no_mean_among_numbers_is_refused(law, words):
    @ft.model
    def turned(x, y=None):
        beta = ft.sample("beta", ft.Normal(0, 1))
        with ft.plate("home", len(x)):
            ft.sample("y", law(beta * x), obs=y)

    posterior = posterior_of(turned(X, Y.astype(int) // 4), beta=drawn())
    asks = [ft.r_squared, *([lambda p: ft.effects(p, "x")] if "circle" in words else [])]
    for ask in asks:
        with pytest.raises(ft.FinettiError, match=words):
            ask(posterior)


def test_r_squared_of_means_is_on_the_outcomes_own_scale():
    top, z = hyper(), drawn(3)
    posterior = posterior_of(linked("Poisson"), **top, z=z)
    eta = (
        top["mu"][..., None] + top["beta"][..., None] * X + (top["tau"][..., None] * z)[..., CODES]
    )
    explained, left = np.exp(eta).var(-1, ddof=1), np.exp(eta).mean(-1)
    close(ft.r_squared(posterior)["conditional"], explained / (explained + left))


def test_what_shares_refuse_may_have_an_r_squared():
    posterior = posterior_of(linked("Gumbel"), **hyper(), z=drawn(3))
    with pytest.raises(ft.ModelError, match=r"no scale on which effects add up.*ft\.r_squared"):
        ft.variance_shares(posterior)
    found = ft.r_squared(posterior)["conditional"]
    assert ((found > 0) & (found < 1)).all()
    certain = {name: 0.4 * a for name, a in hyper().items()}
    certain["mu"][:, 1:] = 60.0
    posterior = posterior_of(linked("cloglog"), **certain, z=drawn(3))
    with pytest.raises(ft.ModelError, match="0 or 1 to rounding"):
        ft.variance_shares(posterior)
    cube = ft.model(lambda: _cubed())
    posterior = posterior_of(cube(), z=drawn(3))
    with pytest.raises(ft.ModelError, match="`z` moves `y`, but the mean is not linear"):
        ft.variance_shares(posterior)


def _cubed():
    with ft.plate("county", COUNTY):
        z = ft.sample("z", ft.Normal(0, 1))
    with ft.plate("home", 10):
        ft.sample("y", ft.Bernoulli(jax.nn.sigmoid(z**3)[COUNTY]), obs=(Y > 4).astype(int))


@ft.model
def regression():
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("feature", ["a", "b"]):
        local = ft.sample("local", ft.HalfCauchy(1))
        beta = ft.sample("beta", ft.Normal(0, local))
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(np.stack([X, X**2], -1) @ beta, sigma), obs=Y)


def test_coefficients_in_a_plate_are_no_groups_effects():
    sigma, beta = positive(), drawn(2)
    posterior = posterior_of(regression(), sigma=sigma, beta=beta, local=positive(2))
    mean = np.stack([X, X**2], -1) @ beta[..., None]
    explained = mean[..., 0].var(-1, ddof=1)
    found = ft.r_squared(posterior)
    close(found["conditional"], explained / (explained + sigma**2))
    assert "marginal" not in found.draws
    assert any("several of its members: `beta`" in note for note in found.notes)
    close(ft.variance_shares(posterior)["population"], explained / (explained + sigma**2))
    with pytest.raises(ft.ModelError, match="no groups' effects"):
        ft.icc(posterior)
    with pytest.raises(ft.ModelError, match="`beta`: its members share observations"):
        ft.shrinkage(posterior)


@ft.model
def frail():
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("county", COUNTY):
        frailty = ft.sample("frailty", ft.Gamma(2, 2))
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(frailty[COUNTY] * X, sigma), obs=Y)


@ft.model
def cauchy():
    with ft.plate("county", COUNTY):
        theta = ft.sample("theta", ft.Cauchy(0, 1))
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(theta[COUNTY], 1), obs=Y)


@ft.model
def two_outcomes():
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("home", 10):
        ft.sample("y", ft.Normal(mu, 1), obs=Y)
        ft.sample("w", ft.Categorical(np.ones(3) / 3), obs=(Y > 4).astype(int))


def test_what_a_model_does_not_allow_is_refused_in_a_sentence():
    posterior = posterior_of(frail(), sigma=positive(), frailty=positive(3))
    with pytest.raises(ft.ModelError, match=r"`frailty` moves `y`, but it is .*positive"):
        ft.icc(posterior)
    with pytest.raises(ft.ModelError, match=r"no shrinkage of `frailty`: it is .*positive"):
        ft.shrinkage(posterior, "frailty")
    posterior = posterior_of(cauchy(), theta=drawn(3))
    with pytest.raises(ft.ModelError, match="no finite variance"):
        ft.icc(posterior)
    with pytest.raises(ft.ModelError, match="no finite variance"):
        ft.shrinkage(posterior)
    both = posterior_of(two_outcomes(), mu=drawn())
    with pytest.raises(ft.ModelError, match=r"observes `y` and `w`: say of which.*of='y'"):
        ft.r_squared(both)
    with pytest.raises(ft.ModelError, match="no row of single numbers"):
        ft.r_squared(both, "w")
    with pytest.raises(ft.UnknownSite, match="did you mean `y`"):
        ft.r_squared(both, "yy")
    close(ft.r_squared(both, "y")["conditional"], np.zeros((CHAINS, DRAWS)))
    with pytest.raises(ft.UnknownSite):
        ft.shrinkage(both, "mu")
    with pytest.raises(ft.ModelError, match="needs the model"):
        ft.r_squared(ft.Posterior(both.tree), "y")


def test_observations_left_out_do_not_count():
    posterior, top, theta = INTERCEPTS["centred"]
    out = np.zeros(10, bool)
    out[[1, 4]] = True
    left = ft.Posterior(posterior.tree, posterior.model.leave_out(y=out))
    mean = (theta[..., CODES] + top["beta"][..., None] * X)[..., ~out]
    explained = mean.var(-1, ddof=1)
    close(ft.r_squared(left)["conditional"], explained / (explained + top["sigma"] ** 2))
    sizes = np.bincount(CODES[~out])
    own = top["sigma"][..., None] ** 2 / sizes
    close(ft.shrinkage(left)["theta"], own / (own + top["tau"][..., None] ** 2))


def test_what_is_found_prints_as_a_table_with_intervals():
    posterior, _, _ = INTERCEPTS["centred"]
    shares, shrunk = ft.variance_shares(posterior), ft.shrinkage(posterior)
    said = str(shares)
    assert said.startswith("Shares of the variance of y")
    assert "89% interval" in said
    assert "Groups' effects: `theta`." in said
    assert list(shares.frame.index) == ["population", "county", "residual"]
    assert list(shrunk.factors.frame.index) == [f"theta[{c}]" for c in "abc"]
    assert "pooling factor" in str(shrunk)
    assert repr(shares) == "<Shares of the variance of y: population, county, residual>"
    assert "<table>" in shares._repr_html_()
    assert "<table>" in shrunk._repr_html_()
    assert len(repr(shrunk)) < 100
