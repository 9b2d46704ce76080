"""Import a model from a user's file, and lay errors at the door of the file that made them."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path

from finetti.errors import FinettiError, ModelError
from finetti.language.holes import WAYS, Missing
from finetti.models import Model

OURS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Source:
    """Name a model in a Python file; without a name, the only one there.

    `missing` says what is done about missing values, where that is not what the file says.
    """

    file: Path
    model: str = ""
    missing: Missing = "refuse"

    @classmethod
    def parse(cls, reference: str) -> Source:
        """Read `file.py` or `file.py:name`, with `?missing=impute` or `drop` after it."""
        way: Missing = WAYS[0]
        for other in WAYS:
            way = other if reference.endswith(f"?missing={other}") else way
        reference = reference.removesuffix(f"?missing={way}")
        file, _, name = reference.rpartition(":")
        if file.endswith(".py") and name.isidentifier():
            return cls(Path(file).resolve(), name, way)
        return cls(Path(reference).resolve(), missing=way)

    def __str__(self) -> str:
        """Write the reference that `parse` reads."""
        named = f"{self.file}:{self.model}" if self.model else str(self.file)
        return named if self.missing == "refuse" else f"{named}?missing={self.missing}"

    def content(self) -> bytes:
        """Read the file; raises `ModelError` where it is no Python file that can be read."""
        if self.file.suffix != ".py":
            raise ModelError(f"{self.file} is no Python file with an @ft.model function")
        try:
            if not self.file.is_file():
                raise ModelError(f"there is no file {self.file}")
            content = self.file.read_bytes()
        except OSError as error:
            raise ModelError(f"{self.file!s:.200} cannot be read: {error.strerror}") from error
        try:
            decode_source(content)
        except (SyntaxError, UnicodeDecodeError, LookupError):
            readable = False
        else:
            readable = b"\0" not in content
        if not readable:
            raise ModelError(f"{self.file} is no text in UTF-8, as Python reads it: save it so")
        return content

    def load(self, content: bytes | None = None) -> Model:
        """Run the file, or its content, and return the model, with what to do about missing values.

        See `found`.
        """
        model = self.found(content)
        return model if self.missing == "refuse" else model.missing(self.missing)

    def found(self, content: bytes | None = None) -> Model:
        """Run the file, or its content as it was read before, and return the model.

        The file's folder joins `sys.path`, so that it can import its neighbours. Raises
        `ModelError` when there is no such file or model, or several to choose from.
        """
        content = self.content() if content is None else content
        module_name = f"finetti model {self.file.stem}"  # never that of a module in use
        spec = importlib.util.spec_from_file_location(module_name, self.file)
        assert spec is not None
        sys.path.insert(0, str(self.file.parent))
        module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
        try:
            program = compile(content, str(self.file), "exec")
        except (RecursionError, MemoryError) as error:
            raise ModelError(
                f"{self.file.name} is nested deeper than Python reads: write shorter statements"
            ) from error
        try:
            exec(program, vars(module))
        except SystemExit as error:
            raise ModelError(
                f"{self.file.name} ends Python (by sys.exit, exit or quit) before finetti can read "
                f"its model: take that out, or put it under if __name__ == '__main__'"
            ) from error
        found = {key: value for key, value in vars(module).items() if isinstance(value, Model)}
        written = [key for key, m in found.items() if m.function.__module__ == module_name]
        if self.model in found:
            return found[self.model]
        if self.model:
            known = f" (models: {', '.join(found)})" if found else ""
            raise ModelError(f"{self.file.name} has no model `{self.model}`{known}")
        if not written:
            raise ModelError(f"{self.file.name} has no function marked with @ft.model")
        if len(written) > 1:
            raise ModelError(
                f"{self.file.name} has {len(written)} models ({', '.join(written)}): say which, "
                f"as in {self.file.name}:{written[0]}"
            )
        return found[written[0]]

    @contextmanager
    def answerable(self) -> Iterator[None]:
        """Raise what the user's files raise as `ModelError`, with their part of the traceback.

        What finetti refuses passes with the line of the file that it concerns.
        """
        try:
            yield
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if self._wrote(f)]
            if isinstance(error, FinettiError) and frames:
                place = f"({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
                raise type(error)(f"{error} {place}") from error
            if isinstance(error, RecursionError):
                where = f" (line {frames[-1].lineno})" if frames else ""
                raise ModelError(
                    f"{self.file.name} calls itself without end, or deeper than Python "
                    f"goes{where}: give the recursion an end"
                ) from None
            if isinstance(error, SyntaxError):
                said = traceback.format_exception_only(error)
            elif frames:  # without the notes that JAX adds
                said = [f"{type(error).__name__}: {error}"]
            else:
                raise
            said = [f"{line.rstrip()[:200]}\n" for line in "".join(said).splitlines()]
            trimmed = "".join([*traceback.format_list(frames), *said]).rstrip()
            raise ModelError(f"{self.file.name} raised\n{trimmed}") from error

    def _wrote(self, frame: traceback.FrameSummary) -> bool:
        path = Path(frame.filename)
        installed = "site-packages" in path.parts or path.is_relative_to(OURS)
        return path.is_relative_to(self.file.parent) and not installed
