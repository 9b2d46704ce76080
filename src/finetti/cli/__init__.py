"""Speak to the shell: `finetti fit`, `plan`, `summary`, `vision` and `demo`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from finetti.errors import FinettiError, MissingExtra


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what finetti refuses is one line on stderr and exit code 1."""
    try:
        try:
            import typer  # noqa: F401
        except ImportError as error:
            raise MissingExtra.needed("typer", "cli", "the command line") from error
        from finetti.cli.commands import app

        app(arguments)
    except FinettiError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"[red][bold]error:[/] {escape(str(error))}[/]")
        raise SystemExit(1) from error
