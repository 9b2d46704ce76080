"""Stand in for TensorFlow Probability: distributions, bijectors, chains, and optimisers."""

from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tfp import bijectors, distributions, math, mcmc, optimizer, util

__all__ = ["bijectors", "distributions", "math", "mcmc", "optimizer", "util"]

__getattr__ = lacking("tfp")
