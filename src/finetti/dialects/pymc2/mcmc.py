"""Sample PyMC2 Models by compound Metropolis steps, tuned by PyMC2's table."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from finetti.dialects.pymc2 import diagnostics
from finetti.dialects.pymc2.build import latent, site_of
from finetti.dialects.pymc2.failures import explained
from finetti.dialects.pymc2.model import Model
from finetti.dialects.pymc2.nodes import Stochastic, Variable
from finetti.dialects.pymc2.running import Alternating, Run
from finetti.dialects.pymc2.stepping import Compiled, StepMethod, on_host
from finetti.dialects.pymc2.steps import assign
from finetti.dialects.pymc2.traces import Database, Trace, describe
from finetti.inference.readers.values import constrain

Chosen = Variable | str | list[Variable | str] | tuple[Variable | str, ...] | None


class MCMC(Model):
    """Sample a model: `sample(iter, burn, thin)`, then `trace("x")[:]`, `stats()`, `summary()`.

    Every stochastic gets the step method most competent for it, unless `use_step_method` chose one.
    Chains start at the nodes' current values and leave them at the last draw; each call of `sample`
    makes a new chain.
    """

    def __init__(self, input: object = None, db: str = "ram", name: str | None = None) -> None:
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

        A method that a program writes itself is run as it is written, on the host.
        """
        if not (isinstance(method, type) and issubclass(method, StepMethod)):
            raise TypeError(
                f"use_step_method takes a class of step methods, then what it moves: "
                f"use_step_method(Metropolis, x), not {method!r}"
            )
        made = method(*args, **kwargs)
        for node in made.stochastics:
            if node not in self.stochastics:
                raise ValueError(f"{node.__name__} is not a stochastic of this model")
        self.step_methods.append(made)

    def remove_step_method(self, step_method: StepMethod) -> None:
        """Take a step method away; what it moved gets the most competent one."""
        self.step_methods.remove(step_method)

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
        not `tune_throughout`. With `burn_till_tuned` burn-in goes on until then, and `iter - burn`
        iterations follow without tuning.
        """
        for label, number, least in (("iter", iter, 1), ("burn", burn, 0), ("thin", thin, 1)):
            if not isinstance(number, int | float | np.integer):
                raise TypeError(f"{label} is a number, not {number!r}")
            if number < least:
                raise ValueError(f"{label} is at least {least}, not {number}")
        iter, burn, thin = int(iter), int(burn), int(thin)
        if burn >= iter:
            raise ValueError(f"burn = {burn} leaves none of {iter} iterations")
        wanted = iter - burn
        if burn_till_tuned:
            tune_throughout, burn = False, max(burn, stop_tuning_after * tune_interval)
        self.say_what_is_held()
        self.assign_step_methods()
        _ = self.logp  # raises ZeroProbability where the values to start from are impossible
        with jax.enable_x64(True), explained():
            compiled = any(isinstance(m, Compiled) for m in self.step_methods)
            hosted = any(on_host(m) for m in self.step_methods)
            run = (Alternating if hosted or not compiled else Run)(self, self.step_methods)
            clean, begun, kept = 0, 0, []
            while begun < burn + wanted:
                tuning = clean < stop_tuning_after and (tune_throughout or begun < burn)
                window = min(tune_interval, burn + wanted - begun)
                draws = run.advance(begun, window)
                numbers = np.arange(begun, begun + window)
                kept.append(draws[(numbers >= burn) & (numbers % thin == 0)])
                begun += window
                if tuning and window == tune_interval:
                    clean = clean + 1 if run.tune() else 0
                    if burn_till_tuned and clean < stop_tuning_after:
                        burn = max(burn, begun + tune_interval)
            run.close()
            self._keep(run, np.concatenate(kept))
            self.place(run.last)

    def isample(self, *args: Any, **kwargs: Any) -> None:
        """Sample as `sample` does, with its arguments: there is no prompt to stop at."""
        self.sample(*args, **kwargs)

    def _keep(self, run: Run | Alternating, draws: np.ndarray) -> None:
        """Add a chain of draws to the traces."""
        nodes: list[Variable] = [n for n in latent(self.nodes) if n.keep_trace]
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

    def stats(self, variables: Chosen = None, **settings: Any) -> dict[str, dict[str, Any]]:
        """Return the statistics of each variable by name."""
        return {name: self.trace(name).stats(**settings) for name in self._names(variables)}

    def summary(self, variables: Chosen = None, alpha: float = 0.05, roundto: int = 3) -> None:
        """Print the statistics of each variable."""
        for name in self._names(variables):
            print(describe(name, self.trace(name).stats(alpha), alpha, roundto))

    def _names(self, variables: Chosen) -> list[str]:
        if variables is None:
            return self.db.trace_names
        named = variables if isinstance(variables, list | tuple) else [variables]
        return [v if isinstance(v, str) else v.__name__ for v in named]

    @property
    def dic(self) -> float:
        """Return the deviance information criterion (Spiegelhalter et al. 2002)."""
        return diagnostics.dic(self)

    DIC = dic
