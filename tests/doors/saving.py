"""Save one run after another at a path, until killed or told to stop by a full disk."""

import resource
import sys
from pathlib import Path

import finetti as ft
from doors.runs import made


def forever(path):
    """Save two runs in turn, for a killer to come."""
    runs = made(1, 400), made(2, 400)
    runs[0].save(path)
    print("saving", flush=True)
    while True:
        for run in reversed(runs):
            run.save(path)


def full(path, most):
    """Save a small run, then one that does not fit; say what finetti said, and live."""
    made(1).save(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        made(2, 4000).save(path)
    except ft.DataError as error:
        print(error)
    print("alive")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        forever(Path(sys.argv[1]))
    else:
        full(Path(sys.argv[1]), int(sys.argv[2]))
