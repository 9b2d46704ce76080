"""Say in the command line's words what the library says in Python's."""

from __future__ import annotations

import re
from functools import cache

import typer

from finetti.cli.app import app

CALL = re.compile(r"(?:ft\.)?(NUTS|Metropolis)\(([^()]*)\)")
GIVEN = re.compile(r"\b([a-z_]+)=\s?(\"[^\"]*\"|'[^']*'|\.\.\.|[\w.]+)?")
MODEL = re.compile(r",? as (in )?(posterior\.of|ft\.open)\([^()]*\)")


def spoken(said: str) -> str:
    """Return a sentence with options for the arguments that it names.

    `new_groups="sample"` becomes `--new-groups sample`; what the command line does not offer
    stays as it is in Python.
    """
    said = MODEL.sub(", by --model and --data", said)
    said = said.replace(" in keep=", " in keep= of ft.fit, in Python")
    said = said.replace("priors=", "--prior")
    said = CALL.sub(_called, said)
    return GIVEN.sub(_given, said)


def _called(found: re.Match[str]) -> str:
    """Return a method's settings as options, or its name as one."""
    method, settings = found.groups()
    if not settings.strip():
        return f"--method {method.lower()}"
    names = [part.partition("=")[0].strip() for part in settings.split(",")]
    if not all(name in _options() for name in names):
        return found[0]
    return settings.replace(",", "")


def _given(found: re.Match[str]) -> str:
    """Return one argument as an option, where there is one of its name."""
    name, value = found.groups()
    if name not in _options():
        return found[0]
    shown = "" if value in (None, "...") else f" {value.strip(chr(34) + chr(39))}"
    return f"{_options()[name]}{shown}"


@cache
def _options() -> dict[str, str]:
    """Return the options of all commands by the names that Python gives them."""
    group = typer.main.get_command(app)
    found = {}
    for command in getattr(group, "commands", {}).values():
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--"):
                    found[option[2:].replace("-", "_")] = option
    return found
