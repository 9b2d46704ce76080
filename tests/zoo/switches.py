"""Keep models with discrete latent variables: indicators, switchpoints, labels, hidden chains."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

import finetti as ft
from zoo.groups import generator
from zoo.reference import Case, Reference, read


@ft.model
def zero_inflated(rows):
    rate = ft.sample("rate", ft.Gamma(2, 0.5))
    empty = ft.sample("empty", ft.Beta(1, 1))
    with ft.plate("row", rows):
        z = ft.sample("z", ft.Bernoulli(empty))
        ft.sample("y", ft.Poisson(jnp.where(z == 1, 1e-9, rate)))


def many_zeros() -> ft.Model:
    """Return 12 counts, a third of them structural zeros."""
    rng = generator()
    return zero_inflated(12).condition(y=rng.poisson(3.0, 12) * (rng.uniform(size=12) > 1 / 3))


@ft.model
def normal_mixture(rows):
    weight = ft.sample("weight", ft.Beta(2, 2))
    mu = ft.sample("mu", ft.Normal(jnp.array([-1.0, 1.0]), 2))
    sigma = ft.sample("sigma", ft.HalfNormal(1).expand([2]))
    with ft.plate("row", rows):
        z = ft.sample("z", ft.Bernoulli(weight))
        ft.sample("y", ft.Normal(mu[z], sigma[z]))


def two_heaps() -> ft.Model:
    """Return 12 numbers from two normal components."""
    rng = generator()
    which = rng.uniform(size=12) < 0.4
    return normal_mixture(12).condition(y=rng.normal(np.where(which, 2, -1), 0.7))


@ft.model
def disasters(years):
    switchpoint = ft.sample("switchpoint", ft.DiscreteUniform(0, years - 1))
    early_mean = ft.sample("early_mean", ft.Exponential(1))
    late_mean = ft.sample("late_mean", ft.Exponential(1))
    rate = jnp.where(jnp.arange(years) >= switchpoint, late_mean, early_mean)
    with ft.plate("year", years):
        ft.sample("disasters", ft.Poisson(rate))


def coal_mining() -> Case:
    """Return the coal-mining disasters of 1851 to 1961 with one switch of their rate."""
    answers = read("examples_exact.json")["disasters"]
    counts = np.array(answers["data"])
    reference = {
        site: Reference(np.array(known["mean"]), np.array(known["sd"]), {})
        for site, known in answers["sites"].items()
    }
    return Case(lambda: disasters(len(counts)).condition(disasters=counts), reference)


@ft.model
def hidden_chain(steps):
    stay = ft.sample("stay", ft.Beta(8, 2))
    mu = ft.sample("mu", ft.Normal(jnp.array([0.0, 3.0]), 1))
    moves = jnp.stack([jnp.stack([stay, 1 - stay]), jnp.stack([1 - stay, stay])])
    state = ft.sample("z0", ft.Categorical(jnp.array([0.5, 0.5])))
    ft.sample("y0", ft.Normal(mu[state], 1))
    for t in range(1, steps):
        state = ft.sample(f"z{t}", ft.Categorical(moves[state]))
        ft.sample(f"y{t}", ft.Normal(mu[state], 1))


def short_chain() -> ft.Model:
    """Return a hidden Markov chain of 8 steps between two states."""
    rng = generator()
    y = rng.normal(np.array([0, 0, 0, 3, 3, 3, 0, 0]), 1)
    return hidden_chain(8).condition(**{f"y{t}": y[t] for t in range(8)})


@ft.model
def hidden_states(sequences, steps):
    with ft.plate("from", 3):
        moves = ft.sample("moves", ft.Dirichlet(jnp.array([2.0, 1.0, 1.0])))
    mu = ft.sample("mu", ft.Normal(jnp.array([-2.0, 0.0, 2.0]), 1))
    with ft.plate("sequence", sequences):
        z = ft.sample("z", ft.MarkovChain(jnp.array([0.2, 0.5, 0.3]), moves, steps))
        ft.sample("y", ft.Normal(mu[z], 0.8).to_event(1))


def short_states() -> ft.Model:
    """Return two hidden Markov chains of 4 steps between three states."""
    return hidden_states(2, 4).condition(y=generator().normal(0, 2, (2, 4)))


@ft.model
def changing_moves(steps):
    """Have a Markov chain whose transitions vary in time, some impossible, seen through an AR."""
    risk = ft.sample("risk", ft.Beta(np.full(steps - 1, 2.0), 3.0))
    size = ft.sample("size", ft.HalfNormal(2))
    stay = jnp.stack([1 - risk, risk], -1)
    moves = jnp.stack([stay, jnp.broadcast_to(jnp.array([0.0, 1.0]), stay.shape)], 1)
    z = ft.sample("z", ft.MarkovChain(jnp.array([1.0, 0.0]), moves, steps))
    ft.deterministic("ill", jnp.sum(z))
    with ft.plate("day", steps):
        ft.sample("y", ft.Normal(size * z, 1))


def one_way() -> ft.Model:
    """Return 9 days of a chain with an absorbing state."""
    return changing_moves(9).condition(y=generator().normal(np.arange(9) > 4, 1) * 2)


@ft.model
def raters(items, judges):
    """Estimate true classes from raters who err (Dawid & Skene 1979)."""
    share = ft.sample("share", ft.Dirichlet(jnp.ones(3)))
    with ft.plate("judge", judges), ft.plate("truth", 3):
        confusion = ft.sample("confusion", ft.Dirichlet(jnp.ones(3)))
    with ft.plate("item", items):
        z = ft.sample("z", ft.Categorical(share))
        with ft.plate("judge", judges):
            said = confusion[jnp.arange(judges), z[:, None]]
            ft.sample("y", ft.Categorical(said))


def judged() -> ft.Model:
    """Return 7 items, each classed by 4 judges."""
    return raters(7, 4).condition(y=generator().integers(0, 3, (7, 4)))


@ft.model
def kinds_and_parts(things):
    """Give each thing a kind, the kind its parts, and see the part of each dimly."""
    share = ft.sample("share", ft.Dirichlet(jnp.ones(2)))
    with ft.plate("kind", 2):
        parts = ft.sample("parts", ft.Dirichlet(jnp.ones(3)))
    with ft.plate("thing", things):
        kind = ft.sample("of_kind", ft.Categorical(share))
        part = ft.sample("part", ft.Categorical(parts[kind]))
        ft.sample("y", ft.Normal(1.5 * part, 1))


def dim_parts() -> ft.Model:
    """Return 4 things, each of one of two kinds with three parts."""
    return kinds_and_parts(4).condition(y=generator().normal(1.5, 1.5, 4))


@ft.model
def partly_labelled(known, unknown):
    """Classify points of which some have labels."""
    weight = ft.sample("weight", ft.Dirichlet(jnp.ones(3)))
    mu = ft.sample("mu", ft.Normal(0, 3).expand([3]))
    with ft.plate("labelled", known):
        label = ft.sample("label", ft.Categorical(weight))
        ft.sample("x", ft.Normal(mu[label], 1))
    with ft.plate("unlabelled", unknown):
        missing = ft.sample("missing", ft.Categorical(weight))
        ft.sample("y", ft.Normal(mu[missing], 1))


def missing_labels() -> ft.Model:
    """Return 9 points with labels and 7 without."""
    rng = generator()
    label = np.arange(9) % 3
    x, y = rng.normal(3.0 * label), rng.normal(3.0 * (np.arange(7) % 3))
    return partly_labelled(9, 7).condition(label=label, x=x, y=y)


@ft.model
def group_classes(group, exposure):
    """Give each group a class, its rows a rate by class, and their own normal response."""
    share = ft.sample("share", ft.Beta(2, 2))
    rate = ft.sample("rate", ft.Gamma(2, 1).expand([2]))
    centre = ft.sample("centre", ft.Normal(0, 2).expand([2]))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("group", group):
        kind = ft.sample("kind", ft.Bernoulli(share))
        level = ft.sample("level", ft.Normal(centre[kind], tau))
        effect = ft.sample("effect", ft.Normal(0, tau))
    with ft.plate("row", len(group)):
        ft.sample("count", ft.Poisson(exposure * rate[kind][group]))
        ft.sample("score", ft.Normal(level[group], 1))
        ft.sample("gain", ft.Normal(effect[group], 1))


def classed() -> ft.Model:
    """Return 6 groups of unequal size; the gains alone are Gaussian whatever the classes."""
    rng = generator()
    group = rng.permutation(np.repeat(np.arange(6), [1, 2, 3, 4, 5, 6]))
    bound = group_classes(ft.groups(group), rng.uniform(0.5, 2, 21))
    kinds = {
        "count": rng.poisson(2, 21),
        "score": rng.normal(0, 2, 21),
        "gain": rng.normal(size=21),
    }
    return bound.condition(**kinds)


@ft.model
def two_switches(years):
    """Change a mean at two unordered times, which meet in every observation."""
    times = ft.sample("times", ft.DiscreteUniform(1, years - 1).expand([2]))
    mu = ft.sample("mu", ft.Normal(0, 2).expand([3]))
    passed = jnp.sum(jnp.arange(years)[:, None] >= times, -1)
    with ft.plate("year", years):
        ft.sample("y", ft.Normal(mu[passed], 0.5))


def changed_twice() -> ft.Model:
    """Return 15 years with two changes."""
    mean = np.repeat([0.0, 3.0, 1.0], 5)
    return two_switches(15).condition(y=generator().normal(mean, 0.5))


@ft.model
def unseen_animals(sites, visits):
    """Count animals of which each visit sees a part: an N-mixture with a known largest number."""
    density = ft.sample("density", ft.Beta(2, 2))
    seen = ft.sample("seen", ft.Beta(2, 2))
    with ft.plate("site", sites):
        n = ft.sample("n", ft.Binomial(8, density))
        with ft.plate("visit", visits):
            ft.sample("y", ft.Binomial(n[:, None], seen))


def counted_animals() -> ft.Model:
    """Return 3 sites, each visited 4 times."""
    rng = generator()
    return unseen_animals(3, 4).condition(y=rng.binomial(np.array([[2], [5], [8]]), 0.6, (3, 4)))


@ft.model
def spins(rows, columns):
    """Have neighbours on a grid agree: a Markov random field seen with noise."""
    field = ft.sample("field", ft.Normal(0, 1))
    with ft.plate("row", rows), ft.plate("column", columns):
        z = ft.sample("z", ft.Bernoulli(logits=field))
        ft.sample("y", ft.Normal(z, 1))
    ft.factor("across", 0.7 * (z[:, 1:] == z[:, :-1]))
    ft.factor("down", 0.7 * (z[1:] == z[:-1]))


def noisy_grid() -> ft.Model:
    """Return a grid of 3 by 4."""
    return spins(3, 4).condition(y=generator().normal(0.5, 1, (3, 4)))


@ft.model
def natural_mixture(rows):
    """Write posteriordb's low_dim_gauss_mix with the labels as variables."""
    mu = ft.sample("mu", ft.ImproperUniform(ft.constraints.ordered_vector, (), (2,)))
    ft.factor("mu_prior", ft.Normal(0, 2).log_prob(mu))
    sigma = ft.sample("sigma", ft.HalfNormal(2).expand([2]))
    theta = ft.sample("theta", ft.Beta(5, 5))
    with ft.plate("row", rows):
        z = ft.sample("z", ft.Bernoulli(1 - theta))
        ft.sample("y", ft.Normal(mu[z], sigma[z]))


