"""Gather TensorFlow Probability's distributions, single ones and joint ones."""

from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tfp.distribution import Distribution
from finetti.dialects.tfp.families import CLASSES
from finetti.dialects.tfp.joining import (
    JointDistributionCoroutine,
    JointDistributionCoroutineAutoBatched,
    JointDistributionNamed,
    JointDistributionNamedAutoBatched,
    JointDistributionSequential,
    JointDistributionSequentialAutoBatched,
)
from finetti.dialects.tfp.joint import JointDistribution

globals().update(CLASSES)

__all__ = [
    "Distribution",
    "JointDistribution",
    "JointDistributionCoroutine",
    "JointDistributionCoroutineAutoBatched",
    "JointDistributionNamed",
    "JointDistributionNamedAutoBatched",
    "JointDistributionSequential",
    "JointDistributionSequentialAutoBatched",
]
__all__ += list(CLASSES)

__getattr__ = lacking("tfp.distributions")
