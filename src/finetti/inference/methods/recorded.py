"""Write down by which method a run was made, as text from which the method can be had again."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from finetti.errors import DataError
from finetti.inference.methods.blocks import BinaryMetropolis, Block, Compound, DiscreteMetropolis
from finetti.inference.methods.independent import Automatic, IndependentMetropolis
from finetti.inference.methods.method import Method
from finetti.inference.methods.precision import ESS, MCSE
from finetti.inference.methods.searches import MAP, NormalApproximation
from finetti.inference.methods.trajectories import HMC, NUTS, EmbeddedLaplace
from finetti.inference.methods.walks import AdaptiveMetropolis, Metropolis
from finetti.kernels.metric import Dense, Diagonal

SETTINGS = "method_settings"  # the attribute of a run that holds them
KNOWN = {
    made.__name__: made
    for made in (
        NUTS,
        HMC,
        Metropolis,
        AdaptiveMetropolis,
        DiscreteMetropolis,
        BinaryMetropolis,
        Compound,
        Block,
        EmbeddedLaplace,
        IndependentMetropolis,
        Automatic,
        MAP,
        NormalApproximation,
        Dense,
        Diagonal,
        ESS,
        MCSE,
    )
}


def written(method: Method) -> dict[str, str]:
    """Return the attributes that say how a run was made.

    A method that is not finetti's own is named alone, and cannot be had again.
    """
    try:
        settings = {SETTINGS: json.dumps(_plain(method))}
    except TypeError:
        settings = {}
    return {"method": repr(method), **settings}


def _plain(value: Any) -> Any:
    """Return settings as what JSON knows; raise `TypeError` for what it does not."""
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if type(value) in KNOWN.values():
        settings = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return {"kind": type(value).__name__, **settings}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} is no setting of finetti's methods")


def read(text: str) -> Method:
    """Return the method that `written` wrote down.

    Raises `DataError` for a kind or a setting that this version of finetti does not know.
    """
    found = _made(json.loads(text))
    if not isinstance(found, Method):
        raise DataError(f"the run was made by {text}, which is no method of finetti")
    return found


def _made(value: Any) -> Any:
    """Return what `_plain` wrote: a method, a part of one, or a plain value."""
    if isinstance(value, list):
        return tuple(_made(v) for v in value)
    if not isinstance(value, dict):
        return value
    settings = {name: _made(v) for name, v in value.items() if name != "kind"}
    kind = KNOWN.get(value.get("kind", ""))
    known = set() if kind is None else {f.name for f in fields(kind)}
    if kind is None or not set(settings) <= known:
        odd = sorted(set(settings) - known) if kind is not None else [str(value.get("kind"))]
        raise DataError(
            f"the run was made with {', '.join(f'`{name}`' for name in odd)}, which this version "
            f"of finetti does not know: fit again, or open it with the version that made it"
        )
    return kind(**settings)
