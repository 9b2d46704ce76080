"""Hold the command line's application, to which each command adds itself."""

import typer

app = typer.Typer(
    name="finetti",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