@ft.model
def natural_chain(steps):
    """Write posteriordb's hmm_example with the states as variables."""
    theta1 = ft.sample("theta1", ft.Dirichlet(jnp.ones(2)))
    theta2 = ft.sample("theta2", ft.Dirichlet(jnp.ones(2)))
    mu = ft.sample("mu", ft.ImproperUniform(ft.constraints.positive_ordered_vector, (), (2,)))
    ft.factor("mu_prior", ft.Normal(jnp.array([3.0, 10.0]), 1).log_prob(mu))
    z = ft.sample("z", ft.MarkovChain(jnp.full(2, 0.5), jnp.stack([theta1, theta2]), steps))
    with ft.plate("time", steps):
        ft.sample("y", ft.Normal(mu[z], 1))


DISCRETE: dict[str, Callable[[], ft.Model]] = {
    "zero_inflated": many_zeros,
    "normal_mixture": two_heaps,
    "hidden_chain": short_chain,
    "hidden_states": short_states,
    "changing_moves": one_way,
    "raters": judged,
    "kinds_and_parts": dim_parts,
    "partly_labelled": missing_labels,
    "group_classes": classed,
    "two_switches": changed_twice,
    "unseen_animals": counted_animals,
    "spins": noisy_grid,
}  # small enough to be enumerated
