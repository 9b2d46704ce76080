"""Reach the cluster that is meant, and refuse one whose workers would give other results."""

from __future__ import annotations

import logging
import platform
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeAlias

from finetti.errors import ClusterError, MissingExtra

if TYPE_CHECKING:
    from distributed import Client

On: TypeAlias = "Client | str | int | None"  # also a scheduler's address, a number of processes
ALIKE = ("finetti", "jax", "jaxlib", "numpyro", "numpy")  # packages that results depend on
SECONDS = 10  # to wait for a scheduler
MOST = 1024  # processes on this machine


@contextmanager
def reached(on: On) -> Iterator[Client | None]:
    """Yield a client of the cluster that `on` means, whose workers have the same versions.

    None is no cluster. A client is used and left open; an address is connected to, and so many
    processes are started on this machine and ended. Raises `ClusterError` where it cannot be
    reached, has no workers or has other versions, `MissingExtra` without `distributed`, `TypeError`
    for what is none of these.
    """
    if on is None:
        yield None
        return
    try:
        import distributed
    except ImportError as error:
        raise MissingExtra.needed("distributed", "scale", "on=") from error
    if isinstance(on, distributed.Client):
        yield _sound(on)
    elif isinstance(on, str):
        with _connected(on) as client:
            yield _sound(client)
    elif isinstance(on, int) and not isinstance(on, bool):
        if not 1 <= on <= MOST:
            raise ClusterError(f"on={on}: give from 1 to {MOST} processes, or a client")
        settings: dict[str, Any] = {"dashboard_address": ":0", "threads_per_worker": 1}
        settings["silence_logs"] = logging.CRITICAL  # what fails is raised
        with (
            distributed.LocalCluster(n_workers=on, **settings) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield _sound(client)
    else:
        raise TypeError(
            f"on= takes a client of dask.distributed, the address of a scheduler such as "
            f"'tcp://host:8786', or a number of processes, not {on!r:.80}"
        )


def _connected(address: str) -> Client:
    """Return a client of the scheduler at an address, once something answers there."""
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    try:
        # A client waits without end for one that says nothing, and long where there is nobody.
        with socket.create_connection(get_address_host_port(address), SECONDS) as probe:
            if not address.startswith("tls") and not probe.recv(1):
                raise OSError("what answers there is no scheduler")
        return Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"no scheduler is to be reached at {address!r:.200} ({error!s:.200}): give the address "
            f"that `dask scheduler` prints, such as 'tcp://host:8786'"
        ) from error


def _sound(client: Client) -> Client:
    """Return a client, or refuse one that is closed or whose workers differ from this process."""
    if client.asynchronous:
        raise ClusterError("the client is asynchronous, and fits wait: give Client(...) without it")
    if client.status != "running":
        raise ClusterError(f"the client is {client.status}: open another, and keep it open")
    found: Any = client.get_versions(packages=list(ALIKE))
    found = found["workers"]
    if not found:
        where = getattr(client.scheduler, "address", "its address")
        raise ClusterError(
            f"the cluster at {where} has no workers: start some, as by `dask worker {where}` or "
            f"cluster.scale(4)"
        )
    for address, told in found.items():
        refuse(address, versions(), _versions(told))
    return client


@cache
def versions() -> dict[str, str]:
    """Return the versions that results depend on, here."""
    return {"Python": _python(platform.python_version()), **{n: version(n) for n in ALIKE}}


def _versions(told: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what a worker has, by name."""
    packages = told["packages"]
    return {"Python": _python(told["host"]["python"]), **{n: packages[n] for n in ALIKE}}


def _python(text: str) -> str:
    """Return the part of Python's version on which compiled functions depend."""
    return ".".join(text.split(".")[:2])


def refuse(address: str, here: Mapping[str, str], there: Mapping[str, str | None]) -> None:
    """Refuse a worker that lacks a package, or has another version of it."""
    for name, known in here.items():
        if there[name] is None:
            raise ClusterError(
                f"worker {address} has no {name}: install {name} {known} where the workers run"
            )
        if there[name] != known:
            raise ClusterError(
                f"worker {address} has {name} {there[name]}, and this process {known}: give both "
                f"the same, or results would differ"
            )
