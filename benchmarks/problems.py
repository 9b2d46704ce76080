"""List the problems by name."""

from benchmarks import counts, eight_schools, slopes

PROBLEMS = {each.PROBLEM.name: each.PROBLEM for each in (eight_schools, counts, slopes)}
