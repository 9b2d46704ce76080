"""Write each command's own help into the page that asks for it by a comment."""

from __future__ import annotations

from mkdocs.structure.pages import Page

PLACE = "<!-- commands -->"


def on_page_markdown(markdown: str, page: Page, **kwargs: object) -> str:
    """Put the commands' help in place of the comment."""
    return markdown.replace(PLACE, _help()) if PLACE in markdown else markdown


def _help() -> str:
    import typer

    from finetti.cli.every import app

    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="finetti")
    pieces = []
    for name in sorted(group.commands):  # pyright: ignore[reportAttributeAccessIssue]
        command = group.commands[name]  # pyright: ignore[reportAttributeAccessIssue]
        inner = typer.Context(command, info_name=name, parent=context, max_content_width=100)
        said = command.get_help(inner).strip()
        pieces.append(f"## finetti {name}\n\n````text\n{said}\n````\n")
    return "\n".join(pieces)
