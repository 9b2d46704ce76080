"""Offer discrete factor graphs: `from finetti import factors as fg`."""

from finetti.factors.beliefs import Beliefs
from finetti.factors.eliminate import Exact
from finetti.factors.factor import Factor
from finetti.factors.forest import Best, Forest
from finetti.factors.graph import Graph
from finetti.factors.logical import And, Or, Pool
from finetti.factors.maxproduct import MaxProduct, Settled
from finetti.factors.propagate import BeliefPropagation, State
from finetti.factors.schedules import Flooding, Residual, Schedule, Sequential
from finetti.factors.selection import Selection
from finetti.factors.shift import BoundedShift
from finetti.factors.solve import solve
from finetti.factors.table import Table
from finetti.factors.variables import Variables

__all__ = [
    "And",
    "BeliefPropagation",
    "Beliefs",
    "Best",
    "BoundedShift",
    "Exact",
    "Factor",
    "Flooding",
    "Forest",
    "Graph",
    "MaxProduct",
    "Or",
    "Pool",
    "Residual",
    "Schedule",
    "Selection",
    "Sequential",
    "Settled",
    "State",
    "Table",
    "Variables",
    "solve",
]
