"""Run the command line as a user does, in the terminal's words."""

import io
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from typer.testing import CliRunner

import finetti as ft
from criticism.by_hand import posterior_of
from finetti.cli import commands, main, report  # noqa: F401 - adds its command
from finetti.cli.binding import reopen
from finetti.cli.commands import app
from finetti.cli.source import Source
from finetti.inference.progress import Display

EXAMPLES = Path(__file__).parents[1] / "examples"
RADON = [str(EXAMPLES / "radon.py"), "--data", str(EXAMPLES / "radon.csv")]
COIN = """
import finetti as ft

@ft.model
def coin(tosses=10, heads=7):
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("seen", ft.Binomial(tosses, p), obs=heads)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, and leave the path as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def run(capsys, *arguments):
    """Return the exit code, stdout and stderr of a command."""
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code or 0, *capsys.readouterr()


def written(folder, text, name="coin.py"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("command", ["", "fit", "plan", "summary", "demo", "report", "vision"])
def test_help_has_an_example(command):
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert f"finetti {command}".strip() in shown.output
    assert "finetti fit schools.py" in shown.output or f"  finetti {command} " in shown.output


def test_the_model_in_the_help_runs_on_the_example_table(capsys, folder):
    words = CliRunner().invoke(app, ["--help"]).output
    model = words[words.index("import finetti") : words.index("and `finetti fit")]
    lines = [
        line.removeprefix("    " if line.startswith("    ") else "") for line in model.splitlines()
    ]
    written(folder, "\n".join(lines), "schools.py")
    code, out, _ = run(capsys, "plan", "schools.py", "--data", EXAMPLES / "eight_schools.csv")
    assert code == 0
    assert "theta[school]" in out
    assert "integrate out z, mu" in out
    assert "1 of 10 dimensions to sample" in out


def test_the_version_is_shown(capsys):
    code, out, _ = run(capsys, "--version")
    assert (code, out.split()[0]) == (0, "finetti")


@pytest.mark.slow
def test_a_table_is_fitted_summed_up_and_saved(capsys, folder):
    options = ["--draws", "200", "--warmup", "300", "--seed", "2"]
    code, out, _ = run(capsys, "fit", *RADON, *options)
    assert code == 0
    assert "919 rows in 85 groups" in out
    assert "90 dimensions to sample" in out
    assert "effect[Aitkin]" in out
    assert "effect[Yellow Medicine]" not in out
    assert "Every row of a site: finetti summary runs/radon.zarr effect" in out
    with xr.open_datatree(folder / "runs" / "radon.zarr", engine="zarr") as tree:
        assert tree["posterior"]["effect"].shape == (4, 200, 85)
        assert tree["posterior"]["county"].values[0] == "Aitkin"
        assert tree.attrs["seed"] == 2

    code, out, _ = run(capsys, "summary", "runs/radon.zarr", "effect")
    assert code == 0
    assert "effect[Yellow Medicine]" in out
    assert "uranium" not in out


def test_the_command_line_draws_what_the_library_draws(capsys, folder):
    model = Source.parse(str(written(folder, COIN))).load()
    code, _, _ = run(capsys, "fit", "coin.py", "--out", "coin.nc", "--draws", "50", "--seed", "3")
    expected = ft.fit(model(), ft.Automatic(draws=50), seed=3, progress=False)
    assert code == 0
    np.testing.assert_array_equal(ft.open("coin.nc")["p"], expected["p"])


def test_a_run_finds_its_model_and_data_again(capsys, folder):
    written(folder, COIN + "\nbent = coin(20, 3)\n")
    code, _, _ = run(capsys, "fit", "coin.py:bent", "--out", "bent.zarr", "--draws", "20")
    assert code == 0
    assert reopen(folder / "bent.zarr").model.variables[1].data == 3
    with pytest.raises(ft.ModelError, match="`seen` is observed otherwise"):
        reopen(folder / "bent.zarr", model="coin.py:coin")
    (folder / "other.json").write_text('{"tosses": 30, "heads": 3}', encoding="utf-8")
    with pytest.raises(ft.ModelError, match="argument `tosses` is given otherwise"):
        reopen(folder / "bent.zarr", model="coin.py:coin", data=folder / "other.json")
    ft.fit(coin_of(3), ft.NUTS(draws=20), progress=False).save("library.zarr")
    with pytest.raises(ft.ModelError, match="does not say where its model is"):
        reopen(Path("library.zarr"))


@ft.model
def coin_of(heads):
    ft.sample("seen", ft.Binomial(20, ft.sample("p", ft.Uniform(0, 1))), obs=heads)


def test_a_run_is_reported_with_the_model_it_notes_or_without(capsys, folder):
    file = written(folder, COIN)
    code, _, _ = run(capsys, "fit", "coin.py", "--draws", "20")
    assert code == 0
    code, out, _ = run(capsys, "report", "runs/coin.zarr")
    assert (code, out) == (0, "Wrote runs/coin.html\n")
    assert "Binomial(tosses, p)" in (folder / "runs/coin.html").read_text(encoding="utf-8")
    file.unlink()
    code, out, _ = run(capsys, "report", "runs/coin.zarr", "--out", "again.html")
    assert code == 0
    assert out.startswith("Without the model")
    code, _, err = run(capsys, "report", "runs/coin.zarr", "--model", "gone.py")
    assert code == 1
    assert "gone.py" in err


def test_progress_counts_the_draws_that_are_kept_and_is_printed_once(capsys, folder):
    written(folder, COIN)
    code, out, _ = run(capsys, "fit", "coin.py", "--draws", "2000")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("sampling")]
    assert line.startswith("sampling 8,000 draws, ESS ")  # no trajectory that could diverge
    code, out, _ = run(capsys, "fit", "coin.py", "--target-acceptance", "0.9", "--draws", "50")
    assert ft.open("runs/coin.zarr").attributes["method"].startswith("NUTS(draws=50")
    code, _, err = run(capsys, "fit", "coin.py", "--method", "independent", "--warmup", "5")
    assert code == 0
    code, _, err = run(
        capsys, "fit", "coin.py", "--method", "independent", "--target-acceptance", "0.9"
    )
    assert code == 2
    assert "--target-acceptance is no setting of --method independent" in " ".join(err.split())


def test_metropolis_can_be_chosen(capsys, folder):
    written(folder, COIN)
    code, _, _ = run(capsys, "fit", "coin.py", "--method", "metropolis", "--draws", "20")
    assert code == 0
    assert ft.open("runs/coin.zarr").attributes["method"].startswith("Metropolis(draws=20")


class Interrupting(Display):
    """Ask the run to stop at the first report of its draws."""

    def phase(self, name, wanted, chains, every=1):
        sent = [signal.SIGINT] if name == "sampling" else []
        return lambda chunk: signal.raise_signal(sent.pop()) if sent else None


def test_an_interrupt_keeps_the_draws_made_so_far(capsys, folder, monkeypatch):
    def interrupted(model, method, seed, out, **_):
        return ft.fit(model, method, seed=seed, out=out, progress=Interrupting())

    monkeypatch.setattr(commands, "fit", interrupted)
    written(folder, COIN)
    code, out, _ = run(capsys, "fit", "coin.py", "--draws", "20000")
    assert code == 130
    made = ft.open("runs/coin.zarr")["p"].sizes["draw"]
    assert 0 < made < 20_000
    assert f"Stopped early: {made:,} of 20,000 draws a chain are kept." in out
    assert "finetti resume runs/coin.zarr goes on with it." in out


def test_an_interrupt_before_there_are_draws_saves_nothing(capsys, folder, monkeypatch):
    def interrupted(model, method, seed, out, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "fit", interrupted)
    written(folder, COIN)
    code, out, _ = run(capsys, "fit", "coin.py")
    assert code == 130
    assert "nothing is saved" in out
    assert not (folder / "runs" / "coin.zarr").exists()


def test_columns_that_are_absent_or_not_used_are_said(capsys, folder):
    written(folder, COIN)
    written(folder, '{"tosses": 20, "country": "Italy"}', "coins.json")
    code, out, _ = run(capsys, "plan", "coin.py", "--data", "coins.json")
    assert code == 0
    assert "tosses  20" in out
    assert "heads   absent, so 7" in out
    assert "Not used: country" in out


@pytest.mark.parametrize(
    ("text", "reference", "message"),
    [
        ("x = 1", "coin.py", "coin.py has no function marked with @ft.model"),
        (COIN + COIN.replace("coin", "urn"), "coin.py", r"2 models \(coin, urn\).*coin.py:coin"),
        (COIN, "coin.py:urn", r"coin.py has no model `urn` \(models: coin\)"),
        (COIN, "urn.py", "there is no file .*urn.py"),
        (COIN, "coin.txt", "coin.txt is no Python file"),
        (COIN.replace("=10", ""), "coin.py", "takes `tosses`: give a table.*--data"),
        (COIN.replace("Uniform(0, 1)", "Normal(0, -1)"), "coin.py", r"\(coin.py, line 6\)"),
    ],
)
def test_what_finetti_refuses_is_one_line_and_exit_code_1(capsys, folder, text, reference, message):
    written(folder, text)
    code, _, complaint = run(capsys, "plan", reference)
    assert code == 1
    assert complaint.startswith("error: ")
    assert complaint.count("\n") == 1
    assert re.search(message, complaint), complaint


def test_one_of_several_models_is_chosen_by_name(capsys, folder):
    written(folder, COIN + COIN.replace("coin", "urn"))
    code, out, _ = run(capsys, "plan", "coin.py:urn")
    assert code == 0
    assert "Binomial" in out


def test_a_model_imports_its_neighbours_which_are_no_models_of_the_file(capsys, folder):
    written(folder, COIN, "toss_of_a_coin.py")
    text = COIN.replace("import finetti as ft", "import finetti as ft\nimport toss_of_a_coin")
    written(folder, text.replace("@ft", "from toss_of_a_coin import coin as old\n@ft"), "new.py")
    assert run(capsys, "plan", "new.py")[0] == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nundefined_name\n" + COIN, "NameError: name 'undefined_name' is not defined"),
        (COIN.replace("heads)", "heads.shape[1])"), "AttributeError: 'int' object has no"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
    ],
    ids=["import", "run", "syntax"],
)
def test_an_error_of_the_user_shows_the_lines_of_the_user_alone(capsys, folder, text, line):
    written(folder, text)
    code, _, complaint = run(capsys, "plan", "coin.py")
    assert code == 1
    assert line in complaint
    assert "coin.py" in complaint
    assert "site-packages" not in complaint
    assert "finetti/cli" not in complaint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "guess"], "independent or metropolis, not 'guess'"),
        (["--draws", "0"], "draws must be a whole number of at least 1"),
        (["--target-acceptance", "2"], "target_acceptance must lie between 0 and 1"),
        (["--out", "results"], "ends in .zarr or .nc, not results"),
        (["--out", "coin.py/run.zarr"], "coin.py/run.zarr cannot be written"),
    ],
)
def test_usage_is_checked_before_any_work(capsys, folder, options, message):
    written(folder, COIN)
    (folder / "results").mkdir()
    written(folder / "results", "precious", "notes.txt")
    code, _, complaint = run(capsys, "fit", "coin.py", *options)
    assert code == 2
    assert message in " ".join(complaint.split())
    assert (folder / "results" / "notes.txt").read_text() == "precious"


def test_a_run_that_is_not_there_is_named(capsys, folder):
    code, _, complaint = run(capsys, "summary", "runs/none.zarr")
    assert (code, complaint) == (1, "error: there is no run at runs/none.zarr\n")


def test_without_typer_one_line_says_what_to_install():
    program = "import sys; sys.modules['typer'] = None; from finetti.cli import main; main()"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == "error: the command line needs typer: pip install 'finetti[cli]'\n"
    told = subprocess.run([*command, "--version"], capture_output=True, text=True)
    assert told.returncode == 0
    assert told.stdout == f"finetti {version('finetti')}\n"


def test_the_command_for_a_site_whose_name_has_blanks_is_one_to_run():
    members = [str(number) for number in range(40)]

    @ft.model
    def level():
        with ft.plate("site", members):
            ft.sample("site name", ft.Normal(0.0, 1.0))

    draws = np.random.default_rng(1).normal(size=(2, 100, 40))
    posterior = posterior_of(level(), **{"site name": draws})
    said = io.StringIO()
    commands._read_out(Console(file=said, width=120), Path("my run.zarr"), posterior)
    assert "finetti summary 'my run.zarr' 'site name'" in said.getvalue()
