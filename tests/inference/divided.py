"""Be a process that fits with its rows divided over devices; see test_divided.

Called as `divided.py densities FOLDER` or `divided.py fits FOLDER MODEL METHOD` with several
devices on this machine, or as `divided.py processes FOLDER WAY RANK SIZE PORT` once for each
process, where the way is memory, disk or resumed.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import finetti as ft
from finetti.dividing import Divided, everywhere, mesh_of, undivided
from finetti.inference.engine.batch import Own
from finetti.inference.engine.start import points_at
from finetti.store.store import Destination
from finetti.structure.form import Given
from finetti.targets.density import Target, density

ROWS, GROUPS = 20_003, 30  # no number of devices divides them
METHODS = {
    "walk": ft.Metropolis(draws=30, warmup=20, chains=2),
    "independent": ft.IndependentMetropolis(draws=200, chains=2),
    "nuts": ft.NUTS(draws=4, warmup=3, chains=2),
}


@ft.model
def clicks(g, x, y):
    b = ft.sample("b", ft.Normal(jnp.zeros(x.shape[-1]), 1.0).to_event(1))
    tau = ft.sample("tau", ft.HalfNormal(1.0))
    with ft.plate("shop", GROUPS):
        a = ft.sample("a", ft.Normal(0.0, tau))
    with ft.plate("visit", len(y)):
        ft.sample("y", ft.Bernoulli(logits=a[g] + x @ b), obs=y)


@ft.model
def wide(g, x, y):
    """The rows are the last axis of what is known, and the outcome is a count."""
    b = ft.sample("b", ft.Normal(jnp.zeros(len(x)), 1.0).to_event(1))
    tau = ft.sample("tau", ft.HalfNormal(1.0))
    with ft.plate("shop", GROUPS):
        z = ft.sample("z", ft.Normal(0.0, 1.0))
    with ft.plate("visit", len(y)):
        ft.sample("y", ft.Poisson(jnp.exp(0.3 * (tau * z)[g] + 0.1 * b @ x)), obs=y)


@ft.model
def amounts(g, x, y):
    """The plan adds up what the rows say, group by group."""
    m = ft.sample("m", ft.Normal(0.0, 5.0))
    tau, sigma = ft.sample("tau", ft.HalfNormal(1.0)), ft.sample("sigma", ft.HalfNormal(1.0))
    with ft.plate("shop", GROUPS):
        a = ft.sample("a", ft.Normal(m, tau))
    with ft.plate("visit", len(y)):
        ft.sample("y", ft.StudentT(4.0, a[g] + 0.5 * x[:, 0], sigma), obs=y)


@ft.model
def zeros(g, y):
    """Which counts are zeros of their own is summed out, and what that says is read of draws."""
    p, mu = ft.sample("p", ft.Beta(1.0, 1.0)), ft.sample("mu", ft.Normal(0.0, 1.0))
    with ft.plate("shop", GROUPS):
        a = ft.sample("a", ft.Normal(mu, 1.0))
    with ft.plate("visit", len(y)):
        z = ft.sample("z", ft.Bernoulli(p))
        ft.sample("y", ft.Poisson(jnp.where(z == 1, 1e-6, jnp.exp(a[g]))), obs=y)


@ft.model
def few(x, y):
    """Three dimensions, which draws are proposed for."""
    b = ft.sample("b", ft.Normal(jnp.zeros(x.shape[-1]), 1.0).to_event(1))
    with ft.plate("visit", len(y)):
        ft.sample("y", ft.Bernoulli(logits=x @ b), obs=y)


def models() -> dict[str, ft.Model]:
    random = np.random.default_rng(0)
    g, x = random.integers(0, GROUPS, ROWS), random.normal(size=(ROWS, 3))
    yes = random.integers(0, 2, ROWS)
    return {
        "clicks": clicks(g, x, yes),
        "wide": wide(g, x.T.copy(), random.poisson(1.0, ROWS)),
        "amounts": amounts(g, x, random.standard_t(4, ROWS)),
        "zeros": zeros(g, random.poisson(1.5, ROWS) * random.integers(0, 2, ROWS)),
        "few": few(x, yes),
    }


def heights(model: ft.Model, devices: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return log densities and gradients at some points."""
    built = replace(density(model, model.plan()), devices=devices)
    target, given = built.placed
    places = np.random.default_rng(1).normal(size=(1, 3, built.dim)) / 2
    found = points_at(target, given, Own(), places)
    return np.asarray(found.log_density), np.asarray(found.gradient)


