"""Text tables: quoted numbers are names where others are plain; compressed files are read."""

import gzip
import warnings

import pytest

import finetti as ft
from finetti.reading.read import read
from finetti.reading.text import MISSING


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1, 2\n3, 4\n", [2, 4]),
        ("a,b\n1,2 \n3, NA\n", [2, None]),
        ("a,b\n1,+2\n3,-4\n", [2, -4]),
        ("a,b\n1, 2.5\n3,1e3\n", [2.5, 1000.0]),
        ("a;b\n1,5; 2,5\n3; 4\n", [2.5, 4.0]),
        ('a,b\n1," 2"\n3," 4"\n', [" 2", " 4"]),  # what is quoted is a name
        ("a,b\n1, 2\n3, x\n", [" 2", " x"]),
        ("a;b\n1,5; 2.500\n3; 4\n", [" 2.500", " 4"]),  # thousands, perhaps
    ],
)
@pytest.mark.filterwarnings("ignore:table.csv")
def test_numbers_with_blanks_or_a_sign_are_numbers(tmp_path, text, expected):
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert read(path)["b"].to_list() == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "lines", ["a,b||1,x|2,y", "|a,b|1,x|2,y", "a,b|1,x|2,y||   |", "a,b|1,x|  |2,y"]
)
def test_blank_lines_are_no_rows(tmp_path, lines, end):
    path = tmp_path / "table.csv"
    path.write_text(lines.replace("|", end), newline="")
    assert read(path)["a"].to_list() == [1, 2]
    path.write_text(
        "a|1||2|".replace("|", end), newline=""
    )  # of one column they are missing values
    assert read(path)["a"].to_list() == [1, None, 2]
    path.write_text('a,b|1,"x||y"|2,z|'.replace("|", end), newline="")
    assert read(path)["b"].to_list() == [f"x{end}{end}y", "z"]


def test_a_line_that_is_too_long_is_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('a,b\n1,"x\ny"\n2,y,3\n')
    with pytest.raises(ft.DataError, match=r"line 4 has 3 cells, .* 2 columns \(a, b\)"):
        read(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("missing", MISSING)
def test_files_in_place_are_read_as_those_in_memory(tmp_path, missing, packed):
    text = f'a,g,"q"\n1,x,"1"\n2,{missing},"2"\n{missing},y,"10"\n'
    path = tmp_path / f"table.csv{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    lying = ft.table(path)
    rows = lying.rows.to_pyarrow().to_pylist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        columns = {name: column.to_list() for name, column in read(path).items()}
    assert rows == [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]
    assert lying.kinds == {"a": "number", "g": "name", "q": "name"}
