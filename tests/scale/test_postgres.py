"""A real Postgres, started for the test, adds its rows up, and is never written to."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from tests.scale.rows import rows
from tests.scale.test_sources import given

import finetti as ft

pytestmark = pytest.mark.slow
NOBODY = 65534  # who may run a server where root may not


def _other():
    """Become another user, if this is root."""
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    pytest.importorskip("psycopg")
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip("there is no Postgres here")
    place = tmp_path_factory.mktemp("postgres")
    for folder in (place, *list(place.parents)[:2]):
        folder.chmod(0o755)
    place.chmod(0o777)
    data, log = place / "data", place / "log"

    def run(*command):
        return subprocess.run(
            command, preexec_fn=_other, cwd=place, capture_output=True, text=True, timeout=60
        )

    if run("initdb", "-D", str(data), "-U", "me", "--auth=trust", "-E", "UTF8").returncode:
        pytest.skip("initdb does not run here")
    options = f"-k {place} -c listen_addresses= -p 5439"
    if run("pg_ctl", "-D", str(data), "-l", str(log), "-o", options, "-w", "start").returncode:
        pytest.skip(f"Postgres does not start here: {log.read_text()[-300:]}")
    try:
        _fill(place)
        yield f"postgres://me@/postgres?host={place}&port=5439"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "fast", "-w", "stop")


def _fill(place):
    import psycopg

    frame = rows().select("y", "x", "g", "f", "k", "e", "t").with_row_index("i")
    with psycopg.connect(host=str(place), port=5439, user="me", dbname="postgres") as connection:
        connection.execute(
            'create table "odd ""rows" (i int, y float8, x numeric(20, 17), g int, f text, '
            "k bigint, e float8, t boolean)"
        )
        connection.cursor().executemany(
            'insert into "odd ""rows" values (%s, %s, %s, %s, %s, %s, %s, %s)', frame.rows()
        )


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("y ~ log(x) + scale(e) + (1 | g)", None),
        ("k ~ f + offset(log(e))", "poisson"),
        ("t ~ f", None),
    ],
)
def test_sums_of_postgres_are_those_of_a_lazy_frame(text, family, address):
    expected = given(ft.formula(text, rows().lazy(), family=family))
    found = given(ft.formula(text, ft.table(address, 'odd "rows'), family=family))
    assert list(found) == list(expected)
    for name in found:
        sums = [np.sort(np.asarray(a[name], float).ravel()).sum() for a in (found, expected)]
        np.testing.assert_allclose(*sums, rtol=1e-10)


def test_the_connection_only_reads(address):
    table = ft.table(address, 'select y, x from "odd ""rows" where i > 5')
    assert table.rows.count().to_pyarrow().as_py() == 594
    with pytest.raises(Exception, match="read-only"):
        table.engine.con.execute('drop table "odd ""rows"')
