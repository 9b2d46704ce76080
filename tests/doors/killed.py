"""Kill saves at one moment after another, and say what each left: `killed.py PATH FIRST STEP`.

A moment is an event that Python audits there: a file opened, a folder made, a rename, a removal. A
child kills itself at the n-th event of its save, n = FIRST, FIRST + STEP, ..., until one ends
alive.
"""

import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import finetti as ft
from doors.runs import made, same

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")


def save(run, path, moment):
    """Save in a child that dies at a moment; return whether it died."""
    child = os.fork()
    if child == 0:
        met = 0

        def hook(event, about):
            nonlocal met
            if event in EVENTS and str(about[0]).startswith(str(path.parent)):
                met += 1
                if met == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            run.save(path)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main(path, moment, step):
    """Print how often the old run stood after a kill, how often the new one, and what else."""
    old, new, left = made(1), made(2), Counter()
    old.save(path)
    while True:
        died = save(new, path, moment)
        found = ft.open(path)
        left["old" if same(found, old) else "new" if same(found, new) else "neither"] += 1
        if not died:
            break
        left["killed"] += 1
        for standing in path.parent.iterdir():
            shutil.rmtree(standing) if standing.is_dir() else standing.unlink()
        old.save(path)
        moment += step
    left["beside"] = len(list(path.parent.iterdir())) - 1
    print(json.dumps(left))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
