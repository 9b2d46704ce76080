"""Say what a grouping is: its members, the group of each row, and how members are tied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError, ModelError
from finetti.formulas.frames import need
from finetti.formulas.outcome import numbers
from finetti.formulas.text import Call
from finetti.formulas.writing import Writing
from finetti.language.groups import Groups, groups, regroup, spelled
from finetti.structure.words import listed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Factor:
    """Hold what a grouping is: its name, the columns of its members, and how they are weighed.

    `sources` name the arguments that hold the group of each row; a multi-membership has several,
    with as many `weights`. `members` are the labels; `by` is the argument that says of which kind
    each member is, `kinds` the labels of these. `covariance` names the argument that holds how
    members go together.
    """

    name: str
    sources: tuple[str, ...]
    members: tuple[Any, ...]
    weights: tuple[str, ...] = ()
    by: str = ""
    kinds: tuple[Any, ...] = ()
    covariance: str = ""
    zero_sum: bool = False


def factor_of(writing: Writing, factor: str | Call) -> Factor:
    """Return a grouping, with the arguments that hold each row's group."""
    if isinstance(factor, str):
        return _plain(writing, factor)
    if factor.name == "mm":
        return _membership(writing, factor)
    if factor.name != "gr" or len(factor.arguments) != 1:
        raise ModelError(f"{factor} is no grouping: write gr(g, by=h), gr(g, cov=A) or mm(g1, g2)")
    plain = _plain(writing, factor.arguments[0])
    factor.takes(1, ("by", "cov", "zerosum"))
    if factor.truth("zerosum"):
        plain = replace(plain, zero_sum=True)
    if "cov" in factor.named:
        plain = replace(plain, covariance=_covariance(writing, plain, factor.named["cov"]))
    if plain.zero_sum or plain.covariance:
        closed(writing, plain.sources[0], plain.members, factor)
    if "by" in factor.named:
        plain = _parted(writing, plain, factor.arguments[0], factor.named["by"])
    return plain


def _plain(writing: Writing, name: str) -> Factor:
    columns = [part.strip().strip("`") for part in name.split(":")]
    need(writing.frame, columns, name)
    found = grouped(columns)(writing.frame)
    make = grouped(columns, found.labels)
    if len(found.labels) < 2:
        raise DataError(
            f"`{name}` has one level, {next(iter(found.labels))!r}: how groups differ is not told "
            f"by one; leave the term out"
        )
    source = writing.script.argument("_".join(columns), make, set(columns), key=("group", name))
    return Factor(":".join(columns), (source,), found.labels)


def grouped(
    columns: Sequence[str], known: Sequence[Any] | None = None
) -> Callable[[pd.DataFrame], Groups]:
    """Return what makes the group of each row of one column, or of several together.

    `known` are the members of the fit: those of new rows that are none of them follow.
    """

    def make(frame: pd.DataFrame) -> Groups:
        column: Any = frame[columns[0]] if len(columns) == 1 else _joined(frame, columns)
        return coded(column, known)

    return make


def closed(writing: Writing, source: str, members: Sequence[Any], call: Call) -> None:
    """Have an argument refuse rows of members that the fit has not seen: `call` ties its own."""
    argument, known = writing.script.arguments[source], set(members)

    def make(frame: pd.DataFrame) -> Groups:
        found = argument.make(frame)
        new = [i for i, name in enumerate(found.names.tolist()) if name not in known]
        if new:
            name = np.asarray(found.names[new[0]]).item()
            raise DataError(
                f"{call}: {name!r} in row {new[0] + 1} is none of the members of the fit "
                f"({len(new)} such rows), which are drawn together, so that nothing is known of "
                f"one more: leave these rows out, or fit with rows of this member"
            )
        return found

    writing.script.arguments[source] = replace(argument, make=make)


