"""Check that summaries and draws are handed on with the numbers and the names they have."""

import csv
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from polars.testing import assert_frame_equal

import finetti as ft
from finetti.hypertext.table import Table
from reporting.made_runs import posterior as made

ODD = ("a|b", "x_1 & 50%", "<b>", "{~^\\$#}", "7", "G", "H", "I")


@pytest.fixture(scope="module")
def posterior():
    return made(ODD)


def test_what_is_printed_has_no_digit_that_the_draws_do_not_support(posterior):
    frame = posterior.summary()
    rows = dict(zip(frame.index, posterior.table().table.rows, strict=True))
    mean = rows["mu"][1].strip()
    assert float(mean) == pytest.approx(frame.loc["mu", "mean"], abs=frame.loc["mu", "mcse_mean"])
    assert len(mean) <= 4


def test_few_rows_of_a_site_are_shown_where_asked_and_the_rest_counted(posterior):
    found = posterior.table(rows=3)
    assert [row[0] for row in found.table.rows] == ["mu", *(f"theta[{n}]" for n in ODD[:3])]
    assert str(found).splitlines()[-1] == "theta: and 5 more"
    assert not posterior.table().notes()
    assert len(posterior.table(["mu"]).table.rows) == 1


def test_csv_and_polars_hold_the_summary_unrounded(posterior, tmp_path):
    path = posterior.table().to_csv(tmp_path / "table.csv")
    read = pd.read_csv(path, index_col="name")
    pd.testing.assert_frame_equal(read, posterior.summary(), check_names=False)
    frame = posterior.table().to_polars()
    assert frame["name"].to_list() == list(posterior.summary().index)
    np.testing.assert_array_equal(frame["mean"], posterior.summary()["mean"])
    pd.testing.assert_frame_equal(posterior.table().to_pandas(), posterior.summary())


def test_a_name_is_of_a_site_or_of_a_row_and_a_text_is_one_name(posterior):
    whole = posterior.summary()
    names = ["theta[<b>]", "mu", "theta[7]", "mu"]
    pd.testing.assert_frame_equal(posterior.summary(names), whole.loc[names[:3]])
    assert list(posterior.table("mu").frame.index) == ["mu"]
    assert list(posterior.export('theta["7"]').to_pandas()) == ["chain", "draw", "theta[7]"]
    one = posterior["theta[G]"]
    assert one.dims == ("chain", "draw")
    np.testing.assert_array_equal(one, posterior["theta"].sel(school="G"))
    for wrong in ("theta[Z]", "nu", 3, ["mu"]):
        with pytest.raises(ft.UnknownSite):
            posterior[wrong]


def test_markdown_has_as_many_bars_in_every_line(posterior):
    lines = posterior.table().to_markdown().splitlines()
    unescaped = [line.replace("\\|", "") for line in lines]
    assert len({line.count("|") for line in unescaped}) == 1
    assert set(lines[1]) <= set("|-: ")
    assert r"theta\[a\|b]" in lines[3]


def test_latex_escapes_what_means_something_there(posterior):
    written = posterior.table().to_latex()
    body = written.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 9
    assert all(line.endswith(r" \\") for line in body)
    assert r"theta[x\_1 \& 50\%]" in written
    assert r"\{\textasciitilde{}\textasciicircum{}\textbackslash{}\$\#\}" in written
    assert {line.replace(r"\&", "").count("&") for line in body} == {6}
    assert Table(("", "x"), [("a", "-1.5"), ("b", "-2  3")]).latex().count("$-") == 2


def test_draws_come_as_data_frames_with_a_column_a_scalar(posterior):
    frame = posterior.export().to_pandas()
    assert list(frame) == ["chain", "draw", *posterior.summary().index]
    one = frame[(frame["chain"] == 2) & (frame["draw"] == 17)].iloc[0]
    theta = posterior["theta"].isel(chain=2, draw=17)
    assert one["theta[<b>]"] == theta.sel(school="<b>").item()
    assert one["mu"] == posterior["mu"].isel(chain=2, draw=17).item()
    assert posterior.export(["mu"]).to_polars().columns == ["chain", "draw", "mu"]
    np.testing.assert_array_equal(posterior.export().to_polars()["mu"], frame["mu"])


def test_draws_come_as_arrays_in_their_shape(posterior):
    found = posterior.export().to_numpy()
    assert {n: a.shape for n, a in found.items()} == {"mu": (4, 400), "theta": (4, 400, 8)}
    with pytest.raises(ft.UnknownSite, match="did you mean `mu`"):
        posterior.export(["mus"])


def test_arrow_comes_where_pyarrow_is_and_is_asked_for_where_not(posterior):
    if find_spec("pyarrow"):
        assert posterior.export().to_arrow().column_names[:3] == ["chain", "draw", "mu"]
        return
    with pytest.raises(ft.MissingExtra, match=r"needs pyarrow: pip install 'finetti\[tables\]"):
        posterior.export().to_arrow()


def test_the_order_of_dimensions_does_not_matter(posterior):
    turned = posterior.draws.transpose("school", "draw", "chain")
    other = ft.Posterior(xr.DataTree.from_dict({"posterior": turned}))
    assert_frame_equal(other.export().to_polars(), posterior.export().to_polars())
    assert other.export().to_numpy()["theta"].shape == (4, 400, 8)
    assert float(other.probability("theta[G] > mu")) == float(
        posterior.probability("theta[G] > mu")
    )


def test_a_csv_that_others_read_has_its_names_quoted(posterior, tmp_path):
    path = posterior.table().to_csv(tmp_path / "t.csv")
    with path.open() as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {10}
