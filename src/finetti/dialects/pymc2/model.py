"""Collect nodes into a PyMC2 Model, and give it a finetti density on the nodes' own scale."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.pymc2.build import build, held, latent, set_unknown, site_of, unknown
from finetti.dialects.pymc2.failures import explained
from finetti.dialects.pymc2.nodes import (
    Container,
    Deterministic,
    Node,
    Potential,
    Stochastic,
    Variable,
    draw_key,
    nodes_in,
)
from finetti.dialects.pymc2.traced import ZeroProbability
from finetti.models import Model as FinettiModel
from finetti.targets.density import Density, density
from finetti.types import AnyArray, Array, Key

Function = Callable[[AnyArray], Array]
MATRIX = 2  # event dimensions of the values that are moved on the unconstrained scale


class _Built:
    """Hold what is built of a model's nodes while those that are left out have given values."""

    def __init__(self, owner: Model, values: dict[Node, np.ndarray]) -> None:
        self.owner, self.values = owner, values

    def holds(self, values: dict[Node, np.ndarray]) -> bool:
        """Tell whether the values are those it was built with."""
        same = (np.array_equal(values[n], v) for n, v in self.values.items() if n in values)
        return values.keys() == self.values.keys() and all(same)

    @cached_property
    def finetti(self) -> FinettiModel:
        return build(self.owner.nodes, self.owner.__name__)

    @cached_property
    def density(self) -> Density:
        nodes = latent(self.owner.nodes)
        natural = frozenset(site_of(n) for n in nodes if not _is_matrix(n))
        return density(self.finetti, natural=natural)

    @cached_property
    def functions(
        self,
    ) -> tuple[Function, Function, Function]:
        """Return minus the log density, its gradient and its Hessian, compiled."""
        minus = lambda x: -self.density.log_density(x)  # noqa: E731
        return jax.jit(minus), jax.jit(jax.grad(minus)), jax.jit(jax.hessian(minus))


class Model:
    """Hold nodes: `stochastics`, `observed_stochastics`, `deterministics`, `potentials`.

    `input` is a list, a dict such as `locals()`, a module, or an object with attributes. Nodes are
    attributes by their names. `model.finetti` is the finetti Model, which `ft.fit` takes.
    """

    def __init__(self, input: object = None, name: str | None = None, verbose: int = -1) -> None:
        """Collect the nodes; without `input` those of the main program."""
        found = _collect(input)
        self.nodes = set(found)
        self.variables = {n for n in found if isinstance(n, Variable)}
        self.stochastics = {n for n in found if isinstance(n, Stochastic) and not n.observed}
        self.observed_stochastics = {
            n for n in found if isinstance(n, Stochastic) and (n.observed or n.partly_observed)
        }
        self.deterministics = {n for n in found if isinstance(n, Deterministic)}
        self.potentials = {n for n in found if isinstance(n, Potential)}
        self.__name__ = name or "pymc2"
        self._last: list[_Built] = []

    def __getattr__(self, name: str) -> Node:
        for node in self.__dict__.get("nodes", ()):
            if node.__name__ == name:
                return node
        raise AttributeError(f"{type(self).__name__} has no node or attribute `{name}`")

    def get_node(self, name: str) -> Node | None:
        """Return the node of a name, or None."""
        return next((n for n in self.nodes if n.__name__ == name), None)

    @property
    def logp(self) -> float:
        """Return the log density at the current values: all stochastics and potentials."""
        terms = self.stochastics | self.observed_stochastics | self.potentials
        return sum(node.logp for node in sorted(terms, key=lambda n: n.__name__))

    @property
    def finetti(self) -> FinettiModel:
        """Return the finetti Model of these nodes.

        Stochastics left out are held at the values they have now; children left out count.
        """
        return self._built().finetti

    @property
    def density(self) -> Density:
        """Return the log density on the nodes' own scale, without Jacobians."""
        return self._built().density

    def _built(self) -> _Built:
        """Return what was built of the nodes while those that are left out had these values."""
        values = held(self.nodes)
        if not self._last or not self._last[0].holds(values):
            self._last[:] = [_Built(self, values)]
        return self._last[0]

    def say_what_is_held(self) -> None:
        """Warn of unknown parents that are not among the nodes, and are held at their values."""
        free = {n for n in held(self.nodes) if isinstance(n, Stochastic) and not n.observed}
        above = set[Node]().union(*(n.extended_parents for n in self.nodes))
        if names := sorted(n.__name__ for n in free & above):
            warnings.warn(
                f"held at their values, since they are not among the model's nodes: "
                f"{', '.join(names)}; list them to have them drawn",
                stacklevel=3,
            )

    def position(self) -> np.ndarray:
        """Return the current values as one vector."""
        values = {site_of(n): unknown(n) for n in latent(self.nodes)}
        with jax.enable_x64(True):
            return np.asarray(self.density.unconstrain(values), float)

    def place(self, position: ArrayLike) -> None:
        """Set the current values to those of a vector."""
        with jax.enable_x64(True), explained():
            values = self.density.constrain(jnp.asarray(position, float))
        for node in latent(self.nodes):
            set_unknown(node, np.asarray(values[site_of(node)]))

    def draw_from_prior(self) -> None:
        """Draw every stochastic from its distribution given its parents, parents first."""
        self.seed()

    def seed(self) -> None:
        """Draw new values of the stochastics, parents first."""
        done: set[Node] = set()

        def visit(node: Node) -> None:
            if node in done:
                return
            done.add(node)
            for parent in nodes_in(node.parents):
                visit(parent)
            if (
                isinstance(node, Stochastic)
                and node in self.stochastics
                and not node.partly_observed
            ):
                node.random()

        for node in sorted(self.stochastics, key=lambda n: n.__name__):
            visit(node)

    def key(self) -> Key:
        """Return a key from numpy's global generator."""
        return draw_key()


def _is_matrix(node: Stochastic) -> bool:
    with jax.enable_x64(True):
        return node.distribution().event_dim >= MATRIX


def _collect(source: object) -> list[Node]:
    """Return the nodes that a model is made of: the main program's where nothing is named."""
    if source is None:
        found = nodes_in(vars(sys.modules["__main__"]))
        if not found:
            raise ValueError(
                "a Model is made of nodes, and the main program has none: pass a list of them, "
                "locals(), or the module they are in"
            )
        return found
    if isinstance(source, Model):
        return sorted(source.nodes, key=lambda n: n.__name__)
    if isinstance(source, ModuleType) or not isinstance(
        source, Node | Container | Mapping | list | tuple | set | np.ndarray
    ):
        if not hasattr(source, "__dict__"):
            raise TypeError(
                f"a Model is made of nodes: a list of them, a dict such as locals(), or a module, "
                f"not {source!r}"
            )
        source = vars(source)
    return nodes_in(source)


__all__ = ["Container", "Model", "ZeroProbability"]
