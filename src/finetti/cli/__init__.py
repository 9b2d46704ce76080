"""Speak to the shell: `finetti fit`, `plan`, and what is asked of saved runs."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

from finetti.errors import FinettiError, MissingExtra

OURS = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what finetti refuses is one line on stderr and exit code 1.

    So is what the machine refuses: a file that cannot be read, memory that is not there. Anything
    else is an error of finetti's own, and shows its traceback.
    """
    try:
        try:
            import typer  # noqa: F401
        except ImportError as error:
            if (sys.argv[1:] if arguments is None else arguments) == ["--version"]:
                print(f"finetti {version('finetti')}")  # to say it nothing is needed
                return
            raise MissingExtra.needed("typer", "cli", "the command line") from error
        from finetti.cli.every import app
        from finetti.cli.words import spoken

        with warnings.catch_warnings():
            warnings.showwarning = _note
            app(arguments)
    except SystemExit as error:
        if _interrupted(error):
            raise SystemExit(130) from error
        raise
    except FinettiError as error:
        said = str(error)
        _refuse(said if "\n" in said or isinstance(error, MissingExtra) else spoken(said), error)
    except BrokenPipeError as error:  # who reads has seen enough
        raise SystemExit(1) from error
    except OSError as error:
        place = f"{error.filename!s:.200}: " if error.filename else ""
        _refuse(f"{place}{error.strerror or error}", error)
    except MemoryError as error:
        _refuse(f"there is not enough memory: take fewer draws or less data ({error})", error)
    except RecursionError as error:
        _refuse("something calls itself without end, or is nested deeper than Python goes", error)
    except UnicodeError as error:
        _refuse(f"a text is not in UTF-8, or a name cannot be written in it: {error}", error)


def _interrupted(error: BaseException | None) -> bool:
    """Tell whether a command ended by Ctrl-C, for which click exits with 1."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _refuse(said: str, error: BaseException) -> NoReturn:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[red][bold]error:[/] {escape(said)}[/]")
    raise SystemExit(1) from error


def _note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """Show a warning of finetti's to its user as a note, and others as Python does."""
    if category is UserWarning and Path(filename).is_relative_to(OURS):
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"note: {message}", markup=False)
    else:
        shown = warnings.formatwarning(message, category, filename, lineno, line)
        Console(stderr=True, highlight=False, soft_wrap=True).print(shown, markup=False)
