"""Show how a run is going: draws, divergences, worst ESS and R-hat so far, time left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from finetti.hypertext.html import block, code
from finetti.inference.engine.run import Chunk
from finetti.posterior import diagnose

WATCHED = 30  # coordinates whose R-hat and ESS are computed as draws come in


class Display(ABC):
    """Receive a run's chunks, phase by phase."""

    @abstractmethod
    def phase(self, name: str, wanted: int, chains: int, every: int = 1) -> Callable[[Chunk], None]:
        """Begin a phase of `wanted` draws a chain; return what to call with each chunk.

        Of `every` draws that chunks have made one is kept and counted.
        """


class Silent(Display):
    """Show nothing."""

    def phase(self, name: str, wanted: int, chains: int, every: int = 1) -> Callable[[Chunk], None]:
        """Return a report that does nothing."""
        return lambda chunk: None


class Lines(Display):
    """Print one line as each phase ends, for logs and pipes."""

    def phase(self, name: str, wanted: int, chains: int, every: int = 1) -> Callable[[Chunk], None]:
        """Return the report that prints the line once every chain has its draws."""
        watch, began, printed = Watch(chains, every), perf_counter(), False

        def report(chunk: Chunk) -> None:
            nonlocal printed
            watch.add(chunk)
            if (watch.drawn >= wanted).all() and not printed:
                printed = True
                note = watch.note(converging=name == "sampling")
                seconds = perf_counter() - began
                noted = f", {note}" if note else ""
                print(f"{name:8} {wanted * chains:,} draws{noted}, {seconds:.1f} s", flush=True)

        return report


class Live(Display):
    """Show one moving line a phase in the terminal."""

    def __init__(self, bars: Any) -> None:
        """Draw on the `rich.progress.Progress` given."""
        self.bars = bars

    def phase(self, name: str, wanted: int, chains: int, every: int = 1) -> Callable[[Chunk], None]:
        """Add a line and return the report that moves it."""
        task = self.bars.add_task(name, total=wanted * chains, note="compiling")
        watch = Watch(chains, every)

        def report(chunk: Chunk) -> None:
            watch.add(chunk)
            drawn = int(np.minimum(watch.drawn, wanted).sum())
            note = watch.note(converging=name == "sampling")
            self.bars.update(task, completed=drawn, note=note)

        return report


class Cell(Display):
    """Show one line a phase in a notebook's cell, and write it anew as the run goes on.

    It needs no widgets. `display` is IPython's: with `display_id=True` it returns a handle whose
    `update` puts something else in the place of what was shown.
    """

    def __init__(self, display: Callable[..., Any], every: float = 0.5) -> None:
        """Write at most once in so many seconds."""
        self.display, self.every = display, every

    def phase(self, name: str, wanted: int, chains: int, every: int = 1) -> Callable[[Chunk], None]:
        """Write the phase's line and return the report that writes it anew."""
        watch, began = Watch(chains, every), perf_counter()
        handle = self.display(Line(f"{name:8} compiling"), display_id=True)
        written, ended = began, False

        def report(chunk: Chunk) -> None:
            nonlocal written, ended
            watch.add(chunk)
            drawn, now = int(np.minimum(watch.drawn, wanted).sum()), perf_counter()
            done = drawn == wanted * chains
            if ended or (not done and now - written < self.every):
                return
            ended = done
            note = watch.note(converging=name == "sampling")
            many = f"{wanted * chains:,}" if done else f"{drawn:,} of {wanted * chains:,}"
            noted = f", {note}" if note else ""
            handle.update(Line(f"{name:8} {many} draws{noted}, {now - began:.1f} s"))
            written = now

        return report


@dataclass(frozen=True)
class Line:
    """Hold a line of text for a notebook's cell."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return block(code(self.text))


def announce(display: Display, said: str) -> None:
    """Print a sentence, if there is one, unless the display is silent or the user's own."""
    if not said:
        return
    if isinstance(display, Lines):
        print(said, flush=True)
    elif isinstance(display, Live):
        display.bars.console.print(said, markup=False, highlight=False)


class Watch:
    """Keep enough of the draws to tell how the run is going."""

    def __init__(self, chains: int, every: int = 1) -> None:
        self.made, self.every = np.zeros(chains, int), every
        self.divergences, self.diverges = 0, False
        self.kept: list[list[np.ndarray]] = [[] for _ in range(chains)]

    @property
    def drawn(self) -> np.ndarray:
        """Return how many draws each chain has, of those that are kept."""
        return self.made // self.every

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk."""
        info = chunk.record.info
        done = chunk.done
        self.made += done.sum(0)
        self.divergences += int((np.asarray(info.diverging)[: chunk.steps] & done).sum())
        self.diverges |= bool((np.asarray(info.gradients) > 1).any() or self.divergences)
        position = np.asarray(chunk.record.position)[: chunk.steps, :WATCHED]
        for chain, kept in enumerate(self.kept):
            kept.append(position[done[:, chain], :, chain])

    def note(self, converging: bool) -> str:
        """Return the line's text: divergences and, while sampling, worst ESS and R-hat.

        A method that takes no more than a value a draw has no divergences.
        """
        said = [f"{self.divergences} divergences"] if self.diverges else []
        return ", ".join((*said, *self._mixing(converging)))

    def _mixing(self, converging: bool) -> list[str]:
        least = int(self.made.min())
        if not converging or least < 20 * self.every:
            return []
        draws = [np.concatenate(kept)[:least] for kept in self.kept]
        draws = np.stack(draws)[:, self.every - 1 :: self.every]
        moving = [draws[..., i] for i in range(draws.shape[-1]) if np.ptp(draws[..., i]) > 0]
        if not moving:
            return []
        ess, rhat = min(map(diagnose.ess, moving)), max(map(diagnose.rhat, moving))
        return [f"ESS {ess:.0f}", f"R-hat {rhat:.3f}"]


@contextmanager
def show(progress: bool | Display) -> Iterator[Display]:
    """Yield the display asked for: silent for False, or the user's own, or what suits stdout."""
    if isinstance(progress, Display):
        yield progress
        return
    if not progress:
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    console = Console()
    if console.is_jupyter:
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        yield Cell(display)
        return
    if not console.is_terminal:
        yield Lines()
        return
    # The bar gives way first where the terminal is narrow.
    columns = (
        TextColumn("{task.description:8}"),
        BarColumn(bar_width=None, table_column=Column(max_width=20)),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, refresh_per_second=5) as bars:
        yield Live(bars)
