"""Offer what programs take from `tf.nn`."""

from numpy.typing import ArrayLike

from finetti.dialects.tf.arithmetic import log_softmax, sigmoid, softmax, softplus
from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import value_of
from finetti.types import AnyArray


def sigmoid_cross_entropy_with_logits(
    labels: ArrayLike, logits: ArrayLike, name: str | None = None
) -> AnyArray:
    """Return minus the log probability of labels of 0 or 1, or shares, given log odds."""
    truth, log_odds = value_of(labels), value_of(logits)
    return softplus(log_odds) - truth * log_odds


__all__ = ["log_softmax", "sigmoid", "sigmoid_cross_entropy_with_logits", "softmax", "softplus"]

__getattr__ = lacking("tf.nn")
