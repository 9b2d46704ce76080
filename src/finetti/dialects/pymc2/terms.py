"""Give the log densities of nodes at the current values, from one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np

from finetti.dialects.pymc2.build import MISSING, latent, names_of, site_of, unknown
from finetti.dialects.pymc2.model import Model
from finetti.dialects.pymc2.nodes import Node, Stochastic
from finetti.dialects.pymc2.traced import ZeroProbability
from finetti.dialects.written import log_density
from finetti.language import handlers
from finetti.types import Array


class Terms:
    """Hold the compiled sums of nodes' log densities, one program for each set of nodes."""

    def __init__(self, model: Model) -> None:
        """Take the model."""
        self.model, self.built = model, model.finetti
        self.latent, self.names = latent(model.nodes), names_of(model.nodes)
        self.programs: dict[frozenset[Node], Callable[..., Array]] = {}

    def sum(self, nodes: Iterable[Node]) -> float:
        """Return the nodes' log density; raise `ZeroProbability` where it is zero."""
        chosen = frozenset(nodes)
        if chosen not in self.programs:
            sites = {name for node in chosen for name in self._sites(node)}
            self.programs[chosen] = jax.jit(lambda values: self._sum(sites, values))
        values = {site_of(n): unknown(n) for n in self.latent}
        found = float(self.programs[chosen](values))
        if not np.isfinite(found):
            raise ZeroProbability("the current values are impossible")
        return found

    def _sites(self, node: Node) -> list[str]:
        name = self.names[node]
        partly = isinstance(node, Stochastic) and node.mask is not None
        return [name, MISSING.format(name)] if partly else [name]

    def _sum(self, sites: set[str], values: dict[str, Array]) -> Array | float:
        with handlers.trace() as found:
            self.built.substitute(**values).run()
        total = 0.0
        for name, site in found.items():
            if name in sites and site.kind == "factor":
                total = total + jnp.sum(jnp.asarray(site.value))
            elif name in sites:
                total = total + jnp.sum(log_density(site.distribution, site.value))
        return total
