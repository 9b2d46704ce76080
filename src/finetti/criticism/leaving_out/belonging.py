"""Find which member of a plate each observation belongs to, and what else belongs to it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import jax
import numpy as np

from finetti.errors import ModelError, UnknownSite
from finetti.language.dims import Plate
from finetti.models import Model
from finetti.structure.choices import AS_WRITTEN
from finetti.structure.rewrites.sum_out.find import follow
from finetti.structure.scopes import NOBODY
from finetti.structure.variables import Variable
from finetti.structure.words import listed
from finetti.types import Bool, Int

Counted = Mapping[str, Bool[np.ndarray, "..."]]

NOTHING = -1  # belongs to no member
SEVERAL = -2  # depends on several members


@dataclass(frozen=True, eq=False)
class Belonging:
    """Hold the member of a plate that each observation belongs to, as a code, -1 for none.

    `codes` has an array for each observed site. `own` names the latent sites that belong to the
    members, one value or more each; given all other latent sites a member's are independent of the
    other members' data. It is empty where that is not so.
    """

    plate: Plate
    codes: dict[str, Int[np.ndarray, "..."]]
    own: tuple[str, ...]


def belonging(model: Model, plate: str, counted: Counted) -> Belonging:
    """Follow a plate's members through a model's program to the observations they bear on.

    `counted` tells which observations are known and count, an event being one; others belong to
    none. An effect's name means the plate that it stands in, if no plate has it: a formula's `g`
    that of its levels. Raises `UnknownSite` where there is no such plate, `ModelError` where an
    observation depends on several of its members or none does.
    """
    effects = (v for v in model.variables if v.kind == "latent" and len(v.plates) == 1)
    plates = {v.name: v.plates[0] for v in effects}
    plates |= {p.name: p for v in model.variables for p in v.plates}
    if plate not in plates:
        listing = ", ".join(f"`{p.name}`" for p in dict.fromkeys(plates.values())) or "none"
        raise UnknownSite(f"model `{model.name}` has no plate `{plate}` (plates: {listing})")
    found = _members(_Trace.of(model), plates[plate], counted)
    codes = {name: found[name] for name in counted}
    for name, code in codes.items():
        if (code == SEVERAL).any():
            place = tuple(int(i) for i in np.argwhere(code == SEVERAL)[0])
            raise ModelError(
                f"observation {list(place)} of site `{name}` depends on several members of plate "
                f"`{plate}`, or that it depends on one alone cannot be seen: give by= an array "
                f"with a group for each observation"
            )
    if all((code == NOTHING).all() for code in codes.values()):
        names = listed(f"`{name}`" for name in codes)
        raise ModelError(f"no observation of {names} depends on a member of plate `{plate}`")
    others = {name: code for name, code in found.items() if name not in counted}
    if any((code == SEVERAL).any() for code in others.values()):
        return Belonging(plates[plate], codes, ())
    latent = {v.name for v in model.variables if v.kind == "latent"}
    own = [name for name, code in others.items() if (code >= 0).any()]
    return Belonging(plates[plate], codes, tuple(own) if latent.issuperset(own) else ())


def sole(model: Model, site: str, counted: Counted) -> Bool[np.ndarray, "..."]:
    """Tell which observations of a site are the only ones of some group with an effect.

    Without them nothing is left to say where the effect lies. Where the model is too large to
    tell, none is.
    """
    alone = np.zeros(counted[site].shape, bool)
    plates = {p.name: p for v in model.variables for p in v.plates if v.kind == "latent"}
    try:
        trace = _Trace.of(model)
        for plate in plates.values():
            found = _members(trace, plate, counted)
            codes = np.concatenate([found[name].ravel() for name in counted])
            counts = np.bincount(codes[codes >= 0], minlength=plate.size)
            own = found[site]
            alone |= (own >= 0) & (counts[np.maximum(own, 0)] == 1)
    except ModelError:
        return np.zeros(counted[site].shape, bool)
    return alone


@dataclass(frozen=True, eq=False)
class _Trace:
    """Hold which latent values each term of a model depends on, the values being numbered."""

    model: Model
    numbers: dict[str, np.ndarray]
    terms: dict[str, np.ndarray]

    @classmethod
    def of(cls, model: Model) -> _Trace:
        """Follow the latent values through the model's program."""
        latent = [v for v in model.variables if v.kind == "latent"]
        ends = np.cumsum([prod(v.shape) for v in latent], dtype=int)
        numbers = {
            v.name: np.arange(end - prod(v.shape), end, dtype=np.int32).reshape(v.shape)
            for v, end in zip(latent, ends, strict=True)
        }
        with jax.enable_x64(True):
            scopes, outputs = follow(model.plan(choices=AS_WRITTEN).program, numbers)
        return cls(model, numbers, {n: scopes.read(t) for n, t in outputs.log_terms.items()})


def _members(trace: _Trace, plate: Plate, counted: Counted) -> dict[str, Int[np.ndarray, "..."]]:
    """Return the code of each element of each term, and of each latent value."""
    numbers = trace.numbers
    known = np.full(sum(n.size for n in numbers.values()), NOTHING)
    found = {}
    for v in trace.model.variables:
        if v.name not in trace.terms:
            continue
        own = _along(v, plate)
        if own is None:
            ids = trace.terms[v.name]
            code = _united(np.where(ids == NOBODY, NOTHING, known[np.where(ids == NOBODY, 0, ids)]))
            counts = counted.get(v.name, np.ones(v.shape, bool))
            own = np.where(counts, _fitted(code, counts.shape), NOTHING)
        found[v.name] = own
        if v.kind == "latent":  # one that depends on several belongs to none
            known[numbers[v.name]] = np.where(own == SEVERAL, NOTHING, own)
    return found


def _along(v: Variable, plate: Plate) -> np.ndarray | None:
    """Return the members along a site's own dimension, if it lies in the plate."""
    if v.kind != "latent" or plate not in v.plates:
        return None
    axis = v.plates.index(plate)
    shape = [1] * len(v.shape)
    shape[axis] = plate.size
    return np.broadcast_to(np.arange(plate.size).reshape(shape), v.shape)


def _united(codes: np.ndarray) -> np.ndarray:
    """Return the one code along the last axis, or that there are several."""
    if not codes.shape[-1]:
        return np.full(codes.shape[:-1], NOTHING)
    high = codes.max(-1)
    low = np.where(codes < 0, np.iinfo(codes.dtype).max, codes).min(-1)
    mixed = (codes == SEVERAL).any(-1) | ((high >= 0) & (low != high))
    return np.where(mixed, SEVERAL, high)


def _fitted(code: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the codes of a term's elements as an array of a shape: events united, or spread."""
    while code.ndim > len(shape):
        code = _united(code)
    code = code.reshape((*code.shape, *(1,) * (len(shape) - code.ndim)))
    return np.broadcast_to(code, shape)
