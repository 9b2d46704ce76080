"""Draw traces, histograms, autocorrelations and checks into files, as PyMC2's Matplot does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from finetti.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAGS = 100
MOST = 10  # scalars of a variable, the first ones, that a picture shows
Draw = Callable[["Axes", np.ndarray, str], None]
Source = Any  # an MCMC, one of its variables or of their traces, or an array of draws


def plot(
    pymc_obj: Source, format: str = "png", suffix: str = "", path: str = "./", **settings: object
) -> list[Path]:
    """Draw the traces of an MCMC, or of one variable, into a file each; return the files.

    Each scalar of a variable, up to ten, has a row: its trace, its autocorrelation and its
    histogram. PyMC2's other settings (`common_scale`, `verbose`, ...) change nothing.
    """
    parts = [_trace, _autocorrelation, _histogram]
    return _draw(pymc_obj, parts, format, suffix, path)


def trace(
    pymc_obj: Source, name: str = "", format: str = "png", suffix: str = "", path: str = "./",
    **settings: object,
) -> list[Path]:  # fmt: skip
    """Draw traces alone; return the files."""
    return _draw(pymc_obj, [_trace], format, suffix or "-trace", path)


def histogram(
    pymc_obj: Source, name: str = "", format: str = "png", suffix: str = "", path: str = "./",
    **settings: object,
) -> list[Path]:  # fmt: skip
    """Draw histograms alone; return the files."""
    return _draw(pymc_obj, [_histogram], format, suffix or "-hist", path)


def autocorrelation(
    pymc_obj: Source, name: str = "", format: str = "png", suffix: str = "", path: str = "./",
    **settings: object,
) -> list[Path]:  # fmt: skip
    """Draw autocorrelations alone; return the files."""
    return _draw(pymc_obj, [_autocorrelation], format, suffix or "-acf", path)


def summary_plot(
    pymc_obj: Source, name: str = "summary", format: str = "png", suffix: str = "",
    path: str = "./", **settings: object,
) -> list[Path]:  # fmt: skip
    """Draw each scalar's median and 95% interval in one picture; return its file."""
    rows = [pair for name_, draws in _traces(pymc_obj).items() for pair in _scalars(name_, draws)]
    figure, axes = _figure(1, 1, len(rows))
    for i, (_, row) in enumerate(rows):
        low, middle, high = np.percentile(row, (2.5, 50, 97.5))
        axes[0, 0].plot([low, high], [-i, -i], color="C0")
        axes[0, 0].plot(middle, -i, "o", color="C0")
    axes[0, 0].set_yticks([-i for i in range(len(rows))], [label for label, _ in rows])
    return [_saved(figure, path, name, suffix, format)]


def geweke_plot(
    data: ArrayLike | Mapping[str, ArrayLike], name: str = "geweke", format: str = "png",
    suffix: str = "-diagnostic", path: str = "./", **settings: object,
) -> list[Path]:  # fmt: skip
    """Draw Geweke's scores, by variable or of one, with lines at two deviations."""
    named = data if isinstance(data, dict) else {name: data}
    files = []
    for label, scores in named.items():
        figure, axes = _figure(1, 1)
        start, z = np.reshape(np.asarray(scores, float), (-1, 2)).T
        axes[0, 0].plot(start, z, "o")
        for level in (-2, 2):
            axes[0, 0].axhline(level, color="C1", linewidth=1)
        axes[0, 0].set(title=label, xlabel="first iteration", ylabel="z")
        files.append(_saved(figure, path, label, suffix, format))
    return files


def discrepancy_plot(
    data: Iterable[ArrayLike], name: str = "discrepancy", report_p: bool = True,
    format: str = "png", suffix: str = "-gof", path: str = "./", **settings: object,
) -> list[Path]:  # fmt: skip
    """Draw simulated discrepancies against those of the data, as `discrepancy` returns them."""
    observed, simulated = (np.asarray(x, float) for x in data)
    figure, axes = _figure(1, 1)
    axes[0, 0].plot(observed, simulated, ".", markersize=2)
    axes[0, 0].axline((observed.mean(), observed.mean()), slope=1, color="black", linewidth=1)
    title = f"p={np.mean(simulated > observed):.3f}" if report_p else ""
    axes[0, 0].set(title=title, xlabel="of the data", ylabel="of simulated data")
    return [_saved(figure, path, name, suffix, format)]


