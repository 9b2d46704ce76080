"""Time belief propagation on an Ising grid and a Boltzmann machine, beside rolled arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.results import Column, Sample

SIDE, HIDDEN, VISIBLE = 50, 500, 784
GRID_STEPS, MACHINE_STEPS = 1000, 50
ITERATION = Column("ms an iteration", lambda s: 1000 * s["wall"])
COLUMNS = (
    ITERATION,
    Column("CPU ms an iteration", lambda s: 1000 * s["cpu"]),
    Column("state and compile, s", lambda s: s["ready"]),
    Column("CPU s", lambda s: s["ready cpu"]),
)
SIGN = np.array([[1.0, -1.0], [-1.0, 1.0]])


def ising() -> Any:
    """Return a spin glass on a square grid, with fields."""
    from finetti import factors as fg

    rng = np.random.default_rng(0)
    spin = fg.Variables("spin", {"row": SIDE, "col": SIDE})
    down, across = rng.normal(size=(2, SIDE, SIDE, 1, 1)) * SIGN
    return fg.Graph(
        fg.Table(spin, log_potentials=rng.normal(size=(SIDE, SIDE, 2))),
        fg.Table(spin[:-1], spin[1:], log_potentials=down[:-1]),
        fg.Table(spin[:, :-1], spin[:, 1:], log_potentials=across[:, :-1]),
    )


def machine() -> Any:
    """Return a restricted Boltzmann machine of the size of digits, with random weights."""
    from finetti import factors as fg

    rng = np.random.default_rng(0)
    hidden, visible = fg.Variables("hidden", {"h": HIDDEN}), fg.Variables("visible", {"v": VISIBLE})
    weights = np.zeros((HIDDEN, VISIBLE, 2, 2))
    weights[..., 1, 1] = rng.normal(size=(HIDDEN, VISIBLE)) / 30
    return fg.Graph(
        fg.Table(hidden, log_potentials=rng.normal(size=(HIDDEN, 2))),
        fg.Table(visible, log_potentials=rng.normal(size=(VISIBLE, 2))),
        fg.Table(hidden[:, None], visible, log_potentials=weights),
    )


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Return the wall and CPU seconds of a call."""
    wall, cpu = perf_counter(), process_time()
    run()
    return perf_counter() - wall, process_time() - cpu


def finetti(build: Callable[[], Any], temperature: float, dtype: Any, steps: int) -> Sample:
    """Time building and compiling, and then the iterations of a run."""
    import jax

    from finetti import factors as fg

    jax.clear_caches()
    one = fg.BeliefPropagation(temperature, 0.5, tolerance=0.0, iterations=1, dtype=dtype)
    many = fg.BeliefPropagation(temperature, 0.5, tolerance=0.0, iterations=steps, dtype=dtype)
    graphs: list[Any] = []

    def first() -> None:
        graphs.append(build())
        one.run(graphs[0])

    ready = timed(first)
    short, long = (timed(lambda m=m: m.run(graphs[0])) for m in (one, many))
    each = [(b - a) / (steps - 1) for a, b in zip(short, long, strict=True)]
    return {"wall": each[0], "cpu": each[1], "ready": ready[0], "ready cpu": ready[1]}


def rolled(temperature: float) -> Sample:
    """Time the same grid's messages written by hand, as log ratios on rolled arrays."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    couplings = rng.normal(size=(2, SIDE, SIDE)).astype(np.float32)
    field = jnp.asarray(rng.normal(size=(SIDE, SIDE)), jnp.float32)
    down = jnp.asarray(couplings[0]).at[-1].set(0.0)
    across = jnp.asarray(couplings[1]).at[:, -1].set(0.0)
    links = (down, jnp.roll(down, 1, 0), across, jnp.roll(across, 1, 1))
    moves, back = ((1, 0), (-1, 0), (1, 1), (-1, 1)), (1, 0, 3, 2)

    def send(ratio, coupling):
        if temperature:
            return 2 * jnp.arctanh(jnp.tanh(coupling) * jnp.tanh(ratio / 2))
        return abs(coupling + ratio / 2) - abs(coupling - ratio / 2)

    def step(_, messages):
        total = field + sum(messages)
        new = [
            jnp.roll(send(total - messages[back[i]], links[i]), *moves[i])
            for i in range(len(moves))
        ]
        return tuple(0.5 * a + 0.5 * b for a, b in zip(new, messages, strict=True))

    run = jax.jit(lambda n, start: jax.lax.fori_loop(0, n, step, start))
    start = tuple(jnp.zeros((SIDE, SIDE), jnp.float32) for _ in moves)
    ready = timed(lambda: jax.block_until_ready(run(1, start)))
    wall, cpu = timed(lambda: jax.block_until_ready(run(GRID_STEPS, start)))
    each = wall / GRID_STEPS, cpu / GRID_STEPS
    return {"wall": each[0], "cpu": each[1], "ready": ready[0], "ready cpu": ready[1]}


def entries() -> Iterable[tuple[str, Callable[[], Sample]]]:
    """Yield what is timed."""
    for rule, temperature in (("max-product", 0.0), ("sum-product", 1.0)):
        for bits, dtype in ((64, np.float64), (32, np.float32)):
            for name, build, steps in (
                (f"Ising {SIDE} x {SIDE}", ising, GRID_STEPS),
                (f"RBM {HIDDEN} x {VISIBLE}", machine, MACHINE_STEPS),
            ):
                yield (
                    f"{name}, {rule}, float{bits}",
                    lambda b=build, t=temperature, d=dtype, n=steps: finetti(b, t, d, n),
                )
        yield f"Ising {SIDE} x {SIDE}, {rule}, rolled by hand", lambda t=temperature: rolled(t)


def measure(rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of each entry, taken in turn."""
    found: dict[str, list[Sample]] = {}
    for _ in range(rounds):
        for name, sample in entries():
            found.setdefault(name, []).append(sample())
    return found
