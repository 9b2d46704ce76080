"""Run PyMC2 programs on finetti: `from finetti.dialects import pymc2 as pm`.

Nodes are collected into a finetti Model, whose density finetti's kernels move on. Random numbers
follow numpy's global generator, which PyMC2 programs seed. `pm.Model([...]).finetti` is the same
model for `ft.fit`.
"""

from finetti.dialects.pymc2 import diagnostics, distributions, six
from finetti.dialects.pymc2 import matplot as Matplot
from finetti.dialects.pymc2 import quantities as utils
from finetti.dialects.pymc2.arithmetic import METHODS
from finetti.dialects.pymc2.decorators import (
    Lambda,
    data,
    deterministic,
    invlogit,
    logit,
    observed,
    potential,
    stochastic,
)
from finetti.dialects.pymc2.diagnostics import discrepancy, gelman_rubin, geweke, raftery_lewis
from finetti.dialects.pymc2.distributions import CLASSES, DRAWS, LIKES, Impute
from finetti.dialects.pymc2.mcmc import MCMC
from finetti.dialects.pymc2.model import Container, Model
from finetti.dialects.pymc2.nodes import Deterministic, Node, Potential, Stochastic, Variable
from finetti.dialects.pymc2.stepping import Gibbs, NoStepper, Slicer, StepMethod
from finetti.dialects.pymc2.steps import (
    AdaptiveMetropolis,
    BinaryMetropolis,
    DiscreteMetropolis,
    Metropolis,
)
from finetti.dialects.pymc2.summits import MAP, NormApprox
from finetti.dialects.pymc2.traced import ZeroProbability

for _name, _method in METHODS.items():
    setattr(Variable, _name, _method)
globals().update(CLASSES)
globals().update(LIKES)
globals().update(DRAWS)

__all__ = [
    "MAP",
    "MCMC",
    "AdaptiveMetropolis",
    "BinaryMetropolis",
    "Container",
    "Deterministic",
    "DiscreteMetropolis",
    "Gibbs",
    "Impute",
    "Lambda",
    "Matplot",
    "Metropolis",
    "Model",
    "NoStepper",
    "Node",
    "NormApprox",
    "Potential",
    "Slicer",
    "StepMethod",
    "Stochastic",
    "Variable",
    "ZeroProbability",
    "data",
    "deterministic",
    "diagnostics",
    "discrepancy",
    "distributions",
    "gelman_rubin",
    "geweke",
    "invlogit",
    "logit",
    "observed",
    "potential",
    "raftery_lewis",
    "six",
    "stochastic",
    "utils",
]
__all__ += [*CLASSES, *LIKES, *DRAWS]
