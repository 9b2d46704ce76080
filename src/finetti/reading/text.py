"""Read tables of text: find what parts the columns and how numbers are written, and say it."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from finetti.errors import DataError

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")  # how text files write a missing value
SEPARATORS = (",", ";", "\t", "|")
NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "bar": "|"}
LOOKED_AT = 200  # lines
COMMA = re.compile(r"\s*[-+]?\d+(,\d+)?([eE][-+]?\d+)?\s*")  # a number with a decimal comma, if any
BLANK = re.compile(r"(?:^|\n)[ \r]*\n|\n[ \r]+$")  # a line
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
OPTIONS = ("separator", "decimal", "encoding")


@dataclass(frozen=True)
class Written:
    """Say how a text file is written; None for what is to be found out.

    `separator` parts the columns, `decimal` is "." or ",", `encoding` one of Python's.
    """

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    @classmethod
    def of(cls, told: str) -> Written:
        """Read what was told of a file, such as `separator=;&decimal=,&encoding=latin-1`."""
        found: dict[str, str] = {}
        for part in filter(None, told.split("&")):
            name, equals, value = part.partition("=")
            if name.strip() not in OPTIONS or not equals or not value:
                raise DataError(
                    f"`{part}` tells nothing of a text table: its separator, decimal or encoding "
                    f"can be told, joined by &, as in rows.csv?separator=;&decimal=,"
                )
            found[name.strip()] = value
        separator = found.get("separator")
        separator = NAMES.get(separator, separator) if separator else None
        if separator is not None and (len(separator) != 1 or not separator.isascii()):
            raise DataError(
                f"the separator {separator} is not one character: give one such as ; or tab"
            )
        if found.get("decimal") not in (None, ".", ","):
            raise DataError(f"the decimal mark {found['decimal']} is neither . nor ,")
        return cls(separator, found.get("decimal"), found.get("encoding"))


def read_text(path: Path, told: str) -> tuple[Mapping[str, pl.Series], str]:
    """Read the columns of a .csv or .tsv file, and say what was guessed of how it is written.

    What is told, as `Written.of` reads it, is not guessed.
    """
    import polars as pl

    written = Written.of(told)
    usual = "\t" if ending_of(path) == ".tsv" else ","
    text = decoded(path, written.encoding)
    separator = written.separator or sniffed(text, usual)
    _refuse_twice(path, text, separator)
    text = without_blanks(text, separator)

    def table(decimal: str, names: Collection[str] = ()) -> pl.DataFrame:
        try:
            return pl.read_csv(
                text.encode(),
                separator=separator,
                null_values=list(MISSING),
                infer_schema_length=None,  # infer the kind of a column from all of its rows
                decimal_comma=decimal == ",",
                schema_overrides=dict.fromkeys(names, pl.String),
            )
        except pl.exceptions.ComputeError:
            _refuse_longer(text, separator)
            raise

    if written.decimal == "," and separator == ",":
        raise DataError(
            f"a comma cannot part both columns and decimals: tell what parts columns as well, as "
            f"in {path.name}?separator=;&decimal=,"
        )
    found = table(written.decimal or ".")
    comma = written.decimal is None and separator != "," and _has_commas(found)
    decimal = "," if comma else written.decimal or "."
    found = table(decimal) if comma else found
    marked = quoted(text, separator)
    names = [n for n in marked if n in found and found[n].dtype.is_numeric()]
    spaced = [n for n in found.columns if n not in marked and found[n].dtype == pl.String]
    numbers = [_spelled(found[n], decimal) for n in spaced]
    found = found.with_columns([column for column in numbers if column is not None])
    if names:
        plain = table(decimal, names)
        found = found.with_columns(**{n: _in_order(plain[n]) for n in names})
    said = [] if separator == (written.separator or usual) else [_named(separator)]
    said += ["a decimal comma"] if comma else []
    said += [f"names in {', '.join(f'`{n}`' for n in names)}, which are quoted"] if names else []
    return found.to_dict(), " and ".join(said)


def without_blanks(text: str, separator: str) -> str:
    """Return a text without its blank lines, as every reader of such files takes them.

    They stay where there is but one column, of which they are missing values, and in cells.

    >>> without_blanks("a,b\\n1,2\\n\\n  \\n", ",")
    'a,b\\n1,2\\n'
    """
    if not BLANK.search(text) or separator not in text.lstrip().partition("\n")[0]:
        return text
    kept, inside = [], False  # of a cell in quotation marks
    for line in text.split("\n"):
        if inside or line.strip(" \r"):
            kept.append(line)
        inside ^= line.count('"') % 2 == 1
    return "\n".join([*kept, ""])


def _spelled(column: pl.Series, decimal: str) -> pl.Series | None:
    """Return numbers that a column of text spells with blanks around them, or a sign +, or None."""
    import polars as pl

    number, given = COMMA if decimal == "," else NUMBER, column.drop_nulls().to_list()
    # The first name tells, mostly: the cells are not gone through.
    if not all(number.fullmatch(c) for c in map(str.strip, given) if c not in MISSING):
        return None
    cells = ["" if c is None else c.strip() for c in column.to_list()]
    known = [c for c in cells if c not in MISSING]
    if not known:
        return None
    whole = all(c.lstrip("+-").isdecimal() and len(c) < 19 for c in known)
    read = int if whole else float
    values = [None if c in MISSING else read(c.replace(",", ".")) for c in cells]
    return pl.Series(column.name, values, pl.Int64 if whole else pl.Float64)


def _refuse_longer(text: str, separator: str) -> None:
    """Refuse a file one of whose lines has more cells than its first, naming the line."""
    rows = csv.reader(text.splitlines(keepends=True), delimiter=separator)
    with suppress(csv.Error):
        heads = next(rows)
        for row in rows:
            if len(row) > len(heads):
                raise DataError(
                    f"line {rows.line_num} has {len(row)} cells, and the first line names "
                    f"{len(heads)} columns ({', '.join(heads)[:80]}): mend it, or tell what parts "
                    f"columns, as in rows.csv?separator=;"
                )


def _refuse_twice(path: Path, text: str, separator: str) -> None:
    """Refuse a file that names two columns alike: one would be taken for both."""
    try:
        names = next(csv.reader(text.splitlines()[:1], delimiter=separator), [])
    except csv.Error:
        return
    twice = [n for n in names if n.strip() and names.count(n) > 1]
    if twice:
        raise DataError(f"{path} has several columns `{twice[0]}`: rename all but one of them")


def sniffed(text: str, usual: str) -> str:
    """Return what parts the columns: the usual separator, or another where that parts none.

    A separator parts columns that makes as many of every line, more than one.

    >>> sniffed("x;y\\n1,5;2", usual=",")
    ';'
    """
    lines = text.splitlines()[:LOOKED_AT]
    for separator in dict.fromkeys((usual, *SEPARATORS)):
        try:
            rows = list(islice(csv.reader(lines, delimiter=separator), LOOKED_AT))
        except csv.Error:
            continue
        widths = {len(row) for row in rows if row}
        if len(widths) == 1 and widths.pop() > 1:
            return separator
    return usual


def quoted(text: str, separator: str) -> list[str]:
    """Return the columns all of whose cells are in quotation marks, where those of others are not.

    So R writes the levels of factors and leaves numbers plain: a quoted "1" is a name.

    >>> quoted('"herd","size"\\n"1",14\\n"2",12\\n', ",")
    ['herd']
    """
    lines = text.splitlines()[: LOOKED_AT + 1]
    if len(lines) < 2 or '"' not in text:
        return []
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{re.escape(separator)}"]*)(?:{re.escape(separator)}|$)')
    heads = next(csv.reader(lines[:1], delimiter=separator))
    rows = [cell.findall(line)[: len(heads)] for line in lines[1:] if line.strip()]
    columns = list(zip(*(row for row in rows if len(row) == len(heads)), strict=True))
    marked = [all(c.startswith('"') or c in MISSING for c in column) for column in columns]
    if all(marked):
        return []
    return [head for head, mark in zip(heads, marked, strict=False) if mark]


def _in_order(column: pl.Series) -> pl.Series:
    """Return names that spell numbers as a category, in the order of the numbers."""
    import polars as pl

    names = sorted(
        set(column.drop_nulls().to_list()), key=lambda n: (float(n.replace(",", ".")), n)
    )
    return column.cast(pl.Enum(names))


def ending_of(path: Path) -> str:
    """Return the ending that tells a file's format: of a compressed one that before .gz.

    >>> ending_of(Path("homes.CSV.gz")), ending_of(Path("homes.json"))
    ('.csv', '.json')
    """
    endings = [suffix.lower() for suffix in path.suffixes]
    if endings[-1:] == [".gz"]:
        endings = endings[:-1]
    return endings[-1] if endings else ""


def _content(path: Path) -> bytes:
    """Read a file, unpacked where it is compressed by gzip."""
    content = path.read_bytes()
    if path.suffix.lower() != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError("it is not compressed by gzip, or cut off") from error


def decoded(path: Path, encoding: str | None = None) -> str:
    """Read a text file in the encoding told, or UTF-8, or UTF-16 where its first bytes say so."""
    content = _content(path)
    if encoding is not None:
        try:
            return content.decode(encoding)
        except LookupError:
            raise DataError(f"`{encoding}` is no encoding: give one such as latin-1") from None
        except UnicodeDecodeError:
            raise DataError(f"it is no text in {encoding}: tell its encoding") from None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"it is no text in UTF-8 (in line {row}): save it as UTF-8, or tell what it is, as in "
            f"{path.name}?encoding=cp1252"
        ) from None
    if "\0" in text:
        raise DataError("it holds null characters, as no text in UTF-8 does: save it as UTF-8")
    return text


def _has_commas(table: pl.DataFrame) -> bool:
    """Tell whether numbers are written with a decimal comma: some column is, none with a point."""
    import polars as pl

    commas = False
    for column in table.iter_columns():
        if column.dtype.is_float():
            return False
        if column.dtype == pl.String:
            cells = [cell for cell in column.drop_nulls().to_list() if cell.strip()]
            commas |= any("," in c for c in cells) and all(map(COMMA.fullmatch, cells))
    return commas


def _named(separator: str) -> str:
    return "tabs between columns" if separator == "\t" else f"`{separator}` between columns"
