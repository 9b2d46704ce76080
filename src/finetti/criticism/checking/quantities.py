"""Name the quantities by which replicated data are compared with the data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetti.criticism.explaining.categories import SHARES
from finetti.criticism.explaining.scale import ON_A_CIRCLE
from finetti.criticism.predicting.rows import arguments
from finetti.errors import DataError, UnknownSite
from finetti.language.dims import Groups, groups
from finetti.models import Model
from finetti.structure.variables import Variable
from finetti.types import Value

CATEGORIES = 10  # more have no share each
GROUPED = 2  # rows in the largest group, from which groups have means worth comparing

Function = Callable[..., Value]


@dataclass(frozen=True)
class Quantity:
    """Hold a test quantity: a function of data, shape that of the site, to one number.

    With `of_draw` it takes a draw's parameters by name as well. `hint` says what to try where the
    model cannot reproduce it.
    """

    name: str
    function: Function
    hint: str = ""
    of_draw: bool = False

    def __call__(self, data: np.ndarray, parameters: Mapping[str, np.ndarray]) -> float:
        """Return the quantity of one data set."""
        found = self.function(data, parameters) if self.of_draw else self.function(data)
        if np.size(found) != 1:
            raise DataError(
                f"test quantity `{self.name}` returns shape {np.shape(found)}: it must be a number"
            )
        value = float(np.asarray(found).reshape(()))
        if np.isnan(value):
            raise DataError(f"test quantity `{self.name}` is NaN for a data set: define it for all")
        return value


def named(chosen: Mapping[str, Function] | Sequence[Function]) -> list[Quantity]:
    """Return a user's functions of y, or of y and a draw's parameters, as quantities.

    Raises `DataError` for a function that takes neither one argument nor two.
    """
    pairs = chosen.items() if isinstance(chosen, Mapping) else [(_name(f), f) for f in chosen]
    found = []
    for name, function in pairs:
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:  # some of numpy's functions do not say
            found.append(Quantity(name, function))
            continue
        needed = [p for p in parameters if p.default is p.empty and p.kind in (0, 1)]
        if len(needed) not in (1, 2):
            raise DataError(
                f"test quantity `{name}` takes {len(needed)} arguments: it takes the data y, or y "
                f"and the draw's parameters"
            )
        found.append(Quantity(name, function, of_draw=len(needed) == 2))
    return found


def usual(v: Variable, grouped: Mapping[str, Groups]) -> list[Quantity]:
    """Return the quantities that suit what a site holds, and the means of groups of its rows."""
    found = list(_BY_KIND[_kind(v)](v))
    if _kind(v) in ("category", "shares", "angle"):
        return found
    for name, codes in grouped.items():
        if np.bincount(np.asarray(codes)).max() >= GROUPED and len(codes.labels) > 1:
            found += _of_groups(name, codes)
    return found


def groupings(model: Model, v: Variable) -> dict[str, Groups]:
    """Return the groups of a site's flattened rows, by the name of their plate or column.

    They are the plates the site stands in, and the columns of groups with a row for each of its.
    """
    found: dict[str, Groups] = {}
    plates = {p.labels: p.name for other in model.variables for p in other.plates if p.labels}
    for name, column in arguments(model).items():
        if isinstance(column, Groups) and v.shape[:1] == column.shape:
            inner = int(np.prod(v.shape[1:]))
            codes = np.repeat(np.asarray(column), inner)
            found[plates.get(column.labels, name)] = groups(
                np.array(column.labels, dtype=object)[codes], column.labels
            )
    for axis, plate in enumerate(v.plates):
        index = np.broadcast_to(
            np.arange(plate.size).reshape([-1 if i == axis else 1 for i in range(len(v.shape))]),
            v.shape,
        )
        members = plate.coordinate().tolist()
        found.setdefault(
            plate.name, groups(np.array(members, dtype=object)[index.ravel()], members)
        )
    return found


def group_of_name(name: str, model: Model, v: Variable, grouped: Mapping[str, Groups]) -> Groups:
    """Return the groups of a site's rows that a name means: of a plate, an effect, or a column.

    An effect means the plate that it stands in, as a formula's `g` its levels; a column of a
    formula's table groups its rows. Raises `UnknownSite` where there is nothing of that name.
    """
    effects = {o.name: o.plates[0].name for o in model.variables if len(o.plates) == 1}
    if name in grouped:
        return grouped[name]
    if effects.get(name) in grouped:
        return grouped[effects[name]]
    read = {} if model.reader is None else model.reader.table
    table = {str(column): read[column] for column in read}
    if name in table and v.shape == (len(table[name]),):
        return groups(list(table[name]))
    raise UnknownSite.among(name, {**grouped, **effects, **table}, "check by", "group")


def skewness(y: np.ndarray) -> float:
    """Return the third standardised moment, 0 for data that are all the same.

    >>> skewness(np.array([0.0, 0.0, 0.0, 4.0])).round(3).item()
    1.155
    """
    centred = np.asarray(y, float) - np.mean(y)
    spread = np.sqrt(np.mean(centred**2))
    return np.mean(centred**3) / spread**3 if spread > 0 else np.float64(0)


def means(codes: Groups) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of data to the mean of each group that has rows."""
    plain = np.asarray(codes)
    counts = np.bincount(plain, minlength=len(codes.labels))
    filled = counts > 0
    return lambda y: np.bincount(plain, y.ravel(), len(counts))[filled] / counts[filled]


