"""Fit in a process that may be killed: `processes.py NAME PATH [MOMENT]`, in tests of long runs.

It begins the run at PATH, or goes on with the one that is there, and in the end prints a digest of
every group. PATH `-` keeps it in memory. Given a MOMENT it kills itself at that event of those that
Python audits below PATH: a file opened, a folder made, a rename, a removal.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import finetti as ft
from finetti.inference.engine import run
from finetti.inference.readers import reader
from finetti.store.store import Destination

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "shutil.rmtree", "os.truncate")
Y = np.array([3, 0, 4, 1, 7, 2, 5])


@ft.model
def counts(y):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("place", len(y)):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Poisson(jnp.exp(theta)), obs=y)
    ft.deterministic("rate", jnp.exp(mu))


@ft.model
def mixture(y):
    share = ft.sample("share", ft.Beta(2, 2))
    with ft.plate("row", len(y)):
        kind = ft.sample("kind", ft.Bernoulli(share))
        ft.sample("y", ft.Poisson(jnp.where(kind, 5.0, 1.0)), obs=y)


many = np.random.default_rng(1931).poisson(3, 500)
some = {"draws": 150, "warmup": 90, "chains": 2}
RUNS = {
    "nuts": (counts(Y), ft.NUTS(**some), None),
    "dense": (counts(Y), ft.NUTS(metric=ft.Dense(), thin=2, **some), None),
    "alternating": (counts(many), ft.NUTS(**some), ["mu", "tau"]),
    "hmc": (counts(Y), ft.HMC(leapfrogs=4, **some), ["rate"]),
    "metropolis": (counts(Y), ft.Metropolis(thin=3, **some), None),
    "adaptive": (counts(Y), ft.AdaptiveMetropolis(delay=30, interval=20, **some), None),
    "independent": (counts(Y), ft.IndependentMetropolis(draws=300, chains=2), None),
    "compound": (mixture(Y), ft.Compound(**some), None),
    "summed": (mixture(Y), ft.NUTS(**some), ["share"]),
    "laplace": (counts(Y), ft.EmbeddedLaplace(**some), None),
    "precise": (counts(Y), ft.NUTS(until=ft.ESS(300), **some), None),
    "mode": (mixture(Y), ft.NormalApproximation(draws=200), None),
}


def digests(posterior):
    """Return a digest of every group but for the data."""
    found = {}
    for name, node in posterior.tree.children.items():
        digest = hashlib.sha256()
        for variable in sorted(map(str, node.dataset.variables)):
            array = node.dataset[variable].to_numpy()
            digest.update(f"{variable} {array.shape} {array.dtype.kind}".encode())
            digest.update(array.tobytes() if array.dtype.kind != "U" else repr(array).encode())
        found[name] = digest.hexdigest()
    found.pop("unconstrained_posterior", None)
    return found


def die_at(moment, path):
    """Have the process kill itself at an event below a path."""
    met = 0

    def hook(event, about):
        nonlocal met
        if event in EVENTS and str(about[0]).startswith(str(path)):
            met += 1
            if met == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(name, path, moment=0):
    run.CHUNK_STEPS = run.CHUNK_FIRST = 61  # so that there are many moments between two
    reader.BLOCK = 32  # draws that are read together
    model, method, keep = RUNS[name]
    if path == "-":
        posterior = ft.fit(model, method, seed=5, keep=keep, progress=False)
    else:
        place = Path(path)
        if moment:
            die_at(moment, place.with_name(f".{place.name}"))
            die_at(moment, place)
        if place.exists():
            posterior = ft.resume(place, model, every=0.0, progress=False)
        else:
            to = Destination(place, every=0.0)
            posterior = ft.fit(model, method, seed=5, keep=keep, out=to, progress=False)
    print(json.dumps(digests(posterior), sort_keys=True, indent=1))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
