"""Show the examples of docstrings as code: they begin with >>>, which Markdown takes for quotes."""

from __future__ import annotations

import re

import griffe

EXAMPLE = re.compile(r"^>>> .*?(?=\n\n(?!>>> )|\Z)", flags=re.DOTALL | re.MULTILINE)
BLANKS = re.compile(r"\n+<BLANKLINE>\n+")


class Doctests(griffe.Extension):
    """Put each example of a docstring into a fence."""

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """Change the text of an object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(found: re.Match[str]) -> str:
    text = found[0].replace("  # doctest: +SKIP", "").replace("<BLANKLINE>", "")
    return f"```pycon\n{text}\n```"
