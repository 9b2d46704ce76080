"""List the problems by name."""

from benchmarks import counts, eight_schools

PROBLEMS = {problem.name: problem for problem in (eight_schools.PROBLEM, counts.PROBLEM)}
