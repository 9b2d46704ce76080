"""Offer the report of a run as one verb, which brings its libraries in only when it is called."""

from __future__ import annotations

from pathlib import Path

from finetti.posterior.posterior import Posterior, require_posterior


def report(posterior: Posterior, path: str | Path, title: str | None = None) -> Path:
    """Write a whole run as one HTML page that needs no network; return its path.

    Advice first, then the model and its graph, the plan, the data, every parameter, the groups,
    the chains, and how the run was made. `title` stands at its head, the model's name without
    it. A section that cannot be made says why in its place; a run opened from a file says more with
    its model, as `posterior.of(model)`. Raises `MissingExtra` without the extra `report`.

    >>> report(posterior, "runs/schools.html")  # doctest: +SKIP
    PosixPath('runs/schools.html')
    """
    require_posterior(posterior, "ft.report")
    from finetti.reporting.page.page import write

    return write(posterior, path, title)
