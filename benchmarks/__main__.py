"""Run the benchmarks named, or all of them: `python -m benchmarks eight_schools`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from benchmarks import (
    advice,
    by_formula,
    captchas,
    cluster,
    cold,
    coloured,
    counts,
    covered,
    dearer,
    digits,
    divided,
    doubts,
    eight_schools,
    examples,
    factor_graphs,
    forms,
    growth,
    hues,
    in_place,
    oneshot,
    overlap,
    posed,
    scenes,
    shapes,
    slopes,
    sure,
    warm,
    warm_up,
)
from benchmarks.entries import (
    AS_WRITTEN,
    BAMBI,
    FINETTI,
    FINETTI_NUTS,
    NUMPYRO,
    NUTPIE,
    PYMC,
    Finetti,
)
from benchmarks.entry import Entry
from benchmarks.problem import Problem
from benchmarks.results import CPU, RATE, SAMPLING, WALL, Result

SCHOOLS = eight_schools.PROBLEM
ALL = (FINETTI, FINETTI_NUTS, AS_WRITTEN, *NUMPYRO, NUTPIE, PYMC)
LEVELS = (
    FINETTI,
    Finetti("finetti, level 0", options={"xla_backend_optimization_level": 0}),
    Finetti("finetti, level 1", options={"xla_backend_optimization_level": 1}),
    Finetti("finetti, default", options={}),
)


def warm_runs(name: str, problem: Problem, entries: Iterable[Entry], rounds: int) -> None:
    """Time runs of programs that are compiled."""
    entries = installed(entries)
    references = [e.name for e in entries if isinstance(e, Finetti)][:2]
    samples = warm.measure(problem, entries, rounds)
    title = f"{problem.name}: warm runs, {rounds} rounds"
    report(Result(name, title, samples, SAMPLING, RATE, tuple(references)), entries)


def cold_runs(name: str, problem: Problem, entries: Iterable[Entry], rounds: int) -> None:
    """Time processes from the start to the table."""
    entries = installed(entries)
    references = [e.name for e in entries if isinstance(e, Finetti)][:2]
    commands = [c for e in entries for c in cold.sampling(problem.name, e)]
    samples = cold.measure(commands, rounds)
    title = f"{problem.name}: from process start to summary, {rounds} rounds"
    report(Result(name, title, samples, (WALL, CPU), CPU, tuple(references)), entries)


def imports(rounds: int) -> None:
    """Time the imports of the libraries, and of JAX, which most of the time goes to."""
    samples = cold.measure(map(cold.importing, ("finetti", "numpyro", "jax")), rounds)
    title = f"import, {rounds} rounds"
    report(Result("imports", title, samples, (WALL, CPU), WALL, ("finetti",)), (FINETTI,))


def report(result: Result, entries: Iterable[Entry]) -> None:
    """Print and save a result."""
    result.show()
    result.save(package for entry in entries for package in entry.packages)


def installed(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries whose packages are installed; say which are not."""
    found = []
    for entry in entries:
        try:
            _ = [version(package) for package in entry.packages]
        except PackageNotFoundError as error:
            print(f"{entry.name} is skipped: {error.name} is not installed")
        else:
            found.append(entry)
    return found


def run_eight_schools() -> None:
    warm_runs("eight_schools_warm", SCHOOLS, ALL, rounds=10)
    cold_runs("eight_schools_cold", SCHOOLS, ALL, rounds=4)


def run_counts() -> None:
    warm_runs("counts_warm", counts.PROBLEM, (FINETTI, *NUMPYRO, NUTPIE, PYMC), rounds=4)


def run_slopes() -> None:
    cold_runs("slopes_cold", slopes.PROBLEM, (FINETTI, NUMPYRO[0], NUTPIE), rounds=2)


def run_formulas() -> None:
    entries = tuple(installed((FINETTI, BAMBI)))
    if len(entries) == 2:
        by_formula.run(entries)


def run_levels() -> None:
    warm_runs("levels_warm", SCHOOLS, LEVELS, rounds=10)
    cold_runs("levels_cold", SCHOOLS, LEVELS, rounds=4)


def run_growth(name: str, cases: tuple[growth.Case, ...]) -> None:
    samples = growth.measure(cases, rounds=1)
    title = f"{cases[0].likelihood} random intercepts, {growth.EACH} rows a group"
    wall = growth.COLUMNS[3]
    report(Result(name, title, samples, growth.COLUMNS, wall, ()), (FINETTI,))


def run_forms() -> None:
    samples = forms.measure()
    title = "models written centred and non-centred, as planned and as written"
    report(Result("forms", title, samples, forms.COLUMNS, forms.RATE, ()), (FINETTI,))


def run_warm_up() -> None:
    samples = warm_up.measure()
    title = f"warm-up of {' and '.join(map(str, warm_up.LENGTHS))} draws a chain"
    report(Result("warm_up", title, samples, warm_up.COLUMNS, warm_up.ESS, ()), (FINETTI,))


def run_factors() -> None:
    samples, title = factor_graphs.measure(rounds=3), "belief propagation, 3 rounds"
    iteration, columns = factor_graphs.ITERATION, factor_graphs.COLUMNS
    report(Result("factors", title, samples, columns, iteration, ()), (FINETTI,))


def run_shapes() -> None:
    samples = shapes.measure()
    title = f"best shifts of {len(shapes.SHAPES)} digits' templates, pools of {shapes.POOL}^2"
    report(Result("shapes", title, samples, shapes.COLUMNS, shapes.FIRST, ()), (FINETTI,))


BENCHMARKS = {
    "advice": lambda: advice.show(*advice.measure()),
    "imports": lambda: imports(rounds=10),
    "eight_schools": run_eight_schools,
    "counts": run_counts,
    "slopes": run_slopes,
    "formulas": run_formulas,
    "levels": run_levels,
    "forms": run_forms,
    "warm_up": run_warm_up,
    "factors": run_factors,
    "shapes": run_shapes,
    "digits": digits.run,
    "spoilt": digits.run_spoilt,
    "captchas": captchas.run,
    "letters": captchas.run_letters,
    "scenes": scenes.run,
    "coloured": coloured.run,
    "covered": covered.run,
    "examples": examples.run,
    "doubts": doubts.run,
    "hues": hues.run,
    "oneshot": oneshot.run,
    "overlap": overlap.run,
    "sure": sure.run,
    "posed": posed.run,
    "in_place": lambda: report(in_place.report("normal"), (FINETTI,)),
    "in_place_bernoulli": lambda: report(in_place.report("Bernoulli"), (FINETTI,)),
    "cluster": lambda: report(cluster.report(), (FINETTI,)),
    "dearer": lambda: report(dearer.report(), (FINETTI,)),
    "divided": lambda: report(divided.report(), (FINETTI,)),
    "growth": lambda: run_growth("growth_normal", growth.NORMAL),
    "growth_poisson": lambda: run_growth("growth_poisson", growth.POISSON),
}

if __name__ == "__main__":
    for chosen in sys.argv[1:] or BENCHMARKS:
        if chosen not in BENCHMARKS:
            sys.exit(f"there is no benchmark {chosen}; there are {', '.join(BENCHMARKS)}")
        BENCHMARKS[chosen]()