def _joined(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return the names of combinations, a:b, each made once and handed out to its rows."""
    import pandas as pd

    place = frame.groupby(list(columns), sort=False, observed=True).ngroup().to_numpy()
    first = np.unique(place, return_index=True)[1]
    parts = [[_part(v) for v in frame[c].iloc[first].tolist()] for c in columns]
    rows = list(zip(*parts, strict=True))
    names = np.array([":".join(row) for row in rows], object)
    seen: dict[str, tuple[str, ...]] = {}
    for name, row in zip(names, rows, strict=True):
        if seen.setdefault(name, row) != row:
            raise DataError(
                f"`{':'.join(columns)}`: {listed(map(repr, row))} have together the name {name!r}, "
                f"and so have {listed(map(repr, seen[name]))}: write the names without a colon"
            )
    return pd.Series(names[place], dtype=object)


def _part(value: Any) -> str:
    """Return the name that a group gives to combinations: 1 and 1.0, one group, have one."""
    value = spelled(value)
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)


def coded(column: pd.Series, known: Sequence[Any] | None) -> Groups:
    """Code names by the members of the fit and, after them, those that it has not seen."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(column, skipna=False)
    if kind not in ("string", "integer", "boolean") or column.dtype == "category":
        if known is None:
            return groups(column.tolist() if column.dtype == object else column)
        values = [spelled(v) for v in column.tolist()]
        seen = set(known)
        return groups(values, [*known, *(v for v in dict.fromkeys(values) if v not in seen)])
    codes, distinct = pd.factorize(column.to_numpy())  # many rows: each name is looked up once
    if known is None and len(distinct) == len(column):
        return groups(column.tolist())
    if known is None:
        known = sorted(distinct.tolist())
    places = pd.Index(list(known)).get_indexer(distinct)
    new = places < 0
    places[new] = len(known) + np.arange(new.sum())
    return regroup(places[codes].astype(np.int32), (*known, *distinct[new].tolist()))


def _covariance(writing: Writing, factor: Factor, name: str) -> str:
    """Return the argument of a covariance of members, in their order."""
    matrix = writing.matrices.get(name)
    if matrix is None:
        raise ModelError(
            f"gr({factor.name}, cov={name}) needs the matrix: give it beside the table, as "
            f"matrices={{{name!r}: ...}}, with the members' names or in their order"
        )
    values = ordered(matrix, factor.members, name)
    try:
        np.linalg.cholesky(values)
    except np.linalg.LinAlgError as error:
        raise DataError(
            f"the matrix `{name}` is no covariance: it is not positive definite"
        ) from error
    key = ("matrix", name, factor.members)
    return writing.script.argument(name, lambda frame: values, set(), key=key)


def ordered(matrix: Any, members: Sequence[Any], name: str) -> np.ndarray:
    """Return a matrix with rows and columns in the members' order, by name where it has names."""
    if hasattr(matrix, "loc") and hasattr(matrix, "columns"):
        try:
            matrix = matrix.loc[list(members), list(members)]
        except KeyError as error:
            raise DataError(f"the matrix `{name}` lacks members of the table: {error}") from error
    values = np.asarray(matrix, float)
    if values.shape != (len(members), len(members)):
        raise DataError(
            f"the matrix `{name}` has shape {values.shape}, and there are {len(members)} members: "
            f"give a row and a column to each"
        )
    if not np.allclose(values, values.T, atol=1e-8):
        raise DataError(f"the matrix `{name}` is not symmetric")
    return values


def _parted(writing: Writing, factor: Factor, column: str, by: str) -> Factor:
    """Return a grouping whose members are of several kinds, each with its own spread."""
    by = by.strip("`")
    need(writing.frame, [by], f"gr({column}, by={by})")
    kinds = grouped([by])(writing.frame).labels
    members, columns = factor.members, [part.strip(" `") for part in column.split(":")]

    def make(frame: pd.DataFrame) -> np.ndarray:
        own = grouped(columns)(frame)
        pairs = dict(zip(own.names.tolist(), frame[by].tolist(), strict=True))
        several = {
            n for n, k in zip(own.names.tolist(), frame[by].tolist(), strict=True) if pairs[n] != k
        }
        if several:
            raise DataError(f"`{next(iter(several))}` of `{column}` is of several kinds of `{by}`")
        fitted = dict(zip(members, known, strict=True)) if known else {}
        everyone = [*members, *(n for n in pairs if n not in set(members))]
        of = [spelled(pairs.get(n, fitted.get(n))) for n in everyone]
        strange = [kind for kind in of if kind not in kinds]
        if strange:
            raise DataError(
                f"`{by}` is {strange[0]!r}, none of the kinds of `{column}` that the fit has seen: "
                f"{listed(map(repr, kinds))}"
            )
        return np.array([kinds.index(kind) for kind in of])

    known: list[Any] = []
    known += [kinds[i] for i in make(writing.frame)]
    source = writing.script.argument(
        f"{by}_of_{column}", make, {by, *columns}, key=("by", column, by)
    )
    return replace(factor, by=source, kinds=kinds)


def _membership(writing: Writing, call: Call) -> Factor:
    """Return a grouping of rows that are of several groups at once: mm(g1, g2, weights=...)."""
    call.takes(None, ("weights",))
    columns = [c.strip("`") for c in call.arguments]
    need(writing.frame, columns, str(call))
    everyone = sorted({v for c in columns for v in writing.frame[c].tolist()}, key=str)
    weights = call.named.get("weights", "")
    inside = weights.strip()
    inside = inside[inside.find("(") + 1 : -1] if inside.endswith((")", "]")) else inside
    names = [w.strip(" `") for w in inside.split(",") if w.strip()]
    if names and len(names) != len(columns):
        raise ModelError(
            f"{call} has {len(columns)} groups and {len(names)} weights: give one each"
        )
    need(writing.frame, names, str(call))
    given_by = [numbers(f"`{name}`", writing.frame)[0] for name in names]

    def of(column: str) -> Callable[[pd.DataFrame], Groups]:
        def make(frame: pd.DataFrame) -> Groups:
            import pandas as pd

            together = [v for row in zip(*(frame[c] for c in columns), strict=True) for v in row]
            every = coded(pd.Series(together, dtype=object), everyone).labels
            return groups(frame[column].tolist(), every)

        return make

    def weigh(place: int) -> Callable[[pd.DataFrame], np.ndarray]:
        def make(frame: pd.DataFrame) -> np.ndarray:
            if not names:
                return np.full(len(frame), 1 / len(columns))
            given = np.stack([number(frame) for number in given_by], 1)
            whole = given.sum(1)
            bad = np.flatnonzero(~(np.isfinite(whole) & (whole > 0)))
            if len(bad):
                raise DataError(
                    f"the weights of {call} sum to {whole[bad[0]]:g} in row {bad[0] + 1} "
                    f"({len(bad)} such rows): give numbers whose sum is above 0"
                )
            return given[:, place] / whole

        return make

    script = writing.script
    sources = tuple(
        script.argument(c, of(c), set(columns), key=("member", call.arguments, c)) for c in columns
    )
    shares = tuple(
        script.argument(f"weight_{c}", weigh(i), set(names), ("share", call.arguments, *names, i))
        for i, c in enumerate(columns)
    )
    return Factor(f"mm({', '.join(columns)})", sources, tuple(everyone), shares)
