"""Check that a cluster's workers give what one process gives, bit for bit, though they die.

Most tests have workers in threads of this process, to which all is sent as to any other.
"""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import dask
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from distributed import Client, LocalCluster

import finetti as ft
from finetti.inference import apart, many
from finetti.inference.cluster.carried import packed, unpacked
from finetti.inference.cluster.pieces import done, parts
from finetti.inference.stopping import Stop, asked_to_stop, unless
from zoo.groups import shops

COUNTS = np.array([3, 0, 4, 1, 7])
SHORT = ft.NUTS(draws=40, warmup=40, chains=3)
ALONE = {"dashboard_address": ":0", "threads_per_worker": 1}


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, processes=False, **ALONE) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def same(one: ft.Posterior, other: ft.Posterior) -> bool:
    groups = ("posterior", "sample_stats", "learned")
    assert set(groups) <= set(one.tree.children) == set(other.tree.children)
    for group in groups:
        for name, array in one.tree[group].data_vars.items():
            np.testing.assert_array_equal(array, other.tree[group][name], err_msg=str(name))
    return True


@pytest.mark.parametrize(
    "method",
    [SHORT, ft.IndependentMetropolis(draws=40), ft.Compound(draws=30, warmup=30, chains=2)],
    ids=lambda method: type(method).__name__,
)
def test_chains_apart_are_the_same_wherever_they_are_drawn(method, client, monkeypatch):
    """They go on from where warm-up ended: but for rounding they are those of a fit without."""
    model = shops(COUNTS)
    there = ft.fit(model, method, seed=3, progress=False, on=client)
    monkeypatch.setattr(apart, "done", lambda job, pieces, _: done(job, pieces, None))
    here = ft.fit(model, method, seed=3, progress=False, on=client)
    assert same(here, there)
    plain = ft.fit(model, method, seed=3, progress=False)
    for name in ("mu", "tau", "a"):
        first, found = plain[name].values[:, :5], there[name].values[:, :5]
        np.testing.assert_allclose(found, first, rtol=1e-6, atol=1e-9)


def test_a_run_on_disk_that_was_drawn_apart_has_more_draws(client, tmp_path):
    """Its chains go on with noise that none has used."""
    model, path = shops(COUNTS), tmp_path / "run.zarr"
    there = ft.fit(model, SHORT, seed=3, progress=False, on=client, out=path)
    more = ft.resume(path, model, draws=60, progress=False)
    drawn = more["mu"].values
    np.testing.assert_array_equal(drawn[:, :40], there["mu"].values)
    assert len(np.unique(drawn)) > 150


def test_refits_are_those_of_one_process(client):
    posterior = ft.fit(shops(COUNTS), SHORT, seed=1, progress=False)
    one, other = (ft.kfold(posterior, 2, seed=1, on=on) for on in (None, client))
    assert one.scores.equals(other.scores)
    one, other = (ft.loo(posterior, good_k=-9.0, refits=2, seed=1, on=on) for on in (None, client))
    assert len(np.flatnonzero(other.scores["refitted"])) == 2
    assert one.scores.equals(other.scores)


def test_many_fits_are_each_what_fit_makes(client):
    models = {"a": shops(COUNTS), "b": shops(COUNTS + 1)}
    here, there = (ft.fit_many(models, SHORT, seed=7, on=on) for on in (None, client))
    assert list(there) == list(models)
    for i, (label, model) in enumerate(models.items()):
        alone = ft.fit(model, SHORT, seed=7 + i, progress=False)
        assert same(alone, here[label])
        assert same(alone, there[label])
        assert alone.attributes["model_source"] == there[label].attributes["model_source"]
        assert there[label].model is not None


def test_fits_in_batches_are_those_of_one_batch_and_of_one_process(client, monkeypatch):
    """But for rounding where batches differ; one that cannot start is left out, wherever it is.

    Without warm-up, which lasts until all of a batch have theirs.
    """

    @ft.model
    def level(y):
        mu = ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.StudentT(4, mu, 1), obs=y)

    data = np.random.default_rng(2).normal(size=(7, 4))
    data[3] = np.inf
    model, method = level(np.zeros(4)), ft.NUTS(draws=15, warmup=0, chains=2)
    job = many.batches(model, {"y": data}, method, model.plan(), 5)
    whole = many.read_many(job, ("mu",), 20)
    monkeypatch.setattr(many, "TOGETHER", 3)
    cut, there = (many.read_many(job, ("mu",), 20, on) for on in (None, client))
    assert whole.found.tolist() == cut.found.tolist() == [0, 1, 2, 4, 5, 6]
    np.testing.assert_allclose(cut.values["mu"], whole.values["mu"], rtol=1e-8)
    jax.tree.map(np.testing.assert_array_equal, cut, there)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 51, 1000])
