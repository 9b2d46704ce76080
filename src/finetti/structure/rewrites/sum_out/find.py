"""Find the discrete sites that can be summed out, and prepare how: supports, colours, rounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import jax
import numpy as np

from finetti.errors import ModelError
from finetti.factors.rounds import Addition, Scope, Shape, arrange, placed, schedule
from finetti.jaxprs import heads, run
from finetti.structure.equations import inlined, read_tag
from finetti.structure.program import Outcome, Program
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.rewrites.sum_out.propagation import propagation
from finetti.structure.rewrites.sum_out.sum_out import Batch, Piece, Propagate, SumOut
from finetti.structure.scopes import NOBODY, Scopes, tidy
from finetti.structure.variables import Variable
from finetti.types import Atom, Constants

TOLD_NOT_TO = "the plan was told not to; let it, as `model.plan()` does"
MOST = 10**7  # entries of the tables that one evaluation may fill


@dataclass(frozen=True, eq=False)
class Support:
    """Hold the lowest value of each of a site's members and how far it reaches above it."""

    lowest: np.ndarray
    span: np.ndarray

    @property
    def states(self) -> int:
        """Return the number of states, that of the member with the most."""
        return int(self.span.max()) + 1


@dataclass(frozen=True, eq=False)
class Factors:
    """Hold the distinct scopes of a term's elements, and which of them each element has."""

    scopes: list[Scope]
    which: np.ndarray


def find(sight: Sight) -> Found:
    """Return a rewrite for each set of sites that meet in a term, and why others are left."""
    return _found(sight, messages=False)


def find_by_messages(sight: Sight) -> Found:
    """Return a rewrite for each set of sites that are too wide to be summed out exactly."""
    return _found(sight, messages=True)


def _found(sight: Sight, messages: bool) -> Found:
    """Sum out what is narrow enough, or by messages what is not."""
    program, refused = sight.program, sight.refused
    latent = [v for v in sight.left if v.discrete]
    if not latent:
        return Found()
    ends = np.cumsum([prod(v.shape) for v in latent])
    numbers = {
        v.name: np.arange(end - prod(v.shape), end, dtype=np.int32).reshape(v.shape)
        for v, end in zip(latent, ends, strict=True)
    }
    try:
        scopes, outputs = follow(program, numbers)
    except ModelError as error:
        return Found(left={v.name: str(error) for v in latent})
    read = {v.name: _support(v, scopes, outputs) for v in latent}
    read |= {name: TOLD_NOT_TO for name in refused if name in read}
    reasons = {name: found for name, found in read.items() if isinstance(found, str)}
    supports = {name: found for name, found in read.items() if isinstance(found, Support)}
    terms = _reached(scopes, outputs.log_terms, numbers, supports)
    hidden = _reached(scopes, outputs.log_jacobians, numbers, supports)
    rewrites = []
    for sites in _meeting({**terms, **hidden}, numbers, supports):
        together = {name: supports[name] for name in sites}
        places = np.concatenate([numbers[name].ravel() for name in sites])
        moving = [t for t, ids in hidden.items() if np.isin(ids, places).any()]
        if moving:
            found = (
                f"the support of `{moving[0]}` depends on it; give `{moving[0]}` a support that "
                f"holds for all its values, and rule the rest out with an ft.factor"
            )
        else:
            here = {t: ids for t, ids in terms.items() if np.isin(ids, places).any()}
            factors = {t: _factors(here[t], places) for t in here}
            found = _prepare(program, together, factors, messages)
        if isinstance(found, str):
            reasons |= dict.fromkeys(sites, found)
        else:
            rewrites.append(found)
    return Found(tuple(rewrites), reasons)


def follow(program: Program, numbers: Mapping[str, np.ndarray]) -> tuple[Scopes, Outcome]:
    """Follow the members' numbers through the program; return its outputs' variables as well."""
    inputs = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in heads(program.jaxpr)]
    closed = jax.make_jaxpr(lambda *values: run(program.jaxpr, values, inlined))(*inputs)
    flat = closed.jaxpr
    known = dict(zip(heads(flat), [*closed.consts, *program.constants], strict=False))
    scopes = Scopes(flat, known, lambda equation: numbers.get(read_tag(equation)))
    return scopes, jax.tree.unflatten(program.tree, flat.outvars)


