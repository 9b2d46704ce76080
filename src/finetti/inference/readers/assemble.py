"""Put what was read of a run together as a posterior, and name its statistics as ArviZ does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import ModelError
from finetti.inference.engine.draws import Draws
from finetti.inference.methods.method import Chains
from finetti.inference.methods.trajectories import NUTS, EmbeddedLaplace
from finetti.inference.readers.reader import Rows
from finetti.kernels.alternating import Alternating
from finetti.kernels.blockwise import Blockwise
from finetti.models import Model
from finetti.posterior import diagnose
from finetti.posterior.given import data_groups
from finetti.posterior.labels import dataset
from finetti.posterior.posterior import Posterior
from finetti.targets.density import Density
from finetti.targets.layout import Layout

if TYPE_CHECKING:
    import xarray as xr


class Statistics(Rows):
    """Read what the kernel told of each draw."""

    def __init__(self, method: Chains, layout: Layout, group: str = "sample_stats") -> None:
        self.method, self.layout, self.group = method, layout, group

    def read(self, draws: Draws) -> dict[str, np.ndarray]:
        """Return what the kernel told."""
        return dict(draws.info)

    def label(self, rows: Mapping[str, np.ndarray]) -> xr.Dataset:
        """Return the group of statistics."""
        return statistics(self.method, self.layout, rows)


class Positions(Rows):
    """Read where the sampler stood, on the unconstrained scale that it moves on."""

    group = "unconstrained_posterior"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def read(self, draws: Draws) -> dict[str, np.ndarray]:
        """Return the positions."""
        return {"position": draws.positions}

    def label(self, rows: Mapping[str, np.ndarray]) -> xr.Dataset:
        """Return the group of positions, with the site that each coordinate is of."""
        found = dataset({"position": (("chain", "draw", "coordinate"), rows["position"])}, {})
        sizes = zip(self.layout.names, self.layout.shapes, strict=True)
        names = [name for name, shape in sizes for _ in range(prod(shape))]
        return found.assign_coords(coordinate=names)


def gather(
    density: Density, groups: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]
) -> Posterior:
    """Put the groups of what was read into a tree, with the data and what is known of the run.

    Log importance ratios among the statistics are judged by their Pareto k-hat (Vehtari, Simpson,
    Gelman, Yao & Gabry 2024): above 0.7 the draws are not to be trusted, and weights do not mend
    them.
    """
    import xarray as xr

    tree = xr.DataTree.from_dict({**groups, **data_groups(density.model)})
    known = described(density)
    if "log_ratio" in groups["sample_stats"]:
        ratios = groups["sample_stats"]["log_ratio"].values
        known = {**known, "pareto_k": diagnose.pareto_k(ratios)}
    tree.attrs.update({**attributes, **known})
    tree["posterior"].attrs.update(tree.attrs)
    return Posterior(tree, copy(density.model))  # which knows what it has read around it


def described(density: Density) -> dict[str, str]:
    """Return what is known of a run before it is made: model, plan, versions."""
    known = {"model": density.model.name, "plan": json.dumps(density.plan().record())}
    return {**known, **_written(density.model), **_versions()}


def statistics(method: Chains, layout: Layout, info: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Name the kernel's infos as ArviZ's schema does; some kernels have several blocks."""
    kernel = method.kernel(layout)
    stats = {
        "lp": info["log_density"],
        "acceptance_rate": info["acceptance"],
        "step_size": info["step_size"],
        "n_steps": info["gradients"],
    }
    if kernel.uses_gradient:
        stats |= {
            "diverging": info["diverging"],
            "energy": info["energy"],
            "tree_depth": info["depth"],
        }
    if isinstance(method, NUTS | EmbeddedLaplace):
        stats["reached_max_treedepth"] = info["depth"] >= method.max_depth
    dims, sizes = ("chain", "draw", "block"), stats["step_size"]
    found = dataset({k: (dims[: v.ndim], v) for k, v in stats.items()}, {})
    if isinstance(kernel, Alternating):
        return found.assign_coords(block=["the rest", f"members of {', '.join(layout.apart)}"])
    if not isinstance(kernel, Blockwise):
        return found
    kept = np.array([np.nan if size is None else size for size in kernel.kept])
    places = [place for block in kernel.blocks for place in block.places]
    found["step_size"] = (dims, np.where(np.isnan(kept), sizes, kept))
    return found.assign_coords(block=[layout.name(place) for place in places])


def _written(model: Model) -> dict[str, str]:
    """Return the text of the model's function, where Python can find it."""
    try:
        return {"model_source": model.code().rstrip()}
    except ModelError:  # written at a prompt, or no plain function
        return {}


def _versions() -> dict[str, str]:
    found = {}
    for package in ("finetti", "jax", "numpyro"):
        try:
            found[f"{package}_version"] = version(package)
        except PackageNotFoundError:
            found[f"{package}_version"] = "unknown"
    return found
