"""Run one chain of PyMC2's compound steps: compiled, or with steps on the host in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from finetti.dialects.pymc2.build import latent, set_unknown, site_of, unknown
from finetti.dialects.pymc2.model import Model
from finetti.dialects.pymc2.stepping import Compiled, StepMethod, on_host, own_terms, tuned
from finetti.dialects.pymc2.terms import Terms
from finetti.dialects.pymc2.traced import ZeroProbability
from finetti.inference.engine.draws import draw
from finetti.inference.engine.run import Sampler, Stage, one
from finetti.inference.engine.sweep import Course
from finetti.kernels.blockwise import BlockKernel, Blockwise
from finetti.kernels.kernel import Kernel, Point, Tuning
from finetti.targets.density import Density
from finetti.types import AnyArray, Array, Key, Position, Tree

DTYPE = "float64"


class Run:
    """Drive one chain of compound steps in windows; the table sets the scales between them."""

    def __init__(self, model: Model, methods: Sequence[StepMethod]) -> None:
        density = model.density
        self.methods = methods
        self.blocks, self.owners, scale = arrange(self.methods, density)
        self.target, self.given = density.target(DTYPE)
        self.keys = model.key()[None]
        course = Course(Blockwise(self.blocks), self.target)
        start = jnp.asarray(model.position())[:, None]
        log_density = jax.jit(self.target.log_density)(self.given, start[:, 0])
        if not np.isfinite(log_density):
            raise ZeroProbability("the model has zero probability at the values to start from")
        points = Point(start, log_density[None], jnp.zeros_like(start))
        self.sampler = Sampler.of(course, self.given, points.position.shape)
        # The methods' own scale factors are the step sizes: `_adopt` puts them in place of 1.
        self.run = self.sampler.begin(None, self.keys, points, 1.0)
        self.scale, self.windows = jnp.asarray(scale), 0
        self.rates = np.zeros(len(self.owners))
        self.last: Array = start[:, 0]
        self._adopt()

    def _adopt(self) -> None:
        factors = [self.methods[i].adaptive_scale_factor for i in self.owners]
        tuning = one(Tuning(jnp.asarray(factors), self.scale))
        self.run = self.sampler.adopt(self.run, tuning)

    def advance(self, begun: int, window: int) -> np.ndarray:
        """Make `window` iterations; return the values after each, shape (window, dim)."""
        self.windows += 1
        self.run, found = draw(self.sampler, self.run, Stage(self.windows, window))
        self.last = found.positions[0, -1]
        self.rates = found.info["acceptance"][0].mean(0)
        return found.positions[0]

    def close(self) -> None:
        """Leave everything as it is."""

    def tune(self) -> bool:
        """Set the scales by the acceptance of the last window; tell whether none had to change."""
        changed = _tune(self.methods, self.owners, self.rates)
        if changed:
            self._adopt()
        return not changed


class Alternating:
    """Drive one chain whose compiled steps take turns with a program's own, on the host.

    It goes by single iterations: nodes have the chain's values whenever a step of the program's own
    looks at them.
    """

    def __init__(self, model: Model, methods: Sequence[StepMethod]) -> None:
        """Take the model."""
        density = model.density
        self.nodes = latent(model.nodes)
        self.hosted = [m for m in methods if on_host(m)]
        self.methods = [m for m in methods if not on_host(m)]
        self.target, self.given = density.target(DTYPE)
        self.keys = model.key()[None]
        self.count = 0
        blocks, self.owners, scale = arrange(self.methods, density)
        self.kernel = Blockwise(blocks) if blocks else None
        self.scale, self.rates = jnp.asarray(scale), np.zeros(len(self.owners))
        sites = [site_of(n) for n in self.nodes]

        def values(position: Position) -> list[Array]:
            found = density.constrain(position)
            return [found[name] for name in sites]

        def place(values: list[AnyArray]) -> Position:
            return density.unconstrain(dict(zip(sites, values, strict=True)))

        self.values, self.place = jax.jit(values), jax.jit(place)
        self.last: Array = jnp.asarray(model.position())
        terms = Terms(model)
        for method in self.hosted:
            method.terms = terms.sum
        if self.kernel is not None:
            self.state: Tree = jax.jit(lambda x: self._begun(x))(self.last)
            self.compiled = jax.jit(self._step)

    def _begun(self, position: Position) -> Tree:
        assert self.kernel is not None
        log_density = self.target.log_density(self.given, position)
        return self.kernel.init(Point(position, log_density, jnp.zeros_like(position)))

    def _step(self, key: Key, state: Tree, position: Position, factors: Array) -> Tree:
        """Make the compiled steps from a position; return the state and the acceptances."""
        assert self.kernel is not None
        log_density = self.target.log_density(self.given, position)
        state = state._replace(draw=Point(position, log_density, jnp.zeros_like(position)))
        target = lambda x: self.target.log_density(self.given, x)  # noqa: E731
        state, info = self.kernel.step(key, state, target, Tuning(factors, self.scale))
        return state, info.acceptance

    def advance(self, begun: int, window: int) -> np.ndarray:
        """Make `window` iterations; return the values after each, shape (window, dim)."""
        rows, rates = [], []
        factors = jnp.asarray([self.methods[i].adaptive_scale_factor for i in self.owners])
        for _ in range(window):
            if self.kernel is not None:
                key = jax.random.fold_in(self.keys[0], self.count)
                self.state, rate = self.compiled(key, self.state, self.last, factors)
                self.last = self.state.draw.position
                rates.append(np.asarray(rate))
                for node, value in zip(self.nodes, self.values(self.last), strict=True):
                    set_unknown(node, np.asarray(value))
            for method in self.hosted:
                method.step()
            self.last = self.place([unknown(n) for n in self.nodes])
            rows.append(np.asarray(self.last))
            self.count += 1
        self.rates = np.mean(rates, 0) if rates else self.rates
        return np.stack(rows)

    def tune(self) -> bool:
        """Let each step method tune itself; tell whether none had to change."""
        changed = [bool(method.tune()) for method in self.hosted]
        changed.append(_tune(self.methods, self.owners, self.rates))
        return not any(changed)

    def close(self) -> None:
        """Leave the step methods with the nodes' own log densities."""
        for method in self.hosted:
            method.terms = own_terms


