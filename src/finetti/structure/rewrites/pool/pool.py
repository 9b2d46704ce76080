"""Pool observed counts that share their parameter: a group's enter through their number and sum.

For y_i with log density a(y_i) + y_i s(eta_j) - c(eta_j), and eta_j the same for all observations
of a member j, the sum over observations is sum_j Y_j s(eta_j) - n_j c(eta_j) + sum_i a(y_i). What
an evaluation costs does not grow with a group's observations. Members are those of a group whose
values are handed out to the observations, or the different rows of all data that the parameter is
made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
import numpy as np

from finetti.distributions import Pooled, known
from finetti.structure.program import Reader
from finetti.structure.rewrites.narrow import evaluate
from finetti.structure.rewrites.rewrite import Shortcut
from finetti.types import Array, Constants, Float, Scalar


@dataclass(frozen=True)
class Pool(Shortcut):
    """Compute an observed site's log density from the number and the sum of each member's values.

    `gathers` number the equations that hand the members' values out to the `count` observations,
    which stand for `many`; where there are none, members are different rows, and `columns` number
    the program's data that these are of.
    Constants: `numbers` and `sums`, shape (member,), `base`, the sum of a(y), `firsts`, the first
    observation of each member, or one beyond the last, and `rows`, the members' rows of each
    column.
    """

    sites: tuple[str, ...]
    family: str
    gathers: tuple[int, ...]
    count: int
    members: int
    many: int
    columns: tuple[int, ...] = ()
    verb = "pool"
    ahead = True

    @property
    def pooled(self) -> Pooled:
        """Return how the family's values enter through their number and their sum."""
        found = known(self.family).pooled
        assert found is not None
        return found

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "condition, the values of a group pooled"

    def reason(self, site: str) -> str:
        """Say why."""
        of = "that are alike in their predictors" if self.columns else "of a group"
        return f"{self.family}, its parameter the same for all observations {of}"

    def cost(self) -> str:
        """Say what is left of the observations."""
        return f"{self.many:,} observations enter through {2 * self.members:,} sums, formed once"

    def total(self, reader: Reader, constants: Constants) -> Scalar:
        """Return the sum of the observations' log densities."""
        return jnp.sum(self.parts(reader, constants)) + constants["base"]

    def elements(
        self, site: str, reader: Reader, free: Mapping[str, Array], constants: Constants
    ) -> tuple[Array, Array] | None:
        """Return the sums of the members' log densities, and the base that they lack."""
        if self.sites != (site,):
            return None
        return self.parts(reader, constants), constants["base"]

    def owners(self, each: np.ndarray, nobody: int, constants: Constants) -> np.ndarray | None:
        """Return the member that each sum depends on: that of its first observation, as of all."""
        return np.append(each, np.int32(nobody))[constants["firsts"]]

    def parts(self, reader: Reader, constants: Constants) -> Float[Array, " member"]:
        """Return the sum over each member's observations, the base left aside."""
        eta = self.parameter(reader, constants)
        return self.pooled.part(constants["numbers"], constants["sums"], eta)

    def parameter(self, reader: Reader, constants: Constants) -> Array:
        """Return each member's parameter, shape (member,)."""
        program, (site,) = reader.program, self.sites
        equations = [program.jaxpr.eqns[i] for i in self.gathers]
        handed = {e.outvars[0]: reader.read(e.invars[0]) for e in equations}
        rows = dict(zip(self.columns, constants["rows"], strict=True))
        data = [rows[i] if i in rows else reader.known[v] for i, v in enumerate(program.data)]
        by_row = partial(evaluate, members=self.count)
        few = Reader(program, data, {}, reader.provide, reader.supply, by_row)
        # What is read already and has no observations' axis serves as it is, with gathers replaced
        # by what they look up, and columns by the members' rows: the rest is evaluated member by
        # member.
        known = {v: x for v, x in reader.known.items() if self.count not in v.aval.shape}
        few.known |= {**known, **handed}
        arguments = program.outputs.arguments[site]
        name = next(k for k in arguments if k.rpartition(".")[2] == self.pooled.parameter)
        return jnp.broadcast_to(few.read(arguments[name]), (self.members,))
