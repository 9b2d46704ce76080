"""Kill processes that fit, go on with what they left, and compare with a run that nothing ended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).with_name("processes.py")


def start(folder, *words):
    """Start a process that fits; processes of one folder share what is compiled."""
    environment = {**os.environ, "FINETTI_CACHE": str(folder / "programs")}
    for name in ("JAX_COMPILATION_CACHE_DIR", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def ended(process):
    """Return the digests that a process printed; None where it was killed."""
    said, wrong = process.communicate(timeout=300)
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0, wrong
    return json.loads(said)


def unbroken(folder, name):
    """Return the digests of a run in memory that nothing ends."""
    return ended(start(folder, name, "-"))


def survivor(folder, name, kills, seed):
    """Return the digests of a run whose processes were killed so many times, and how many were.

    One kill in two is at an event of writing, the others at any time from when the run stands.
    """
    rng, path, died = np.random.default_rng(seed), folder / f"{name}-{seed}.zarr", 0
    for kill in range(kills):
        if kill % 2 == 0:
            found = ended(start(folder, name, path, rng.integers(1, 600)))
        else:
            process = start(folder, name, path)
            while process.poll() is None and not path.exists():
                time.sleep(0.02)
            _wait_for_work(process, path)
            time.sleep(rng.exponential(0.3))
            process.send_signal(signal.SIGKILL)
            found = ended(process)
        if found is not None:  # it was done before
            return found, died
        died += 1
    return ended(start(folder, name, path)), died


def _wait_for_work(process, path):
    """Wait until a process has written something of the run, if it lives so long."""
    before = _manifests(path)
    while process.poll() is None and _manifests(path) == before:
        time.sleep(0.02)


def _manifests(path):
    folder = path / ".finetti"
    return [f.stat().st_mtime_ns for f in sorted(folder.glob("manifest-*.json"))]


if __name__ == "__main__":
    # killed.py FOLDER NAME KILLS SEED: one survivor, for a campaign from the shell
    place, which, count, number = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
    place.mkdir(exist_ok=True)
    whole = unbroken(place, which)
    broken, killed = survivor(place, which, count, number)
    print(which, "killed", killed, "same" if broken == whole else f"DIFFERS {broken} {whole}")
