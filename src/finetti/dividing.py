"""Divide arrays over devices, each of which computes what its part is needed for.

A program that is given a `Divided` array is one program on all devices (SPMD): XLA has each compute
with the part it holds, and adds up where a sum goes over all of them (Xu et al. 2021, GSPMD). What
such a program yields, every device has whole. The devices may belong to several processes, of
`jax.distributed`: each then runs the same programs on the same numbers, and holds its own parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial, wraps
from typing import TypeAlias, TypeVar

import jax
import numpy as np
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from finetti.errors import ClusterError
from finetti.types import AnyArray, Array, Device, Tree, Value

R = TypeVar("R")
Devices: TypeAlias = "int | Sequence[Device] | None"
AXIS = "rows"
FEWEST = 10_000  # numbers of an array that is divided


@partial(
    jax.tree_util.register_dataclass, data_fields=["parts"], meta_fields=["axis", "length", "mesh"]
)
@dataclass(frozen=True)
class Divided:
    """Hold an array whose parts along an axis lie on the devices of a mesh.

    Parts are of one length, so that some places may follow the `length` that the array has.
    """

    parts: Array
    axis: int
    length: int
    mesh: Mesh

    def whole(self) -> Array:
        """Return the array, where a program is traced: its parts stay where they are."""
        array = jax.lax.slice_in_dim(self.parts, 0, self.length, axis=self.axis)
        return jax.lax.with_sharding_constraint(array, along(self.mesh, self.axis))


def meant(devices: Devices) -> tuple[Device, ...]:
    """Return the devices that are meant: so many of those JAX sees, or those given; of None none.

    Raises `ClusterError` where JAX sees fewer or a process has none, `TypeError` for anything else.
    """
    if devices is None:
        return ()
    if isinstance(devices, int) and not isinstance(devices, bool):
        seen = jax.devices()
        if not 1 <= devices <= len(seen):
            raise ClusterError(
                f"devices={devices}, and JAX sees {len(seen)}: give from 1 to {len(seen)}. A CPU "
                f"is as many devices as XLA_FLAGS=--xla_force_host_platform_device_count=N says "
                f"before Python starts; finetti fit --devices N sees to it"
            )
        chosen = tuple(seen[:devices])
    elif isinstance(devices, Sequence) and all(isinstance(d, jax.Device) for d in devices):
        chosen = tuple(devices)
    else:
        raise TypeError(
            f"devices= takes a number of devices or a list of JAX's, such as jax.devices(), not "
            f"{devices!r:.80}"
        )
    if not chosen or len(set(chosen)) < len(chosen):
        raise ClusterError("devices= lists no device, or one twice: give each once")
    lacking = set(range(jax.process_count())) - processes(chosen)
    if lacking:
        raise ClusterError(
            f"devices= has none of process {min(lacking)}, which runs the same program: give "
            f"devices of every process, such as jax.devices()"
        )
    return chosen


def provide(devices: int | None) -> None:
    """Have a CPU be so many devices, where this process has not used JAX yet."""
    if devices is not None:
        with suppress(RuntimeError):  # it has; then it has to do with those that it sees
            jax.config.update("jax_num_cpu_devices", devices)


def divided(tree: Tree, devices: Sequence[Device]) -> Tree:
    """Return a pytree of arrays on the host, the large ones divided along their longest axis."""
    mesh = Mesh(np.array(devices), (AXIS,))

    def divide(leaf: Value) -> Value:
        if not isinstance(leaf, AnyArray) or leaf.size < FEWEST:
            return leaf
        leaf = np.asarray(leaf)
        axis = int(np.argmax(leaf.shape))
        length = leaf.shape[axis]
        lacking = -length % len(devices)
        # What follows is cut off before it is used: the last number again may be no worse an index.
        filled = np.pad(leaf, [(0, lacking * (i == axis)) for i in range(leaf.ndim)], "edge")
        sharding = along(mesh, axis)
        parts = jax.make_array_from_callback(filled.shape, sharding, lambda place: filled[place])
        return Divided(parts, axis, length, mesh)

    return jax.tree.map(divide, tree)


def undivided(tree: Tree) -> Tree:
    """Return a pytree where its divided arrays are arrays; for functions that are traced."""
    return jax.tree.map(
        lambda leaf: leaf.whole() if isinstance(leaf, Divided) else leaf, tree, is_leaf=_is_divided
    )


def opening(function: Callable[..., R]) -> Callable[..., R]:
    """Return a function, to be traced, that takes what is divided for the arrays that it is."""

    @wraps(function)
    def opened(*given: Tree) -> R:
        return function(*undivided(given))

    return opened


def mesh_of(tree: Tree) -> Mesh | None:
    """Return the mesh that a pytree is divided over, None where it is not."""
    leaves = jax.tree.leaves(tree, is_leaf=_is_divided)
    return next((leaf.mesh for leaf in leaves if isinstance(leaf, Divided)), None)


def processes(devices: Iterable[Device]) -> set[int]:
    """Return the numbers of the processes that devices belong to."""
    return {device.process_index for device in devices}


def greatest(number: int, mesh: Mesh | None) -> int:
    """Return the greatest of the numbers of all processes of a mesh, which ask at the same place.

    Clocks and signals differ from one to the other, and all have to run the same programs.
    """
    if mesh is None or len(processes(mesh.devices.flat)) == 1:
        return number
    return int(np.max(process_allgather(np.asarray(number))))


def everywhere(mesh: Mesh) -> NamedSharding:
    """Return the sharding of what every device has whole."""
    return NamedSharding(mesh, PartitionSpec())


def along(mesh: Mesh, axis: int) -> NamedSharding:
    """Return the sharding of what is divided along an axis."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS))


def leads(devices: Sequence[Device]) -> bool:
    """Tell whether this process writes what all with a part in the devices compute."""
    return len(processes(devices)) < 2 or jax.process_index() == 0


def led(devices: Sequence[Device], find: Callable[[], int]) -> int:
    """Have the process that leads find a number, none below zero, and return it in all processes.

    All wait here for one another. Raises what is raised where it leads, `ClusterError` elsewhere.
    """
    if len(processes(devices)) < 2:
        return find()
    number = -1
    try:
        if leads(devices):
            number = find()
    finally:
        told = int(np.max(process_allgather(np.asarray(number))))
    if told < 0:
        raise ClusterError("process 0, which writes for all, has failed: it says why")
    return told


@contextmanager
def entered(devices: Sequence[Device], context: AbstractContextManager[R]) -> Iterator[R | None]:
    """Enter a context in the process that leads, and hand on what it yields there; None elsewhere.

    Raises `ClusterError` elsewhere where it cannot be entered.
    """
    with ExitStack() as stack:
        held: list[R] = []

        def enter() -> int:
            held.append(stack.enter_context(context))
            return len(held)

        led(devices, enter)
        yield held[0] if held else None


def _is_divided(leaf: Value) -> bool:
    return isinstance(leaf, Divided)
