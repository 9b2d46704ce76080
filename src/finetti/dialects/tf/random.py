"""Hold TensorFlow's newer names of its random numbers, `tf.random`."""

from finetti.dialects.tf.randomness import (
    random_normal,
    random_shuffle,
    random_uniform,
    set_random_seed,
)
from finetti.dialects.tf.surroundings import lacking

set_seed, normal, uniform, shuffle = (
    set_random_seed, random_normal, random_uniform, random_shuffle,
)  # fmt: skip

__all__ = ["normal", "set_seed", "shuffle", "uniform"]

__getattr__ = lacking("tf.random")
