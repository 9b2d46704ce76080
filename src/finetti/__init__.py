"""Offer finetti's whole public vocabulary: `import finetti as ft`."""

from finetti.density.density import Density, density
from finetti.distributions import *  # noqa: F403
from finetti.distributions import NAMES as _DISTRIBUTIONS
from finetti.distributions import Flat, HalfFlat, constraints
from finetti.errors import (
    Contradiction,
    DataError,
    DuplicateSite,
    FinettiError,
    MissingExtra,
    MissingValue,
    ModelError,
    SamplingError,
    SeedError,
    ShapeError,
    SupportError,
    TooWide,
    UnknownSite,
)
from finetti.fit.blocks import BinaryMetropolis, Block, Compound, DiscreteMetropolis
from finetti.fit.fit import fit
from finetti.fit.methods import MAP, NUTS, EmbeddedLaplace, Metropolis, NormalApproximation
from finetti.fit.walks import HMC, AdaptiveMetropolis
from finetti.kernels.metric import Dense, Diagonal
from finetti.language.chain import MarkovChain
from finetti.language.dims import Groups, groups
from finetti.language.handlers import block, condition, intervene, replay, seed, substitute, trace
from finetti.language.sites import deterministic, factor, plate, sample
from finetti.model import Model, model
from finetti.posterior.posterior import Posterior
from finetti.posterior.posterior import open_run as open

__all__ = [
    "HMC",
    "MAP",
    "NUTS",
    "AdaptiveMetropolis",
    "BinaryMetropolis",
    "Block",
    "Compound",
    "Contradiction",
    "DataError",
    "Dense",
    "Density",
    "Diagonal",
    "DiscreteMetropolis",
    "DuplicateSite",
    "EmbeddedLaplace",
    "FinettiError",
    "Flat",
    "Groups",
    "HalfFlat",
    "MarkovChain",
    "Metropolis",
    "MissingExtra",
    "MissingValue",
    "Model",
    "ModelError",
    "NormalApproximation",
    "Posterior",
    "SamplingError",
    "SeedError",
    "ShapeError",
    "SupportError",
    "TooWide",
    "UnknownSite",
    "block",
    "condition",
    "constraints",
    "density",
    "deterministic",
    "factor",
    "fit",
    "groups",
    "intervene",
    "model",
    "open",
    "plate",
    "replay",
    "sample",
    "seed",
    "substitute",
    "trace",
]
__all__ += list(_DISTRIBUTIONS)
__all__.sort()
