"""Offer every picture of a posterior or a model; each is a matplotlib Figure to save.

>>> figure = effects([28, 8, -3], [15, 10, 16], ["A", "B", "C"])
>>> figure.savefig("effects.png")  # doctest: +SKIP
"""

from finetti.report.calibrated import calibration
from finetti.report.chains import ranks, trace
from finetti.report.checks import checks
from finetti.report.diagram import graph
from finetti.report.effects import effects, shrinkage
from finetti.report.forest import forest
from finetti.report.funnel import funnel
from finetti.report.priors import prior_posterior

__all__ = [
    "calibration",
    "checks",
    "effects",
    "forest",
    "funnel",
    "graph",
    "prior_posterior",
    "ranks",
    "shrinkage",
    "trace",
]
