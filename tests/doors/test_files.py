"""Save runs and open them: whole, unharmed, and never in the place of something else."""

import json
import os
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import xarray as xr

import finetti as ft
from doors.cases import Refused
from doors.runs import made, same
from finetti.posterior import whole as placing
from finetti.posterior.ordering import in_order

HERE = Path(__file__).parent
ENDINGS = (".zarr", ".nc")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and file limits of Linux")


def python(program, *arguments):
    """Return the command that runs a program of this folder, and its environment."""
    path = os.pathsep.join([str(HERE.parent), str(Path(ft.__file__).parents[1])])
    command = [sys.executable, "-W", "ignore", str(HERE / program), *map(str, arguments)]
    return {"args": command, "env": {**os.environ, "PYTHONPATH": path}, "text": True}


# Saved, and opened again.


@pytest.mark.parametrize("name", ["run.zarr", "run.nc", "run", "RUN.NC", "new/folder/run.nc"])
def test_a_run_is_opened_as_it_was_saved(tmp_path, name):
    run = made(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = run.save(tmp_path / name)
        assert same(ft.open(path), run)
        made(2).save(path)
        assert same(ft.open(path), made(2))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_other_programs_read_the_run_without_a_word(tmp_path):
    run = made(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ending, engine in ((".zarr", "zarr"), (".nc", "h5netcdf")):
            path = run.save(tmp_path / f"run{ending}")
            for options in ({}, {"engine": engine}):
                with xr.open_datatree(path, **options) as tree:
                    assert same(ft.Posterior(in_order(tree.load())), run)  # all but a note


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    for ending in ENDINGS:
        real, link = tmp_path / f"real{ending}", tmp_path / f"link{ending}"
        made(1).save(real)
        link.symlink_to(real)
        made(2).save(link)
        assert link.is_symlink()
        assert same(ft.open(real), made(2))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_of_another_program_opens_with_a_note(tmp_path, ending):
    run, path = made(1), tmp_path / f"run{ending}"
    if ending == ".nc":
        run.tree.to_netcdf(path, engine="h5netcdf")
    else:
        run.tree.to_zarr(path, zarr_format=2)
    with pytest.warns(UserWarning, match="without digests.*save it again"):
        found = ft.open(path)
    assert same(found, run)
    found.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(ft.open(path), run)


def test_a_run_with_draws_alone_is_judged(tmp_path):
    tree = xr.DataTree.from_dict({"posterior": made(1).tree["posterior"].to_dataset()})
    found = ft.open(ft.Posterior(tree).save(tmp_path / "run.nc"))
    assert len(found.summary()) == 4
    assert str(found.advice())


# Damaged.


def refused_or_equal(path, run):
    """Tell whether what is at a path is refused, or opens as the run bit for bit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return same(ft.open(path), run)
    except ft.DataError as error:
        return str(path) in str(error) and "\n" not in str(error)


def harms(content, rng, flips):
    """Yield a file's content harmed in every way."""
    yield None
    yield b""
    yield content[: len(content) // 2]
    yield content[:-1]
    yield content + bytes(9)
    for _ in range(flips if content else 0):
        harmed = bytearray(content)
        harmed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield bytes(harmed)


@pytest.mark.parametrize(
    "flips", [2, pytest.param(40, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_harm_to_any_file_of_a_store_is_seen(tmp_path, flips):
    run, rng = made(1), random.Random(20261128)
    path, tried = run.save(tmp_path / "run.zarr"), 0
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        content = file.read_bytes()
        for harmed in harms(content, rng, flips):
            file.unlink()
            if harmed is not None:
                file.write_bytes(harmed)
            assert refused_or_equal(path, run), (file, harmed)
            file.write_bytes(content)
            tried += 1
    assert tried > 30 * (5 + flips)
    assert same(ft.open(path), run)


@pytest.mark.parametrize(
    "flips", [60, pytest.param(1500, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_harm_to_any_byte_of_a_file_is_seen(tmp_path, flips):
    run, rng = made(1), random.Random(20261128)
    path = run.save(tmp_path / "run.nc")
    content = path.read_bytes()
    cut = [content[: rng.randrange(len(content))] for _ in range(flips // 3)]
    for harmed in [*cut, *list(harms(content, rng, flips))[1:]]:
        path.write_bytes(harmed)
        assert refused_or_equal(path, run)


def test_a_chunk_that_was_not_there_is_not_read(tmp_path):
    run = made(1)
    run.tree["sample_stats"]["diverging"][:] = False  # its one chunk is not written
    path = run.save(tmp_path / "run.zarr")
    assert same(ft.open(path), run)
    other = path / "sample_stats" / "diverging" / "0.0"
    other.write_bytes((path / "sample_stats" / "steps" / "0.0").read_bytes())
    with pytest.raises(ft.DataError, match=r"`sample_stats/diverging/0\.0` was not there"):
        ft.open(path)


@pytest.mark.parametrize("gone", ["posterior/mu/0.0", ".zmetadata"])
def test_a_store_without_digests_that_lacks_draws_is_refused(tmp_path, gone):
    path = tmp_path / "run.zarr"
    made(1).tree.to_zarr(path, zarr_format=2)
    (path / gone).unlink()
    with pytest.raises(ft.DataError):
        ft.open(path)


# Killed.


@linux
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_save_killed_at_any_step_leaves_the_old_run_or_the_new(tmp_path, ending):
    stretch = 70 if ending == ".zarr" else 2
    kept = killed(tmp_path / f"run{ending}", 1, stretch)
    assert kept["killed"] >= 3
    assert kept["old"] + kept["new"] == kept["killed"] + 1


@pytest.mark.slow
@linux
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_save_killed_at_every_step_leaves_the_old_run_or_the_new(tmp_path, ending):
    kept = killed(tmp_path / f"run{ending}", 1, 1)
    assert kept["killed"] >= (100 if ending == ".zarr" else 5)
    assert kept["old"] + kept["new"] == kept["killed"] + 1
    assert kept["old"] >= 2
    assert kept["new"] >= 1


def killed(path, first, step):
    path.parent.mkdir(exist_ok=True)
    ended = subprocess.run(
        **python("killed.py", path, first, step), capture_output=True, check=True, timeout=580
    )
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    "kills", [2, pytest.param(50, marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_killed_at_a_random_moment_leaves_a_whole_run(tmp_path, ending, kills):
    path, rng = tmp_path / f"run{ending}", random.Random(7)
    runs = made(1, 400), made(2, 400)
    for _ in range(kills):
        with subprocess.Popen(**python("saving.py", path), stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == "saving\n"
            time.sleep(rng.random() * 0.4)
            process.kill()
        found = ft.open(path)
        assert any(same(found, run) for run in runs)


def test_a_folder_killed_between_its_two_renames_is_found_and_replaced(tmp_path):
    path = made(1).save(tmp_path / "run.zarr")
    parked = path.rename(tmp_path / f".run.zarr.{placing.REPLACED}-00000000")
    assert same(ft.open(path), made(1))
    made(2).save(path)
    assert same(ft.open(path), made(2))
    assert not parked.exists()


def test_what_the_killed_left_is_cleared_away_once_it_is_old(tmp_path):
    left = tmp_path / f".run.nc.{placing.UNFINISHED}-00000000"
    left.write_bytes(b"half")
    made(1).save(tmp_path / "run.nc")
    assert left.exists()  # another process may be at it
    os.utime(left, (0, 0))
    made(1).save(tmp_path / "run.nc")
    assert not left.exists()


# No room.


@linux
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_the_old_run_and_the_process_alive(tmp_path, ending):
    path = tmp_path / f"run{ending}"
    ended = subprocess.run(**python("saving.py", path, 60_000), capture_output=True)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert "cannot be saved at" in said[0]
    assert "File too large" in said[0]
    assert said[1] == "alive"
    assert same(ft.open(path), made(1))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# Something else is there.


def laid(folder, *names):
    """Lay files with some text into a folder; return what there is to be saved over."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious", encoding="utf-8")
    return folder


PLACES = {  # by the name to save at: the files laid, and what is said
    "notes": (("notes/a.txt",), "holds `a.txt`"),
    "notes.zarr": (("notes.zarr/deep/er/a.txt",), "holds `deep/er/a.txt`"),
    "numbers": (("numbers/1",), "holds no run"),
    "hidden": (("hidden/.git/config",), "holds `.git/config`"),
    "zarr": (("zarr/.zgroup", "zarr/mine/.zarray", "zarr/mine/0.0"), "holds no run"),
    "file.zarr": (("file.zarr",), "is a file, no Zarr folder"),
    "file": (("file",), "is a file, no Zarr folder"),
    "text.nc": (("text.nc",), "is a file that holds no run"),
    "folder.nc": (("folder.nc/a.txt",), "is a folder, no NetCDF file"),
    "file/run.zarr": (("file",), "file is a file, no folder"),
    "file/run.nc": (("file",), "file is a file, no folder"),
}


@pytest.mark.parametrize("name", PLACES)
def test_nothing_but_a_run_is_replaced(tmp_path, name):
    files, words = PLACES[name]
    laid(tmp_path, *files)
    with pytest.raises(ft.DataError) as caught:
        made(1).save(tmp_path / name)
    assert words in str(caught.value)
    assert all((tmp_path / file).read_text() == "precious" for file in files)
    assert sum(p.is_file() for p in tmp_path.rglob("*")) == len(files)


def test_a_run_with_a_stranger_in_it_is_not_replaced(tmp_path):
    path = made(1).save(tmp_path / "run.zarr")
    laid(path, "model.py")
    with pytest.raises(ft.DataError, match=r"holds `model\.py`, which is no part of a run"):
        made(2).save(path)
    assert same(ft.open(path), made(1))


def test_another_hdf5_file_is_not_replaced_and_a_damaged_run_is(tmp_path):
    import h5py

    with h5py.File(tmp_path / "other.nc", "w") as file:
        file["mine"] = [1.0]
    with pytest.raises(ft.DataError, match="holds no run"):
        made(1).save(tmp_path / "other.nc")
    for ending in ENDINGS:
        path = made(1).save(tmp_path / f"run{ending}")
        file = path if path.is_file() else path / "posterior" / "mu" / "0.0"
        file.write_bytes(file.read_bytes()[:10] + b"!" + file.read_bytes()[11:])
        made(2).save(path)
        assert same(ft.open(path), made(2))


def test_an_empty_folder_or_file_is_no_hindrance(tmp_path):
    (tmp_path / "run.zarr").mkdir()
    (tmp_path / "run.nc").touch()
    for ending in ENDINGS:
        assert same(ft.open(made(1).save(tmp_path / f"run{ending}")), made(1))


# Nothing that could be saved or opened.


def write(name, content):
    Path(name).write_bytes(content)
    return ft.open(name)


def deep():
    Path("deep.zarr").mkdir()
    (Path("deep.zarr") / ".zmetadata").write_text("[" * 100_000, encoding="utf-8")
    return ft.open("deep.zarr")


def kept(dataset, name="run.nc"):
    xr.DataTree.from_dict({"posterior": dataset}).to_netcdf(name, engine="h5netcdf")
    return ft.open(name)


def noted(**attributes):
    run = made(1)
    run.tree.attrs |= attributes
    return ft.open(run.save("noted.nc"))


def unsavable(name):
    run = made(1)
    run.tree.attrs["odd"] = object()
    return run.save(name)


LABELS = xr.Dataset({"mu": (("chain", "draw"), [[1.0]])})
CASES = [
    Refused("no path", lambda: ft.open(None), ft.DataError, ("takes a path", "None")),
    Refused("a number", lambda: ft.open(3), ft.DataError, ("takes a path", "3")),
    Refused("an empty path", lambda: ft.open(""), ft.DataError, ("takes a path",)),
    Refused("a null", lambda: ft.open("a\0.nc"), ft.DataError, ("takes a path",)),
    Refused("a posterior", lambda: ft.open(made(1)), ft.DataError, ("takes a path",)),
    Refused("nowhere", lambda: ft.open("no.zarr"), ft.DataError, ("there is no run at no.zarr",)),
    Refused("a long name", lambda: ft.open("n" * 300), ft.DataError, ("no run",)),
    Refused("empty file", lambda: write("e.nc", b""), ft.DataError, ("e.nc is no run",)),
    Refused("text", lambda: write("t.nc", b"text"), ft.DataError, ("t.nc is no run",)),
    Refused("text as Zarr", lambda: write("t.zarr", b"x"), ft.DataError, ("t.zarr is no run",)),
    Refused("here", lambda: ft.open("."), ft.DataError, (". is no run",)),
    Refused("a device", lambda: ft.open("/dev/null"), ft.DataError, ("neither a file nor",)),
    Refused("nested", deep, ft.DataError, ("deep.zarr is no run",)),
    Refused("no draws", lambda: kept(LABELS.isel(draw=[])), ft.DataError, ("shape (1, 0)",)),
    Refused(
        "no chains",
        lambda: kept(LABELS.isel(chain=0)),
        ft.DataError,
        ("`mu`", "(chain, draw"),
    ),
    Refused("odd plan", lambda: noted(plan="{bad"), ft.DataError, ("notes of its fit",)),
    Refused("odd seconds", lambda: noted(seconds="soon"), ft.DataError, ("notes of its fit",)),
    Refused("save no path", lambda: made(1).save(None), ft.DataError, ("takes a path",)),
    Refused("save nowhere", lambda: made(1).save(""), ft.DataError, ("takes a path",)),
    Refused("save in a device", lambda: made(1).save("/dev/null/x"), ft.DataError, ("/dev/null",)),
    Refused("save a long name", lambda: made(1).save("n" * 300), ft.DataError, ("too long",)),
    Refused("save odd notes", lambda: unsavable("o.nc"), ft.DataError, ("o.nc as NetCDF",)),
    Refused("and in Zarr", lambda: unsavable("o.zarr"), ft.DataError, ("o.zarr as Zarr",)),
    Refused("page in a folder", lambda: ft.report(made(1), "."), ft.DataError, ("is a folder",)),
    Refused(
        "page nowhere", lambda: ft.report(made(1), "/dev/null/x"), ft.DataError, ("/dev/null",)
    ),
    Refused("no page", lambda: ft.report(made(1), None), ft.DataError, ("takes a path",)),
    Refused(
        "page over a program",
        lambda: ft.report(made(1), laid(Path(), "model.py") / "model.py"),
        ft.DataError,
        ("model.py is there already", ".html"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_is_no_run_or_no_place_is_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case.check()


def test_a_run_replaced_while_it_is_read_is_not_mixed_with_the_new_one(tmp_path, monkeypatch):
    path = made(1).save(tmp_path / "run.zarr")
    load = xr.DataTree.load

    def replaced(tree):
        made(2).save(path)
        return load(tree)

    monkeypatch.setattr(xr.DataTree, "load", replaced)
    with pytest.raises(ft.DataError, match="was replaced while it was read"):
        ft.open(path)
