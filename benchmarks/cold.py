"""Time whole processes, from their start to their end, in turn."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.entry import Entry

Sample = dict[str, float]
SAMPLE_ONCE = """
import pickle, sys
from benchmarks.problems import PROBLEMS
entry = pickle.loads(bytes.fromhex(sys.argv[2]))
problem = PROBLEMS[sys.argv[1]]
entry.prepare(problem)
entry.sample(seed=1)
entry.summarize(problem.watched)
"""


@dataclass(frozen=True)
class Command:
    """Hold words for Python, and where what it compiles is kept from one process to the next.

    `keeps` are variables of the environment, with {} for a folder. Each run has an empty one,
    unless it is one that `remembers`: those share theirs.
    """

    name: str
    words: tuple[str, ...]
    keeps: tuple[tuple[str, str], ...] = ()
    remembers: bool = False


def sampling(problem: str, entry: Entry) -> tuple[Command, Command]:
    """Return the command that imports, samples once and prints the table, fresh and with memory."""
    words, keeps = ("-c", SAMPLE_ONCE, problem, pickle.dumps(entry).hex()), entry.keeps
    return (
        Command(entry.name, words, keeps),
        Command(f"{entry.name}, again", words, keeps, remembers=True),
    )


def importing(package: str) -> Command:
    """Return the command that imports a package."""
    return Command(package, ("-c", f"import {package}"))


def measure(commands: Iterable[Command], rounds: int) -> dict[str, list[Sample]]:
    """Return the wall and CPU seconds of each command, a sample a round; a round runs them all.

    CPU seconds are those of a command's whole tree of processes. One run of each goes before and
    is not counted. Raises `RuntimeError` where a command fails.
    """
    commands = tuple(commands)
    samples: dict[str, list[Sample]] = {command.name: [] for command in commands}
    with TemporaryDirectory() as memory:
        for number in range(rounds + 1):
            for command in commands:
                sample = _time(command, Path(memory) / command.name)
                if number:
                    samples[command.name].append(sample)
    return samples


def _time(command: Command, memory: Path) -> Sample:
    with TemporaryDirectory() as empty:
        folder = str(memory) if command.remembers else empty
        kept = {name: value.format(folder) for name, value in command.keeps}
        # What is installed has its bytecode; sources that are edited may have theirs too.
        usual = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
        before, began = getrusage(RUSAGE_CHILDREN), perf_counter()
        done = subprocess.run(
            [sys.executable, *command.words],
            env={**usual, **kept},
            capture_output=True,
            text=True,
            check=False,
        )
        wall, after = perf_counter() - began, getrusage(RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{command.name} failed:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu}
