"""Do the pieces of a job, one after another here or side by side on a cluster's workers.

How a job is cut never depends on who does it, nor do the keys that a piece draws by, so that the
results are the same bit for bit wherever machines are of one kind. A worker that dies costs the
pieces that it had in hand, which others do again.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from finetti.errors import ClusterError, FinettiError
from finetti.inference.cluster.carried import packed
from finetti.inference.cluster.reached import versions
from finetti.inference.cluster.working import as_it_is, work
from finetti.inference.stopping import asked_to_stop

if TYPE_CHECKING:
    from distributed import Client, Future

PAUSE = 0.05  # seconds between two looks at what has come
ALONE = 60.0  # seconds without any worker


def done(job: Any, pieces: Sequence[object], client: Client | None) -> list[Any]:
    """Return what a job makes of each piece, in their order.

    Without a client they are done here, one after another. A job is a frozen dataclass that is
    called with a piece; it is sent once, without what it has cached. Raises what the first piece to
    fail raises, `ClusterError` where the cluster fails, and `KeyboardInterrupt` where it is asked
    to stop; all that is not done is then called off.
    """
    if client is None:
        return [job(piece) for piece in pieces]
    name = f"finetti-{type(job).__name__.lower()}-{uuid4().hex}"
    text, cut = packed(replace(job)), list(map(packed, pieces))
    places: dict[Hashable, int] = {f"{name}-{i}": i for i in range(len(cut))}
    results: list[Any] = [None] * len(cut)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        # The job is what a task returns: were it put there, it would be lost with its holders.
        held = client.submit(as_it_is, text, key=name, pure=False)
        client.replicate([held])
        sent = [
            client.submit(work, held, name, one, versions(), key=key, pure=False)
            for key, one in zip(places, cut, strict=True)
        ]
    try:
        for future in _arriving(client, sent):
            place = places[future.key]
            results[place] = _result(future, f"piece {place + 1} of {len(cut)}")
            future.release()
    finally:
        if client.status == "running":
            client.cancel([held, *sent], force=True)
    return results


def parts(count: int, most: int) -> list[range]:
    """Cut so many things into few parts of one length at most `most`; the last may be shorter.

    >>> parts(5, 2)
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    size = max(1, -(-count // max(1, -(-count // most))))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _arriving(client: Client, sent: list[Future]) -> Iterator[Future]:
    """Yield futures as they end; raise where it is asked to stop, or nobody is there to do them."""
    from distributed import as_completed

    arriving, seen = as_completed(sent, loop=client.loop), monotonic()
    while arriving.count():
        if arriving.has_ready():
            yield next(arriving)
            continue
        if asked_to_stop():
            raise KeyboardInterrupt
        if client.status != "running":
            raise ClusterError(
                "the connection to the scheduler is lost, and with it what its workers had made: "
                "start it again, and then this"
            )
        now = monotonic()
        if client.scheduler_info()["workers"]:
            seen = now
        elif now - seen > ALONE:
            raise ClusterError(
                f"the cluster has had no worker for {ALONE:.0f} seconds: start some, and let a "
                f"nanny start them again where they die, as `dask worker` does"
            )
        sleep(PAUSE)


def _result(future: Future, piece: str) -> Any:
    """Return what a piece made, or raise what it raised, as finetti says it."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise ClusterError(
            f"{piece} was called off by the cluster, as where its scheduler is started anew: begin "
            f"again"
        )
    try:
        return future.result()
    except FinettiError:
        raise
    except KilledWorker as error:
        raise ClusterError(
            f"{piece} ended {error.allowed_failures + 1} workers one after another, for want of "
            f"memory as a rule: give workers more of it, or one thread each"
        ) from error
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"the workers have no module `{error.name}`, which the model needs: install it where "
            f"they run, or send it there by client.upload_file"
        ) from error
