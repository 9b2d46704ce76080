"""Time the best shifts of digits' templates without compiling, beside general max-product."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks import digits
from benchmarks.factor_graphs import timed
from benchmarks.results import Column, Sample

POOL = 41
SHAPES = (
    1,
    4,
    8,
)  # the first training digit of these classes, sought in the class's first test one
FIRST = Column("CPU s, first use", lambda s: s["first"])
COLUMNS = (
    FIRST,
    Column("CPU s, again", lambda s: s["again"]),
    Column("score", lambda s: s["score"], ".2f"),
    Column("bounds broken", lambda s: s["broken"], ".0f"),
)
Found = dict[str, Any]
Solver = Callable[[Any, Found], Found]


def problem(shape: int) -> tuple[Any, Any, Found]:
    """Return a template's graph with loops, its spanning tree as a graph, and the evidence."""
    from finetti import factors as fg
    from finetti.vision import RCN
    from finetti.vision.rcn.evidence import unaries
    from finetti.vision.rcn.loops import AWAY, BEND

    train, test = digits.load()
    learned = RCN(pool=POOL).fit(*digits.pair(digits.first(train, 1)[np.array([shape])]))
    image = test.images[np.flatnonzero(test.labels == shape)[0]]
    template = learned.shapes[0].template
    seen = unaries(learned._recogniser.seen(image, None).field(), template.features, POOL)
    away = np.arange(POOL) - POOL // 2
    own = seen - AWAY * (away[:, None] ** 2 + away**2)
    whole = template.graph(POOL, BEND)
    kept, tree, first = fg.Forest.spanning(whole).inside, [], 0
    for f in whole.factors:
        which = kept[first : first + f.batch[0]]
        first += f.batch[0]
        ends = (scope[which] for scope in f.scopes)
        if which.any():
            tree.append(fg.BoundedShift(*ends, f.reach, f.window, f.cost))  # type: ignore[attr-defined]
    evidence = {"shift": own.reshape(len(own), -1).astype(np.float32)}
    return whole, fg.Graph(*tree, variables=whole.variables), evidence


def entries() -> Iterable[tuple[str, bool, Solver]]:
    """Yield what is timed, and whether it is on the tree."""
    from finetti import factors as fg

    general = fg.BeliefPropagation(temperature=0, dtype=np.float32, tolerance=1e-3, iterations=200)
    yield "tree, Forest", True, lambda graph, seen: fg.Forest.of(graph).run(seen).decode()
    yield "tree, BeliefPropagation", True, lambda graph, seen: general.run(graph, seen).decode()
    yield (
        "loops, MaxProduct",
        False,
        lambda graph, seen: dict(fg.MaxProduct().run(graph, seen).states),
    )
    yield "loops, BeliefPropagation", False, lambda graph, seen: general.run(graph, seen).decode()


def measure() -> dict[str, list[Sample]]:
    """Return the samples of each entry, one a shape."""
    found: dict[str, list[Sample]] = {}
    for shape in SHAPES:
        whole, tree, evidence = problem(shape)
        for name, on_tree, solve in entries():
            sample = timings(tree if on_tree else whole, evidence, solve)
            found.setdefault(name, []).append(sample)
            print(shape, name, sample, flush=True)
    return found


def timings(graph: Any, evidence: Found, solve: Solver) -> Sample:
    """Return the CPU seconds of a first and a second call, and how good what it finds is."""
    found: list[Found] = []
    first, again = (timed(lambda: found.append(solve(graph, evidence)))[1] for _ in range(2))
    states = found[0]["shift"]
    own = np.take_along_axis(evidence["shift"], states[:, None], 1).sum()
    broken, price = judged(graph, states)
    return {"first": first, "again": again, "score": float(own) - price, "broken": broken}


def judged(graph: Any, states: np.ndarray) -> tuple[int, float]:
    """Return how many bounds states break, and what the differences within bounds cost."""
    broken, price = 0, 0.0
    for f in graph.factors:
        ends = [np.stack(np.divmod(states[s.index], POOL), -1) for s in f.scopes]
        apart = np.abs(ends[0] - ends[1]).max(-1)
        broken += int((apart > f.reach[0]).sum())
        price += float((f.cost * apart[apart <= f.reach[0]]).sum())
    return broken, price
