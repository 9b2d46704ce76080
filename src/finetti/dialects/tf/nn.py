"""Offer what programs take from `tf.nn`."""

from finetti.dialects.tf.arithmetic import log_softmax, sigmoid, softmax, softplus
from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import value_of
from finetti.types import Value


def sigmoid_cross_entropy_with_logits(
    labels: Value, logits: Value, name: str | None = None
) -> Value:
    """Return minus the log probability of labels of 0 or 1, or shares, given log odds."""
    labels, logits = value_of(labels), value_of(logits)
    return softplus(logits) - labels * logits


__all__ = ["log_softmax", "sigmoid", "sigmoid_cross_entropy_with_logits", "softmax", "softplus"]

__getattr__ = lacking("tf.nn")
