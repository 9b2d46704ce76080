"""Check that a run asked to stop ends with whole draws, and says that it is not whole."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from cases import command

import finetti as ft
from finetti.inference.engine import run
from finetti.inference.engine.draws import Shelf
from finetti.inference.engine.run import Chunk
from finetti.inference.progress import Display
from finetti.inference.readers import values
from finetti.inference.stopping import stoppable
from finetti.kernels.kernel import Info

METHOD = ft.NUTS(draws=400, warmup=60, chains=2)
LONG = """
import finetti as ft

@ft.model
def coin(tosses=10, heads=7):
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("seen", ft.Binomial(tosses, p), obs=heads)
"""


@ft.model
def line():
    mu = ft.sample("mu", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(mu, 1), obs=0.5)


class Asking(Display):
    """Send signals at the first report of a phase."""

    def __init__(self, phase, *signals):
        self.named, self.signals = phase, list(signals)

    def phase(self, name, wanted, chains, every=1):
        def report(chunk):
            while name == self.named and self.signals:
                signal.raise_signal(self.signals.pop(0))

        return report


@pytest.fixture(autouse=True)
def attentive():
    """Heed signals as in a terminal: what a shell starts in the background ignores SIGINT."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(run, "CHUNK_STEPS", 101)


def fit(display=False, method=METHOD):
    model = line()
    return ft.fit(model, method, plan=model.plan().as_written(), seed=3, progress=display)


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT] * 2, [signal.SIGTERM, signal.SIGINT]],
    ids=str,
)
def test_a_run_asked_to_stop_keeps_whole_draws_and_says_so(short_chunks, signals):
    whole, part = fit(), fit(Asking("sampling", *signals))
    made = part["mu"].sizes["draw"]
    assert 0 < made < METHOD.draws
    np.testing.assert_array_equal(part["mu"], whole["mu"][:, :made])
    logs = [p.tree["sample_stats"]["lp"].values for p in (part, whole)]
    np.testing.assert_array_equal(logs[0], logs[1][:, :made])
    assert part.attributes["interrupted"] == signals[-1].name
    assert part.attributes["draws_wanted"] == METHOD.draws
    assert f"interrupted: it has {made} of the 400 draws" in str(part.advice())
    assert "interrupted" not in whole.attributes
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_third_request_does_not_wait(short_chunks):
    with stoppable():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_warm_up_is_passed_on(number):
    with pytest.raises(KeyboardInterrupt):
        fit(Asking("warm-up", number))


def test_a_wish_that_comes_with_the_last_draws_leaves_the_run_whole(monkeypatch):
    monkeypatch.setattr(run, "CHUNK_FIRST", run.CHUNK_STEPS)  # the first chunk has them all
    few = replace(METHOD, draws=20)
    posterior = fit(Asking("sampling", signal.SIGINT), few)
    assert posterior["mu"].sizes["draw"] == few.draws
    assert "interrupted" not in posterior.attributes


