"""Run PyMC2 programs on finetti: `from finetti.dialects import pymc2 as pm`.

Nodes are collected into a finetti Model, whose density finetti's kernels move on. Random numbers
follow numpy's global generator, which PyMC2 programs seed. `pm.Model([...]).finetti` is the same
model for `ft.fit`.
"""

from typing import NoReturn

import numpy as np

from finetti.dialects.pymc2 import diagnostics, distributions, graph, six
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
from finetti.dialects.pymc2.determined import (
    FUNCTIONS,
    CompletedDirichlet,
    Index,
    InvLogit,
    LinearCombination,
    Logit,
    value,
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
globals().update(FUNCTIONS)

inf = Inf = np.inf
stoch, dtrm, pot = stochastic, deterministic, potential
lambda_deterministic = lam_dtrm = Lambda

__all__ = [
    "MAP",
    "MCMC",
    "AdaptiveMetropolis",
    "BinaryMetropolis",
    "CompletedDirichlet",
    "Container",
    "Deterministic",
    "DiscreteMetropolis",
    "Gibbs",
    "Impute",
    "Index",
    "Inf",
    "InvLogit",
    "Lambda",
    "LinearCombination",
    "Logit",
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
    "dtrm",
    "gelman_rubin",
    "geweke",
    "graph",
    "inf",
    "invlogit",
    "lam_dtrm",
    "lambda_deterministic",
    "logit",
    "observed",
    "pot",
    "potential",
    "raftery_lewis",
    "six",
    "stoch",
    "stochastic",
    "utils",
    "value",
]
__all__ += [*CLASSES, *LIKES, *DRAWS, *FUNCTIONS]

LACKING = {
    "gp": "there are no Gaussian processes: write the covariance, and MvNormalCov",
    "TWalk": "move the stochastics by AdaptiveMetropolis",
}


def __getattr__(name: str) -> NoReturn:
    """Say of what is not imitated that it is not, and what to do."""
    raise AttributeError(
        f"pymc.{name} is not imitated: {LACKING.get(name, 'see docs/dialects.md')}"
    )