def _name(function: Function) -> str:
    return getattr(function, "__name__", repr(function))


def _kind(v: Variable) -> str:
    if v.family in SHARES:
        return "shares"
    if v.family in ON_A_CIRCLE:
        return "angle"
    if not v.discrete:
        return "real"
    return v.known.tells if v.known.tells in ("yes or no", "category") else "count"


_LEVEL = "let the predictors, the intercept or the link be richer"
_SPREAD = "let the scale vary, or be larger, where rows differ"
_TAILS = "take a likelihood with heavier tails, such as ft.StudentT, or look at these rows"


def _real(v: Variable) -> list[Quantity]:
    return [
        Quantity("mean", np.mean, _LEVEL),
        Quantity("sd", np.std, _SPREAD),
        Quantity("skewness", skewness, "transform the data, or take a skewed likelihood"),
        Quantity("min", np.min, _TAILS),
        Quantity("max", np.max, _TAILS),
    ]


def _count(v: Variable) -> list[Quantity]:
    """Return the quantities of counts, with what to do where they fail."""
    wider = (
        "let rows vary more than the likelihood does, by an effect for each or as "
        "ft.NegativeBinomial2 or ft.BetaBinomial do"
    )
    return [
        Quantity("mean", np.mean, _LEVEL),
        Quantity("sd", np.std, wider),
        Quantity(
            "share of zeros",
            lambda y: np.mean(y == 0),
            "give zeros a cause of their own, as ft.ZeroInflatedPoisson does, or let rows vary",
        ),
        Quantity("max", np.max, wider),
    ]


def _yes_or_no(v: Variable) -> list[Quantity]:
    return [Quantity("mean", np.mean, _LEVEL)]


def _category(v: Variable) -> list[Quantity]:
    seen = np.unique(np.asarray(v.data))[:CATEGORIES].tolist()
    names = {k: v.categories[k] if v.categories else k for k in seen}
    return [Quantity(f"share of {names[k]}", lambda y, k=k: np.mean(y == k), _LEVEL) for k in seen]


def _shares(v: Variable) -> list[Quantity]:
    """Return the mean and sd of each category's counts or shares: those of all sum to a constant.

    Of rows that lack some, which come flattened, the names alone tell how many there are.
    """
    names = v.categories or (() if v.holes is not None else range(v.shape[-1]))
    size, found = len(names), []
    for k, name in list(enumerate(names))[:CATEGORIES]:
        each = lambda y, k=k: np.reshape(y, (-1, size))[:, k]  # noqa: E731
        found += [
            Quantity(f"mean of {name}", lambda y, of=each: np.mean(of(y)), _LEVEL),
            Quantity(f"sd of {name}", lambda y, of=each: np.std(of(y)), _SPREAD),
        ]
    return found


def _angle(v: Variable) -> list[Quantity]:
    """Return what does not depend on where a circle is cut."""
    return [
        Quantity("mean cosine", lambda y: np.mean(np.cos(y)), _LEVEL),
        Quantity("mean sine", lambda y: np.mean(np.sin(y)), _LEVEL),
        Quantity("resultant length", lambda y: np.abs(np.mean(np.exp(1j * y))), _SPREAD),
    ]


_BY_KIND = {
    "real": _real, "count": _count, "yes or no": _yes_or_no, "category": _category,
    "shares": _shares, "angle": _angle,
}  # fmt: skip


def _of_groups(name: str, codes: Groups) -> list[Quantity]:
    of = means(codes)
    hint = f"let the groups of `{name}` have effects of their own, or be spread more widely"
    return [
        Quantity(f"sd of {name} means", lambda y: np.std(of(y)), hint),
        Quantity(f"smallest {name} mean", lambda y: np.min(of(y)), hint),
        Quantity(f"largest {name} mean", lambda y: np.max(of(y)), hint),
    ]
