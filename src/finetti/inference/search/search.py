"""Find the mode of a density from several starts, and hand back a posterior made of it."""

from __future__ import annotations

from functools import partial
from math import log, prod
from time import perf_counter
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.errors import SamplingError
from finetti.inference.engine.batch import Own
from finetti.inference.engine.draws import Draws
from finetti.inference.engine.start import DTYPE, chain_keys, one_start
from finetti.inference.methods.recorded import written
from finetti.inference.methods.searches import MAP, NormalApproximation, Search
from finetti.inference.readers.assemble import gather
from finetti.inference.readers.ratios import Ratios
from finetti.inference.readers.values import Values, drawn
from finetti.inference.search.ascend import Failure, Summit, ascend
from finetti.posterior.labels import dataset
from finetti.posterior.posterior import Posterior
from finetti.structure.form import Given
from finetti.structure.variables import Variable, named_dimensions
from finetti.targets.density import Density, Target
from finetti.types import Array, Key
from finetti.types import Values as Named

if TYPE_CHECKING:
    import xarray as xr


@compiled(ONCE, "target", "jacobian")
def _climb(target: Target, jacobian: bool, given: Given, position: Array) -> tuple[Array, Array]:
    return jax.value_and_grad(partial(_height, target, jacobian, given))(position)


@compiled(ONCE, "target", "jacobian")
def _curvature(target: Target, jacobian: bool, given: Given, position: Array) -> Array:
    return -jax.hessian(partial(_height, target, jacobian, given))(position)


def _height(target: Target, jacobian: bool, given: Given, position: Array) -> Array:
    """Return the log density, that of the constrained values if no Jacobian is wanted."""
    whole = target.log_density(given, position)
    if jacobian:
        return whole
    free = target.layout.split(position)
    reader = target.form.reader(given, free)
    return whole - sum(reader.log_jacobian(name) for name in free)


