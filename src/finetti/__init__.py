"""Offer finetti's whole public vocabulary: `import finetti as ft`."""

from typing import TYPE_CHECKING

from finetti.criticism.anew import refit, update
from finetti.criticism.calibrating.calibrate import calibrate
from finetti.criticism.calibrating.calibration import Calibration
from finetti.criticism.checking.check import check
from finetti.criticism.explaining.effects import effects
from finetti.criticism.explaining.shares import icc, r_squared, variance_shares
from finetti.criticism.explaining.shrinkage import shrinkage
from finetti.criticism.leaving_out.compare import Comparison, compare
from finetti.criticism.leaving_out.elpd import Elpd
from finetti.criticism.leaving_out.kfold import kfold
from finetti.criticism.leaving_out.loo import loo
from finetti.criticism.predicting.intervene import intervene
from finetti.criticism.predicting.predict import predict
from finetti.criticism.predicting.prior import prior
from finetti.criticism.sensitivity import Sensitivity, sensitivity
from finetti.distributions import *  # noqa: F403
from finetti.distributions import NAMES as _DISTRIBUTIONS
from finetti.distributions import Flat, HalfFlat, constraints
from finetti.errors import (
    ClusterError,
    Contradiction,
    DataError,
    DuplicateSite,
    FinettiError,
    MissingExtra,
    MissingValue,
    ModelError,
    OutsidePlate,
    SamplingError,
    SeedError,
    ShapeError,
    SupportError,
    TooWide,
    UnknownSite,
)
from finetti.formulas.formula import formula
from finetti.inference.fit import fit
from finetti.inference.methods.blocks import BinaryMetropolis, Block, Compound, DiscreteMetropolis
from finetti.inference.methods.independent import Automatic, IndependentMetropolis
from finetti.inference.methods.precision import ESS, MCSE
from finetti.inference.methods.searches import MAP, NormalApproximation
from finetti.inference.methods.trajectories import HMC, NUTS, EmbeddedLaplace
from finetti.inference.methods.walks import AdaptiveMetropolis, Metropolis
from finetti.inference.resume import resume
from finetti.inference.several import fit_many
from finetti.kernels.metric import Dense, Diagonal
from finetti.language.chain import MarkovChain
from finetti.language.dims import Groups, groups
from finetti.language.handlers import (
    block,
    condition,
    leave_out,
    replay,
    seed,
    substitute,
    trace,
)
from finetti.language.sites import deterministic, factor, plate, sample
from finetti.models import Model, model
from finetti.posterior.learned import Learned
from finetti.posterior.posterior import Posterior
from finetti.posterior.ranking import Ranking, rank
from finetti.reporting.report import report
from finetti.scale.opening import table
from finetti.store.opened import open_run as open
from finetti.targets.density import Density, density

__all__ = [
    "ESS",
    "HMC",
    "MAP",
    "MCSE",
    "NUTS",
    "AdaptiveMetropolis",
    "Automatic",
    "BinaryMetropolis",
    "Block",
    "Calibration",
    "ClusterError",
    "Comparison",
    "Compound",
    "Contradiction",
    "DataError",
    "Dense",
    "Density",
    "Diagonal",
    "DiscreteMetropolis",
    "DuplicateSite",
    "Elpd",
    "EmbeddedLaplace",
    "FinettiError",
    "Flat",
    "Groups",
    "HalfFlat",
    "IndependentMetropolis",
    "Learned",
    "MarkovChain",
    "Metropolis",
    "MissingExtra",
    "MissingValue",
    "Model",
    "ModelError",
    "NormalApproximation",
    "OutsidePlate",
    "Posterior",
    "Ranking",
    "SamplingError",
    "SeedError",
    "Sensitivity",
    "ShapeError",
    "SupportError",
    "TooWide",
    "UnknownSite",
    "block",
    "calibrate",
    "check",
    "compare",
    "condition",
    "constraints",
    "density",
    "deterministic",
    "effects",
    "factor",
    "fit",
    "fit_many",
    "formula",
    "groups",
    "icc",
    "intervene",
    "kfold",
    "leave_out",
    "loo",
    "model",
    "open",
    "plate",
    "predict",
    "prior",
    "r_squared",
    "rank",
    "refit",
    "replay",
    "report",
    "resume",
    "sample",
    "seed",
    "sensitivity",
    "shrinkage",
    "substitute",
    "table",
    "trace",
    "update",
    "variance_shares",
]
__all__ += list(_DISTRIBUTIONS)
__all__.sort()

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Return the version, which pyproject.toml has, where it is asked for."""
        if name == "__version__":
            from importlib.metadata import version

            return version("finetti")
        raise AttributeError(f"module 'finetti' has no attribute {name!r}")
