"""Share out the variance of what is observed among the population, the groups and the rest."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from finetti.criticism.explaining.derived import Derived
from finetti.criticism.explaining.entries import outcome_of
from finetti.criticism.explaining.moved import Moved, Values, moved
from finetti.criticism.explaining.scale import Scale, additive, mean_and_variance, roots
from finetti.criticism.leaving_out.held_out import known_model
from finetti.errors import ModelError
from finetti.posterior.evaluate import latent_draws, run_at
from finetti.posterior.labels import dotted
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.structure.words import listed
from finetti.types import Array

if TYPE_CHECKING:
    import xarray as xr

POPULATION, RESIDUAL = "population", "residual"
CONDITIONAL, MARGINAL = "conditional", "marginal"
ROUNDING = 1e-20  # a smaller share is what is left of equal numbers


def r_squared(posterior: Posterior, of: str | None = None, *, link: bool = False) -> Derived:
    """Return Bayesian R-squared: the share of the variance of an observed site that is explained.

    `conditional` is that of the whole model, V / (V + residual), where V is the variance over the
    rows of the mean given the draw, and the residual variance is the model's own, a mean over the
    rows. `marginal` leaves the groups' effects at the middle of their population in V: what the
    population's part explains of the same total. `of` names the observed site, if there are
    several. Effects are latent sites in plates of which each row has one member; others in plates,
    such as coefficients, count as the population's. With `link` they are shares of the variance on
    the scale on which effects add up, as `variance_shares` says: `marginal` the population's,
    `conditional` that of population and groups, as Nakagawa, Johnson & Schielzeth 2017 have them.

    Raises `ModelError` for a posterior without model or draws, and a site whose family has no known
    mean and variance.

    Gelman, Goodrich, Gabry & Vehtari 2019; Nakagawa & Schielzeth 2013 for the marginal one.

    >>> @model
    ... def weights(x, y):
    ...     slope = sample("slope", Normal(0, 5))
    ...     with plate("apple", len(y)):
    ...         sample("y", Normal(slope * x, 1), obs=y)
    >>> bound = weights(jnp.arange(4.0), jnp.array([0.0, 3.0, 6.0, 9.0]))
    >>> posterior = fit(bound, NUTS(draws=100), progress=False)
    >>> ft.r_squared(posterior)["conditional"].mean().item() > 0.8
    True
    """
    require_posterior(posterior, "ft.r_squared")
    if link:
        return _of_shares(posterior, of)
    whole = moved(posterior, of, lambda site: mean_and_variance(site)[0], "R-squared")

    def read(given: Values) -> dict[str, Array]:
        site = whole.sites(given)[whole.site.name]
        apart = whole.sites(given, gone=frozenset(whole.effects))[whole.site.name]
        mean, variance = mean_and_variance(site)
        explained = whole.variance(mean)
        total = explained + whole.mean(variance)
        population = whole.variance(mean_and_variance(apart)[0])
        return {CONDITIONAL: explained / total, MARGINAL: population / total}

    found = whole.each(read, 4 * prod(whole.site.shape))
    if not whole.effects:
        found.pop(MARGINAL)
    _refuse_undefined(found, whole)
    title = f"R-squared of {whole.site.name}"
    return Derived(title, _labelled(found, posterior), _notes(whole))


def _of_shares(posterior: Posterior, of: str | None) -> Derived:
    """Return R-squared on the scale on which effects add up."""
    whole, scale, parts = _parts(posterior, of, "R-squared")
    total = sum(parts.values())
    found = {CONDITIONAL: 1 - parts[RESIDUAL] / total, MARGINAL: parts[POPULATION] / total}
    if not whole.effects:
        found.pop(MARGINAL)
    title = f"R-squared of {whole.site.name}"
    return Derived(title, _labelled(found, posterior), (*_notes(whole), f"On {scale.words}."))


def variance_shares(posterior: Posterior, of: str | None = None) -> Derived:
    """Return which shares of the variance of an observed site lie with what.

    `population` is the variance over the rows of what holds for all groups; each kind of group has
    the variance of its effects in their population, such as tau ** 2, a mean over the rows where
    effects are multiplied by data, as slopes are; `residual` is what is left of each observation.
    They sum to 1. Effects are added up where the observed site's family has them do so: on its own
    scale, on the logit's, probit's or complementary log-log's, or on the log's; the notes say
    which, and `finetti.criticism.explaining.scale` what is left there.

    Raises `ModelError` where effects do not add up, or as `r_squared` does.

    Nakagawa & Schielzeth 2013; Nakagawa, Johnson & Schielzeth 2017.

    >>> [str(name) for name in variance_shares(posterior).frame.index]
    ['population', 'school', 'residual']
    """
    require_posterior(posterior, "ft.variance_shares")
    whole, scale, parts = _parts(posterior, of, "variance shares")
    total = sum(parts.values())
    shares = {name: part / total for name, part in parts.items()}
    found = {name: np.where(share < ROUNDING, 0.0, share) for name, share in shares.items()}
    title = f"Shares of the variance of {whole.site.name}"
    return Derived(title, _labelled(found, posterior), (*_notes(whole), f"On {scale.words}."))


def icc(posterior: Posterior, of: str | None = None) -> Derived:
    """Return the intraclass correlation of each kind of group, such as tau² / (tau² + sigma²).

    It is the correlation of two observations of the same member of that plate alone, given the
    population's part; that of members nested within one another adds up. `of` names the observed
    site, if there are several. Raises as `variance_shares` does, and for a model without groups.

    >>> list(icc(posterior).frame.index)
    ['school']
    """
    require_posterior(posterior, "ft.icc")
    whole, scale, parts = _parts(posterior, of, "intraclass correlation")
    if not whole.effects:
        raise ModelError(
            f"site `{whole.site.name}` has no groups' effects: each row would have to belong to a "
            f"member of a plate that some latent site stands in"
        )
    total = sum(part for name, part in parts.items() if name != POPULATION)
    kinds = dict.fromkeys(whole.effects.values())
    found = {name: parts[name] / total for name in kinds}
    title = f"Intraclass correlation of {whole.site.name}"
    return Derived(title, _labelled(found, posterior), (*_notes(whole), f"On {scale.words}."))


def _parts(
    posterior: Posterior, of: str | None, verb: str
) -> tuple[Moved, Scale, dict[str, np.ndarray]]:
    """Return the variance of each part at each draw, arrays of shape (chain, draw)."""
    whole, scale = _on_a_scale(posterior, of, verb)
    predictor, name = scale.predictor, whole.site.name

    def read(given: Values) -> dict[str, Array]:
        """Return the variance of each part at one draw."""
        sites = whole.sites(given)
        zeros = {effect: jnp.zeros_like(given[effect]) for effect in whole.effects}

        def moving(added: Values) -> Array:
            return predictor(whole.sites(given, added)[name])

        # What an effect adds is linear in it near 0: its variance is that of L z, column by column
        # of L.
        _, slope = jax.linearize(moving, zeros)
        rows: dict[str, Array] = {}
        for effect, kind in whole.effects.items():
            spread = sum(slope({**zeros, effect: column}) ** 2 for column in roots(sites[effect]))
            rows[kind] = rows.get(kind, jnp.zeros(())) + spread
        population = predictor(whole.sites(given, gone=frozenset(whole.effects))[name])
        random = sum(rows.values(), jnp.zeros(np.shape(population)))
        left = scale.leftover(sites[name], population, random)
        means = {kind: whole.mean(a) for kind, a in rows.items()}
        return {POPULATION: whole.variance(population), **means, RESIDUAL: whole.mean(left)}

    found = whole.each(read, 6 * prod(whole.site.shape))
    if not np.isfinite(found[POPULATION]).all():
        raise ModelError(
            f"site `{name}` has means, or probabilities that are 0 or 1 to rounding, at some draws "
            f"from which {scale.words} cannot be read: there is no {verb}"
        )
    _refuse_undefined(found, whole)
    order = dict.fromkeys((POPULATION, *whole.effects.values(), RESIDUAL))
    return whole, scale, {part: found[part] for part in order}


def _on_a_scale(posterior: Posterior, of: str | None, verb: str) -> tuple[Moved, Scale]:
    """Return a scale on which groups' effects add up, and which they are; refuse where none is."""
    model = known_model(posterior, verb)
    named, entry = outcome_of(model, of, f"give {verb} of", f"to give {verb}")
    site = named.name
    with jax.enable_x64(True):
        first = {n: jnp.asarray(a[0, 0]) for n, a in latent_draws(model, posterior.tree).items()}
        sites = run_at(model, first)
        scales = additive((sites if entry is None else entry.of(sites))[site])
    tried = [(moved(posterior, site, s.predictor, verb), s) for s in scales[:1]]
    for scale in scales[1:] if tried[0][0].bent else ():
        tried.append((moved(posterior, site, scale.predictor, verb), scale))
        if not tried[-1][0].bent:
            return tried[-1]
    whole, scale = tried[0]
    for name, why in whole.bent.items():
        raise ModelError(f"site `{name}` moves `{site}`, but {why}: there is no {verb}")
    if len(scales) > 1 and not whole.effects:
        raise ModelError(
            f"site `{site}` has probabilities, and no groups' effects that tell on which scale its "
            f"predictors add up: give its distribution logits="
        )
    return whole, scale


