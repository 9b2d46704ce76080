"""Set variables of a model by fiat, and find what lies below them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import overload

import jax

from finetti.distributions import unchecked
from finetti.language import handlers
from finetti.language.effects import Site, alone, around
from finetti.models import Model, require_model
from finetti.posterior.posterior import Posterior
from finetti.structure.variables import placeholder
from finetti.types import Value, Values


@overload
def intervene(target: Values, values: None = None) -> AbstractContextManager[None]: ...
@overload
def intervene(target: Model, values: Values | None = None, **more: Value) -> Model: ...
@overload
def intervene(target: Posterior, values: Values | None = None, **more: Value) -> Posterior: ...


def intervene(
    target: Values | Model | Posterior,
    values: Values | None = None,
    **more: Value,
) -> AbstractContextManager[None] | Model | Posterior:
    """Set variables to values by fiat (Pearl's do): they lose their priors, what follows changes.

    Of a model it returns the model in which the sites named are these values: constants, without a
    share in the likelihood, whether they were latent or observed. Of a posterior it returns the
    posterior with its draws and that model, for `predict` to ask what would be if; latent variables
    below the sites set are then drawn anew. With values alone it is the handler, to be used as
    `with intervene({"x": 1.0}):`.

    A value of fewer numbers than its site has is that of every member. Sites of nested models are
    named in a dict: `{"inner/mu": 0.0}`. Raises `UnknownSite` for a name that no site has.

    >>> certain = intervene(coin(10), p=1.0)
    >>> certain.trace(seed=1)["heads"].value.item()
    10
    """
    if isinstance(target, Posterior):
        model = target.known_model("intervening")
        return replace(target, model=intervene(model, values, **more))
    if not isinstance(target, Model | Mapping):
        require_model(target, "ft.intervene")
    if not isinstance(target, Model):
        return handlers.intervene({**target, **(values or {}), **more})
    changed = target.intervene(**{**(values or {}), **more})
    if changed.arguments is not None:
        _ = changed.variables  # refuses names and shapes
    return changed


def interventions(model: Model) -> frozenset[str]:
    """Return the names of the sites that a model under `intervene` sets by fiat."""
    found: set[str] = set()

    def inspect() -> int:
        def before(site: Site) -> None:
            if site.latent and site.value is None:
                site.value = placeholder(site)
            if site.kind == "deterministic" and site.distribution is not None:
                found.add(site.name)

        with alone(), unchecked(), handlers.trace(), around(before):
            model.run()
        return 0

    with jax.enable_x64(True):
        jax.eval_shape(inspect)
    return frozenset(found)


def below(model: Model, names: Collection[str]) -> frozenset[str]:
    """Return the sites that depend on those named, through any others."""
    reached, waiting = set(), list(names)
    graph = model.graph() if waiting else None
    while waiting and graph is not None:
        new = [child for child in graph.children(waiting.pop()) if child not in reached]
        reached.update(new)
        waiting += new
    return frozenset(reached)
