"""Pack what a worker needs into bytes, with the code of whatever modules it may not have."""

from __future__ import annotations

import pickle
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from finetti.errors import ClusterError, FinettiError

OURS = "finetti"


def packed(value: Any) -> bytes:
    """Return a value as bytes, functions as code unless they are of an installed package.

    Raises `ClusterError` that says why it cannot be sent.
    """
    import cloudpickle

    with jax.enable_x64(True):
        try:
            with _by_value():
                return cloudpickle.dumps(value)
        except FinettiError:
            raise
        except Exception as first:  # noqa: BLE001 - whatever the user's objects raise
            try:  # a module whose other contents cannot be sent: the worker may have it
                return cloudpickle.dumps(value)
            except Exception:  # noqa: BLE001
                raise ClusterError(
                    f"the model cannot be sent to workers ({first!s:.200}): what it reads "
                    f"from around it must be data or functions, no open file, lock or connection"
                ) from first


def unpacked(text: bytes) -> Any:
    """Return the value that was packed; float64 arrays of JAX stay what they are."""
    with jax.enable_x64(True):
        return pickle.loads(text)


@contextmanager
def _by_value() -> Iterator[None]:
    """Have the user's own modules travel as code: workers need not have their files."""
    import cloudpickle

    listed = cloudpickle.list_registry_pickle_by_value()
    own = [m for name, m in list(sys.modules.items()) if _is_own(name, m) and name not in listed]
    try:
        for module in own:
            cloudpickle.register_pickle_by_value(module)
        yield
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _is_own(name: str, module: ModuleType | None) -> bool:
    """Tell whether a module is a file of the user's, and of no installed package."""
    file = getattr(module, "__file__", None)
    if not file or name.partition(".")[0] == OURS or getattr(module, "__name__", "") != name:
        return False
    return not _installed(file)


@cache
def _installed(file: str) -> bool:
    """Tell whether a file is where packages are installed."""
    paths = sysconfig.get_paths()
    folders = [paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [site.getusersitepackages(), *site.getsitepackages()]
    return any(Path(file).is_relative_to(folder) for folder in folders)