def gof_plot(  # noqa: PLR0913 - PyMC2's own arguments
    simdata: Source, trueval: ArrayLike, name: str = "MCMC",
    bins: int | Sequence[float] | None = None, format: str = "png", suffix: str = "-gof",
    path: str = "./", **settings: object,
) -> list[Path]:  # fmt: skip
    """Draw histograms of simulated data, with a line at the datum, for up to ten data."""
    draws = simdata if isinstance(simdata, np.ndarray) else simdata.trace()
    truth, rows = np.ravel(trueval), np.reshape(draws, (len(draws), -1)).T
    rows = rows[:MOST]
    across = int(np.ceil(np.sqrt(len(rows))))
    figure, axes = _figure(-(-len(rows) // across), across)
    for ax, row, value in zip(axes.ravel(), rows, truth, strict=False):
        ax.hist(np.asarray(row, float), bins=bins or 20)
        ax.axvline(float(value), color="C1")
        ax.set(xticks=[], yticks=[])
    return [_saved(figure, path, name, suffix, format)]


def _draw(source: Source, parts: list[Draw], format: str, suffix: str, path: str) -> list[Path]:
    """Draw every scalar of every variable, a row each, by each of some parts."""
    files = []
    for name, draws in _traces(source).items():
        rows = _scalars(name, draws)[:MOST]
        figure, axes = _figure(len(rows), len(parts))
        for (label, row), line in zip(rows, axes, strict=True):
            for part, ax in zip(parts, line, strict=True):
                part(ax, row, label)
        files.append(_saved(figure, path, name, suffix, format))
    return files


def _trace(axes: Axes, row: np.ndarray, label: str) -> None:
    axes.plot(row, linewidth=0.5)
    axes.set(title=f"{label}: trace", xlabel="kept draw")


def _autocorrelation(axes: Axes, row: np.ndarray, label: str) -> None:
    axes.bar(np.arange(min(LAGS, len(row))), correlations(row, LAGS), width=1.0)
    axes.set(title="autocorrelation", xlabel="lag", ylim=(-1, 1))


def _histogram(axes: Axes, row: np.ndarray, label: str) -> None:
    axes.hist(row, bins=30)
    axes.axvline(row.mean(), color="black", linewidth=1)
    axes.set(title="histogram, mean marked")


def correlations(draws: np.ndarray, lags: int) -> np.ndarray:
    """Return a chain's autocorrelation at lags 0 to `lags` - 1."""
    x = draws - draws.mean()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * len(x))) ** 2)[: min(lags, len(x))]
    return covariance / covariance[0] if covariance[0] > 0 else np.ones(len(covariance))


def _figure(rows: int, cols: int, lines: int = 10) -> tuple[Figure, np.ndarray]:
    """Return a figure with axes, (rows, cols)."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra.needed("matplotlib", "plots", "drawing traces") from error
    figure = Figure(figsize=(11, max(2.4 * rows, 0.24 * lines)), layout="constrained")
    return figure, figure.subplots(rows, cols, squeeze=False)


def _saved(figure: Figure, path: str, name: str, suffix: str, format: str) -> Path:
    file = Path(path) / f"{name}{suffix}.{format}"
    figure.savefig(file)
    return file


def _scalars(name: str, draws: np.ndarray) -> list[tuple[str, np.ndarray]]:
    rows = np.asarray(draws, float).reshape(len(draws), -1).T
    return [(name if len(rows) == 1 else f"{name}[{i}]", row) for i, row in enumerate(rows)]


def _traces(source: Source) -> dict[str, np.ndarray]:
    if hasattr(source, "db"):
        return {name: source.trace(name)[:] for name in source.db.trace_names}
    if isinstance(source, np.ndarray):
        return {"trace": source}
    if hasattr(source, "gettrace"):
        return {source.name: source[:]}
    return {source.__name__: source.trace[:]}
