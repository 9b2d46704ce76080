"""Hold what a fit's warm-up learned, so that another fit of the model can go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

LEARNED = "learned"  # the group of what warm-up learned


@dataclass(frozen=True, eq=False)
class Learned:
    """Hold what warm-up learned: `posterior.learned`, to be given to `fit(..., tuning=)`.

    `step_size` is a number, or one a block of shape (block,) where a method moves several. `scale`
    is the metric's: the length of a step along each unconstrained dimension, shape (dim,), or the
    factor L of the covariance L L', shape (dim, dim). `coordinates` holds by the name of a
    rewrite, such as `centre theta`, and of the constant what the plan's coordinates were set to.

    >>> isinstance(posterior.learned, Learned)
    True
    """

    step_size: np.ndarray
    scale: np.ndarray
    coordinates: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)

    def __repr__(self) -> str:
        steps, scale = np.size(self.step_size), "x".join(map(str, np.shape(self.scale)))
        size = f"{np.min(self.step_size):.2g}" if steps else "none"
        return f"<learned: step size {size}, metric {scale}, {len(self.coordinates)} coordinates>"

    def dataset(self) -> xr.Dataset:
        """Return it as a dataset, to be saved with a run."""
        import xarray as xr

        arrays = {"step_size": (np.asarray(self.step_size), {})}
        arrays["scale"] = (np.asarray(self.scale), {})
        named = [(r, c, a) for r, found in self.coordinates.items() for c, a in found.items()]
        for number, (rewrite, constant, array) in enumerate(named):
            said = {"rewrite": rewrite, "constant": constant}  # names that no file would take
            arrays[f"coordinates_{number}"] = (np.asarray(array), said)
        return xr.Dataset(
            {
                name: (tuple(f"{name}_dim_{i}" for i in range(array.ndim)), array, attributes)
                for name, (array, attributes) in arrays.items()
            }
        )

    @classmethod
    def of(cls, found: xr.Dataset) -> Learned:
        """Return what a dataset holds: `dataset` turned round."""
        coordinates: dict[str, dict[str, np.ndarray]] = {}
        for name, array in found.data_vars.items():
            if str(name).startswith("coordinates_"):
                constants = coordinates.setdefault(array.attrs["rewrite"], {})
                constants[array.attrs["constant"]] = array.values
        return cls(found["step_size"].values, found["scale"].values, coordinates)