def _support(v: Variable, scopes: Scopes, outputs: Outcome) -> Support | str:
    """Return the values a site may take, or the sentence that says why they are not known."""
    arguments = {k.rpartition(".")[2]: a for k, a in outputs.arguments[v.name].items()}
    states = v.known.states
    if states is None:
        return _unknown(v)
    bounds = (states.low, states.high)
    low, high = (scopes.value(arguments[b]) if isinstance(b, str) else b for b in bounds)
    if states.weights:
        weights = next(arguments[name] for name in states.weights if name in arguments)
        high = weights.aval.shape[-1] - 1
    if low is None or high is None:
        return (
            "how far its values reach depends on another latent site; give it the widest range "
            "and let its weights, or an ft.factor, rule values out"
        )
    lowest, highest = (np.broadcast_to(np.asarray(b, int), v.shape) for b in (low, high))
    return Support(lowest, np.asarray(highest - lowest))


def _unknown(v: Variable) -> str:
    """Say what is wrong with a support that is no known, bounded range, and what to do."""
    wide = v.support.startswith("a whole number") and "at most" not in v.support
    what = (
        f"it is {v.support}, without a bound"
        if wide
        else f"its values are not a known range ({v.support})"
    )
    return (
        f"{what}; give it a bounded prior, such as ft.Categorical over the values that matter, or "
        f"sum it out by hand with ft.factor"
    )


def _reached(
    scopes: Scopes,
    outputs: Mapping[str, Atom],
    numbers: Mapping[str, np.ndarray],
    sites: Collection[str],
) -> dict[str, np.ndarray]:
    """Return the members that each element of each output depends on, shape (elements, width)."""
    places = np.concatenate([numbers[name].ravel() for name in sites] or [np.empty(0, int)])
    found = {}
    for name, variable in outputs.items():
        ids = scopes.read(variable)
        ids = tidy(np.where(np.isin(ids, places), ids, NOBODY))
        if ids.shape[-1]:
            found[name] = ids.reshape(-1, ids.shape[-1])
    return found


def _meeting(
    outputs: Mapping[str, np.ndarray], numbers: Mapping[str, np.ndarray], sites: Collection[str]
) -> list[tuple[str, ...]]:
    """Part the sites into sets that share no output."""
    sets = {name: {name} for name in sites}
    for ids in outputs.values():
        met = [name for name in sites if np.isin(numbers[name], ids).any()]
        merged = set().union(*(sets[name] for name in met))
        sets |= dict.fromkeys(merged, merged)
    return list(dict.fromkeys(tuple(n for n in sites if n in sets[name]) for name in sites))


def _factors(ids: np.ndarray, places: np.ndarray) -> Factors:
    """Tell the elements' scopes apart, members numbered by their places."""
    # The last entry stands for nobody, whose number is beyond all.
    local = np.full(places.max() + 2, NOBODY)
    local[places] = np.arange(len(places))
    rows, which = np.unique(local[np.minimum(ids, len(local) - 1)], axis=0, return_inverse=True)
    return Factors([tuple(row[row != NOBODY].tolist()) for row in rows], which.ravel())


def _prepare(
    program: Program,
    supports: Mapping[str, Support],
    factors: Mapping[str, Factors],
    messages: bool,
) -> tuple[SumOut, Constants] | str:
    """Arrange the elimination of sites that meet, or say why it cannot be."""
    sizes = [s.span.size for s in supports.values()]
    states = np.repeat([s.states for s in supports.values()], sizes).tolist()
    alone = [(m,) for m in range(len(states))]
    scopes = list(dict.fromkeys([*alone, *(s for f in factors.values() for s in f.scopes)]))
    batches = _batches(factors, _colour(scopes, states))
    entries = sum(prod(b.batch.states) * b.size for b in batches)
    plan = schedule(scopes, states, MOST) if entries <= MOST else None
    if messages and plan is not None:
        return "it can be summed out exactly, which the plan was told not to do"
    if plan is None and (entries > MOST or not messages):
        hint = ", or approximate it by model.plan().propagate()" if entries <= MOST else ""
        return (
            f"the sum takes tables of more than {MOST:,} entries, as many of its members meet in "
            f"one term; let fewer of them meet, or give them fewer values{hint}"
        )
    rows = arrange(scopes, states)
    elimination = propagation(rows, states) if plan is None else plan.elimination
    bounds = np.cumsum([0, *sizes]).tolist()
    goals = [alone[a:b] for a, b in pairwise(bounds)]
    goals += [goal for b in batches for goal in b.goals]
    additions = [_placed(goals, *held, states) for held in rows.items()]
    dtypes = {name: program.tags[name].aval.dtype for name in supports}
    rewrite = (SumOut if plan is not None else Propagate)(
        sites=tuple(supports),
        terms=tuple(factors),
        shapes=tuple(s.span.shape for s in supports.values()),
        states=tuple(s.states for s in supports.values()),
        batches=tuple(b.batch for b in batches),
        additions=tuple(a for a, _ in additions),
        elimination=elimination,
        seen=_describe(supports, scopes),
    )
    constants = {
        "lowest": {name: s.lowest.astype(dtypes[name]) for name, s in supports.items()},
        "span": {name: s.span.astype(dtypes[name]) for name, s in supports.items()},
        "masks": [_mask(s, program.dtype) for s in supports.values()],
        "batches": [
            {"columns": _by_site(b.columns, supports, bounds), "elements": b.elements}
            for b in batches
        ],
        "additions": [where for _, where in additions],
        "rounds": [] if plan is None else plan.constants,
    }
    return rewrite, constants


