"""Ask `finetti doctor` what is installed, and hold its words to pyproject.toml and the machine."""

import json
import os
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from typer.testing import CliRunner

import finetti as ft
from finetti.cli import doctor
from finetti.cli.commands import app

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = {"all", "browser", "dev", "docs", "peers"}  # all of them; and what no user of finetti needs


def packages(extra):
    """Return the names of the packages that an extra lists, finetti's own extras left out."""
    names = (re.split(r"[\[<>=~! ]", text)[0] for text in EXTRAS[extra])
    return {name.lower() for name in names if name != "finetti"}


def test_every_extra_is_told_with_all_that_it_brings():
    assert set(doctor.EXTRAS) == set(EXTRAS) - OURS
    brought = packages_distributions()
    for extra, (modules, purpose) in doctor.EXTRAS.items():
        known = {name.lower() for module in modules for name in brought[module]}
        assert packages(extra) <= known, extra
        assert purpose


def test_it_speaks_of_this_machine_as_json():
    shown = CliRunner().invoke(app, ["doctor", "--no-fit", "--json"])
    found = json.loads(shown.output)
    assert found["Versions"]["finetti"] == ft.__version__
    assert found["Computing"]["backend"] == "cpu"
    assert found["Computing"]["float64"] == "works"
    assert found["Compiled programs"]["folder"].endswith("programs")


def test_what_is_lacking_is_told_with_its_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "duckdb" else True)
    told = doctor.examined(fit=False)["Extras"]
    assert told["tables"].startswith("lacks duckdb: pip install 'finetti[tables]' brings")
    assert told["io"].startswith("installed")


def test_a_cache_that_is_off_or_elsewhere_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("FINETTI_CACHE", "off")
    assert "off" in doctor.examined(fit=False)["Compiled programs"]["folder"]
    (tmp_path / "program").write_bytes(bytes(3 * 2**20))
    monkeypatch.setenv("FINETTI_CACHE", str(tmp_path))
    assert doctor.examined(fit=False)["Compiled programs"]["files"] == "1, 3 of 512 MiB"


@pytest.mark.slow
def test_the_fit_is_timed_and_its_answer_looked_at():
    before = os.environ.get("FINETTI_CACHE")
    *_, (title, told) = doctor.examined().items()
    assert "Eight Schools" in title
    cold, warm = (float(told[name].removesuffix(" s")) for name in ("cold", "warm"))
    assert 0 < warm < cold
    assert told["answer"].startswith("right")
    assert os.environ.get("FINETTI_CACHE") == before


def test_the_version_is_one():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (cited,) = re.findall(r"^version: (.*)$", citation, flags=re.MULTILINE)
    newest = re.findall(r"^## \[(\d.*?)\]", changes, flags=re.MULTILINE)[0]
    assert cited == newest == PROJECT["version"]
