"""Refuse what is wrong at the shell in one paragraph of the shell's own words, and lose nothing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import finetti as ft
from doors.cases import Refused, Shell, command
from doors.runs import made, same
from finetti.cli import commands, fitted
from finetti.cli.source import Source
from finetti.cli.words import spoken
from finetti.posterior.posterior import Posterior

COIN = """
import finetti as ft

@ft.model
def coin(tosses=10, heads=7):
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("seen", ft.Binomial(tosses, p), obs=heads)
"""
HOMES = """
import finetti as ft

@ft.model
def homes(county, radon):
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(0, 1))
    with ft.plate("home", len(radon)):
        ft.sample("radon", ft.Normal(alpha[county], 1), obs=radon)
"""
TRAP = 'open("sprung", "w").close()\n'
TABLE = "county,radon\nA,1\nB,2\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, and leave the path as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def fit(name, *words, out="", content=COIN, code=2, **files):
    """State how `finetti fit coin.py` ends; the model has the content, the names dots for `_`."""
    laid = {"coin.py": content} | {n.replace("_", "."): c for n, c in files.items()}
    arguments = ("fit", "coin.py", *(("--out", out) if out else ()))
    return Shell(name, arguments, words, code, laid, absent=("runs",))


def plan(name, *words, content=COIN, file="coin.py"):
    """State how `finetti plan` refuses a model file."""
    return Shell(f"model: {name}", ("plan", file), words, 1, {file: content}, absent=("runs",))


def table(name, *words, content, ending="csv"):
    """State how `finetti fit` refuses a table, before it makes any folder."""
    data = f"table.{ending}"
    files = {"homes.py": HOMES, data: content}
    arguments = ("fit", "homes.py", "--data", data)
    return Shell(f"table: {name}", arguments, (data, *words), 1, files, absent=("runs",))


def option(name, *arguments, says=()):
    """State how usage is refused."""
    return Shell(f"usage: {name}", arguments, says, 2, {"coin.py": COIN, "new.csv": "county\nA\n"})


ENDLESS = COIN.replace("0, 1)", "0, deeper(1))").replace(
    "@ft", "def deeper(x):\n    return -deeper(x)\n\n@ft"
)
CASES = [
    fit("out is a file", "f.zarr is a file, no Zarr folder", out="f.zarr", f_zarr="x"),
    fit("out is text", "f.nc is a file that holds no run", out="f.nc", f_nc="x"),
    fit("out below a file", "coin.py is a file, no folder", out="coin.py/run.zarr"),
    fit("out below a device", "/dev/null/run.nc cannot be written", out="/dev/null/run.nc"),
    fit("out in a machine's folder", "/proc/run.zarr cannot be written", out="/proc/run.zarr"),
    fit("out of no ending", "ends in .zarr or .nc, not run", out="run"),
    fit("out of a long name", "too long", out="n" * 300 + ".nc"),
    Shell(
        "out is a folder of something else",
        ("fit", "coin.py", "--out", "d.zarr"),
        ("d.zarr holds `notes.txt`, which is no part of a run", "give another name"),
        2,
        {"coin.py": COIN, "d.zarr/notes.txt": "precious"},
        absent=("runs",),
    ),
    Shell(
        "out is a folder for a file",
        ("fit", "coin.py", "--out", "d.nc"),
        ("d.nc is a folder, no NetCDF file",),
        2,
        {"coin.py": COIN, "d.nc/notes.txt": "precious"},
    ),
    *(
        Shell(
            f"a seed of {seed}",
            ("fit", "coin.py", f"--seed={seed}"),
            ("--seed",),
            2,
            {"coin.py": COIN},
            absent=("runs",),
        )
        for seed in ("9" * 20, "-1", "1.5", "x", "1e3", "nan", str(2**63))
    ),
    plan("in UTF-16", "coin.py is no text in UTF-8", content=COIN.encode("utf-16")),
    plan("in UTF-16 without its mark", "no text in UTF-8", content=COIN.encode("utf-16-le")),
    plan("in UTF-32", "no text in UTF-8", content=COIN.encode("utf-32")),
    plan("in Latin-1", "no text in UTF-8", content=b"# \xe9\n" + COIN.encode()),
    plan("with a null", "no text in UTF-8", content=b"x = 1\0\n" + COIN.encode()),
    plan("of no known coding", "no text", content=b"# -*- coding: odd -*-\n" + COIN.encode()),
    plan("that exits", "ends Python", "sys.exit", content="import sys\nsys.exit(0)\n" + COIN),
    plan("that quits", "ends Python", content="raise SystemExit\n"),
    plan("endless", "calls itself", "without end", content=ENDLESS),
    plan("endless at once", "goes (line 2)", content="def f():\n    return f()\nf()\n"),
    plan("endless in itself", "model `coin` calls itself", content=COIN + "    coin()\n"),
    plan("nested brackets", "coin.py raised", content="x = " + "(" * 5000 + ")" * 5000),
    plan("nested sums", "deeper than Python reads", content="x = " + "-" * 200_000 + "1"),
    plan("no text at all", "coin.py has no function marked", content=b""),
    plan("of another name", "is no Python file", file="coin.txt"),
    table("in UTF-16 without its mark", "null", "UTF-8", content=TABLE.encode("utf-16-le")),
    table("in Latin-1", "UTF-8 (in line 3)", content="county,radon\nA,1\nÉ,2\n".encode("latin-1")),
    table("with a null", "null characters", content=b"county,radon\nA\0,1\n"),
    table("of bytes", "UTF-8", content=bytes(range(256))),
    table("empty", "empty", content=b""),
    table("nested", "deeper than a table", content="[" * 100_000 + "]" * 100_000, ending="json"),
    table(
        "nested in a column",
        "deeper than a table",
        content='{"county":' + "[" * 100_000 + "]" * 100_000 + "}",
        ending="json",
    ),
    table("nested in a line", content='{"a":' + "[" * 9999 + "\n", ending="jsonl"),
    table("half", content="{", ending="json"),
    table("of a number", content="3", ending="json"),
    table("of 5000 digits", content='{"radon":[' + "9" * 5000 + "]}", ending="json"),
    table("no Parquet", content=b"PAR1 and so on PAR1", ending="parquet"),
    table("no Arrow", content=b"ARROW1 and so on", ending="arrow"),
    Shell("no run", ("summary", "no.zarr"), ("there is no run at no.zarr",)),
    Shell("text for a run", ("summary", "a.nc"), ("a.nc is no run",), 1, {"a.nc": "text"}),
    Shell("folder for a run", ("report", "d"), ("d is no run",), 1, {"d/a.txt": "text"}),
    Shell(
        "no posterior",
        ("calibrate", "coin.py", "--posterior", "no"),
        ("no run",),
        1,
        {"coin.py": COIN},
    ),
    Shell(
        "no images", ("vision", "a.npz", "a.npz"), ("a.npz cannot be read",), 1, {"a.npz": "PK\3\4"}
    ),
    Shell("no picture", ("vision", "read", "a.png", "--font", "a.ttf"), ("no file a.png",)),
    Shell(
        "text for a picture",
        ("vision", "read", "a.png", "--font", "a.ttf"),
        ("a.png cannot be read as an image",),
        1,
        {"a.png": "no image"},
    ),
    Shell(
        "text for a font",
        ("vision", "read", "a.pgm", "--font", "a.ttf"),
        ("a.ttf is no font that can be read",),
        1,
        {"a.pgm": b"P5 3 3 255 123456789", "a.ttf": "no font"},
    ),
    Shell(
        "no words",
        ("vision", "read", "a.pgm", "--font", "a.ttf", "--words", "a.txt"),
        ("there is no file of words a.txt",),
        1,
        {"a.pgm": b"P5 3 3 255 123456789"},
    ),
    Shell(
        "words of other letters",
        ("vision", "read", "a.pgm", "--font", "f", "--words", "a.txt", "--characters", "01"),
        ("a.txt has no word of the characters '01'",),
        1,
        {"a.pgm": b"P5 3 3 255 123456789", "a.txt": "rum\n"},
    ),
    option("no probability", "vision", "a", "b", "--reject", "1.5", says=("--reject 1.5",)),
    option("predictions' ending", "predict", "r.nc", "--out", "p.txt", says=("--out", ".csv")),
    option(
        "predictions over rows",
        "predict",
        "r.nc",
        "--newdata",
        "new.csv",
        "--out",
        "new.csv",
        says=("what is read",),
    ),
    option(
        "predictions over the run",
        "predict",
        "r.nc",
        "--out",
        "r.nc",
        says=("--out r.nc is what is read",),
    ),
    option(
        "predictions below a file", "predict", "r.nc", "--out", "coin.py/p.csv", says=("no folder",)
    ),
    option("no draws", "predict", "r.nc", "--draws", "0", says=("--draws",)),
    option("page over a program", "report", "r.nc", "--out", "coin.py", says=("--out", ".html")),
    option("page below a file", "report", "r.nc", "--out", "coin.py/p.html", says=("no folder",)),
    option(
        "page in a machine's folder",
        "report",
        "r.nc",
        "--out",
        "/proc/p.html",
        says=("cannot be written",),
    ),
    option("picture's ending", "check", "r.nc", "--picture", "p.txt", says=("--picture", ".png")),
    option(
        "picture below a file", "check", "r.nc", "--picture", "coin.py/p.png", says=("no folder",)
    ),
    option("ranks' ending", "calibrate", "coin.py", "--plot", "p", says=("--plot", ".png")),
    option(
        "few simulations", "calibrate", "coin.py", "--simulations", "3", says=("--simulations",)
    ),
    option("one run", "compare", "r.nc", says=("at least two RUNS",)),
    option("one fold", "compare", "r.nc", "s.nc", "--folds", "1", says=("--folds",)),
    option("one model", "compare", "r.nc", "s.nc", "--model", "coin.py", says=("--model once",)),
    option("demo in a file", "demo", "--out", "coin.py", says=("coin.py is a file",)),
    option("demo of no story", "demo", "tides", says=("STORY is one of eight_schools", "'tides'")),
    option("two stories", "demo", "coal", "radon", says=("radon",)),
    option("a story in a file", "demo", "coal", "--out", "coin.py", says=("coin.py is a file",)),
    option("doctor of something", "doctor", "coin.py", says=("coin.py",)),
    option("images in a file", "vision", "a", "b", "--out", "coin.py", says=("coin.py is a file",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_is_wrong_is_refused_in_a_paragraph(case, folder, capsys):
    case.check(folder, capsys)
    for name, content in case.files.items():
        kept = (folder / name).read_bytes()
        assert kept == (content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left"),
        MemoryError(),
        RecursionError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    ],
    ids=repr,
)
def test_what_the_machine_refuses_is_a_paragraph_too(folder, capsys, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(commands, "open_run", fails)
    code, _, said = command(capsys, "summary", "run.nc")
    assert code == 1
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_an_error_of_our_own_is_not_hidden(folder, monkeypatch, capsys):
    monkeypatch.setattr(commands, "open_run", lambda _: {}["a bug"])
    with pytest.raises(KeyError, match="a bug"):
        commands.app(["summary", "run.nc"])


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl"])
def test_tables_are_read_in_the_codings_that_say_what_they_are(folder, ending, coding):
    from finetti.reading.read import read

    text = {
        "csv": "county,radon\nÉ,1\nB,2\n",
        "tsv": "county\tradon\nÉ\t1\nB\t2\n",
        "json": '{"county": ["É", "B"], "radon": [1, 2]}',
        "jsonl": '{"county": "É", "radon": 1}\n{"county": "B", "radon": 2}\n',
    }[ending]
    (folder / f"t.{ending}").write_bytes(text.encode(coding))
    found = read(folder / f"t.{ending}")
    assert {name: list(column) for name, column in found.items()} == {
        "county": ["É", "B"],
        "radon": [1, 2],
    }


# Draws are never lost.


def fitted_without_sampling(monkeypatch, folder):
    """Have `finetti fit` draw at once."""
    (folder / "coin.py").write_text(COIN, encoding="utf-8")
    monkeypatch.setattr(commands, "fit", lambda model, method, **_: made(1, method.draws))


def test_draws_that_cannot_be_saved_are_saved_beside(folder, capsys, monkeypatch):
    """In one go, that is: a .zarr run is written as it is made, and made again where it ends."""
    fitted_without_sampling(monkeypatch, folder)
    save = Posterior.save

    def refuses(self, path):
        if "unsaved" not in str(path):
            raise ft.DataError(f"the run cannot be saved at {path}: No space left on device")
        return save(self, path)

    monkeypatch.setattr(Posterior, "save", refuses)
    code, out, said = command(capsys, "fit", "coin.py", "--draws", "50", "--out", "run.nc")
    assert code == 1
    assert "No space left" in said
    assert "theta" in out
    (place,) = folder.glob("run-unsaved-*")
    assert place.name in said
    assert place.suffix == ".nc"
    np.testing.assert_array_equal(ft.open(place)["mu"], made(1)["mu"])


def test_draws_that_can_be_saved_nowhere_near_are_saved_elsewhere(
    folder, capsys, monkeypatch, tmp_path_factory
):
    fitted_without_sampling(monkeypatch, folder)
    elsewhere, save = tmp_path_factory.mktemp("elsewhere"), Posterior.save

    def refuses(self, path):
        if not Path(path).is_relative_to(elsewhere):
            raise OSError(30, "Read-only file system")
        return save(self, path)

    monkeypatch.setattr(Posterior, "save", refuses)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(elsewhere))
    code, _, said = command(capsys, "fit", "coin.py", "--draws", "50", "--out", "run.nc")
    assert code == 1
    (place,) = elsewhere.iterdir()
    assert str(place) in said.replace("\n", "")
    assert len(ft.open(place)["mu"].draw) == 50


# Programs that a run names.


@pytest.fixture
def received(folder):
    """Lay a run that claims to be of a model file beside it, or in it."""

    def lay(place, text=TRAP + COIN, digest=None):
        run = made(1)
        run.save("run.zarr")
        file = Path(place).resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        told = hashlib.sha256(text.encode()).hexdigest() if digest is None else digest
        run.tree.attrs |= {fitted.FILE: str(place), fitted.TEXT: told}
        run.save("run.zarr")
        file.write_text(text, encoding="utf-8")
        return file

    return lay


COMMANDS = [("check", "run.zarr"), ("predict", "run.zarr"), ("compare", "run.zarr", "run.zarr")]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: a[0])
@pytest.mark.parametrize("place", ["run.zarr/model.py", "model.py", "/proc/self/cwd/model.py"])
def test_a_program_that_a_run_names_is_not_run(received, capsys, arguments, place):
    received(place)
    code, _, said = command(capsys, *arguments)
    assert code == 1
    assert "it has not been fitted here" in said
    assert "--model" in said
    assert not Path("sprung").exists()


def test_a_report_and_a_summary_do_without_a_program_that_is_not_yours(received, capsys):
    received("model.py")
    code, out, _ = command(capsys, "report", "run.zarr")
    assert code == 0
    assert "Without the model" in out
    assert "it has not been fitted here" in " ".join(out.split())
    assert Path("run.html").stat().st_size > 1000
    assert command(capsys, "summary", "run.zarr")[0] == 0
    assert not Path("sprung").exists()


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: a[0])
def test_a_program_that_you_changed_since_is_not_run(received, capsys, arguments):
    file = received("model.py", COIN)
    fitted.remember(Source(file), COIN.encode())
    file.write_text(TRAP + COIN, encoding="utf-8")
    code, _, said = command(capsys, *arguments)
    assert code == 1
    assert "its text is not that of the fit" in said
    assert not Path("sprung").exists()


def test_a_program_that_you_fitted_here_or_name_is_run(received, capsys):
    file = received("model.py")
    assert "holds no draws of `p`" in command(capsys, "check", "run.zarr", "--model", "model.py")[2]
    assert Path("sprung").exists()
    Path("sprung").unlink()
    fitted.remember(Source(file), (TRAP + COIN).encode())
    assert "holds no draws of `p`" in command(capsys, "check", "run.zarr")[2]
    assert Path("sprung").exists()


@pytest.mark.parametrize("odd", ["", 3, "gone.py", "n" * 5000 + ".py", "a.py:b:c", "/dev/null"])
def test_an_odd_note_of_a_model_is_a_sentence(folder, capsys, odd):
    run = made(1)
    run.tree.attrs[fitted.FILE] = odd
    run.save("run.zarr")
    code, _, said = command(capsys, "check", "run.zarr")
    assert code == 1
    assert "give" in said
    assert said.count("\n") == 1
    assert len(said) < 700


def test_predictions_are_no_fit(folder, capsys):
    run = made(1)
    run.tree["predictions"] = run.tree["posterior"]
    del run.tree["posterior"]
    assert same(ft.open(run.save("p.nc")), run)
    assert "predictions" in repr(ft.open("p.nc"))
    for arguments in (("summary", "p.nc"), ("report", "p.nc"), ("check", "p.nc")):
        code, _, said = command(capsys, *arguments)
        assert code == 1
        assert "no draws of a posterior" in said


# The shell's words.


@pytest.mark.parametrize(
    ("python", "shell"),
    [
        ('new_groups="sample" draws, at="mean"', "--new-groups sample draws, --at mean"),
        ("as in draws=40, or for fewer rows", "as in --draws 40, or for fewer rows"),
        ("raise refits=, or use ft.kfold", "raise --refits, or use ft.kfold"),
        ("around a fit with posterior=...", "around a fit with --posterior"),
        ("Take ft.NUTS(warmup=2000, draws=2000).", "Take --warmup 2000 --draws 2000."),
        ("or sample by ft.NUTS().", "or sample by --method nuts."),
        ("as of='radon'", "as --of radon"),
        ("give it, as posterior.of(model)", "give it, by --model and --data"),
        ("use metric=Dense() for strong", "use metric=Dense() for strong"),
        ("say by priors= how large", "say by --prior how large"),
    ],
)
def test_python_is_said_in_the_words_of_the_shell(python, shell):
    assert spoken(python) == shell


# What is no model, and what is no posterior, at Python's doors.


def plain(x):
    return x


MODEL_VERBS = {
    "ft.fit": ft.fit,
    "ft.prior": ft.prior,
    "ft.calibrate": ft.calibrate,
    "posterior.of": lambda model: made(1).of(model),
    "ft.intervene": lambda model: ft.intervene(model, mu=0.0),
}
POSTERIOR_VERBS = {
    "ft.predict": ft.predict,
    "ft.check": ft.check,
    "ft.kfold": ft.kfold,
    "ft.sensitivity": ft.sensitivity,
}
NO_MODEL = {
    "text": ("m", "the text 'm'"),
    "function": (plain, "`plain`: mark it with @ft.model"),
    "nothing": (None, "None"),
    "number": (3, "3"),
}
NO_POSTERIOR = {
    "path": ("r.nc", "ft.open"),
    "model": (ft.model(plain), "ft.fit"),
    "tree": (made(1).tree, "ft.Posterior"),
    "nothing": (None, "None"),
}
DOORS = [
    Refused(
        f"{verb} of {name}", lambda call=call, value=value: call(value), ft.ModelError, (verb, said)
    )
    for verbs, values in ((MODEL_VERBS, NO_MODEL), (POSTERIOR_VERBS, NO_POSTERIOR))
    for verb, call in verbs.items()
    for name, (value, said) in values.items()
]
DOORS += [
    Refused("ft.model of text", lambda: ft.model("m"), ft.ModelError, ("ft.model", "'m'")),
    Refused("endless", lambda: ft.fit(ft.model(endless)()), ft.ModelError, ("calls itself",)),
]


def endless():
    endless()


@pytest.mark.parametrize("case", DOORS, ids=lambda c: c.name)
def test_what_is_no_model_or_posterior_is_refused(case):
    case.check()


HOOKED = """
import finetti as ft
two, named = lambda x: ft.compare(x, x), lambda x: ft.compare({"a": x, "b": x})
for call in (ft.density, ft.loo, two, named):
    for value in ("r.nc", len, None, 3, ft.model(lambda: None) if call is not ft.density else []):
        try:
            call(value)
        except ft.ModelError as error:
            print(error)
"""


def test_verbs_whose_shapes_the_tests_check_refuse_in_words_of_their_own():
    path = {**os.environ, "PYTHONPATH": str(Path(ft.__file__).parents[1])}
    command = [sys.executable, "-c", HOOKED]
    ended = subprocess.run(command, env=path, capture_output=True, text=True, check=True)
    said = ended.stdout.splitlines()
    verbs = ["ft.density"] * 5 + ["ft.loo"] * 5 + ["ft.compare"] * 10
    assert [line.partition(" takes a ")[0] for line in said] == verbs
    assert all(": " in line for line in said)