def test_parts_hold_everything_once(count):
    for most in (1, 3, 50):
        cut = parts(count, most)
        assert [i for part in cut for i in part] == list(range(count))
        assert max(map(len, cut)) <= most
        assert {len(part) for part in cut[:-1]} <= {len(cut[0])}


def test_float64_arrays_stay_what_they_are():
    with jax.enable_x64(True):
        text = packed({"x": jnp.arange(3.0) / 3})
    assert unpacked(text)["x"].dtype == np.float64


@dataclass(frozen=True)
class Waiting:
    """Say where a piece has begun, and wait to be called off."""

    folder: Path

    def __call__(self, piece):
        (self.folder / f"begun {piece}").touch()
        while not asked_to_stop():
            time.sleep(0.02)
        (self.folder / f"ended {piece}").touch()
        raise KeyboardInterrupt


def test_an_interrupt_calls_off_the_pieces_that_have_begun(client, tmp_path):
    stop = Stop(lambda: (tmp_path / "begun 0").exists())
    with unless(stop), pytest.raises(KeyboardInterrupt):
        done(Waiting(tmp_path), range(5), client)
    begun, deadline = sorted(tmp_path.glob("begun *")), time.monotonic() + 20
    while len(list(tmp_path.glob("ended *"))) < len(begun) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(list(tmp_path.glob("ended *"))) == len(begun) < 5


@dataclass(frozen=True)
class Marked:
    """Note the process that begins a piece, and take a while."""

    folder: Path

    def __call__(self, piece):
        with (self.folder / f"{piece}").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return piece**2


def test_a_worker_that_is_killed_costs_the_piece_in_hand(tmp_path):
    with (
        LocalCluster(n_workers=2, **ALONE) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        killed = kill_soon(tmp_path)
        assert done(Marked(tmp_path), range(8), client) == [i**2 for i in range(8)]
        killed.join()
    begun = {int(p.name): p.read_text().split() for p in tmp_path.iterdir()}
    assert sorted(map(len, begun.values())) == [1] * 7 + [2]


@dataclass(frozen=True)
class Deadly:
    """End the worker."""

    def __call__(self, piece):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_piece_that_ends_its_workers_is_given_up():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=1, **ALONE) as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(ft.ClusterError, match="piece 1 of 1 ended 2 workers"),
    ):
        done(Deadly(), [0], client)


def kill_soon(folder: Path) -> threading.Thread:
    """Kill the worker that begins the first piece, as soon as it has."""

    def kill() -> None:
        while not (found := [p for p in folder.glob("*") if p.read_text()]):
            time.sleep(0.02)
        os.kill(int(found[0].read_text().split()[0]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.slow
def test_fits_are_those_of_one_process_though_one_worker_of_three_is_killed():
    models = {i: shops(COUNTS + i) for i in range(15)}
    method = ft.NUTS(draws=300, warmup=300)
    here = ft.fit_many(models, method, seed=2)
    with (
        LocalCluster(n_workers=3, **ALONE) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        pids = list(client.run(os.getpid).values())

        def kill() -> None:
            while not any(client.processing().values()):
                time.sleep(0.05)
            time.sleep(1)
            busy = {address for address, keys in client.processing().items() if keys}
            assert busy, "all fits were made before a worker could be killed"
            (pid,) = client.run(os.getpid, workers=[min(busy)]).values()
            os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        there = ft.fit_many(models, method, seed=2, on=client)
        thread.join()
        quick = {"simulations": 60, "draws": 20, "seed": 4}
        ranks = [ft.calibrate(models[0], SHORT, on=on, **quick).ranks for on in (None, client)]
        scores = [ft.kfold(here[0], 4, seed=1, on=on).scores for on in (None, client)]
        after = list(client.run(os.getpid).values())
    assert len(set(pids) & set(after)) == 2
    assert all(same(here[label], there[label]) for label in models)
    assert scores[0].equals(scores[1])
    assert ranks[0].equals(ranks[1])
