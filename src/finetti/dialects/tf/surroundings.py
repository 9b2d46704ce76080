"""Stand in for what TensorFlow has around its values: sessions, graphs, devices, settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import NoReturn, TypeVar

from finetti.dialects.tf import arrays
from finetti.dialects.tf.tensors import to_numpy
from finetti.types import Tree

Made = TypeVar("Made", bound=Callable)


class Session:
    """Run nothing: everything has its value already. For `with tf.Session() as sess:`."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def run(self, fetches: Tree, feed_dict: object = None) -> Tree:
        """Return the values of what is asked for, as numpy arrays in the same structure."""
        if feed_dict:
            raise ValueError("Session.run takes no feed_dict: everything has its value already")
        return to_numpy(fetches)


def function(f: Made | None = None, **settings: object) -> Made | Callable[[Made], Made]:
    """Return a function as it is: there is no graph to make of it."""
    return (lambda g: g) if f is None else f


def nothing(*settings: object) -> None:
    """Do nothing: everything has its value already, and there is no graph."""


def lacking(room: str, **remedies: str) -> Callable[[str], NoReturn]:
    """Return the `__getattr__` of a module that says what it does not imitate, and what to do."""

    def say(name: str) -> NoReturn:
        remedy = remedies.get(name, "docs/dialects.md says what is")
        raise AttributeError(f"{room}.{name} is not imitated: {remedy}")

    return say


def control_dependencies(operations: object) -> nullcontext[None]:
    """Hold nothing: what is written first is done first. For `with` statements."""
    return nullcontext()


global_variables_initializer = reset_default_graph = nothing
enable_v2_behavior = enable_eager_execution = nothing

nest = SimpleNamespace(
    map_structure=arrays.map_structure,
    flatten=arrays.flatten,
    pack_sequence_as=arrays.pack_sequence_as,
)
# What is refused of shapes is so by numpy.
errors = SimpleNamespace(InvalidArgumentError=ValueError)
test = SimpleNamespace(gpu_device_name=lambda: "")
_devices = {"list_physical_devices": lambda kind=None: [], "set_memory_growth": nothing}
config = SimpleNamespace(**_devices, experimental=SimpleNamespace(**_devices))
