"""Share fixtures, and check the shapes that annotations promise wherever the tests go.

By lying here, pytest puts this folder on the path, so that tests import `zoo`.
"""

import gc
import os
import re
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

SHAPES = re.compile(r"\b(Float|Int|Bool)\[|\b(Position|Scalar)\b")
MOST_MAPS = 25_000  # Linux allows a process 65,530


def promising():
    """Name the modules whose annotations promise shapes: to check the others takes long."""
    source = Path(__file__).parent.parent / "src"
    for path in (source / "finetti").rglob("*.py"):
        if SHAPES.search(path.read_text()):
            yield ".".join(path.relative_to(source).with_suffix("").parts)


# Nearly all the time goes to compiling, so programs are kept: for a run's other processes, and for
# the next run, which compiles only what has changed. It is set before JAX is imported, and for the
# commands that tests start.
CACHE = Path(__file__).parent.parent / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")

# What tests compile themselves, and each operation by itself, runs once: the compiler need not try
# hard. finetti says of each of its own programs how hard.
QUICKLY = ["--xla_backend_optimization_level=0"]
if version("jaxlib").startswith("0.10."):  # a later compiler ends at a flag that it does not know
    QUICKLY.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join([*QUICKLY, os.environ.get("XLA_FLAGS", "")]).strip()

# Commands that tests start read the bytecode of finetti's sources, and need not make it each anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What `finetti fit` remembers of the files it ran goes there, and not to the user's home.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="finetti-state-")

install_import_hook(sorted(promising()), "beartype.beartype")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark the tests listed in slow.txt, and refuse a line there that names no test."""
    lines = (Path(__file__).parent / "slow.txt").read_text().splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    seen = set()
    for item in items:
        names = {item.nodeid, item.nodeid.partition("[")[0]} & listed
        if names:
            item.add_marker(pytest.mark.slow)
            seen |= names
    if config.args == config.getini("testpaths") and seen != listed:
        raise pytest.UsageError(f"tests/slow.txt names no test: {', '.join(listed - seen)}")


def pytest_collection_finish(session):
    """Spare what takes long: the best loops, where no long run is asked for, and garbage.

    Commands that tests start compile as users' do. What is there by now is left out of the search
    for garbage, which goes over it else.
    """
    from finetti import compiling

    if session.config.option.markexpr == "not slow":
        compiling.EFFORT[compiling.OFTEN].update(compiling.PLAIN_LOOPS)
        compiling.EFFORT[compiling.SOME] = compiling.EFFORT[compiling.ONCE]
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def forget():
    """Let go of compiled programs before there are too many: a process can map only so many."""
    yield
    maps = Path("/proc/self/maps")
    if not maps.exists() or maps.read_bytes().count(b"\n") > MOST_MAPS:
        import jax

        jax.clear_caches()


@pytest.fixture
def float64():
    """Compute in float64 for one test."""
    import jax

    with jax.enable_x64(True):
        yield
