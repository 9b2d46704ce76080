"""Make small runs without fitting, and tell whether an opened one is the same bit for bit."""

import numpy as np
import xarray as xr

import finetti as ft


def made(seed, draws=50, schools=3):
    """Return a run of two sites with statistics, data and attributes."""
    random = np.random.default_rng(seed)
    labels = np.array([f"école {i}" for i in range(schools)])
    posterior = xr.Dataset(
        {
            "mu": (("chain", "draw"), random.normal(size=(2, draws))),
            "theta": (("chain", "draw", "school"), random.normal(size=(2, draws, schools))),
        },
        coords={"chain": range(2), "draw": range(draws), "school": labels},
    )
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), random.random((2, draws)) < 0.1),
            "steps": (("chain", "draw"), random.integers(1, 9, (2, draws))),
        }
    )
    data = xr.Dataset({"y": (("school",), random.normal(size=schools))})
    tree = xr.DataTree.from_dict(
        {"posterior": posterior, "sample_stats": stats, "observed_data": data}
    )
    tree.attrs = {"model": "schools", "seed": seed, "model_source": "def schools(y): ..."}
    return ft.Posterior(tree)


def same(one, other):
    """Tell whether two runs have the same bytes, labels and attributes."""
    trees = one.tree, other.tree
    if sorted(n.path for n in trees[0].subtree) != sorted(n.path for n in trees[1].subtree):
        return False
    return all(_alike(trees[0][n.path], trees[1][n.path]) for n in trees[0].subtree)


def _alike(one, other):
    if dict(one.attrs) != dict(other.attrs) or set(one.variables) != set(other.variables):
        return False
    pairs = [(one[name], other[name]) for name in one.variables]
    return all(
        a.dims == b.dims
        and a.dtype.kind == b.dtype.kind
        and (
            a.to_numpy().tolist() == b.to_numpy().tolist()
            if a.dtype.kind in "OUT"
            else a.to_numpy().tobytes() == b.to_numpy().tobytes()
        )
        for a, b in pairs
    )
