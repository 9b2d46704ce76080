"""Put a model's latent variables where a posterior has them, on the fit's rows or on others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from finetti.criticism.predicting.intervene import below, interventions
from finetti.criticism.predicting.members import Members, find_members, place
from finetti.errors import DataError, ModelError, OutsidePlate
from finetti.language.missing import of_holes
from finetti.models import Model
from finetti.posterior.evaluate import latent_draws
from finetti.posterior.mode import is_mode
from finetti.posterior.posterior import Posterior
from finetti.structure.variables import Variable
from finetti.structure.words import listed

PLUG_IN = 1000  # predictive draws at a mode


@dataclass(frozen=True, eq=False)
class States:
    """Hold values of latent variables, shape (chain, draw, ...), and what they are."""

    values: Mapping[str, np.ndarray]
    chain: np.ndarray
    draw: np.ndarray
    words: str

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of chains and of draws."""
        return len(self.chain), len(self.draw)


def states(posterior: Posterior, model: Model, plug_in: bool, draws: int | None) -> States:
    """Return the draws of a model's latent variables, thinned to about `draws`.

    With `plug_in`, or where the posterior is a mode, every draw is at their mean.
    """
    drawn = posterior.tree["posterior"].dataset
    values = latent_draws(model, posterior.tree)
    if draws is not None and draws < 1:
        raise ValueError(f"draws must be a whole number of at least 1, not {draws}")
    chain, draw = drawn["chain"].to_numpy(), drawn["draw"].to_numpy()
    if is_mode(posterior.tree):
        shape = (1, draws or PLUG_IN)
        at = {n: np.broadcast_to(a[0, 0], shape + a.shape[2:]) for n, a in values.items()}
        return States(at, chain[:1], np.arange(shape[1]), "plug-in, at the mode")
    if draws is not None:
        every = min(-(-draws // len(chain)), len(draw))
        places = np.linspace(0, len(draw) - 1, every).round().astype(int)
    else:
        places = np.arange(len(draw))
    if not plug_in:
        kept = {name: a[:, places] for name, a in values.items()}
        return States(kept, chain, draw[places], "posterior")
    shape = len(chain), len(places)
    for v in model.variables:
        if v.name in values and v.discrete:
            raise ModelError(
                f'site `{v.name}` is discrete and has no mean to predict at: leave at="mean" out'
            )
    means = {n: np.broadcast_to(a.mean((0, 1)), shape + a.shape[2:]) for n, a in values.items()}
    return States(means, chain, draw[places], "plug-in, at the posterior means")


@dataclass(frozen=True, eq=False)
class Placement:
    """Hold the values of a model's latent variables on its rows.

    `values` have shape (chain, draw, *site shape). `known` says of each site that has members the
    fit has not seen which of its members it has, `unseen` names these by plate. `redrawn` names
    the latent variables below an intervention, which have no values.
    """

    values: Mapping[str, np.ndarray]
    known: Mapping[str, np.ndarray]
    unseen: Mapping[str, Members]
    intervened: Collection[str]
    redrawn: Collection[str]

    def refuse_unseen(self) -> None:
        """Raise `DataError` naming the members that the fit has not seen, where there are any."""
        if not self.known:
            return
        sites = listed(f"`{name}`" for name in self.known)
        members = " and ".join(map(str, self.unseen.values()))
        raise DataError(
            f"the fit has not seen {members}, where {sites} "
            f"{'stands' if len(self.known) == 1 else 'stand'}: "
            f'new_groups="sample" draws new members from the population, '
            f'new_groups="population" puts them at its mean'
        )


def placed(fitted: Model, free: Model, at: States, kept: Collection[str]) -> Placement:
    """Find the values of a model's latent variables: those of the fit where it has seen the member.

    `free` is the model with its observed sites drawn anew, `kept` names arrays that are still
    those of the fit. Raises `DataError` where they no longer fit the members.
    """
    old = {v.name: v for v in fitted.variables}
    new = _variables(free, kept)
    members = find_members(fitted, free)
    intervened = interventions(free)
    descendants = below(free, intervened)
    values, known, redrawn = {}, {}, []
    holes = {of_holes(v.name) for v in new if v.holes is not None}
    holes = set() if free.arguments is fitted.arguments else holes  # of the fit's rows
    for v in new:
        if v.name in holes:
            continue
        if v.kind != "latent" or (v.name in old and old[v.name].kind == "observed"):
            continue
        if v.name in descendants:
            redrawn.append(v.name)
            continue
        if v.name not in at.values:
            raise DataError(f"the model has a site `{v.name}` on newdata that the fit has not seen")
        moved = [p.name for p in v.plates if members[p.name].changed and not members[p.name].rows]
        if moved and kept:
            raise DataError(
                f"plate `{moved[0]}` has other members on newdata than in the fit: give "
                f"{listed(f'`{name}`' for name in sorted(kept))} for these as well"
            )
        values[v.name], seen = place(old[v.name], v, at.values[v.name], members)
        if not seen.all():
            known[v.name] = seen
    plates = {p.name for v in new if v.name in known for p in v.plates}
    unseen = {name: members[name] for name in sorted(plates) if members[name].unseen}
    return Placement(values, known, unseen, intervened, tuple(redrawn))


def _variables(free: Model, kept: Collection[str]) -> tuple[Variable, ...]:
    """Return the variables on new rows, and blame the rows for what cannot be run."""
    try:
        return free.variables
    except OutsidePlate as error:
        raise DataError(f"newdata does not fit the members there are: {error}") from error
    except (TypeError, ValueError, IndexError) as error:
        blamed = type(error.__cause__) in (TypeError, ValueError, IndexError)
        if isinstance(error, ModelError) and not kept and not blamed:
            raise
        reason = str(error).partition("\n")[0]
        still = f" ({listed(f'`{name}`' for name in sorted(kept))} as in the fit)" if kept else ""
        raise DataError(f"model `{free.name}` cannot be run on newdata{still}: {reason}") from error
