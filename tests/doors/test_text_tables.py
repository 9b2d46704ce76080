"""Text tables: quoted numbers are names where others are plain; compressed files are read."""

import gzip
import warnings

import pytest

import finetti as ft
from finetti.reading.read import read


def kinds(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: str(column.dtype).partition("(")[0] for name, column in read(path).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"herd","size"\n"1",14\n"10",12\n"2",9\n', {"herd": "Enum", "size": "Int64"}),
        ('"herd","size"\n"1","14"\n"2","12"\n', {"herd": "Int64", "size": "Int64"}),  # all are
        ("herd,size\n1,14\n2,12\n", {"herd": "Int64", "size": "Int64"}),
        ('herd,size\n"1",14\n2,12\n', {"herd": "Int64", "size": "Int64"}),  # not in every row
        ('herd,size\n"a",14\n"b",12\n', {"herd": "String", "size": "Int64"}),
        ('herd,size\n"1",14\nNA,12\n"3",1\n', {"herd": "Enum", "size": "Int64"}),
        ('herd;size\n"1";14,5\n"2";12\n', {"herd": "Enum", "size": "Float64"}),
        ('a,"b, c"\n1,"2"\n3,"4"\n', {"a": "Int64", "b, c": "Enum"}),
    ],
)
def test_what_is_quoted_is_a_name(tmp_path, text, expected):
    assert kinds(tmp_path, text) == expected


def test_names_that_spell_numbers_are_in_their_order(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('"herd","size"\n"10",14\n"1",12\n"2",9\n"01",9\n')
    assert ft.groups(read(path)["herd"]).labels == ("01", "1", "2", "10")


def test_compressed_text_is_read(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n"))
    assert read(path)["a"].to_list() == [1, 2]
    path.write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n")[:-6])
    with pytest.raises(ft.DataError, match="cut off"):
        read(path)
    path.write_bytes(b"a,b\n1,x\n")
    with pytest.raises(ft.DataError, match="gzip"):
        read(path)
    with pytest.raises(ft.DataError, match="does not read"):
        read(path.rename(tmp_path / "table.xlsx.gz"))
