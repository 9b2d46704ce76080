"""Run the founding programs, each once for all the tests that read its variables."""

from __future__ import annotations

import runpy
import sys
import types
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


def shorter(name: str, **changes: str) -> dict[str, Any]:
    """Return what a program leaves whose text has been changed, to run it for less time."""
    text = (FOLDER / f"{name}.py").read_text()
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    np.random.seed(1)  # noqa: NPY002 - what PyMC2 programs seed
    tf.set_random_seed(1)
    module = types.ModuleType(name)
    exec(compile(text, name, "exec"), vars(module))  # the program's own text
    return vars(module)


@cache
def exact(variant: str) -> dict[str, Any]:
    """Return the exact answers for a variant of Eight Schools."""
    return read("eight_schools_exact.json")["models"][variant]
