"""Offer every picture of a posterior or a model; each is a matplotlib Figure to save.

>>> figure = effects([28, 8, -3], [15, 10, 16], ["A", "B", "C"])
>>> figure.savefig("effects.png")  # doctest: +SKIP
"""

from finetti.reporting.calibrated import calibration
from finetti.reporting.chains import ranks, trace
from finetti.reporting.checks import checks
from finetti.reporting.conditional import conditional
from finetti.reporting.diagram import graph
from finetti.reporting.effects import effects, shrinkage
from finetti.reporting.forest import forest
from finetti.reporting.funnel import funnel
from finetti.reporting.outcomes import outcomes
from finetti.reporting.priors import prior_posterior

__all__ = [
    "calibration",
    "checks",
    "conditional",
    "effects",
    "forest",
    "funnel",
    "graph",
    "outcomes",
    "prior_posterior",
    "ranks",
    "shrinkage",
    "trace",
]