def test_signals_that_the_program_handles_are_left_to_it(short_chunks):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        posterior = fit(Asking("sampling", signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [1]
    assert "interrupted" not in posterior.attributes


def test_an_interrupted_refit_is_not_taken_for_a_whole_one(monkeypatch):
    posterior = fit()
    part = replace(posterior, tree=posterior.tree.copy())
    part.tree.attrs["interrupted"] = "SIGINT"
    monkeypatch.setattr(sys.modules["finetti.inference.fit"], "fit", lambda *args, **given: part)
    with pytest.raises(KeyboardInterrupt):
        posterior.refit(line(), 1)


def test_an_interrupt_while_draws_are_put_away_leaves_those_before():
    """Draws count when all of a chunk is in place: nothing half copied is ever handed on."""

    def chunk(value, before):
        info = Info(*(np.full((3, 2), value) for _ in Info._fields))._replace(
            done=np.ones((3, 2), bool)
        )
        rows = np.full((3, 1, 2), value), np.full((3, 2), value), np.full((3, 1), value)
        return Chunk(run.Record(*rows, info), 3, np.full(2, before))

    class Cut(np.ndarray):
        def __getitem__(self, key):
            raise KeyboardInterrupt

    shelf = Shelf(2, 100)
    shelf.add(chunk(1.0, 0))
    cut = chunk(2.0, 3)
    cut = cut._replace(record=cut.record._replace(log_density=cut.record.log_density.view(Cut)))
    with pytest.raises(KeyboardInterrupt):
        shelf.add(cut)
    draws = shelf.draws()
    assert draws.positions.shape == (2, 3, 1)
    assert (draws.positions == 1.0).all()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_command_that_is_stopped_saves_its_draws_and_says_so(tmp_path, number, code):
    (tmp_path / "coin.py").write_text(LONG)
    words = ["fit", "coin.py", "--draws", "2000000", "--warmup", "100", "--chains", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", "from finetti.cli import main; main()", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("warm-up"):
                break
        time.sleep(3)
        process.send_signal(number)
        said += process.stdout.read()
    assert process.returncode == code, said
    assert "Stopped early" in said
    assert "The run was interrupted" in said
    assert "Traceback" not in said
    found = ft.open(tmp_path / "runs" / "coin.zarr")
    made = found["p"].sizes["draw"]
    assert 0 < made < 2_000_000
    assert abs(found["p"].mean().item() - 8 / 12) < 0.02
    assert found.attributes["interrupted"] == number.name


def test_an_interrupt_while_draws_are_read_gives_no_posterior(short_chunks, monkeypatch):
    """What is half read is not handed on: its other half would be whatever stood in memory."""
    read, calls = values.Values.read, []

    def cut(self, draws):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return read(self, draws)

    monkeypatch.setattr(values.Values, "read", cut)
    monkeypatch.setattr("finetti.inference.readers.reader.BLOCK", 20)
    with pytest.raises(KeyboardInterrupt):
        fit()
    assert len(calls) == 2


def test_ctrl_c_ends_any_command_with_its_own_exit_code(tmp_path, monkeypatch, capsys):
    def interrupted(reference):
        raise KeyboardInterrupt

    monkeypatch.setattr("finetti.cli.written.Source.parse", interrupted)
    code, _, said = command(capsys, "plan", "coin.py")
    assert code == 130
    assert "Traceback" not in said


@ft.model
def groups(y):
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("g", len(y)):
        theta = ft.sample("theta", ft.Normal(0, tau))
        ft.sample("y", ft.Poisson(np.e**theta), obs=y)


@pytest.mark.parametrize("moves", [True, False])
def test_a_tuning_of_other_coordinates_is_refused(moves):
    tuning = ft.Learned(np.float64(0.5), np.ones(4 if moves else 2))
    model = groups(np.array([1, 2, 3]))
    plan = model.plan() if moves else model.plan().as_written()
    words = "coordinates of `centre theta`" if moves else r"shape \(2,\).*4 dimensions"
    with pytest.raises(ft.ModelError, match=words):
        ft.fit(model, tuning=tuning, plan=plan, progress=False)


def test_what_warm_up_learned_takes_its_place_in_another_fit(tmp_path):
    """Step size, metric and coordinates, also from a file: the posterior is the same."""
    model, method = groups(np.array([1, 2, 3])), ft.NUTS(draws=1000, warmup=500)
    first = ft.fit(model, method, seed=1, progress=False)
    first.save(tmp_path / "run.zarr")
    learned = ft.open(tmp_path / "run.zarr").learned
    assert {name.split()[0] for name in learned.coordinates} == {"centre", "straighten"}
    again = ft.fit(model, method, seed=2, tuning=learned, progress=False)
    assert again.tree["warmup_sample_stats"].sizes["draw"] == 500
    for name, found in again.learned.coordinates.items():
        for constant, array in found.items():
            np.testing.assert_array_equal(array, learned.coordinates[name][constant])
    sizes = again.tree["sample_stats"]["step_size"].values
    assert (sizes == learned.step_size).all()
    one, two = (p.summary().loc["tau"] for p in (first, again))
    error = np.hypot(one["mcse_mean"], two["mcse_mean"])
    assert abs(one["mean"] - two["mean"]) < 4 * error


def test_a_given_tuning_does_not_keep_the_draws_on_the_way_from_the_start():
    """A chain begun far away arrives within warm-up; without one its way is among the draws."""
    model = ft.model(lambda: ft.sample("x", ft.Normal(0, 1)))()
    plan, learned = model.plan().as_written(), ft.Learned(np.float64(0.5), np.ones(1))
    far = {"x": 1000.0}
    fit = partial(ft.fit, model, plan=plan, init=far, tuning=learned, progress=False)
    whole, bare = (fit(ft.NUTS(draws=200, warmup=n)) for n in (200, 0))
    assert np.abs(whole["x"]).max() < 6  # 800 draws of a normal: beyond it once in a million
    assert np.abs(bare["x"]).max() > 100
