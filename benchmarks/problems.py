"""List the problems by name."""

from benchmarks import counts, eight_schools, formulas, slopes

PROBLEMS = {
    **{each.PROBLEM.name: each.PROBLEM for each in (eight_schools, counts, slopes)},
    **formulas.PROBLEMS,
}
