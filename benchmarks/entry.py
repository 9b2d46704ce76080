"""Say what every library timed has to offer: prepare a problem, run it, show a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from benchmarks.problem import Problem

CHAINS, WARMUP, DRAWS = 4, 1000, 1000


@dataclass(frozen=True)
class Run:
    """Hold a run's draws by name, shapes (chain, draw, ...), and what it cost in gradients.

    `gradients` and `divergences` count those of the draws kept, not those of warm-up.
    """

    draws: dict[str, np.ndarray]
    gradients: int
    divergences: int


class Entry(ABC):
    """Be one library with its settings, in a process of its own.

    `packages` name what must be installed. `keeps` are the variables of the environment that say
    where compiled programs are kept, with {} for the folder.
    """

    name: str
    packages: tuple[str, ...]
    keeps: tuple[tuple[str, str], ...] = ()

    @abstractmethod
    def prepare(self, problem: Problem) -> None:
        """Import the library and write the model; compile what can be compiled beforehand."""

    @abstractmethod
    def sample(self, seed: int) -> None:
        """Sample with 4 chains of 1000 warm-up draws and 1000 draws: what is timed."""

    @abstractmethod
    def read(self, names: tuple[str, ...]) -> Run:
        """Return the draws of the last run."""

    @abstractmethod
    def summarize(self, names: tuple[str, ...]) -> None:
        """Print the library's own table of some variables of the last run."""
