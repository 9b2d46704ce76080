"""Decide which sites' draws to keep, and refuse more than fits into memory before any is made."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from finetti.errors import SamplingError, UnknownSite
from finetti.inference.methods.method import Chains
from finetti.targets.density import Density

LIMIT = 4 << 30  # bytes


def kept_names(density: Density, keep: Iterable[str] | None, method: Chains) -> tuple[str, ...]:
    """Return the names of the sites whose draws are kept: those in `keep`, or all, in order.

    Raises `UnknownSite` for a name that is no latent or deterministic site, and `SamplingError`
    where the draws would need more than 4 GiB of memory.
    """
    shapes = {v.name: v.shape for v in density.kept}
    chosen = set(shapes if keep is None else keep)
    for name in sorted(chosen):
        if name not in shapes:
            raise UnknownSite.among(name, shapes, "keep")
    names = tuple(name for name in shapes if name in chosen)
    draws = method.chains * method.draws
    sizes = {name: 8 * draws * prod(shapes[name]) for name in names}
    moved = 8 * draws * density.dim  # what the sampler moves is held until it is named
    if sum(sizes.values()) + moved <= LIMIT:
        return names
    many = f"{method.chains} chains of {method.draws:,} draws"
    if moved > LIMIT:
        raise SamplingError(
            f"{many} in {density.dim:,} dimensions take {_gib(moved)} of memory, above the limit "
            f"of {_gib(LIMIT)}: take fewer draws"
        )
    largest = max(sizes, key=lambda name: sizes[name])
    others = [name for name in names if name != largest]
    raise SamplingError(
        f"the draws of site `{largest}` ({prod(shapes[largest]):,} numbers, {many}) take "
        f"{_gib(sizes[largest])} of memory, and all that is kept may take {_gib(LIMIT)}: keep the "
        f"draws of other sites alone, with keep={others!r} (means and standard deviations of the "
        f"rest come back as `moments`), or take fewer draws"
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
