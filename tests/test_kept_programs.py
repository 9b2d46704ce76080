"""Try the folder of compiled programs as processes meet it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finetti import programs

FIT = """
import json, sys, warnings
import jax, numpy as np
from jax import monitoring
import finetti as ft

heard = []
monitoring.register_event_listener(lambda name, **_: heard.append(name.rsplit("/", 1)[-1]))

@ft.model
def groups(y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("g", len(y)):
        theta = ft.sample("theta", ft.Normal(mu, 1))
        ft.sample("y", ft.Normal(theta, 1), obs=y)

before = dict(jax.config.values)
data = np.array(json.loads(sys.argv[1]))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    model = groups(data)
    plan = model.plan().as_written()  # little to compile
    run = ft.fit(model, ft.Metropolis(draws=20, warmup=20), plan=plan, progress=False)
jax.jit(lambda x: x * 3 + 1)(2.0)  # the user's own: not kept
print(json.dumps({
    "kept": jax.config.values == before,
    "asked": heard.count("compile_requests_use_cache"), "hits": heard.count("cache_hits"),
    "mean": float(run["mu"].mean()),
    "said": [str(w.message) for w in said if "compiled programs" in str(w.message)],
}))
"""


def fit(data: list[float], **environment: str) -> dict:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", FIT, json.dumps(data)],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_another_process_compiles_nothing_again_and_settings_stay(tmp_path):
    """Other data of the same shapes find every program; the user's own programs are not kept."""
    first = fit([1.0, 2.0, 4.0], XDG_CACHE_HOME=str(tmp_path))
    made = files(tmp_path)
    assert first["kept"]
    assert made
    assert all(p.name.startswith("jit_") for p in made)
    again = fit([0.0, 1.0, -3.0], XDG_CACHE_HOME=str(tmp_path))
    assert again["kept"]
    assert files(tmp_path) == made
    assert again["hits"] == len(made)
    assert again["mean"] != first["mean"]
    same = fit([1.0, 2.0, 4.0], XDG_CACHE_HOME=str(tmp_path))
    assert same["mean"] == first["mean"]
    if os.name == "posix":
        for folder in {p.parent for p in made}:
            assert folder.stat().st_mode & 0o777 == 0o700


def test_it_can_be_off_or_elsewhere_and_leaves_the_users_own_folder_to_serve(tmp_path):
    home, own, named = (tmp_path / n for n in ("home", "own", "named"))
    off = fit([1.0], XDG_CACHE_HOME=str(home), FINETTI_CACHE="off")
    assert not off["hits"]
    assert not home.exists()
    fit([1.0], XDG_CACHE_HOME=str(home), FINETTI_CACHE=str(named))
    assert files(named)
    assert not home.exists()
    fit(
        [1.0],
        XDG_CACHE_HOME=str(home),
        JAX_COMPILATION_CACHE_DIR=str(own),
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    )
    assert files(own)
    assert not files(home)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_folder_in_which_others_may_write_is_not_used(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    found = fit([1.0], FINETTI_CACHE=str(folder))
    assert not files(folder)
    assert any("others may write there" in word for word in found["said"])


def test_a_damaged_program_is_compiled_anew(tmp_path):
    first = fit([1.0, 2.0], XDG_CACHE_HOME=str(tmp_path))
    for path in files(tmp_path):
        path.write_bytes(b"spoilt")
    assert fit([1.0, 2.0], XDG_CACHE_HOME=str(tmp_path))["mean"] == first["mean"]


def test_the_oldest_programs_go_where_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "LARGEST", 1000)
    for age in range(20):
        path = tmp_path / "kind" / f"jit_{age}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    programs.trim(tmp_path)
    assert [p.name for p in files(tmp_path)] == sorted(f"jit_{age}" for age in range(7))