def draws(posterior: ft.Posterior) -> dict[str, np.ndarray]:
    return {str(n): np.asarray(a) for n, a in posterior.tree["posterior"].data_vars.items()}


def densities(folder: Path) -> None:
    """Save each model's density, whole and divided, and what its devices hold and exchange."""
    devices = tuple(jax.devices())
    with jax.enable_x64(True):
        for name in ("clicks", "wide", "amounts"):
            model = models()[name]
            whole, divided = heights(model, ()), heights(model, devices)
            target, given = replace(density(model, model.plan()), devices=devices).placed
            leaves = jax.tree.leaves(given, is_leaf=lambda leaf: isinstance(leaf, Divided))
            parts = [leaf.parts for leaf in leaves if isinstance(leaf, Divided)]
            np.savez(
                folder / f"{name}",
                height=whole[0],
                slope=whole[1],
                divided_height=divided[0],
                divided_slope=divided[1],
                shares=[s.data.size / p.size for p in parts for s in p.addressable_shards],
                exchanged=exchanged(target, given),
            )


def exchanged(target: Target, given: Given) -> list[str]:
    """Return the operations by which devices exchange numbers in a loop over gradients."""

    def loop(given: Given, positions: np.ndarray) -> jax.Array:
        arrays = undivided(given)
        slope = jax.vmap(jax.grad(lambda x: target.log_density(arrays, x)), -1, -1)
        return jax.lax.fori_loop(0, 9, lambda i, x: x + 1e-6 * slope(x), positions)

    positions = np.zeros((target.layout.dim, 4))
    program = jax.jit(loop, out_shardings=everywhere(mesh_of(given)))
    found, within = [], ""
    for line in program.lower(given, positions).compile().as_text().splitlines():
        within = line if not line.startswith(" ") else within
        kind = re.search(r" (all-|collective-|reduce-)[a-z-]+\(", line)
        if kind and not within.startswith("ENTRY"):
            found.append(line.strip())
    return found


def fits(folder: Path, name: str, way: str) -> None:
    """Save draws made by a method with the rows whole and divided, at once and gone on with."""
    model, method = models()[name], METHODS[way]
    for number in (None, 3):
        found = ft.fit(model, method, progress=False, devices=number)
        np.savez(folder / f"{number}", **draws(found))
    run = folder / "run.zarr"
    ft.fit(model, replace(method, draws=2), progress=False, devices=3, out=run)  # then on with it
    resumed = ft.resume(run, model, draws=method.draws, progress=False)
    np.savez(folder / "resumed", **draws(resumed))


def in_processes(folder: Path, way: str, rank: int, size: int, port: int) -> None:
    """Fit in one of several processes, and save what it is given."""
    jax.distributed.initialize(f"localhost:{port}", size, rank)
    model, run = models()["clicks"], folder / "run.zarr"
    to = Destination(run, every=0)
    given = {"progress": False, "devices": jax.devices()}
    if way == "memory":
        found = ft.fit(model, METHODS["walk"], **given)
    elif way == "disk":
        found = ft.fit(model, replace(METHODS["walk"], draws=150), out=to, **given)
    elif way == "resumed":
        found = ft.resume(run, model, progress=False)
    else:
        raise AssertionError(way)
    np.savez(folder / f"{way} {rank}", **draws(found))


if __name__ == "__main__":
    kind, folder, *more = sys.argv[1:]
    if kind == "densities":
        densities(Path(folder))
    elif kind == "fits":
        fits(Path(folder), *more)
    else:
        way, *numbers = more
        in_processes(Path(folder), way, *map(int, numbers))