def _mask(support: Support, dtype: str) -> np.ndarray:
    """Return log weights that bar the states a member does not have, shape (members, states)."""
    reached = np.arange(support.states) <= support.span.reshape(-1, 1)
    return np.where(reached, 0.0, -np.inf).astype(dtype)


def _by_site(
    columns: np.ndarray, supports: Mapping[str, Support], bounds: Sequence[int]
) -> dict[str, np.ndarray]:
    parts = (columns[a:b] for a, b in pairwise(bounds))
    named = zip(supports.items(), parts, strict=True)
    return {name: part.reshape(s.span.shape) for (name, s), part in named}


def _placed(
    goals: Iterable[Sequence[Scope]], shape: Shape, rows: Mapping[Scope, int], states: Sequence[int]
) -> tuple[Addition, Constants]:
    """Say to which factors the pieces of one shape are added."""
    fitting = (goal for goal in goals if tuple(states[m] for m in goal[0]) == shape)
    return placed(shape, len(rows), [rows[scope] for goal in fitting for scope in goal])


def _colour(scopes: Collection[Scope], states: Sequence[int]) -> list[tuple[int, int]]:
    """Give members that share a scope distinct colours: (number of states, counter)."""
    near: dict[int, set[int]] = defaultdict(set)
    for scope in scopes:
        for m in scope if len(scope) > 1 else ():
            near[m].update(scope)
    # The number of states is part of the colour, since a colour's members are moved together.
    colours: list[tuple[int, int]] = []
    for m, count in enumerate(states):
        taken = {colours[n] for n in near[m] if n < m}
        colours.append(next((count, i) for i in range(len(taken) + 1) if (count, i) not in taken))
    return colours


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Hold a batch with its constants: each member's column, each piece's elements and scopes."""

    batch: Batch
    columns: np.ndarray
    elements: list[np.ndarray | None]
    goals: list[list[Scope]]
    size: int


def _batches(factors: Mapping[str, Factors], colours: Sequence[tuple[int, int]]) -> list[_Prepared]:
    """Evaluate together the terms that depend on the same colours."""
    together: dict[tuple[tuple[int, int], ...], list[str]] = defaultdict(list)
    for term, f in factors.items():
        together[tuple(sorted({colours[m] for scope in f.scopes for m in scope}))].append(term)
    found = []
    for palette, terms in together.items():
        pieces, elements, goals = [], [], []
        for term in terms:
            f = factors[term]
            axes = [tuple(palette.index(colours[m]) for m in scope) for scope in f.scopes]
            for kind in dict.fromkeys(axes):
                fits = np.array([a == kind for a in axes])[f.which]
                pieces.append(Piece(term, kind))
                elements.append(None if fits.all() else np.flatnonzero(fits).astype(np.int32))
                goals.append([f.scopes[i] for i in f.which[fits]])
        columns = [palette.index(c) if c in palette else len(palette) for c in colours]
        batch = Batch(tuple(count for count, _ in palette), tuple(pieces))
        size = sum(factors[term].which.size for term in terms)
        found.append(_Prepared(batch, np.array(columns, np.int32), elements, goals, size))
    return found


def _describe(supports: Mapping[str, Support], scopes: Collection[Scope]) -> str:
    """Say what is summed over; members that meet along a line make a chain."""
    links = [scope for scope in scopes if len(scope) > 1]
    degrees = Counter(m for scope in links for m in scope)
    members = sum(s.span.size for s in supports.values())
    chains, counts = members - len(links), {s.states for s in supports.values()}
    # Lines, as against rings or stars: no member meets three, and each line has two ends.
    line = all(len(scope) == 2 for scope in links) and max(degrees.values(), default=0) == 2
    if line and len(counts) == 1 and list(degrees.values()).count(1) == 2 * chains:
        many = f"{chains} chains" if chains > 1 else "chain"
        return f"{many} of {members // chains} steps, {counts.pop()} states"
    each = (
        f"{s.states} states" + (f" x {s.span.size} members" if s.span.size > 1 else "")
        for s in supports.values()
    )
    return ", ".join(each)
