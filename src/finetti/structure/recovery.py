"""Go the way back from what the sampler moves to the user's variables: draw what was taken out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import jax
import jax.numpy as jnp

from finetti.structure.form import Fixed, Form, Given
from finetti.structure.program import Outcome
from finetti.structure.rewrites.rewrite import Marginal
from finetti.types import Array, Key


def recover(
    form: Form,
    key: Key,
    given: Given,
    free: Mapping[str, Array],
    values: Mapping[str, Array] | None = None,
) -> Outcome:
    """Evaluate the program at the user's own variables, drawing what was taken out.

    `values` are those of sites that are moved as they are, without a free value.
    """
    drawn, fixed = dict(values or {}), form.fix(values or {})
    for i, m in enumerate(form.marginals):
        terms = form.terms(m, given, free, fixed)
        drawn |= m.draw(jax.random.fold_in(key, i), terms, given.rewrites[m.name])
    return form.reader(given, free, values=drawn).outcome()


def settle(form: Form, given: Given, free: Mapping[str, Array]) -> Outcome:
    """Evaluate the program where what was taken out is most probable given the rest."""
    found: dict[str, Array] = {}
    for m in form.marginals:
        found |= m.mode(form.terms(m, given, free), given.rewrites[m.name])
    return form.reader(given, free, values=found).outcome()


def log_ratio(
    form: Form, key: Key, given: Given, free: Mapping[str, Array], fixed: Fixed | None = None
) -> Array:
    """Return the log density over its approximation where `recover` draws with the same key."""
    ratio = jnp.zeros(())
    for i, m in enumerate(form.marginals):
        if m.weighs:
            terms = form.terms(m, given, free, fixed)
            ratio += m.log_ratio(jax.random.fold_in(key, i), terms, given.rewrites[m.name])
    return ratio


def values(
    form: Form,
    key: Key,
    given: Given,
    free: Mapping[str, Array],
    names: Collection[str],
    fixed: Fixed | None = None,
) -> dict[str, Array]:
    """Return the values of some sites, as `recover` has them, and evaluate no more."""
    drawn: dict[str, Array] = {}
    for i, m in enumerate(form.marginals):
        # The same numbers are folded in everywhere here, so that one key means the same draws.
        drawn |= _draw(form, jax.random.fold_in(key, i), m, given, free, names, fixed)
    reader, values = form.reader(given, free, fixed, drawn), form.program.outputs.values
    return {name: reader.read(values[name]) for name in names}


def _draw(  # noqa: PLR0913 - as `values`, of one marginal
    form: Form,
    key: Key,
    marginal: Marginal,
    given: Given,
    free: Mapping[str, Array],
    names: Collection[str],
    fixed: Fixed | None,
) -> dict[str, Array]:
    """Draw a marginal's sites, those of the border alone if no other is asked for."""
    stand = form.stand_in(marginal)
    if stand is not None and not reached(form, stand.sites, names):
        read = form.read_few(stand, given, free, fixed)
        return stand.draw_border(key, read, given.rewrites[stand.name])
    terms = form.terms(marginal, given, free, fixed)
    return marginal.draw(key, terms, given.rewrites[marginal.name])


def reached(form: Form, sites: Collection[str], names: Collection[str]) -> bool:
    """Tell whether the values of some sites are among others, or depend on them."""
    read = form.program.degrees(sites)
    return any(read(form.program.outputs.values[name]) for name in names)


def moments(
    form: Form,
    key: Key,
    given: Given,
    free: Mapping[str, Array],
    names: Collection[str],
    fixed: Fixed | None = None,
) -> dict[str, tuple[Array, Array]]:
    """Return means and variances of some sites given the free values.

    Those that are not integrated out are drawn, and have no variance.
    """
    found: dict[str, tuple[Array, Array]] = {}
    for m in form.marginals:
        if not set(names).isdisjoint(m.sites):
            found |= m.moments(form.terms(m, given, free, fixed), given.rewrites[m.name])
    others = [name for name in names if name not in found]
    drawn = values(form, key, given, free, others, fixed)
    found |= {name: (x, jnp.zeros_like(x)) for name, x in drawn.items()}
    return {name: found[name] for name in names}


def probabilities(
    form: Form, given: Given, free: Mapping[str, Array], fixed: Fixed | None = None
) -> dict[str, Array]:
    """Return the state probabilities of each site summed out, given the free values."""
    found: dict[str, Array] = {}
    for m in form.marginals:
        found |= m.probabilities(form.terms(m, given, free, fixed), given.rewrites[m.name])
    return found