def _tune(methods: Sequence[StepMethod], owners: Sequence[int], rates: np.ndarray) -> bool:
    """Set scales by the acceptance of the last window; tell whether any had to change."""
    changed = False
    for i, method in enumerate(methods):
        mine = [rate for rate, owner in zip(rates, owners, strict=True) if owner == i]
        if method.tunes and mine:
            before = method.adaptive_scale_factor
            method.adaptive_scale_factor = tuned(before, float(np.mean(mine)))
            changed |= method.adaptive_scale_factor != before
    return changed


def arrange(
    methods: Sequence[StepMethod], density: Density
) -> tuple[tuple[BlockKernel, ...], list[int], np.ndarray]:
    """Return the kernels' blocks, the step method of each place, and the scale to start with."""
    where = density.layout.places
    together: dict[tuple[Kernel, int], list[tuple[tuple[int, ...], int]]] = defaultdict(list)
    scale = np.ones(density.dim)
    for i, method in enumerate(methods):
        if not isinstance(method, Compiled):
            continue
        places = method.places(where)
        if sum(map(len, places)) == len(method.spread()):
            scale[[k for place in places for k in place]] = method.spread()
        for place in places:
            together[method.kernel(), len(place)].append((place, i))
    blocks = tuple(
        BlockKernel(kernel, tuple(place for place, _ in held))
        for (kernel, _), held in together.items()
    )
    owners = [i for held in together.values() for _, i in held]
    return blocks, owners, scale
