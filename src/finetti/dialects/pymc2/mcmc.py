"""Sample PyMC2 Models by compound Metropolis steps, tuned by PyMC2's table."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.dialects.pymc2 import diagnostics
from finetti.dialects.pymc2.build import latent, site_of
from finetti.dialects.pymc2.failures import explained
from finetti.dialects.pymc2.model import Model
from finetti.dialects.pymc2.nodes import Stochastic
from finetti.dialects.pymc2.steps import StepMethod, assign, is_known, replaced, tuned
from finetti.dialects.pymc2.traced import ZeroProbability
from finetti.dialects.pymc2.traces import Database, Trace, describe
from finetti.inference.engine.draws import draw
from finetti.inference.engine.run import Sampler, Stage, one
from finetti.inference.engine.sweep import Course
from finetti.inference.readers.values import constrain
from finetti.kernels.blockwise import BlockKernel, Blockwise
from finetti.kernels.kernel import Point, Tuning
from finetti.types import Value

DTYPE = "float64"


class MCMC(Model):
    """Sample a model: `sample(iter, burn, thin)`, then `trace("x")[:]`, `stats()`, `summary()`.

    Every stochastic gets the step method most competent for it, unless `use_step_method` chose one.
    Chains start at the nodes' current values and leave them at the last draw; each call of `sample`
    makes a new chain.
    """

    def __init__(self, input: Value = None, db: str = "ram", name: str | None = None) -> None:
        """Collect the nodes; draws are kept in memory, whatever `db` says."""
        super().__init__(input, name)
        self.step_methods: list[StepMethod] = []
        self.db = Database()

    @property
    def step_method_dict(self) -> dict[Stochastic, list[StepMethod]]:
        """Return the step methods of each stochastic."""
        found: dict[Stochastic, list[StepMethod]] = {n: [] for n in latent(self.nodes)}
        for method in self.step_methods:
            for node in method.stochastics:
                found.setdefault(node, []).append(method)
        return found

    def use_step_method(self, method: type[StepMethod], *args: Any, **kwargs: Any) -> None:
        """Move stochastics by a step method: `use_step_method(AdaptiveMetropolis, [a, b])`.

        A method that a program writes itself is not run: a warning names the one that moves its
        stochastics instead, to the same posterior.
        """
        made = method(*args, **kwargs) if is_known(method) else replaced(method, args, kwargs)
        for node in made.stochastics:
            if node not in self.stochastics:
                raise ValueError(f"{node.__name__} is not a stochastic of this model")
        self.step_methods.append(made)

    def assign_step_methods(self) -> None:
        """Give every stochastic that has no step method the most competent one."""
        for node, methods in self.step_method_dict.items():
            if not methods:
                self.step_methods.append(assign(node))

    def sample(  # noqa: PLR0913 - PyMC2's own arguments
        self,
        iter: int,
        burn: int = 0,
        thin: int = 1,
        tune_interval: int = 1000,
        tune_throughout: bool = True,
        save_interval: int | None = None,
        burn_till_tuned: bool = False,
        stop_tuning_after: int = 5,
        verbose: int = -1,
        progress_bar: bool = False,
    ) -> None:
        """Make `iter` iterations; keep every `thin`-th from `burn` on.

        Every `tune_interval` iterations each step's scale follows its acceptance since the last
        time, until `stop_tuning_after` windows in a row need no change, or until burn-in ends if
        not `tune_throughout`.
        """
        if burn >= iter:
            raise ValueError(f"burn = {burn} leaves none of {iter} iterations")
        self.say_what_is_held()
        self.assign_step_methods()
        _ = self.logp  # raises ZeroProbability where the values to start from are impossible
        with jax.enable_x64(True), explained():
            run = _Run(self)
            clean, begun, kept = 0, 0, []
            while begun < iter:
                tuning = clean < stop_tuning_after and (tune_throughout or begun < burn)
                window = min(tune_interval, iter - begun)
                draws = run.advance(begun, window)
                numbers = np.arange(begun, begun + window)
                kept.append(draws[(numbers >= burn) & (numbers % thin == 0)])
                begun += window
                if tuning and window == tune_interval:
                    clean = clean + 1 if run.tune() else 0
            self._keep(run, np.concatenate(kept))
            self.place(run.last)

    def isample(self, *args: Any, **kwargs: Any) -> None:
        """Sample as `sample` does, with its arguments: there is no prompt to stop at."""
        self.sample(*args, **kwargs)

    def _keep(self, run: _Run, draws: np.ndarray) -> None:
        """Add a chain of draws to the traces."""
        nodes: list[Any] = [n for n in latent(self.nodes) if n.keep_trace]
        sites = {v.name for v in self.density.kept}
        nodes += [n for n in self.deterministics if n.keep_trace and n.__name__ in sites]
        names = tuple(site_of(n) for n in nodes)
        found = constrain(run.target, run.given, names, run.keys, draws[None])
        self.db.append({n.__name__: found[site_of(n)][0] for n in nodes})
        for node in nodes:
            node.trace = self.db.trace(node.__name__)

    def trace(self, name: str, chain: int | None = -1) -> Trace:
        """Return the draws of one variable, of the last chain or of another; None joins all."""
        return self.db.trace(name, chain)

    def stats(self, variables: Any = None, **settings: Any) -> dict[str, Any]:
        """Return the statistics of each variable by name."""
        return {name: self.trace(name).stats(**settings) for name in self._names(variables)}

    def summary(self, variables: Any = None, alpha: float | int = 0.05, roundto: int = 3) -> None:
        """Print the statistics of each variable."""
        for name in self._names(variables):
            print(describe(name, self.trace(name).stats(alpha), alpha, roundto))

    def _names(self, variables: Any) -> list[str]:
        if variables is None:
            return self.db.trace_names
        named = variables if isinstance(variables, list | tuple) else [variables]
        return [v if isinstance(v, str) else v.__name__ for v in named]

    @property
    def dic(self) -> float:
        """Return the deviance information criterion (Spiegelhalter et al. 2002)."""
        return diagnostics.dic(self)

    DIC = dic


class _Run:
    """Drive one chain of compound steps in windows; the table sets the scales between them."""

    def __init__(self, model: MCMC) -> None:
        density = model.density
        self.methods = model.step_methods
        self.blocks, self.owners, scale = _arrange(model, density.dim)
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
        self.last: Any = start[:, 0]
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

    def tune(self) -> bool:
        """Set the scales by the acceptance of the last window; tell whether none had to change."""
        changed = False
        for i, method in enumerate(self.methods):
            mine = [rate for rate, owner in zip(self.rates, self.owners, strict=True) if owner == i]
            if method.tunes and mine:
                before = method.adaptive_scale_factor
                method.adaptive_scale_factor = tuned(before, float(np.mean(mine)))
                changed |= method.adaptive_scale_factor != before
        if changed:
            self._adopt()
        return not changed


def _arrange(model: MCMC, dim: int) -> tuple[tuple[BlockKernel, ...], list[int], np.ndarray]:
    """Return the kernels' blocks, the step method of each place, and the scale to start with."""
    where = model.density.layout.places
    together: dict[tuple[Any, int], list[tuple[tuple[int, ...], int]]] = defaultdict(list)
    scale = np.ones(dim)
    for i, method in enumerate(model.step_methods):
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
