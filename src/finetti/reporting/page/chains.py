"""Show how the sampler fared: traces, ranks, and funnels with their divergences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from finetti.posterior import mode
from finetti.posterior.posterior import Posterior
from finetti.reporting.chains import ranks, trace
from finetti.reporting.funnel import funnel
from finetti.reporting.page.blocks import Block, Picture, Section, Words
from finetti.reporting.page.estimates import worst
from finetti.reporting.page.vector import WIDTH, inline

PANELS = 4
FUNNELS = 2


def chains(posterior: Posterior) -> Section | None:
    """Draw the chains of what mixed worst, and the funnels."""
    if mode.is_mode(posterior.tree):
        return None
    names = worst(posterior, PANELS)
    if not names:
        return None
    blocks: list[Block] = [
        Words(
            "Single parameters first, then those whose chains agree least. Good traces look alike "
            "and keep no direction; good ranks stay within the grey band."
        )
    ]
    listed = ", ".join(names)
    words = f"Traces of {listed}: the value of each chain against the draw."
    blocks.append(Picture(inline(trace(posterior, names, WIDTH), words), words))
    if posterior.tree["posterior"].sizes["chain"] > 1:
        words = f"Ranks of {listed}: how evenly each chain's draws lie among all draws."
        blocks.append(Picture(inline(ranks(posterior, names, WIDTH), words), words))
    for effect, scale in _funnels(posterior):
        words = f"{effect} against the log of its scale {scale}, with the draws that diverged."
        blocks.append(Picture(inline(funnel(posterior, effect, scale), words), words))
    return Section("chains", "How the chains went", tuple(blocks))


def _funnels(posterior: Posterior) -> Iterator[tuple[str, str]]:
    """Find scales of groups' effects, each with the member that follows it most closely.

    A scale is a positive single number that a site of a plate depends on.
    """
    if posterior.model is None:
        return
    known = {v.name: v for v in posterior.model.variables}
    parents, made = posterior.model.graph().parents, 0
    for name, v in known.items():
        if len(v.plates) != 1 or v.kind not in ("latent", "deterministic") or len(v.shape) != 1:
            continue
        if name not in posterior.names:
            continue
        for parent in parents[name]:
            scale = known[parent]
            if scale.support != "positive" or scale.shape or parent not in posterior.names:
                continue
            if made == FUNNELS:
                return
            made += 1
            yield f"{name}[{_follower(posterior, name, parent)}]", parent


def _follower(posterior: Posterior, effect: str, scale: str) -> str:
    """Return the member whose distance from the others' mean follows the scale most closely."""
    draws = posterior[effect]
    values = draws.to_numpy().reshape(-1, draws.shape[2])
    away = np.abs(values - values.mean(1, keepdims=True))
    size = posterior[scale].to_numpy().ravel()
    away, size = away - away.mean(0), size - size.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        along = (size @ away) / np.sqrt((away**2).sum(0))
    return str(draws[draws.dims[2]].to_numpy()[np.nanargmax(np.nan_to_num(along))])
