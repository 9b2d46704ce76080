"""Count groups that are alike together, so that an evaluation's cost does not grow with the groups.

Groups that are integrated out, whose prior is the same for all and which meet their data through
sufficient statistics, differ in these alone. Where a kind of groups shares the block of the
precision, a group's part of the integral is quadratic in what else it has: in its least-squares
values, its slopes and its ties to the border. A sum of a quadratic over a kind depends on their
mean and covariance alone, so a few representatives with weights, that have the same ones, give it
exactly: mean +- sqrt(r) l_i with L L' the covariance of rank r.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi

import jax
import jax.numpy as jnp

from finetti.structure.program import Reader
from finetti.structure.rewrites.condense.condense import Condense
from finetti.structure.rewrites.integrate.integrate import Integrate
from finetti.structure.rewrites.narrow import evaluate
from finetti.structure.rewrites.rewrite import Rewrite
from finetti.structure.triangular import lower_solve
from finetti.types import Array, Constants, Equation, Key, Scalar, Value

Read = Callable[[Mapping[str, Array]], Reader]


@dataclass(frozen=True)
class Tally(Rewrite):
    """Evaluate an integral over many groups at weighted representatives of them.

    `integral` integrates over all groups, and draws them back; `standing` over the representatives.
    `condensed` are the observed sites' sums, for the representatives. `kinds` is the number of
    different blocks. Constants: `weights`, shape (representative,), those of `standing`, and those
    of the condensed sites.
    """

    integral: Integrate
    standing: Integrate
    condensed: tuple[Condense, ...]
    kinds: int
    verb = "tally"
    ahead = True

    @property
    def whole(self) -> Integrate:
        """Return the integral in whose place the representatives are evaluated."""
        return self.integral

    @property
    def sites(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the names of the groups' sites."""
        return tuple(name for name, _ in self.integral.frame.groups)

    def done(self, site: str) -> str:
        """Say what is done to a site."""
        return "count the groups that are alike together"

    def reason(self, site: str) -> str:
        """Say why."""
        return "the groups share their prior, and many their block of the precision"

    def cost(self) -> str:
        """Say how many groups stand for how many."""
        groups, few = self.integral.frame.count, self.standing.frame.count
        kinds = f"{self.kinds:,} kind{'s' if self.kinds > 1 else ''}"
        return f"{groups:,} groups in {kinds}; {few:,} weighted ones stand for all"

    def evaluate(self, equation: Equation, inputs: list[Value]) -> list[Value]:
        """Evaluate an equation for the representatives."""
        return evaluate(equation, inputs, self.integral.frame.count)

    def log_marginal(self, read: Read, constants: Constants) -> Scalar:
        """Return the log of the integral over all groups.

        A weight w multiplies a group's block by w, and w^k its determinant: that is taken back,
        and the determinant without it counts w times.
        """
        frame, weights = self.standing.frame, constants["weights"]
        expansion = self.standing.expand(self._terms(read, constants), constants["standing"])
        whole = expansion.log_determinant(weights)
        own = frame.width * jnp.sum(weights * jnp.log(weights))
        return expansion.value + 0.5 * (self.integral.frame.dim * log(2 * pi) - whole + own)

    def draw_border(self, key: Key, read: Read, constants: Constants) -> dict[str, Array]:
        """Draw the border's sites alone: with the same key, as `Integrate.draw` draws them."""
        expansion = self.standing.expand(self._terms(read, constants), constants["standing"])
        corner = expansion.factor.corner
        noise = jax.random.normal(jax.random.split(key)[1], corner.shape[:1], corner.dtype)
        shift = lower_solve(corner, noise[:, None], transposed=True)[:, 0]
        mean = expansion.mean
        found = self.standing.frame.split(mean._replace(border=mean.border + shift))
        return {name: found[name] for name, _ in self.standing.frame.border}

    def _terms(
        self, read: Read, constants: Constants
    ) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """Return the function from sites' values to the sums of their terms over all groups."""

        def terms(values: Mapping[str, Array]) -> dict[str, Array]:
            reader = read(values)
            return {name: self._sum(name, reader, constants) for name in self.integral.terms}

        return terms

    def _sum(self, name: str, reader: Reader, constants: Constants) -> Array:
        for rewrite in self.condensed:
            if rewrite.sites == (name,):
                return rewrite.total(reader, constants[rewrite.name])
        variable = reader.program.outputs.log_terms[name]
        term = reader.read(variable)
        # Not narrowed, it has all its elements.
        if jnp.shape(term) == variable.aval.shape:
            return jnp.sum(term)
        each = jnp.broadcast_to(term, (len(constants["weights"]), *jnp.shape(term)[1:]))
        return jnp.sum(constants["weights"] * each.reshape(len(each), -1).sum(-1))
