"""Write a run as one HTML page: sections made in turn, then set by a template."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from finetti.errors import DataError, FinettiError, MissingExtra
from finetti.posterior.posterior import Posterior
from finetti.posterior.saved import as_path
from finetti.posterior.whole import refuse_unwritable, whole
from finetti.reporting.page import chains, criticism, estimates, overview
from finetti.reporting.page.blocks import Note, Section

if TYPE_CHECKING:
    import jinja2
    import markupsafe

Maker = Callable[[Posterior], Section | None]

# In the order in which a reader asks.
SECTIONS: tuple[tuple[str, Maker], ...] = (
    ("Can it be believed?", overview.advice),
    ("The model", overview.model),
    ("The plan", overview.plan),
    ("The data", overview.data),
    ("The parameters", estimates.table),
    ("The groups", estimates.groups),
    ("What the data taught", criticism.learned),
    ("Would it predict such data?", criticism.predictive),
    ("Each observation from the others", criticism.held_out),
    ("What hangs on the priors", criticism.sensitive),
    ("How the chains went", chains.chains),
    ("To do it again", overview.again),
)


def write(posterior: Posterior, path: str | Path, title: str | None = None) -> Path:
    """Write the report of a run, as `ft.report` says; return its path."""
    path = as_path(path, "a report")
    if path.is_dir():
        raise DataError(f"{path} is a folder: give the name of a page, such as {path / 'run.html'}")
    if path.exists() and path.suffix.lower() not in (".html", ".htm"):
        raise DataError(f"{path} is there already and no page: give a name that ends in .html")
    refuse_unwritable(path)
    page = render(posterior, title or str(posterior.attributes.get("model", "A run")))
    with whole(path, "the page") as beside:
        beside.write_text(page, encoding="utf-8", errors="replace")
    return path


def render(posterior: Posterior, title: str) -> str:
    """Return the report as HTML."""
    template = _template()
    sections = [s for name, make in SECTIONS if (s := _made(posterior, name, make)) is not None]
    here = files("finetti.reporting.page")
    return template.render(
        title=title,
        about=_about(posterior),
        sections=sections,
        style=(here / "page.css").read_text(encoding="utf-8"),
        script=(here / "page.js").read_text(encoding="utf-8"),
    )


def _made(posterior: Posterior, name: str, make: Maker) -> Section | None:
    """Make a section, or one that says why it could not be made."""
    try:
        return make(posterior)
    except MissingExtra:
        raise
    except FinettiError as error:
        anchor = name.lower().strip("?").replace(" ", "-")
        return Section(anchor, name, (Note(str(error), "plain", "Left out"),))


def _about(posterior: Posterior) -> str:
    """Say in a line what the run is."""
    known, sizes = posterior.attributes, posterior.tree["posterior"].sizes
    method = str(known.get("method", "")).partition("(")[0]
    parts = [method, f"{sizes['chain']} chains of {sizes['draw']:,} draws"]
    if "standard_error" in posterior.tree.children:
        parts = [method, "a mode with standard errors"]
    if "seconds" in known:
        parts.append(f"{float(known['seconds']):,.1f} s")
    return ", ".join(filter(None, parts))


def _template() -> jinja2.Template:
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtra.needed("jinja2", "report", "the report") from error
    source = (files("finetti.reporting.page") / "page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["marked"] = marked
    return environment.from_string(source)


def marked(text: str) -> markupsafe.Markup:
    """Return text for the page, with what stands between backticks as code.

    >>> marked("`a < b` & c")
    Markup('<code>a &lt; b</code> &amp; c')
    """
    import markupsafe

    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))
