"""Begin a run: put its chains at their starts, and write down what it was begun with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.inference.engine.arrays import from_arrays
from finetti.inference.engine.batch import Own, spread
from finetti.inference.engine.prepare import prepare, sampler_of
from finetti.inference.engine.proposal import Proposal
from finetti.inference.engine.run import Run, Sampler
from finetti.inference.engine.start import chain_keys, one_start
from finetti.inference.methods.method import Chains
from finetti.inference.tuned import adopted
from finetti.posterior.learned import Learned
from finetti.targets.density import Density
from finetti.types import Values as Named


@dataclass(frozen=True, eq=False)
class Beginning:
    """Hold what a run is begun with: its seed, starting values and a tuning if they are given."""

    seed: int
    init: Named | None = None
    tuning: Learned | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is given as arrays by name."""
        found = {_name("init", n): np.asarray(v) for n, v in (self.init or {}).items()}
        if self.tuning is not None:
            found[_name("step size")] = np.asarray(self.tuning.step_size)
            found[_name("scale")] = np.asarray(self.tuning.scale)
            for rewrite, constants in self.tuning.coordinates.items():
                for constant, array in constants.items():
                    found[_name("coordinates", rewrite, constant)] = np.asarray(array)
        return found

    @classmethod
    def of(cls, seed: int, arrays: Mapping[str, np.ndarray]) -> Beginning:
        """Return the beginning that `arrays` told of."""
        init: dict[str, np.ndarray] = {}
        sizes: dict[str, np.ndarray] = {}
        coordinates: dict[str, dict[str, np.ndarray]] = {}
        for name, array in arrays.items():
            kind, *places = json.loads(name)
            if kind == "init":
                init[places[0]] = array
            elif kind == "coordinates":
                coordinates.setdefault(places[0], {})[places[1]] = array
            else:
                sizes[kind] = array
        tuning = Learned(sizes["step size"], sizes["scale"], coordinates) if sizes else None
        return cls(seed, init or None, tuning)


def begin(
    built: Density,
    method: Chains,
    draws: int,
    beginning: Beginning,
    proposal: Proposal | None = None,
) -> tuple[Sampler, Run]:
    """Return the sampler, and the run with every chain at its start, for so many kept draws.

    With a proposal its mixture is their tuning, and they start at its points if nowhere else.
    """
    target, given = built.placed
    constants: Any = target.form.taught(given.rewrites)
    fixed, init = None, beginning.init
    if beginning.tuning is not None:
        fixed, constants = adopted(beginning.tuning, target, constants, method)
    own = Own(rewrites=spread(constants, 1))
    keys = chain_keys(np.int64(beginning.seed), method.chains)[None]
    if proposal is not None:
        fixed, own = proposal.tuning, proposal.own
    if proposal is not None and init is None:
        points = proposal.points
    else:
        points = one_start(built, given, own, keys, init)
    # Starts that the user gives stay where they are.
    settle = init is None
    return prepare(
        target, method, given, own, keys, points, draws=draws, settle=settle, tuning=fixed
    )


def again(
    built: Density,
    method: Chains,
    draws: int,
    beginning: Beginning,
    arrays: Named,
    first: int = 0,
) -> tuple[Sampler, Run]:
    """Return the sampler, and the run as its arrays say; its chains are those from `first` on."""
    target, given = built.placed
    own = Own(rewrites=spread(target.form.taught(given.rewrites), 1))
    tuned = beginning.tuning is not None
    sampler = sampler_of(target, method, given, 1, draws, tuned)
    keys = chain_keys(np.int64(beginning.seed), method.chains, np.int64(first))
    return sampler, from_arrays(arrays, sampler, own, keys, built.dim)


def _name(*parts: str) -> str:
    return json.dumps(parts)