def _refuse_undefined(found: dict[str, np.ndarray], whole: Moved) -> None:
    """Refuse what has no finite variance, as a Cauchy population has none."""
    for name, values in found.items():
        if not np.isfinite(values).all():
            if name in (RESIDUAL, CONDITIONAL, MARGINAL):
                raise ModelError(
                    f"site `{whole.site.name}` of model `{whole.model.name}` has no finite "
                    f"variance given all else, as a Student-t of 2 degrees or fewer has none: "
                    f"keep its degrees above 2, or give it another distribution"
                )
            raise ModelError(
                f"`{name}` has no finite variance in `{whole.site.name}` of model "
                f"`{whole.model.name}`: give its population a distribution that has one"
            )


def _labelled(found: dict[str, np.ndarray], posterior: Posterior) -> xr.Dataset:
    import xarray as xr

    drawn = posterior.draws
    coordinates = {dim: drawn[dim].to_numpy() for dim in ("chain", "draw")}
    return xr.Dataset({dotted(n): (("chain", "draw"), a) for n, a in found.items()}, coordinates)


def _notes(whole: Moved) -> tuple[str, ...]:
    """Say which sites are groups' effects, and which in plates are not."""
    said = []
    if whole.effects:
        said.append(f"Groups' effects: {listed(f'`{name}`' for name in whole.effects)}.")
    if whole.coefficients:
        names = listed(f"`{name}`" for name in whole.coefficients)
        said.append(f"Counted as the population's, as rows have several of its members: {names}.")
    if whole.censored:
        said.append("Of the outcome as it is, whether or not it is censored.")
    return tuple(said)
