"""Tell whether a run on disk is of the model, data and versions at hand, or what changed."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from finetti.errors import ModelError
from finetti.posterior.given import constants
from finetti.store.hidden import hidden
from finetti.targets.density import Density
from finetti.types import Value

PACKAGES = ("finetti", "jax", "jaxlib", "numpy", "numpyro")
ADDRESS = re.compile(r"0x[0-9a-f]+")  # where something lies in memory tells nothing
PROGRAM, PLAN = "program", "plan"


def identity(built: Density) -> dict[str, str]:
    """Return what the draws of a density depend on, as text by what it is; data as digests."""
    model, plan = built.model, built.plan()
    found = {f"version of {name}": _version(name) for name in PACKAGES}
    found["version of python"] = ".".join(map(str, sys.version_info[:2]))
    found["name of the model"] = model.name
    for name, array in constants(model).items():
        found[f"data of argument `{name}`"] = digest(array.to_numpy())
    for v in model.variables:
        if v.data is not None:
            found[f"data of site `{v.name}`"] = digest(v.data)
    record = plan.record()
    for site, seen, *_ in record["sites"]:
        found[f"site `{site}`"] = str(seen)
    found[PLAN] = _hashed(json.dumps(record, sort_keys=True).encode())
    program = plan.program
    parts = [ADDRESS.sub("", str(program.jaxpr)), *map(digest, program.constants)]
    found[PROGRAM] = _hashed("\n".join(parts).encode(), *hidden(program.fingerprint.key))
    return found


def require_same(then: Mapping[str, str], built: Density, run: object) -> None:
    """Refuse to go on with a run of something else; raises `ModelError` that names what changed."""
    now = identity(built)
    if now == dict(then):
        return
    told = list(_changes(then, now))
    raise ModelError(
        f"{run} cannot be gone on with, since its draws would not be those of one model: "
        f"{'; '.join(told[:4])}{' and more' if told[4:] else ''}. Set that back, or fit again"
    )


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Yield in words what is not as it was; what follows from something else is left out."""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    named = [name for name in names if name not in (PROGRAM, PLAN)]
    for name in named:
        old, new = then.get(name), now.get(name)
        if name.startswith("data of "):
            what = name.removeprefix("data of ")
            yield (
                f"{what} has other data" if old and new else f"{what} is {'gone' if old else 'new'}"
            )
        elif old is None or new is None:
            yield f"{name} is {'gone' if new is None else 'new'}"
        else:
            yield f"{name} was {old} and is {new}"
    if not named and PROGRAM in names:
        yield "what the model computes has changed (its function, or what that reads around it)"
    elif not named:
        yield "the plan has changed"


def digest(array: Value) -> str:
    """Return a digest of an array's shape, type and content."""
    array = np.asarray(array)
    told = f"{array.dtype.str} {array.shape}".encode()
    if array.dtype == object:
        return _hashed(told + repr(array.tolist()).encode())
    return _hashed(told, np.ascontiguousarray(array).data)


def _hashed(*parts: bytes | memoryview) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
