"""Turn a run into arrays by name, and back, so that it can lie on disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from finetti.inference.engine.batch import Own
from finetti.inference.engine.run import Run, Sampler
from finetti.inference.engine.start import DTYPE
from finetti.inference.engine.sweep import launch
from finetti.kernels.kernel import Point
from finetti.types import Key


def to_arrays(run: Run) -> dict[str, np.ndarray]:
    """Return the arrays of a run by where they stand in it; its keys come from the seed."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(run._replace(keys=None))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def from_arrays(
    arrays: Mapping[str, np.ndarray], sampler: Sampler, own: Own, keys: Key, dim: int
) -> Run:
    """Return the run that `to_arrays` took apart: bit for bit what it was.

    `own` has the structure of what its fit has for itself. Raises `KeyError` where the arrays are
    those of another sampler's run.
    """
    chains, fits = len(keys), sampler.course.fits
    shapes = [(dim, chains), (chains,), (dim, chains)]
    structs: Any = [jax.ShapeDtypeStruct(shape, DTYPE) for shape in shapes]
    points = Point(*structs)
    sizes = jax.ShapeDtypeStruct((fits,), DTYPE)
    carry = jax.eval_shape(partial(launch, sampler.course.kernel, fits), points, sizes)
    none = np.empty(0)
    blank: Any = Run(none, own, None, carry, none)  # pyright: ignore[reportArgumentType]
    places, structure = jax.tree_util.tree_flatten_with_path(blank)
    leaves = [arrays[jax.tree_util.keystr(path)] for path, _ in places]
    return jax.tree.unflatten(structure, leaves)._replace(keys=keys)
