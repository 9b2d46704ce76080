"""Draw a trace, an autocorrelation and a histogram of each variable, as PyMC2's Matplot does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from finetti.errors import MissingExtra

LAGS = 100


def plot(
    pymc_obj: Any, format: str = "png", suffix: str = "", path: str = "./", verbose: int = 0
) -> list[Path]:
    """Draw the traces of an MCMC, or of one variable, into a file each; return the files.

    Each scalar of a variable has a row: its trace, its autocorrelation and its histogram.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra.needed("matplotlib", "plots", "drawing traces") from error

    files = []
    for name, draws in _traces(pymc_obj).items():
        rows = np.asarray(draws, float).reshape(len(draws), -1).T
        figure = Figure(figsize=(11, 2.4 * len(rows)), layout="constrained")
        for i, (row, axes) in enumerate(
            zip(rows, figure.subplots(len(rows), 3, squeeze=False), strict=True)
        ):
            label = name if len(rows) == 1 else f"{name}[{i}]"
            axes[0].plot(row, linewidth=0.5)
            axes[0].set(title=f"{label}: trace", xlabel="kept draw")
            axes[1].bar(np.arange(min(LAGS, len(row))), autocorrelation(row, LAGS), width=1.0)
            axes[1].set(title="autocorrelation", xlabel="lag", ylim=(-1, 1))
            axes[2].hist(row, bins=30)
            axes[2].axvline(row.mean(), color="black", linewidth=1)
            axes[2].set(title="histogram, mean marked")
        file = Path(path) / f"{name}{suffix}.{format}"
        figure.savefig(file)
        files.append(file)
    return files


def autocorrelation(draws: np.ndarray, lags: int) -> np.ndarray:
    """Return a chain's autocorrelation at lags 0 to `lags` - 1."""
    x = draws - draws.mean()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * len(x))) ** 2)[: min(lags, len(x))]
    return covariance / covariance[0] if covariance[0] > 0 else np.ones(len(covariance))


def _traces(source: Any) -> dict[str, np.ndarray]:
    if hasattr(source, "db"):
        return {name: source.trace(name)[:] for name in source.db.trace_names}
    if isinstance(source, np.ndarray):
        return {"trace": source}
    return {source.__name__: source.trace[:]}
