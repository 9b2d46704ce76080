"""Follow what data lack through a model: holes that nothing reads, and what NaN would reach."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from finetti.distributions import unchecked
from finetti.errors import MissingValue
from finetti.jaxprs import is_literal
from finetti.language.effects import Site, alone, around
from finetti.language.groups import Groups
from finetti.language.handlers import trace
from finetti.language.missing import of_holes
from finetti.structure.equations import opened, reached, tagged
from finetti.structure.graph import read_parents
from finetti.structure.program import Program
from finetti.structure.variables import placeholder, read_arguments
from finetti.types import Tree, Values


def unread(run: Callable[[], object]) -> frozenset[str]:
    """Return the sites of holes that no other site depends on; nothing is compiled.

    `run` runs the model with a site for all that observed ones lack.
    """
    holes: set[str] = set()

    def before(site: Site) -> None:
        if site.latent and site.value is None:
            site.value = placeholder(site)

    def after(site: Site) -> None:
        if site.kind != "factor":
            site.value = tagged(site.value, site.name)

    def look() -> dict[str, Tree]:
        with alone(), unchecked(), trace() as sites, around(before, after):
            run()
        holes.update(of_holes(name) for name, site in sites.items() if site.holes is not None)
        holes.intersection_update(sites)
        return {
            name: read_arguments(site.distribution) if site.kind == "sample" else site.value
            for name, site in sites.items()
            if site.kind != "deterministic"  # what it reads is told by its tag
        }

    closed, shapes = jax.make_jaxpr(look, return_shape=True)()
    if not holes:
        return frozenset()
    traced, _ = opened(closed)
    tree = jax.tree.structure(shapes)
    positions = jax.tree.unflatten(tree, range(tree.num_leaves))
    found = {name: jax.tree.leaves(of) for name, of in positions.items()}
    read = {parent for parents in read_parents(traced, found).values() for parent in parents}
    return frozenset(holes - read)


def refuse_spread(program: Program, columns: Values) -> None:
    """Refuse a model that computes with values that are missing, naming the site and the columns.

    Raises `MissingValue`.
    """
    known = dict(zip(program.data, program.constants, strict=True))
    lacking = {variable for variable, value in known.items() if _lacks(value)}
    if not lacking:
        return
    spoilt = reached(program.jaxpr, lacking)
    outputs = program.outputs
    for name, variable in (*outputs.log_terms.items(), *outputs.values.items()):
        if is_literal(variable) or variable not in spoilt:
            continue
        holed = [name for name, column in columns.items() if _lacks(column)]
        listed = " and ".join(f"`{n}`" for n in holed) or "data"
        raise MissingValue(
            f"site `{name}` is computed with {listed}, of which values are missing and nothing "
            f"says their law: observe what lacks them and compute with what the statement returns, "
            f'as in x = ft.sample("x", ft.Normal(m, s), obs=x); what is observed is to be given as '
            f'it is or computed by numpy; or say model.missing("drop")(...) to leave such rows out'
        )


def _lacks(value: object) -> bool:
    if not hasattr(value, "shape") or isinstance(value, Groups):
        return False
    array = np.asarray(value)
    return array.ndim > 0 and array.dtype.kind == "f" and bool(np.isnan(array).any())
