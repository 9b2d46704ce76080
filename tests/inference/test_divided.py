"""Check that rows divided over devices give what they give whole."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import finetti as ft
from finetti import dividing
from finetti.errors import ClusterError
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


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_processes_share_the_rows_and_return_the_same(size, tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    ended(*(started("processes", tmp_path, i, size, port, devices=1) for i in range(size)))
    ended(started("fits", tmp_path, "clicks", "walk", devices=3))
    whole = loaded(tmp_path / "None.npz")
    first = loaded(tmp_path / "process 0.npz")
    for name, found in whole.items():
        np.testing.assert_allclose(first[name], found, rtol=1e-9, atol=1e-9)
        for i in range(1, size):
            np.testing.assert_array_equal(loaded(tmp_path / f"process {i}.npz")[name], first[name])


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
