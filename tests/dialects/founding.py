"""Run the founding programs, each once for all the tests that read its variables."""

from __future__ import annotations

import runpy
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from finetti.dialects import tf
from zoo.reference import read

FOLDER = Path(__file__).parents[2] / "examples" / "founding"


@cache
def program(name: str) -> dict[str, Any]:
    """Return the variables that a founding program leaves, run from fixed seeds."""
    np.random.seed(1)  # noqa: NPY002 - what PyMC2 programs seed
    tf.set_random_seed(1)
    sys.path.insert(0, str(FOLDER))
    try:
        return runpy.run_path(str(FOLDER / f"{name}.py"))
    finally:
        sys.path.remove(str(FOLDER))


@cache
def exact(variant: str) -> dict[str, Any]:
    """Return the exact answers for a variant of Eight Schools."""
    return read("eight_schools_exact.json")["models"][variant]
