"""Check that rows divided over devices give what they give whole."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import finetti as ft
from finetti import dividing
from finetti.errors import ClusterError
from finetti.posterior.digests import FOLDER
from finetti.store.manifest import Place
from zoo.groups import shops

SCRIPT = Path(__file__).with_name("divided.py")
COUNTS = np.array([3, 0, 4, 1, 7])


def started(*arguments: object, devices: int) -> subprocess.Popen[str]:
    flags = f"--xla_force_host_platform_device_count={devices}"
    told = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(
        command, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(*processes: subprocess.Popen[str]) -> None:
    said = [process.communicate(timeout=550)[0] for process in processes]
    assert not any(process.returncode for process in processes), "\n\n".join(said)


def loaded(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as found:
        return dict(found)


@pytest.fixture(scope="module")
def densities(tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """Return what three devices make of each model's density."""
    folder = tmp_path_factory.mktemp("densities")
    ended(started("densities", folder, devices=3))
    found = {file.stem: loaded(file) for file in folder.glob("*.npz")}
    assert set(found) == {"clicks", "wide", "amounts"}
    return found


def test_the_density_is_that_of_whole_rows(densities):
    """Also where no number of devices divides them, and where rows are an array's last axis."""
    for name, found in densities.items():
        for kind in ("height", "slope"):
            one, other = found[kind], found[f"divided_{kind}"]
            scale = np.abs(one).max()
            np.testing.assert_allclose(other / scale, one / scale, atol=1e-13, err_msg=name)


def test_each_device_holds_its_part_alone(densities):
    for name, found in densities.items():
        assert len(found["shares"]) >= 9, name  # three arrays of rows, at least
        np.testing.assert_allclose(found["shares"], 1 / 3)


def test_gradients_meet_in_one_sum(densities):
    """A step exchanges nothing else, and nothing that has as many numbers as there are rows."""
    for name, found in densities.items():
        (exchange,) = found["exchanged"]
        assert " all-reduce(" in exchange, name
        assert "6668" not in exchange, name  # rows of a part
        assert "20004" not in exchange, name


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("clicks", "walk"),
        *(
            pytest.param(model, method, marks=pytest.mark.slow)
            for model, method in (("clicks", "nuts"), ("zeros", "walk"), ("few", "independent"))
        ),
    ],
)
def test_draws_are_those_of_whole_rows(model, method, tmp_path):
    """They differ in rounding; a run that is gone on with has those it would have had.

    Modes that a mixture is fitted at are found to some digits, and so are draws from it.
    """
    ended(started("fits", tmp_path, model, method, devices=3))
    whole, divided, resumed = (loaded(tmp_path / f"{n}.npz") for n in (None, 3, "resumed"))
    assert whole
    near = 1e-5 if method == "independent" else 1e-8
    for name, found in whole.items():
        assert np.ptp(found) > 0
        np.testing.assert_allclose(divided[name], found, rtol=near, atol=near)
        np.testing.assert_array_equal(divided[name], resumed[name])


def in_processes(folder: Path, way: str, size: int) -> list[subprocess.Popen[str]]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [started("processes", folder, way, i, size, port, devices=1) for i in range(size)]


def same(folder: Path, way: str, size: int) -> dict[str, np.ndarray]:
    """Return the draws of the first process, which all others must have too."""
    first = loaded(folder / f"{way} 0.npz")
    for i in range(1, size):
        other = loaded(folder / f"{way} {i}.npz")
        for name, found in first.items():
            np.testing.assert_array_equal(other[name], found)
    return first


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_processes_share_the_rows_and_return_the_same(size, tmp_path):
    ended(*in_processes(tmp_path, "memory", size))
    ended(started("fits", tmp_path, "clicks", "walk", devices=3))
    whole = loaded(tmp_path / "None.npz")
    first = same(tmp_path, "memory", size)
    for name, found in whole.items():
        np.testing.assert_allclose(first[name], found, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_processes_that_are_killed_are_gone_on_with_by_others(tmp_path):
    """One writes; all return the draws of a run that nothing ended, bit for bit."""
    at_once, cut = tmp_path / "at once", tmp_path / "cut"
    at_once.mkdir()
    cut.mkdir()
    ended(*in_processes(at_once, "disk", 2))
    whole = same(at_once, "disk", 2)
    processes = in_processes(cut, "disk", 2)
    until = time.monotonic() + 300
    while time.monotonic() < until and not any(p.poll() for p in processes):
        found = Place(cut / "run.zarr" / FOLDER).read()
        if found is not None and found.draws:
            break
        time.sleep(0.05)
    for process in processes:
        process.kill()
        process.wait()
    killed = ft.open(cut / "run.zarr")
    assert 0 < killed.tree["posterior"].sizes["draw"] < 150
    ended(*in_processes(cut, "resumed", 2))
    resumed = same(cut, "resumed", 2)
    assert whole["b"].shape == (2, 150, 3)
    for name, draws in whole.items():
        np.testing.assert_array_equal(resumed[name], draws)


@pytest.mark.slow
def test_a_place_that_cannot_be_written_ends_all_processes(tmp_path):
    (tmp_path / "run.zarr").mkdir()
    (tmp_path / "run.zarr" / "letters").write_text("not a run")
    first, second = in_processes(tmp_path, "disk", 2)
    said = [process.communicate(timeout=300)[0] for process in (first, second)]
    assert first.returncode
    assert second.returncode
    assert "no part of a run" in said[0]
    assert "process 0, which writes for all, has failed" in said[1]


@pytest.mark.parametrize(
    ("devices", "error", "said"),
    [
        (9999, ClusterError, "JAX sees"),
        (0, ClusterError, "give from 1"),
        ([], ClusterError, "lists no device"),
        (True, TypeError, "a number of devices"),
        ("2", TypeError, "a number of devices"),
        ([1, 2], TypeError, "a number of devices"),
        (2.0, TypeError, "a number of devices"),
    ],
    ids=repr,
)
def test_wrong_devices_are_refused(devices, error, said):
    with pytest.raises(error, match=said):
        ft.fit(shops(COUNTS), progress=False, devices=devices)


def test_rows_are_not_spread_twice():
    with pytest.raises(ClusterError, match="give one"):
        ft.fit(shops(COUNTS), progress=False, devices=1, on=2)


def test_data_that_are_few_stay_whole():
    """One device may be given, and changes nothing."""
    (device,) = dividing.meant(1)
    tree = {"few": np.zeros(dividing.FEWEST - 1), "number": 3}
    assert dividing.divided(tree, [device]) is not tree
    assert dividing.mesh_of(dividing.divided(tree, [device])) is None
    assert dividing.mesh_of(dividing.divided(np.zeros(dividing.FEWEST), [device])) is not None
