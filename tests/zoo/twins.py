"""Keep hierarchical models written the other way: centred by hand, or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo.groups import crossed_trials, generator, grouped, nested_pupils, radon_of
from zoo.reference import read

RADON = read("posteriordb", "radon_mn", "data.json")


@ft.model
def radon_noncentred_correlated(county, floor):
    mu = ft.sample("mu", ft.Normal(0, 10).expand([2]))
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    root = ft.sample("root", ft.LKJCholesky(2, 2.0))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("county", county):
        z = ft.sample("z", ft.Normal(0, 1).expand([2]).to_event(1))
        effect = ft.deterministic("effect", mu + z @ (tau[:, None] * root).T)
    with ft.plate("home", len(county)):
        mean = effect[county, 0] + effect[county, 1] * floor
        ft.sample("log_radon", ft.Normal(mean, sigma))


# posteriordb's, the other way


@ft.model
def centred_seeds(N, x1, x2):
    alpha0, alpha1, alpha2, alpha12 = (
        ft.sample(name, ft.Normal(0, 1)) for name in ("alpha0", "alpha1", "alpha2", "alpha12")
    )
    sigma = ft.sample("sigma", ft.HalfCauchy(1))
    with ft.plate("plate", len(N)):
        b = ft.sample("b", ft.Normal(0, sigma))
        logits = alpha0 + alpha1 * x1 + alpha2 * x2 + alpha12 * x1 * x2 + b
        ft.sample("n", ft.Binomial(N, logits=logits))


@ft.model
def noncentred_surgical(n):
    mu = ft.sample("mu", ft.Normal(0, 1000))
    sigmasq = ft.sample("sigmasq", ft.InverseGamma(0.001, 0.001))
    sigma = ft.deterministic("sigma", jnp.sqrt(sigmasq))
    with ft.plate("hospital", len(n)):
        b_raw = ft.sample("b_raw", ft.Normal(0, 1))
        b = ft.deterministic("b", mu + sigma * b_raw)
        ft.sample("r", ft.Binomial(n, logits=b))
        ft.deterministic("p", jax.nn.sigmoid(b))
    ft.deterministic("pop_mean", jax.nn.sigmoid(mu))


@ft.model
def noncentred_counts_over_years(year):
    alpha = ft.sample("alpha", ft.Uniform(-20, 20))
    beta1, beta2, beta3 = (
        ft.sample(name, ft.Uniform(-10, 10)) for name in ("beta1", "beta2", "beta3")
    )
    sigma = ft.sample("sigma", ft.Uniform(0, 5))
    with ft.plate("year", len(year)):
        eps = ft.sample("eps", ft.Normal(0, 1))
        trend = alpha + beta1 * year + beta2 * year**2 + beta3 * year**3
        log_lambda = ft.deterministic("log_lambda", trend + sigma * eps)
        ft.sample("C", ft.Poisson(jnp.exp(log_lambda)))


@ft.model
def noncentred_item_response(items, persons):
    sigma_theta, sigma_a, sigma_b = (
        ft.sample(name, ft.HalfCauchy(2)) for name in ("sigma_theta", "sigma_a", "sigma_b")
    )
    mu_b = ft.sample("mu_b", ft.Normal(0, 5))
    with ft.plate("person", persons):
        theta = ft.deterministic("theta", sigma_theta * ft.sample("t", ft.Normal(0, 1)))
    with ft.plate("item", items):
        a = ft.deterministic("a", jnp.exp(sigma_a * ft.sample("log_a", ft.Normal(0, 1))))
        b = ft.deterministic("b", mu_b + sigma_b * ft.sample("b_raw", ft.Normal(0, 1)))
        with ft.plate("person", persons):
            ft.sample("y", ft.Bernoulli(logits=a[:, None] * (theta - b[:, None])))


def _seeds() -> ft.Model:
    d = read("posteriordb", "seeds", "data.json")
    x1, x2 = np.array(d["x1"], float), np.array(d["x2"], float)
    return centred_seeds(np.array(d["N"]), x1, x2).condition(n=np.array(d["n"]))


def _surgical() -> ft.Model:
    d = read("posteriordb", "surgical", "data.json")
    return noncentred_surgical(np.array(d["n"])).condition(r=np.array(d["r"]))


def _counts() -> ft.Model:
    d = read("posteriordb", "GLMM_Poisson", "data.json")
    return noncentred_counts_over_years(np.array(d["year"])).condition(C=np.array(d["C"]))


def _item_response() -> ft.Model:
    d = read("posteriordb", "irt_2pl", "data.json")
    return noncentred_item_response(d["I"], d["J"]).condition(y=np.array(d["y"]))


# Several groupings


@ft.model
def noncentred_crossed(subject, item, condition):
    mu = ft.sample("mu", ft.Normal(0, 5))
    effect = ft.sample("effect", ft.Normal(0, 1))
    tau_subject = ft.sample("tau_subject", ft.HalfNormal(1))
    tau_item = ft.sample("tau_item", ft.HalfNormal(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("subject", subject):
        z_subject = ft.sample("z_subject", ft.Normal(0, 1))
    with ft.plate("item", item):
        z_item = ft.sample("z_item", ft.Normal(0, 1))
    with ft.plate("trial", len(subject)):
        mean = mu + effect * condition + tau_subject * z_subject[subject] + tau_item * z_item[item]
        ft.sample("log_time", ft.Normal(mean, sigma))


@ft.model
def crossed_answers(subject, item):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau_subject = ft.sample("tau_subject", ft.HalfNormal(1))
    tau_item = ft.sample("tau_item", ft.HalfNormal(1))
    with ft.plate("subject", subject):
        by_subject = ft.sample("by_subject", ft.Normal(0, tau_subject))
    with ft.plate("item", item):
        by_item = ft.sample("by_item", ft.Normal(0, tau_item))
    with ft.plate("trial", len(subject)):
        ft.sample("right", ft.Bernoulli(logits=mu + by_subject[subject] + by_item[item]))


@ft.model
def noncentred_crossed_answers(subject, item):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau_subject = ft.sample("tau_subject", ft.HalfNormal(1))
    tau_item = ft.sample("tau_item", ft.HalfNormal(1))
    with ft.plate("subject", subject):
        z_subject = ft.sample("z_subject", ft.Normal(0, 1))
    with ft.plate("item", item):
        z_item = ft.sample("z_item", ft.Normal(0, 1))
    with ft.plate("trial", len(subject)):
        logits = mu + tau_subject * z_subject[subject] + tau_item * z_item[item]
        ft.sample("right", ft.Bernoulli(logits=logits))


def _answers(form: ft.Model) -> ft.Model:
    """Return 15 subjects who answer 10 items each."""
    rng, subject, item = generator(), *(m.ravel() for m in np.mgrid[:15, :10])
    logits = 0.5 + rng.normal(0, 1, 15)[subject] + rng.normal(0, 0.7, 10)[item]
    right = rng.binomial(1, 1 / (1 + np.exp(-logits)))
    return form(ft.groups(subject), ft.groups(item)).condition(right=right)


@ft.model
def noncentred_nested(school_of_class, classroom, hours):
    mu = ft.sample("mu", ft.Normal(0, 100))
    slope = ft.sample("slope", ft.Normal(0, 10))
    tau_school = ft.sample("tau_school", ft.HalfNormal(10))
    tau_class = ft.sample("tau_class", ft.HalfNormal(10))
    sigma = ft.sample("sigma", ft.HalfNormal(10))
    with ft.plate("school", school_of_class):
        z_school = ft.sample("z_school", ft.Normal(0, 1))
    with ft.plate("class", len(school_of_class)):
        z_class = ft.sample("z_class", ft.Normal(0, 1))
        school_mean = mu + tau_school * z_school[school_of_class]
        class_mean = ft.deterministic("class_mean", school_mean + tau_class * z_class)
    with ft.plate("pupil", len(classroom)):
        ft.sample("score", ft.Normal(class_mean[classroom] + slope * hours, sigma))


@ft.model
def nested_counts(ward_of_bed, bed):
    """Count in three levels: days in beds, beds in wards."""
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau_ward = ft.sample("tau_ward", ft.HalfNormal(1))
    tau_bed = ft.sample("tau_bed", ft.HalfNormal(1))
    with ft.plate("ward", ward_of_bed):
        ward = ft.sample("ward_mean", ft.Normal(mu, tau_ward))
    with ft.plate("bed", len(ward_of_bed)):
        level = ft.sample("bed_mean", ft.Normal(ward[ward_of_bed], tau_bed))
    with ft.plate("day", len(bed)):
        ft.sample("calls", ft.Poisson(jnp.exp(level[bed])))


@ft.model
def noncentred_nested_counts(ward_of_bed, bed):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau_ward = ft.sample("tau_ward", ft.HalfNormal(1))
    tau_bed = ft.sample("tau_bed", ft.HalfNormal(1))
    with ft.plate("ward", ward_of_bed):
        z_ward = ft.sample("z_ward", ft.Normal(0, 1))
    with ft.plate("bed", len(ward_of_bed)):
        z_bed = ft.sample("z_bed", ft.Normal(0, 1))
        level = mu + tau_ward * z_ward[ward_of_bed] + tau_bed * z_bed
    with ft.plate("day", len(bed)):
        ft.sample("calls", ft.Poisson(jnp.exp(level[bed])))


def _calls(form: ft.Model) -> ft.Model:
    """Return 6 wards of 4 beds each, seen on 5 days."""
    rng, ward_of_bed, bed = generator(), np.repeat(np.arange(6), 4), np.repeat(np.arange(24), 5)
    level = rng.normal(rng.normal(0.5, 0.6, 6)[ward_of_bed], 0.4)
    return form(ft.groups(ward_of_bed), bed).condition(calls=rng.poisson(np.exp(level[bed])))


# Other distributions of the effects


@ft.model
def noncentred_heavy_tailed(group):
    mu = ft.sample("mu", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfNormal(2))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("group", group):
        theta = ft.deterministic("theta", mu + tau * ft.sample("t", ft.StudentT(4, 0, 1)))
    with ft.plate("row", len(group)):
        ft.sample("y", ft.Normal(theta[group], sigma))


@ft.model
def noncentred_horseshoe(x):
    alpha = ft.sample("alpha", ft.Normal(0, 10))
    tau = ft.sample("tau", ft.HalfCauchy(0.1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    with ft.plate("covariate", x.shape[1]):
        lam = ft.sample("lam", ft.HalfCauchy(1))
        beta = ft.deterministic("beta", tau * lam * ft.sample("z", ft.Normal(0, 1)))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(alpha + x @ beta, sigma))


def _sparse() -> ft.Model:
    rng = generator()
    x = rng.normal(size=(40, 12))
    return noncentred_horseshoe(x).condition(y=rng.normal(1 + 2 * x[:, 0] - x[:, 3], 0.5))


@ft.model
def noncentred_count_process(x):
    height = ft.sample("height", ft.HalfNormal(1))
    length = ft.sample("length", ft.LogNormal(-1, 0.5))
    gaps = (x[:, None] - x) / length
    kernel = height**2 * jnp.exp(-0.5 * gaps**2) + 1e-6 * jnp.eye(len(x))
    z = ft.sample("z", ft.Normal(0, 1).expand([len(x)]))
    f = ft.deterministic("f", jnp.linalg.cholesky(kernel) @ z)
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Poisson(jnp.exp(1 + f)))


def _waves() -> ft.Model:
    rng, x = generator(), np.linspace(0, 1, 15)
    return noncentred_count_process(x).condition(y=rng.poisson(np.exp(1 + np.sin(6 * x))))


@ft.model
def zero_inflated_groups(group):
    """Have groups of counts, with their own rates, of which some are structural zeros."""
    empty = ft.sample("empty", ft.Beta(1, 1))
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("group", group):
        level = ft.sample("level", ft.Normal(mu, tau))
    with ft.plate("row", len(group)):
        z = ft.sample("z", ft.Bernoulli(empty))
        ft.sample("y", ft.Poisson(jnp.where(z == 1, 1e-9, jnp.exp(level[group]))))


def _zeros() -> ft.Model:
    rng, group = generator(), np.repeat(np.arange(6), 5)
    counts = rng.poisson(np.exp(rng.normal(1, 0.5, 6))[group])
    return zero_inflated_groups(ft.groups(group)).condition(y=counts * rng.integers(0, 2, 30))


TWINS: dict[str, Callable[[], ft.Model]] = {
    "radon_noncentred_correlated": partial(radon_of, radon_noncentred_correlated, RADON),
    "seeds_centred": _seeds,
    "surgical_noncentred": _surgical,
    "GLMM_Poisson_noncentred": _counts,
    "irt_2pl_noncentred": _item_response,
    "crossed_noncentred": partial(crossed_trials, noncentred_crossed),
    "crossed_answers": partial(_answers, crossed_answers),
    "crossed_answers_noncentred": partial(_answers, noncentred_crossed_answers),
    "nested_noncentred": partial(nested_pupils, noncentred_nested),
    "nested_counts": partial(_calls, nested_counts),
    "nested_counts_noncentred": partial(_calls, noncentred_nested_counts),
    "heavy_tailed_noncentred": partial(grouped, noncentred_heavy_tailed),
    "horseshoe_noncentred": _sparse,
    "count_process_noncentred": _waves,
    "zero_inflated_groups": _zeros,
}
PAIRS = {
    "schools": "noncentred_schools",
    "radon_mn_centred": "radon_mn",
    "radon_slopes": "radon_noncentred_slopes",
    "radon_correlated": "radon_noncentred_correlated",
    "seeds_centred": "seeds",
    "surgical": "surgical_noncentred",
    "GLMM_Poisson": "GLMM_Poisson_noncentred",
    "irt_2pl": "irt_2pl_noncentred",
    "crossed": "crossed_noncentred",
    "crossed_answers": "crossed_answers_noncentred",
    "nested": "nested_noncentred",
    "nested_counts": "nested_counts_noncentred",
    "heavy_tailed": "heavy_tailed_noncentred",
    "horseshoe": "horseshoe_noncentred",
    "count_process": "count_process_noncentred",
}  # centred as written -> not
