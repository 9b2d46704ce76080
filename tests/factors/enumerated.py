"""Enumerate the joint states of small factor graphs, and offer some graphs to try."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from finetti import factors as fg
from finetti.compiling import ONCE, compiled


def joint(graph, evidence=None):
    """Return all joint states, (number, variables), and their log weights, by `graph.score`."""
    counts = [
        int(k)
        for v in graph.variables
        for k in np.broadcast_to(np.ravel(v.states if v.counts is None else v.counts), v.size)
    ]
    states = np.array(list(itertools.product(*map(range, counts))))
    logs = np.array(compiled(ONCE)(jax.vmap(lambda row: graph.score(named(graph, row))))(states))
    for name, given in (evidence or {}).items():
        v = graph[name]
        given = np.broadcast_to(given, (*v.shape, v.states)).reshape(v.size, v.states)
        logs += given[np.arange(v.size), columns(graph, states)[name]].sum(1)
    return states, logs


def columns(graph, states):
    """Return the columns of each array of variables, by name."""
    ends = np.cumsum([v.size for v in graph.variables])
    parts = (jnp if isinstance(states, jax.Array) else np).split(states, ends[:-1], axis=-1)
    return {v.name: part for v, part in zip(graph.variables, parts, strict=True)}


def named(graph, row):
    """Return one joint state as arrays by name."""
    return {n: c.reshape(graph[n].shape) for n, c in columns(graph, row).items()}


def exact(graph, evidence=None, temperature=1.0):
    """Return the log partition function, marginals, and log max-marginals less the best."""
    states, logs = joint(graph, evidence)
    scores = logs
    logs = logs / temperature
    log_partition = np.logaddexp.reduce(logs)
    marginals, best = {}, {}
    for name, cols in columns(graph, states).items():
        v = graph[name]
        own = [[cols[:, i] == s for s in range(v.states)] for i in range(v.size)]
        sums = [[np.exp(logs[m] - log_partition).sum() for m in row] for row in own]
        tops = [[scores[m].max(initial=-np.inf) - scores.max() for m in row] for row in own]
        marginals[name] = np.reshape(sums, (*v.shape, v.states))
        best[name] = np.reshape(tops, (*v.shape, v.states))
    return log_partition, marginals, best, states[scores.argmax()], scores.max()


def random_chain(rng, barred=False):
    """Return a chain of nine variables with a table for each pair."""
    x = fg.Variables("x", {"i": 9}, states=2)
    tables = rng.normal(size=(8, 2, 2))
    if barred:
        tables[3, 0, 1] = tables[5, 1] = -np.inf
    return fg.Graph(
        fg.Table(x, log_potentials=rng.normal(size=(9, 2))),
        fg.Table(x[:-1], x[1:], log_potentials=tables),
    )


def random_tree(rng):
    """Return a star of stars whose variables have 2, 3 and 4 states, with a table on three."""
    root = fg.Variables("root", states=4)
    branch = fg.Variables("branch", {"branch": 3}, states=3)
    leaf = fg.Variables("leaf", {"branch": 3, "leaf": 2}, states=2)
    return fg.Graph(
        fg.Table(root, branch, log_potentials=rng.normal(size=(3, 4, 3))),
        fg.Table(branch, leaf[:, 0], leaf[:, 1], log_potentials=rng.normal(size=(3, 3, 2, 2))),
        fg.Table(leaf, log_potentials=rng.normal(size=(3, 2, 2))),
    )


def random_edges(rng):
    """Return an irregular tree, its edges in no order, states of unequal number in one array."""
    x = fg.Variables("x", {"i": 8}, states=[2, 3, 2, 3, 1, 2, 3, 2])
    parents = np.array([0, 0, 1, 1, 2, 5, 0])
    children = np.array([1, 2, 3, 4, 5, 6, 7])
    order = rng.permutation(7)
    return fg.Graph(
        fg.Table(x[parents[order]], x[children[order]], log_potentials=rng.normal(size=(7, 3, 3))),
        fg.Table(x, log_potentials=rng.normal(size=(8, 3))),
    )


def logical_tree(rng):
    """Return pools, an OR and an AND in a tree."""
    choice = fg.Variables("choice", {"pool": 2, "choice": 3})
    pool = fg.Variables("pool", {"pool": 2})
    whole, other, both = (fg.Variables(n) for n in ("whole", "other", "both"))
    return fg.Graph(
        fg.Pool(choice, pool),
        fg.Or(pool, whole),
        fg.Table(choice, log_potentials=rng.normal(size=(2, 3, 2))),
        fg.Table(other, log_potentials=rng.normal(size=2)),
        fg.Table(whole, both, log_potentials=rng.normal(size=(2, 2))),
        fg.And(fg.Variables("pair", {"i": 2})[:2], other),
        fg.Table(fg.Variables("pair", {"i": 2}), log_potentials=rng.normal(size=(2, 2))),
        fg.Table(both, log_potentials=rng.normal(size=2)),
    )


def shifted_tree(rng):
    """Return three places near one another on windows of 3 x 2."""
    place = fg.Variables("place", {"part": 4}, states=6)
    return fg.Graph(
        fg.BoundedShift(place[0], place[1:3], reach=1, window=(3, 2)),
        fg.BoundedShift(place[2], place[3], reach=(2, 0), window=(3, 2)),
        fg.Table(place, log_potentials=rng.normal(size=(4, 6))),
    )


TREES = {
    "chain": random_chain,
    "chain with zeros": lambda rng: random_chain(rng, barred=True),
    "tree": random_tree,
    "irregular tree": random_edges,
    "logical tree": logical_tree,
    "shifted tree": shifted_tree,
}


def grid(rng, rows, cols, strength=1.0, field=0.3):
    """Return an Ising model on a grid, with random couplings and fields."""
    spin = fg.Variables("spin", {"row": rows, "col": cols})
    sign = np.array([[1.0, -1.0], [-1.0, 1.0]])
    down = strength * rng.normal(size=(rows - 1, cols))[..., None, None] * sign
    across = strength * rng.normal(size=(rows, cols - 1))[..., None, None] * sign
    return fg.Graph(
        fg.Table(spin, log_potentials=field * rng.normal(size=(rows, cols, 2))),
        fg.Table(spin[:-1], spin[1:], log_potentials=down),
        fg.Table(spin[:, :-1], spin[:, 1:], log_potentials=across),
    )
