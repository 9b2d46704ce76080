"""Impute missing data element by element, as PyMC2's `Impute` does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.pymc2.decorators import Lambda
from finetti.dialects.pymc2.nodes import Stochastic, Variable


def gaps(values: ArrayLike) -> np.ma.MaskedArray:
    """Return values as a masked array: what is masked, None or NaN lacks.

    >>> gaps([4, None, 2]).mask.tolist()
    [False, True, False]
    """
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else False
    flat = np.ma.getdata(values) if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    lacking = np.asarray(np.frompyfunc(lambda v: v is None or v != v, 1, 1)(flat), bool) | mask
    filled = np.where(lacking, 0, flat)
    if filled.dtype == object:
        filled = np.array(filled.tolist())
    return np.ma.masked_array(filled, lacking)


def Impute(
    name: str, dist_class: type[Stochastic], imputable: ArrayLike, **parents: object
) -> list[Stochastic]:
    """Return a stochastic for each element of data, observed where it is known.

    `imputable` is a masked array, or values of which some are None or NaN. Parents of the data's
    shape go to the elements one by one. One masked array as `value=` says the same in one node.
    """
    data = gaps(imputable)
    found = []
    for i, (value, missing) in enumerate(zip(data.data.ravel(), data.mask.ravel(), strict=True)):
        mine = {k: _element(k, parent, data.shape, i) for k, parent in parents.items()}
        make: Any = dist_class
        label = f"{name}[{i}]"
        if missing:
            found.append(make(label, **mine))
        else:
            found.append(make(label, value=value, observed=True, **mine))
    return found


def _element(name: str, parent: Any, shape: tuple[int, ...], i: int) -> object:
    """Return the part of a parent that belongs to one element of the data."""
    variable = isinstance(parent, Variable)
    if np.shape(parent.value if variable else parent) != shape:
        return parent
    if variable:
        return Lambda(f"{name}[{i}]", lambda p=parent, i=i: np.ravel(p)[i], trace=False)
    return np.ravel(np.asarray(parent))[i]
