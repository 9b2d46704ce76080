"""Check that a run on disk is the run in memory, wherever it was cut, and says what is wrong."""

import json
import signal
import warnings
from contextlib import suppress
from dataclasses import replace
from time import perf_counter, sleep
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import finetti as ft
from doors.cases import command
from finetti.errors import DataError, MissingExtra, ModelError, SamplingError, UnknownSite
from finetti.inference import to_disk
from finetti.inference.engine import run
from finetti.inference.engine.draws import Draws
from finetti.inference.keeping import Stored
from finetti.inference.progress import Display
from finetti.inference.readers import reader
from finetti.store import identity
from finetti.store.store import Destination, Store, reopened

METHOD = ft.NUTS(draws=400, warmup=60, chains=2, thin=1)


@ft.model
def line(y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("who", ["a", "b"]):
        ft.deterministic("both", mu + np.arange(2))
    ft.sample("y", ft.Normal(mu, 1), obs=y)


MODEL = line(0.5)


class Crash(Exception):
    """Stand for whatever ends a process."""


class Crashing(Display):
    """Crash, or send a signal, at one report of a phase."""

    def __init__(self, phase, after, sent=None):
        self.named, self.left, self.sent = phase, after, sent

    def phase(self, name, wanted, chains, every=1):
        def report(chunk):
            if name == self.named:
                self.left -= 1
                if self.left == 0 and self.sent:
                    signal.raise_signal(self.sent)
                elif self.left == 0:
                    raise Crash

        return report


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(run, "CHUNK_STEPS", 151)
    monkeypatch.setattr(reader, "BLOCK", 60)
    monkeypatch.setattr("os.fsync", lambda held: None)  # nothing is killed here


def fit(out=None, display=False, method=METHOD, keep=None):
    plan = MODEL.plan().as_written()
    to = None if out is None else Destination(out, every=0.0)
    return ft.fit(MODEL, method, seed=3, plan=plan, out=to, keep=keep, progress=display)


def resume(path, model=MODEL, draws=None, display=False):
    return ft.resume(path, model, draws=draws, every=0.0, progress=display)


def assert_same(one, two, groups=("posterior", "sample_stats", "warmup_sample_stats")):
    for group in groups:
        first, second = one.tree[group].dataset, two.tree[group].dataset
        assert list(first.data_vars) == list(second.data_vars)
        for name in first.variables:
            np.testing.assert_array_equal(first[name], second[name])


def crashed(path, phase="sampling", after=4, method=METHOD, keep=None):
    with pytest.raises(Crash):
        fit(path, Crashing(phase, after), method, keep)


def test_a_run_on_disk_is_the_run_in_memory(tmp_path):
    path = tmp_path / "run.zarr"
    whole, stored = fit(), fit(path)
    assert_same(stored, whole)
    assert_same(ft.open(path), whole)
    assert set(stored.tree.children) == {*whole.tree.children, "unconstrained_posterior"}
    np.testing.assert_array_equal(
        stored.tree["unconstrained_posterior"]["position"][..., 0], whole["mu"]
    )
    assert stored.attributes["ended"] == whole.attributes["ended"] == "draws"
    assert str(stored.advice()) == str(whole.advice())
    assert resume(path)["mu"].sizes == whole["mu"].sizes  # there is nothing left to do
    with xr.open_datatree(path, engine="zarr") as plain:  # any reader of Zarr has it
        np.testing.assert_array_equal(plain["posterior"]["both"], whole["both"])
        assert plain["posterior"]["both"].coords["who"].to_numpy().tolist() == ["a", "b"]


@pytest.mark.parametrize(("phase", "after"), [("warm-up", 1), ("warm-up", 2), ("sampling", 4)])
def test_a_run_that_was_cut_gives_the_draws_of_a_whole_one(tmp_path, phase, after):
    path = tmp_path / "run.zarr"
    crashed(path, phase, after)
    if phase == "sampling":
        part = ft.open(path)
        made = part["mu"].sizes["draw"]
        assert 0 < made < METHOD.draws
        np.testing.assert_array_equal(part["mu"], fit()["mu"][:, :made])
        assert part.attributes["interrupted"] == "killed"
        assert f"it has {made} of the 400 draws" in str(part.advice())
    else:
        with pytest.raises(DataError, match="no draws yet"):
            ft.open(path)
    found = resume(path)
    assert_same(found, fit())
    assert "interrupted" not in found.attributes


def test_a_run_in_which_nothing_was_written_begins_again(tmp_path, monkeypatch):
    path = tmp_path / "run.zarr"

    def fails(*_, **__):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(Store, "commit", fails)
        with pytest.raises(Crash):
            fit(path)
    assert_same(resume(path), fit())


def test_more_draws_are_those_of_a_longer_run(tmp_path):
    path, longer = tmp_path / "run.zarr", replace(METHOD, draws=700)
    fit(path)
    found = resume(path, draws=700)
    assert_same(found, fit(method=longer))
    assert found.attributes["method"] == repr(longer)


def test_fewer_draws_than_there_are_are_refused(tmp_path):
    path = tmp_path / "run.zarr"
    crashed(path)
    with pytest.raises(DataError, match="draws a chain already: draws=10 is fewer"):
        resume(path, draws=10)
    for none in ("x", 0, 2.5):
        with pytest.raises(SamplingError, match="draws must be a whole number"):
            resume(path, draws=none)


def test_moments_go_on_where_they_were(tmp_path):
    path = tmp_path / "run.zarr"
    whole = fit(keep=["mu"])
    crashed(path, keep=["mu"])
    found = resume(path)
    np.testing.assert_array_equal(found.moments["both"], whole.moments["both"])
    assert found.moments.attrs["draws"] == 800
    assert "unconstrained_posterior" not in found.tree.children


@pytest.mark.parametrize("phase", ["warm-up", "sampling"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_stop_can_be_gone_on_with(tmp_path, phase, number):
    path = tmp_path / "run.zarr"
    stopping = Crashing(phase, 2, number)
    if phase == "warm-up":
        with pytest.raises(KeyboardInterrupt, match="finetti resume"):
            fit(path, stopping)
    else:
        part = fit(path, stopping)
        assert 0 < part["mu"].sizes["draw"] < METHOD.draws
        assert part.attributes["interrupted"] == number.name
        assert ft.open(path).attributes["interrupted"] == number.name
    found = resume(path)
    assert_same(found, fit())
    assert "interrupted" not in ft.open(path).attributes


DAMAGES = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "emptied": lambda file: file.write_bytes(b""),
    "changed": lambda file: file.write_bytes(
        bytes(b ^ (i == 99) for i, b in enumerate(file.read_bytes()))
    ),
    "gone": lambda file: file.unlink(),
}
FILES = ("posterior/mu/c/0/2", "posterior/both/c/0/1/0", "sample_stats/diverging/c/0/0")
METADATA = (
    "zarr.json",
    "posterior/zarr.json",
    "posterior/mu/zarr.json",
    "unconstrained_posterior/zarr.json",
    "sample_stats/lp/zarr.json",
    "observed_data/zarr.json",
    "observed_data/y/c",
    "posterior/who/c/0",
)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        pytest.param(file, damage, marks=() if (i + j) % 4 == 1 else pytest.mark.slow)
        for i, file in enumerate(FILES)
        for j, damage in enumerate(DAMAGES)
    ],
)
def test_a_damaged_chunk_is_found_and_made_again(tmp_path, damage, file):
    path = tmp_path / "run.zarr"
    fit(path)
    DAMAGES[damage](path / file)
    first = 60 * int(file.split("/")[4])
    if first:
        with pytest.warns(UserWarning, match=f"damaged.*from draw {first} on"):
            assert ft.open(path)["mu"].sizes["draw"] == first
    else:
        with pytest.warns(UserWarning, match="damaged"), pytest.raises(DataError, match="damaged"):
            ft.open(path)
    with pytest.warns(UserWarning, match="damaged.*it goes on"):
        found = resume(path)
    assert_same(found, fit())
    assert_same(ft.open(path), fit())


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "gone"])
@pytest.mark.parametrize("file", METADATA)
def test_damaged_metadata_are_said_or_made_again(tmp_path, damage, file):
    """Nothing is read of what they were about; where the run goes on, they are written anew."""
    path = tmp_path / "run.zarr"
    crashed(path, after=6)
    DAMAGES[damage](path / file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(DataError):
            part = ft.open(path)
            made = part["mu"].sizes["draw"]
            np.testing.assert_array_equal(part["mu"], fit()["mu"][:, :made])
        found = resume(path)
    assert_same(found, fit())
    np.testing.assert_array_equal(ft.open(path).tree["observed_data"]["y"], 0.5)


@pytest.mark.parametrize(
    ("which", "damage"),
    [
        pytest.param(which, damage, marks=() if damage == "gone" else pytest.mark.slow)
        for which in ("manifest", "state", "states")
        for damage in DAMAGES
    ],
)
def test_a_damaged_state_or_manifest_costs_the_last_draws(tmp_path, damage, which):
    path = tmp_path / "run.zarr"
    crashed(path, after=6)
    kind = "manifest-*.json" if which == "manifest" else "state-*.npz"
    files = sorted((path / ".finetti").glob(kind), key=lambda f: f.stat().st_mtime_ns)
    for file in files if which == "states" else files[-1:]:
        DAMAGES[damage](file)
    with suppress(UserWarning):
        found = resume(path)
    assert_same(found, fit())


def changed_prior(y):
    mu = ft.sample("mu", ft.Normal(0, 2))
    with ft.plate("who", ["a", "b"]):
        ft.deterministic("both", mu + np.arange(2))
    ft.sample("y", ft.Normal(mu, 1), obs=y)


def changed_sum(y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("who", ["a", "b"]):
        ft.deterministic("both", mu + 1 + np.arange(2))
    ft.sample("y", ft.Normal(mu, 1), obs=y)


OTHERS = {
    "data": (line(0.7), "argument `y` has other data"),
    "prior": (
        ft.model(changed_prior).named("line")(0.5),
        r"site `mu` was ~ Normal\(0, 1\) and is ~ Normal\(0, 2\)",
    ),
    "sum": (ft.model(changed_sum).named("line")(0.5), "what the model computes has changed|both"),
    "name": (MODEL.named("other"), "name of the model was line and is other"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_run_of_something_else_is_refused_by_what_changed(tmp_path, other):
    path = tmp_path / "run.zarr"
    crashed(path)
    model, words = OTHERS[other]
    with pytest.raises(ModelError, match=words):
        resume(path, model)
    assert_same(resume(path), fit())


def test_another_version_is_refused_by_name(tmp_path, monkeypatch):
    path = tmp_path / "run.zarr"
    crashed(path)
    with monkeypatch.context() as patched:
        patched.setattr(identity, "_version", lambda name: "99.1")
        with pytest.raises(ModelError, match=r"version of jax was .* and is 99\.1"):
            resume(path)
    with monkeypatch.context() as patched:
        patched.setattr(to_disk, "processor", lambda: "abacus")
        patched.setattr("finetti.inference.resume.processor", lambda: "abacus")
        with pytest.warns(UserWarning, match="another kind of machine"):
            resume(path)


def test_two_at_once_are_refused_by_the_name_of_the_first(tmp_path):
    path = tmp_path / "run.zarr"
    crashed(path)
    with reopened(path):
        for again in (lambda: resume(path), lambda: fit(path)):
            with pytest.raises(DataError, match=r"by another process \(pid \d+ on .*, started"):
                again()
        assert ft.open(path).attributes["interrupted"] == "not yet finished"
    assert_same(resume(path), fit())


@pytest.mark.parametrize("place", ["write", "state", "manifest"])
def test_a_full_disk_is_said_and_costs_no_whole_draws(tmp_path, monkeypatch, place):
    path = tmp_path / "run.zarr"
    owner, name = {
        "write": ("finetti.store.arrays.Arrays", "write"),
        "state": ("finetti.store.manifest.Place", "write_state"),
        "manifest": ("finetti.store.manifest.Place", "write"),
    }[place]
    module, _, kind = owner.rpartition(".")
    real, calls = getattr(getattr(__import__(module, fromlist=[kind]), kind), name), []

    def full(*args):
        calls.append(1)
        if len(calls) > 9:
            raise OSError(28, "No space left on device")
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(f"{owner}.{name}", full)
        with pytest.raises(DataError, match=r"cannot be written to: No space left.*resume"):
            fit(path)
    assert ft.open(path)["mu"].sizes["draw"] > 0
    assert_same(resume(path), fit())


def test_what_stands_at_a_path_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "run.zarr"
    crashed(path)
    with pytest.raises(DataError, match="there is an unfinished run"):
        fit(path)
    with pytest.raises(DataError, match=r"unfinished run, with which ft\.resume"):
        fit().save(path)
    resume(path)
    first = ft.open(path)["mu"].to_numpy()
    assert_same(fit(path), fit())  # a finished one is replaced
    np.testing.assert_array_equal(ft.open(path)["mu"], first)
    assert [p.name for p in tmp_path.iterdir()] == ["run.zarr"]
    fit().save(path)  # and by a run that is saved whole
    np.testing.assert_array_equal(ft.open(path)["mu"], first)
    with pytest.raises(DataError, match="no run to go on with"):
        resume(path)
    with pytest.raises(DataError, match="NetCDF"):
        fit(tmp_path / "run.nc")
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match=r"letter\.txt"):
        fit(tmp_path / "strange")
    with pytest.raises(DataError, match="there is no run"):
        resume(tmp_path / "nothing.zarr")


def test_a_search_that_was_killed_is_begun_again(tmp_path):
    path, method = tmp_path / "run.zarr", ft.MAP()

    def fails(*_, **__):
        raise Crash

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(to_disk, "search", fails)
        with pytest.raises(Crash):
            ft.fit(MODEL, method, seed=3, out=path)
    whole = ft.fit(MODEL, method, seed=3)
    np.testing.assert_array_equal(ft.resume(path, MODEL)["mu"], whole["mu"])
    np.testing.assert_array_equal(ft.open(path)["mu"], whole["mu"])


def test_a_model_is_asked_for_only_where_it_is_needed(tmp_path):
    path = tmp_path / "run.zarr"
    crashed(path)
    with pytest.raises(ModelError, match=r"ft\.resume\(path, model\)"):
        ft.resume(path)
    resume(path)
    assert ft.resume(path)["mu"].sizes["draw"] == 400


def test_zarr_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(MissingExtra, match=r"zarr.*finetti\[io\]"):
        fit(tmp_path / "run.zarr")


def test_a_run_ends_when_its_draws_are_precise_enough(tmp_path, monkeypatch):
    method = replace(METHOD, until=(ft.ESS(900), ft.MCSE("mu", 0.05)))
    found = fit(method=method)
    draws = found["mu"].sizes["draw"]
    table = found.summary()
    assert (table["ess_bulk"] >= 900).all()
    assert table.loc["mu", "mcse_mean"] <= 0.05
    assert found.attributes["ended"] == "precision"
    monkeypatch.setattr(run, "CHUNK_STEPS", 37)
    path = tmp_path / "run.zarr"
    crashed(path, after=9, method=method)
    again = resume(path)
    assert again["mu"].sizes["draw"] == draws
    assert_same(again, found)
    assert ft.open(path).attributes["ended"] == "precision"
    more = resume(path, draws=draws + 100)
    np.testing.assert_array_equal(more["mu"][:, :draws], found["mu"])
    assert more["mu"].sizes["draw"] == draws + 100
    with pytest.raises(UnknownSite, match="precision of `nu`"):
        fit(method=replace(METHOD, until=ft.MCSE("nu", 0.1)))


def test_a_run_ends_when_the_time_is_spent(tmp_path):
    method = replace(METHOD, draws=10_000_000, minutes=0.02)
    found = fit(tmp_path / "run.zarr", method=method)
    assert found.attributes["ended"] == "time"
    made = found["mu"].sizes["draw"]
    assert 0 < made < 10_000_000
    with pytest.raises(ft.SamplingError, match="minutes were spent"):
        fit(method=replace(METHOD, warmup=10_000_000, minutes=0.01))


def test_a_run_is_watched_and_gone_on_with_from_the_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coin.py").write_text(
        "import finetti as ft\n\n@ft.model\ndef coin(tosses=10, heads=7):\n"
        "    p = ft.sample('p', ft.Uniform(0, 1))\n"
        "    ft.sample('seen', ft.Binomial(tosses, p), obs=heads)\n"
    )
    words = ("--draws", "300", "--warmup", "100", "--chains", "2")
    code, said, wrong = command(capsys, "fit", "coin.py", *words)
    assert code == 0, wrong
    code, said, _ = command(capsys, "watch", "runs/coin.zarr", "--once")
    assert code == 0
    assert "300 of 300 draws" in said
    assert "finished (draws)" in said
    code, said, wrong = command(capsys, "resume", "runs/coin.zarr", "--draws", "500")
    assert code == 0, wrong
    assert ft.open("runs/coin.zarr")["p"].sizes["draw"] == 500
    until = ("--until", "ess=300", "--until", "mcse:p=0.02", "--minutes", "5")
    code, said, wrong = command(capsys, "fit", "coin.py", *words, *until)
    assert code == 0, wrong
    assert "as precise as asked for" in said
    assert ft.open("runs/coin.zarr").attributes["ended"] == "precision"
    for wrong_wish in ("ess=many", "mcse=0.1", "rhat=1"):
        code, _, wrong = command(capsys, "fit", "coin.py", "--until", wrong_wish)
        assert code == 2
        assert wrong_wish in wrong
    record = tmp_path / "runs" / "coin.zarr" / ".finetti" / "record.json"
    assert json.loads(record.read_text())["notes"]["model_file"].endswith("coin.py")
    (tmp_path / "coin.py").write_text("import finetti as ft\n")
    code, _, wrong = command(capsys, "resume", "runs/coin.zarr", "--draws", "900")
    assert code == 1
    assert "its text is not that of the fit" in wrong


def test_what_is_read_for_a_commit_counts_as_its_time(monkeypatch):
    """Else a run whose draws are dear to read would do nothing but commit."""
    told = {}
    store = SimpleNamespace(path=None, began=0.0, before=0.0)
    store.commit = lambda state, whole, began, **known: told.update(took=perf_counter() - began)
    keeper = Stored(store)
    monkeypatch.setattr(keeper, "add", lambda draws: sleep(0.05))
    keeper.commit(dict, 0, Draws(np.zeros((2, 3, 1)), {}))
    assert told["took"] >= 0.05
