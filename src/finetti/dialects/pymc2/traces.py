"""Keep the draws of MCMC chains by variable, and compute PyMC2's statistics of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

QUANTILES = (2.5, 25, 50, 75, 97.5)


class Trace:
    """Hold one variable's draws in one chain or several: `trace[:]` is an array, draws first.

    `trace()` returns the array too; `chain=None` joins all chains.
    """

    def __init__(self, name: str, chains: list[np.ndarray], chain: int | None = -1) -> None:
        """View some chains' draws."""
        self.name, self._chains, self._chain = name, chains, chain

    def gettrace(
        self, burn: int = 0, thin: int = 1, chain: int | None = -1, slicing: slice | None = None
    ) -> np.ndarray:
        """Return the draws from `burn` on, every `thin`-th, of one chain or, by None, of all."""
        chosen = self._chains if chain is None else [self._chains[chain]]
        part = slicing if slicing is not None else slice(burn, None, thin)
        return np.concatenate([draws[part] for draws in chosen])

    def __call__(
        self, burn: int = 0, thin: int = 1, chain: int | None = -1, slicing: slice | None = None
    ) -> np.ndarray:
        """Return the draws as `gettrace` does."""
        return self.gettrace(burn, thin, chain, slicing)

    def __getitem__(self, index: Any) -> np.ndarray:
        return self.gettrace(chain=self._chain)[index]

    def __len__(self) -> int:
        return self.length(self._chain)

    def length(self, chain: int | None = -1) -> int:
        """Return the number of draws."""
        return len(self.gettrace(chain=chain))

    def stats(
        self,
        alpha: float | int = 0.05,
        start: int = 0,
        batches: int = 100,
        chain: int | None = None,
        quantiles: Sequence[float | int] = QUANTILES,
    ) -> dict[str, Any]:
        """Return n, mean, standard deviation, HPD interval, mc error and quantiles."""
        return statistics(self.gettrace(start, chain=chain), alpha, batches, quantiles)

    def summary(
        self,
        alpha: float | int = 0.05,
        start: int = 0,
        batches: int = 100,
        chain: int | None = None,
        roundto: int = 3,
    ) -> None:
        """Print the statistics."""
        print(describe(self.name, self.stats(alpha, start, batches, chain), alpha, roundto))


class Database:
    """Hold the draws of every chain by variable."""

    def __init__(self) -> None:
        """Begin with no chain."""
        self._chains: dict[str, list[np.ndarray]] = {}

    @property
    def chains(self) -> int:
        """Return the number of chains."""
        return max(map(len, self._chains.values()), default=0)

    @property
    def trace_names(self) -> list[str]:
        """Return the names of the variables with draws."""
        return list(self._chains)

    def append(self, draws: dict[str, np.ndarray]) -> None:
        """Add a chain."""
        for name, values in draws.items():
            self._chains.setdefault(name, []).append(values)

    def trace(self, name: str, chain: int | None = -1) -> Trace:
        """Return one variable's draws."""
        if name not in self._chains:
            listed = ", ".join(self._chains) or "none"
            raise KeyError(f"no trace of `{name}` (traces: {listed})")
        return Trace(name, self._chains[name], chain)

    def commit(self) -> None:
        """Do nothing: draws are kept in memory."""

    def close(self) -> None:
        """Do nothing: draws are kept in memory."""


def statistics(
    draws: np.ndarray, alpha: float | int, batches: int, quantiles: Sequence[float | int]
) -> dict[str, Any]:
    """Return PyMC2's statistics of draws, the first axis being the draws."""
    draws = np.asarray(draws, float)
    return {
        "n": len(draws),
        "standard deviation": draws.std(0),
        "mean": draws.mean(0),
        f"{100 * (1 - alpha):.0f}% HPD interval": hpd(draws, alpha),
        "mc error": batch_error(draws, min(batches, len(draws))),
        "quantiles": {q: np.percentile(draws, q, axis=0) for q in quantiles},
    }


def hpd(draws: np.ndarray, alpha: float) -> np.ndarray:
    """Return the shortest interval that holds 1 - alpha of the draws, lower and upper end first."""
    ordered = np.sort(draws, axis=0)
    inside = int(np.floor((1 - alpha) * len(ordered)))
    widths = ordered[inside:] - ordered[: len(ordered) - inside]
    first = widths.argmin(0)[None]
    low = np.take_along_axis(ordered, first, 0)
    return np.concatenate([low, np.take_along_axis(ordered, first + inside, 0)])


def batch_error(draws: np.ndarray, batches: int) -> np.ndarray:
    """Return the Monte Carlo error of the mean, from the spread of the means of batches."""
    size = len(draws) // batches
    if size == 0 or batches < 2:
        return np.full(draws.shape[1:], np.nan)
    means = draws[: size * batches].reshape(batches, size, *draws.shape[1:]).mean(1)
    return np.asarray(means.std(0) / np.sqrt(batches))


def describe(name: str, found: dict[str, Any], alpha: float | int, digits: int) -> str:
    """Return the statistics of one variable as text."""
    label = f"{100 * (1 - alpha):.0f}% HPD interval"
    size = np.size(found["mean"])
    columns = ("Mean", "SD", "MC Error", label)
    quantiles = list(found["quantiles"])
    lines = [f"{name}:", "", "".join(f"{c:<17}" for c in columns), "-" * 68]
    low, high = (end.ravel() for end in found[label])
    parts = [np.ravel(found[k]) for k in ("mean", "standard deviation", "mc error")]
    for i in range(size):
        row = [f"{part[i]:.{digits}f}" for part in parts]
        row.append(f"[{low[i]:.{digits}f}, {high[i]:.{digits}f}]")
        lines.append("".join(f"{c:<17}" for c in row))
    lines += ["", "Posterior quantiles:", "".join(f"{q:<15}" for q in quantiles)]
    for i in range(size):
        row = [f"{np.ravel(found['quantiles'][q])[i]:.{digits}f}" for q in quantiles]
        lines.append("".join(f"{c:<15}" for c in row))
    return "\n".join([*lines, ""])
