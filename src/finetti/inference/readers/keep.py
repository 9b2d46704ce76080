"""Decide which sites' draws to keep, and refuse more than fits into memory before any is made."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import prod

from finetti.errors import SamplingError, UnknownSite
from finetti.inference.methods.method import Chains
from finetti.inference.methods.precision import MOST
from finetti.targets.density import Density

LIMIT = 4 << 30  # bytes


def kept_names(density: Density, keep: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of the sites whose draws are kept: those in `keep`, or all, in order.

    Raises `UnknownSite` for a name that is no latent or deterministic site, `SamplingError` where
    there is no name, or `keep` is none and no list of names.
    """
    shapes = {v.name: v.shape for v in density.kept}
    if not (keep is None or isinstance(keep, Iterable)):
        raise SamplingError(f"keep names the sites whose draws are kept, and {keep!r} is no name")
    chosen = {keep} if isinstance(keep, str) else set(shapes if keep is None else keep)
    for name in sorted(chosen):
        if name not in shapes:
            raise UnknownSite.among(name, shapes, "keep")
    if not chosen:
        raise SamplingError("keep=[] keeps the draws of no site: name one at least")
    return tuple(name for name in shapes if name in chosen)


def most_draws(density: Density, names: Collection[str], method: Chains) -> int:
    """Return how many draws a chain to make at most, where they are kept in memory.

    That is as many as the method has or, where it ends when they are precise enough, as there is
    room for. Raises `SamplingError` where the draws would need more than 4 GiB.
    """
    shapes = {v.name: v.shape for v in density.kept if v.name in names}
    draws = method.chains * method.draws
    sizes = {name: 8 * draws * prod(shape) for name, shape in shapes.items()}
    if sum(sizes.values()) <= LIMIT:
        if not method.wishes:
            return method.draws
        return min(MOST, LIMIT // max(sum(sizes.values()), 1)) * method.draws
    many = f"{method.chains} chains of {method.draws:,} draws"
    largest = max(sizes, key=lambda name: sizes[name])
    others = [name for name in shapes if name != largest]
    raise SamplingError(
        f"the draws of site `{largest}` ({prod(shapes[largest]):,} numbers, {many}) take "
        f"{_gib(sizes[largest])} of memory, and all that is kept may take {_gib(LIMIT)}: keep the "
        f"draws of other sites alone, with keep={others!r} (means and standard deviations of the "
        f"rest come back as `moments`), write them to disk as they are made, with out='run.zarr', "
        f"or take fewer draws"
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
