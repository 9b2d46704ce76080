"""Draw the chains of one run apart: once warm-up is over, none depends on another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from finetti.inference.begin import Beginning, again
from finetti.inference.cluster.pieces import done, parts
from finetti.inference.engine.arrays import to_arrays
from finetti.inference.engine.draws import Shelf
from finetti.inference.engine.run import Run, travel
from finetti.inference.journey import Journey, diverged
from finetti.inference.methods.method import Chains, natural
from finetti.inference.stopping import asked_to_stop
from finetti.models import Model
from finetti.structure.choices import Choices
from finetti.targets.density import Density, density

if TYPE_CHECKING:
    from distributed import Client

MOST = 64  # pieces that the chains of one run are cut into
STEPS = ".carry.steps"  # where a run has its number of steps


class Part(NamedTuple):
    """Hold what a piece made: its run's arrays, its draws by row, and how many diverged."""

    run: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    divergences: int


@dataclass(frozen=True, eq=False)
class Apart:
    """Make so many draws of some chains: a job whose pieces are their numbers and their state.

    `beginning` is what the whole run was begun with, `method` what it draws by.
    """

    model: Model
    choices: Choices
    method: Chains
    beginning: Beginning
    draws: int

    @cached_property
    def built(self) -> Density:
        """Return the density of the run, understood anew on each worker."""
        plan = self.model.plan(choices=self.choices)
        return density(self.model, plan, natural(self.model, self.method))

    def __call__(self, piece: tuple[range, dict[str, np.ndarray]]) -> Part:
        """Draw the chains; raises `KeyboardInterrupt` where it is asked to stop."""
        chains, arrays = piece
        with jax.enable_x64(True):
            method = replace(self.method, chains=len(chains))
            sampler, run = again(
                self.built, method, self.draws, self.beginning, arrays, chains.start
            )
            shelf, divergences = Shelf(len(chains), self.draws, method.thin or 1), 0
            for here, chunk in travel(sampler, run):
                if asked_to_stop():
                    raise KeyboardInterrupt
                shelf.add(chunk)
                divergences += diverged(chunk)
                run = here
            return Part(to_arrays(run), shelf.rows, divergences)


def draw_apart(journey: Journey, beginning: Beginning, client: Client) -> None:
    """Have a cluster's workers make all the draws of a run whose warm-up is over.

    Each chain is a piece, or so many of them that there are `MOST` pieces.
    """
    work, run = journey.work, journey.run
    built, chains = work.built, work.method.chains
    job = Apart(built.model, built.choices, work.method, beginning, journey.shelf.wanted)
    cut = parts(chains, -(-chains // MOST))
    pieces = [(part, to_arrays(_some(run, slice(part.start, part.stop)))) for part in cut]
    found = done(job, pieces, client)
    rows = {name: np.concatenate([part.rows[name] for part in found]) for name in found[0].rows}
    whole = _joined(run, [part.run for part in found])
    journey.adopt(whole, rows, sum(part.divergences for part in found))


def _some(run: Run, chains: slice) -> Run:
    """Return the run of some of the chains."""
    carry = run.carry
    states = jax.tree.map(lambda a: np.asarray(a)[..., chains], carry.states)
    idle = np.asarray(carry.adaptation.idle)[..., chains, :]  # the last axis is that of fits
    carry = carry._replace(
        states=states,
        counts=np.asarray(carry.counts)[chains],
        adaptation=carry.adaptation._replace(idle=idle),
    )
    return run._replace(carry=carry)


def _joined(run: Run, parts: list[dict[str, np.ndarray]]) -> Run:
    """Return the run whose chains stand where the parts have taken them.

    It has made as many steps as the part that made most, so that no step's noise is used twice.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(run._replace(keys=None))
    found = []
    for place, whole in leaves:
        name = jax.tree_util.keystr(place)
        each = [part[name] for part in parts]
        sizes = zip(each[0].shape, np.shape(whole), strict=True)
        differ = [axis for axis, (some, every) in enumerate(sizes) if some != every]
        if name == STEPS:
            found.append(np.max(each, axis=0))
        else:  # what does not differ is shared by all chains, or there is but one part
            found.append(np.concatenate(each, differ[0]) if differ else each[0])
    return jax.tree.unflatten(structure, found)._replace(keys=run.keys)
