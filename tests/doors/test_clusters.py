"""Check that a cluster that cannot do the work is refused, and why, before any of it is done."""

import threading
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from cases import Refused, Shell
from distributed import Client, LocalCluster

import finetti as ft
from finetti.inference.cluster import reached as reaching
from finetti.inference.cluster import working
from finetti.inference.cluster.pieces import done
from zoo.groups import shops

COUNTS = np.array([3, 0, 4, 1, 7])
MODEL, LOCK = shops(COUNTS), threading.Lock()
ALONE = {"dashboard_address": ":0", "processes": False}
QUICK = ft.Automatic(draws=10, warmup=10, chains=2)


@pytest.fixture(scope="module")
def client():
    with LocalCluster(n_workers=1, **ALONE) as cluster, Client(cluster) as client:
        yield client


def fit_on(on, method=QUICK):
    return lambda: ft.fit(MODEL, method, on=on, progress=False)


@pytest.mark.parametrize(
    "case",
    [
        Refused("no address", fit_on("x"), ft.ClusterError, ("'x'", "tcp://host:8786")),
        Refused("no port", fit_on("tcp://"), ft.ClusterError, ("tcp://", "port")),
        Refused("nobody", fit_on("tcp://127.0.0.1:9"), ft.ClusterError, ("127.0.0.1:9", "refused")),
        Refused("no processes", fit_on(0), ft.ClusterError, ("on=0", "processes")),
        Refused("a mode", fit_on(2, ft.MAP()), ft.ClusterError, ("MAP", "leave on= out")),
        Refused(
            "until", fit_on(2, ft.NUTS(until=ft.ESS(9))), ft.ClusterError, ("until=", "draws=")
        ),
        Refused("minutes", fit_on(2, ft.NUTS(minutes=1)), ft.ClusterError, ("minutes=", "draws=")),
    ],
    ids=lambda case: case.name,
)
def test_python_refuses(case):
    case.check()


@pytest.mark.parametrize("on", [True, 1.5, [], object()])
def test_what_is_no_cluster_is_a_mistake_of_type(on):
    with pytest.raises(TypeError, match="on= takes a client"):
        fit_on(on)()


@pytest.mark.parametrize("verb", ["fit", "kfold", "loo", "calibrate", "fit_many"])
def test_every_verb_refuses_a_client_that_is_closed(verb):
    with LocalCluster(n_workers=0, **ALONE) as cluster:
        closed = Client(cluster, set_as_default=False)
        closed.close()
    posterior = ft.fit(MODEL, ft.NUTS(draws=40, warmup=40), progress=False)
    attempts = {
        "fit": fit_on(closed),
        "kfold": lambda: ft.kfold(posterior, 2, on=closed),
        "loo": lambda: ft.loo(posterior, good_k=-9.0, on=closed),
        "calibrate": lambda: ft.calibrate(MODEL, on=closed),
        "fit_many": lambda: ft.fit_many({"a": MODEL}, on=closed),
    }
    Refused(verb, attempts[verb], ft.ClusterError, ("closed", "open another")).check()


def test_a_cluster_without_workers_is_refused():
    with (
        LocalCluster(n_workers=0, **ALONE) as cluster,
        Client(cluster, set_as_default=False) as empty,
    ):
        Refused("empty", fit_on(empty), ft.ClusterError, ("no workers", "dask worker")).check()


@pytest.mark.parametrize(
    ("package", "version", "words"),
    [
        ("finetti", None, ("has no finetti", "install finetti")),
        ("finetti", "0.0.1", ("finetti 0.0.1", "the same")),
        ("jax", "0.4.1", ("jax 0.4.1", "the same")),
        ("Python", "3.8.1", ("Python 3.8", "the same")),
    ],
)
def test_workers_with_other_versions_are_refused_by_name(
    package, version, words, client, monkeypatch
):
    told = client.get_versions(packages=list(reaching.ALIKE))
    (worker,) = told["workers"].values()
    if package == "Python":
        worker["host"]["python"] = version
    else:
        worker["packages"][package] = version
    monkeypatch.setattr(client, "get_versions", lambda packages: told)
    Refused("versions", fit_on(client), ft.ClusterError, (*words, "worker inproc://")).check()


def test_a_worker_that_comes_later_is_asked_too(client, monkeypatch):
    monkeypatch.setattr(working, "versions", lambda: reaching.versions() | {"jax": "0.4.1"})
    Refused("late", fit_on(client), ft.ClusterError, ("jax 0.4.1", "worker inproc://")).check()


def test_what_cannot_be_sent_is_refused(client):
    @ft.model
    def locked():
        with LOCK:
            ft.sample("x", ft.Normal(0, 1))

    held = threading.Lock()

    @ft.model
    def enclosed():
        with held:
            ft.sample("x", ft.Normal(0, 1))

    for model in (locked(), enclosed()):
        attempts = (
            lambda m=model: ft.fit(m, QUICK, on=client, progress=False),
            lambda m=model: ft.fit_many({"a": m}, QUICK, on=client),
        )
        for attempt in attempts:
            Refused("lock", attempt, ft.ClusterError, ("cannot be sent", "lock")).check()


@dataclass(frozen=True)
class Failing:
    """Raise an error on a worker."""

    error: Exception

    def __call__(self, piece):
        raise self.error


@pytest.mark.parametrize(
    ("error", "becomes", "words"),
    [
        (ft.SupportError("site `x` is off"), ft.SupportError, "site `x` is off"),
        (ft.UnknownSite.among("x", ["y"], "read"), ft.UnknownSite, "cannot read `x`"),
        (ModuleNotFoundError("no", name="mine"), ft.ClusterError, "no module `mine`"),
        (ZeroDivisionError("by 0"), ZeroDivisionError, "by 0"),
    ],
)
def test_what_a_worker_raises_is_raised_here(error, becomes, words, client):
    with pytest.raises(becomes, match=words) as caught:
        done(Failing(error), range(3), client)
    assert type(caught.value) is becomes


def test_a_fit_of_many_that_fails_is_named(client):
    wrong = shops(COUNTS).condition(y=-COUNTS)
    for on in (None, client):
        with pytest.raises(ft.FinettiError, match="the fit of 'north'"):
            ft.fit_many({"south": MODEL, "north": wrong}, QUICK, on=on)


def test_many_fits_take_models_by_label():
    with pytest.raises(TypeError, match="models by label, a dict, not list"):
        ft.fit_many([MODEL])  # pyright: ignore
    with pytest.raises(ft.ModelError, match=r"ft\.fit_many takes a model"):
        ft.fit_many({"a": SimpleNamespace()})  # pyright: ignore
    assert ft.fit_many({}) == {}


FILE = """
import finetti as ft

@ft.model
def coin(tosses=10, heads=7):
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("seen", ft.Binomial(tosses, p), obs=heads)
"""


@pytest.mark.parametrize("command", ["fit", "calibrate"])
def test_the_shell_refuses_in_a_sentence(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ("no scheduler", "'nowhere'")
    arguments = (command, "coin.py", "--on", "nowhere")
    Shell("nowhere", arguments, words, files={"coin.py": FILE}).check(tmp_path, capsys)
