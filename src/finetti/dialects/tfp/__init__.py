"""Stand in for TensorFlow Probability: `tfp.mcmc`, `tfp.distributions`, `tfp.bijectors`."""

from finetti.dialects.tfp import bijectors, distributions, mcmc

__all__ = ["bijectors", "distributions", "mcmc"]
