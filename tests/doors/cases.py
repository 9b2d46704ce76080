"""Hold the rows of the tables of doors: an input, and the sentence that must refuse it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import finetti as ft
from doors.remedies import unknown_options, untaken, verb_of
from finetti.cli import main

LONGEST = 700  # characters of a refusal: one paragraph


@dataclass(frozen=True)
class Refused:
    """State that Python's door refuses an input with `error`, in a sentence that holds `words`.

    What the sentence tells to do is in the power of the verb that refuses.
    """

    name: str
    attempt: Callable[[], Any]
    error: type[ft.FinettiError]
    words: tuple[str, ...]

    def check(self) -> None:
        """Make the attempt, and hold the refusal to what it must say."""
        with pytest.raises(ft.FinettiError) as caught:
            self.attempt()
        assert type(caught.value) is self.error, repr(caught.value)
        said = str(caught.value)
        _one_paragraph(said, self.words)
        assert not untaken(said, verb_of(caught.tb)), said


@dataclass(frozen=True)
class Shell:
    """State how a command ends: with exit code `code`, and `words` on stderr.

    `files` are written into the folder that the command runs in, `absent` may not be there after.
    """

    name: str
    arguments: tuple[str, ...]
    words: tuple[str, ...]
    code: int = 1
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    def check(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Run the command in `folder`, the current one, and hold its end to what it must be."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        code, out, said = command(capsys, *self.arguments)
        assert code == self.code, said or out
        assert "Traceback" not in said + out
        if self.code == 2:  # typer says first how the command is used
            said = said.partition("\n\n")[2]
        said = said.removeprefix("error: ").strip()
        _one_paragraph(said, self.words)
        assert not unknown_options(said, self.arguments[0]), said
        for name in self.absent:
            assert not (folder / name).exists(), f"{name} was left behind"


def command(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    """Run the command line in this process; return its exit code, stdout and stderr."""
    path = list(sys.path)
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    sys.path[:] = path
    return int(ended.value.code or 0), *capsys.readouterr()


def _one_paragraph(said: str, words: tuple[str, ...]) -> None:
    assert "\n\n" not in said, said
    assert len(said) <= LONGEST, said
    for word in words:
        assert word in said, f"{word!r} is not in: {said}"