def search(density: Density, method: Search, seed: int, init: Named | None) -> Posterior:
    """Climb from every start, choose the highest summit, and make a posterior of it."""
    began = perf_counter()
    if not density.dim:
        raise SamplingError(
            "nothing is left to climb, as the plan takes every site out exactly: draw the sites "
            "with ft.NUTS(), or find the mode of continuous ones without plan="
        )
    with jax.enable_x64(True):
        keys = chain_keys(np.int64(seed), method.starts if init is None else 1)
        target, given = density.placed
        points = one_start(density, given, Own(), keys[None], init)
        jacobian = not isinstance(method, MAP)

        def look(position: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = _climb(target, jacobian, given, position)
            return float(value), np.asarray(slope)

        def bend(position: np.ndarray) -> np.ndarray:
            return np.asarray(_curvature(target, jacobian, given, position))

        starts = np.asarray(points.position)[0]
        summit = ascend(look, bend, starts, _bounded(density))
        if isinstance(summit, Failure):
            raise _explain(density, summit, len(starts))
        attributes = {
            **written(method),
            "seed": seed,
            "created_by": "finetti",
            "starts": len(keys),
            "starts_that_agree": summit.agreed,
            "starts_that_ran_away": summit.lost,
        }
        if isinstance(method, NormalApproximation):
            posterior = _drawn(density, method, summit, keys[:1], attributes)
        else:
            posterior = _pointed(density, summit, attributes)
    for node in (posterior.tree, posterior.tree["posterior"]):
        node.attrs["seconds"] = perf_counter() - began
    return posterior


def _entries(density: Density) -> list[str]:
    """Name the site that each entry of the flat vector belongs to."""
    layout = density.layout
    return [n for n, s in zip(layout.names, layout.shapes, strict=True) for _ in range(prod(s))]


def _bounded(density: Density) -> np.ndarray:
    """Tell which entries of the flat vector stand for values whose support has an edge."""
    whole = {v.name for v in density.model.variables if v.support == "real"}
    return np.array([name not in whole for name in _entries(density)])


def _explain(density: Density, failure: Failure, starts: int) -> SamplingError:
    """Name the sites along which the density has no top, and say what may help."""
    size = np.abs(failure.direction)
    among = zip(_entries(density), size >= 0.5 * size.max(initial=0), strict=True)
    sites = list(dict.fromkeys(name for name, large in among if large))
    listed = ", ".join(f"`{name}`" for name in sites[:4]) + (" and more" if sites[4:] else "")
    remedy = (
        "leave the effects to the plan, plan=model.plan() or plan=model.plan().approximate()",
        "one that vanishes fast at the edge, such as an InverseGamma for a scale",
    )
    if density.plan().form.marginals:
        remedy = (
            "take ft.NormalApproximation(), whose mode is that of the log of a scale",
            "one that vanishes at the edge, such as Gamma(2, ...) for a scale (Chung et al. 2013)",
        )
    return SamplingError(
        f"no mode was found from {starts} starts: along {listed} the density is flat or rises to "
        f"the edge (log density {failure.value:.6g} when given up), as it often does where a "
        f"scale shrinks to zero. You can {remedy[0]}; or give `{sites[0]}` another prior, "
        f"{remedy[1]}; or sample by ft.NUTS()"
    )


@compiled(ONCE, "target", "names")
def _settled(
    target: Target, names: tuple[str, ...], given: Given, position: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    found = target.settled(given, position)
    terms = {name: jnp.sum(term) for name, term in found.log_terms.items()}
    return {name: found.values[name] for name in names}, terms


@compiled(ONCE, "target", "names")
def _errors(
    target: Target, names: tuple[str, ...], given: Given, position: Array, root: Array
) -> dict[str, Array]:
    """Return standard errors by the delta method; `root` times its transpose is the covariance."""

    def values(x: Array) -> dict[str, Array]:
        found = target.settled(given, x).values
        return {name: found[name].astype(x.dtype) for name in names}

    moved = jax.vmap(lambda column: jax.jvp(values, (position,), (column,))[1], 1)(root)
    return {name: jnp.sqrt(jnp.sum(jnp.square(m), 0)) for name, m in moved.items()}


def _pointed(density: Density, summit: Summit, attributes: dict[str, Any]) -> Posterior:
    """Make a posterior of one draw, with standard errors and information criteria."""
    target, given = density.placed
    names = tuple(v.name for v in density.kept)
    values, terms = _settled(target, names, given, summit.position)
    values = {name: np.asarray(value)[None, None] for name, value in values.items()}
    variables = density.model.variables
    priors = [*density.layout.names, *(v.name for v in variables if v.kind == "fixed")]
    log_likelihood = summit.value - sum(float(terms[name]) for name in priors)
    count = sum(_counted(v) for v in variables if v.data is not None)
    k = density.dim
    attributes = attributes | {
        "log_density": summit.value,
        "log_likelihood": log_likelihood,
        "parameters": k,
        "observations": count,
        "aic": 2 * k - 2 * log_likelihood,
        "bic": k * log(max(count, 1)) - 2 * log_likelihood,
    }
    groups = {
        "posterior": drawn(density.kept, values),
        "sample_stats": dataset({"lp": (("chain", "draw"), np.full((1, 1), summit.value))}, {}),
        "standard_error": _standard_errors(density, summit),
    }
    return gather(density, groups, attributes)


def _counted(v: Variable) -> int:
    """Return how many of an observed site's numbers are known and count."""
    known = np.ones(v.shape, bool) if v.holes is None else ~v.holes
    if v.counts is None:
        return int(known.sum())
    counts = v.counts.reshape(v.counts.shape + (1,) * (known.ndim - v.counts.ndim))
    return int((known & (counts > 0)).sum())


def _standard_errors(density: Density, summit: Summit) -> xr.Dataset:
    """Return the standard errors of what was sought, and of what is computed when that is all."""
    target, given = density.placed
    known = set(density.layout.names)
    if not target.form.marginals:
        known |= {v.name for v in density.kept}
    kept = [v for v in density.kept if v.name in known]
    root = np.linalg.inv(np.linalg.cholesky(summit.curvature)).T
    errors = _errors(target, tuple(v.name for v in kept), given, summit.position, root)
    plates = named_dimensions(kept)
    return dataset({v.name: (v.dims, np.asarray(errors[v.name])) for v in kept}, plates)


def _drawn(
    density: Density,
    method: NormalApproximation,
    summit: Summit,
    keys: Key,
    attributes: dict[str, Any],
) -> Posterior:
    """Make a posterior of draws from the normal distribution at the summit."""
    target, given = density.placed
    white = np.asarray(jax.random.normal(keys[0], (1, method.draws, density.dim), DTYPE))
    factor = np.linalg.cholesky(summit.curvature)
    # With P = L L' the draws are L^-T z, in rows z' L^-1.
    positions = summit.position + white @ np.linalg.inv(factor)
    lp = np.asarray(_heights(target, given, positions[0]))[None]
    draws = Draws(positions, {})
    values = Values(target, given, keys, density.kept, method.draws)
    log_normal = -0.5 * np.sum(white**2, -1) + np.log(np.diag(factor)).sum()
    log_normal -= 0.5 * density.dim * log(2 * np.pi)
    ratios = lp - log_normal
    if Ratios.weighs(target):
        ratios += Ratios(target, given, keys, method.draws).read(draws)["log_ratio"]
    told = {"lp": (("chain", "draw"), lp), "log_ratio": (("chain", "draw"), ratios)}
    groups = {"posterior": values.label(values.read(draws)), "sample_stats": dataset(told, {})}
    return gather(density, groups, attributes)


@compiled(ONCE, "target")
def _heights(target: Target, given: Given, positions: Array) -> Array:
    return jax.vmap(lambda x: target.log_density(given, x))(positions)
