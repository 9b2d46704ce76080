"""Write terms that formulae does not know: smooths, monotonic steps, processes, areas."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import finetti.distributions as families
from finetti.errors import DataError, ModelError
from finetti.formulas.faults import MANY, sound
from finetti.formulas.frames import need
from finetti.formulas.grouping import closed, grouped, ordered
from finetti.formulas.outcome import numbers
from finetti.formulas.priors import written
from finetti.formulas.script import literal
from finetti.formulas.text import Call, cut
from finetti.formulas.writing import WIDE, Writing, rounded, state
from finetti.structure.words import listed

if TYPE_CHECKING:
    import pandas as pd

BASIS = 10  # functions of a smooth, as mgcv's default
SMOOTHS = {"tp": "ThinPlateRegressionSpline", "cr": "NaturalCubicSpline"}
REACH = 1.5  # of a Gaussian process's domain beyond the data, and functions that it is made of
FUNCTIONS = 20


def write_special(writing: Writing, call: Call) -> str:
    """Write the statements of a special term and return the expression that it adds."""
    return WRITERS[call.name](writing, call)


def _offset(writing: Writing, call: Call) -> str:
    """Write a column that is added as it is."""
    make, columns = numbers(", ".join(call.arguments), writing.frame)
    make = sound(make, str(call))
    return writing.script.argument("_".join(("offset", *columns)), make, set(columns))


def _settings(call: Call, known: Mapping[str, Any], count: int = 1) -> dict[str, Any]:
    """Read a term's settings, and refuse those it does not have."""
    if len(call.arguments) != count:
        raise ModelError(f"{call}: {call.name} takes {count} column, as in {call.name}(x)")
    unknown = set(call.named) - set(known)
    if unknown:
        listed = ", ".join(f"{n}=" for n in known)
        raise ModelError(f"{call}: {call.name} takes {listed}, not {', '.join(unknown)}")
    found = dict(known)
    for name, text in call.named.items():
        try:
            found[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            found[name] = text.strip("`")
    return found


def _smooth(writing: Writing, call: Call) -> str:
    """Write a penalised spline: a line, and wiggles with a spread of their own (Wood 2017, 5.8)."""
    import formulae.transforms

    set_to = _settings(call, {"k": BASIS, "bs": "tp", "by": None})
    if set_to["bs"] not in SMOOTHS:
        raise ModelError(f"{call}: the bases are {', '.join(SMOOTHS)}")
    if not isinstance(set_to["k"], int) or set_to["k"] < 3:
        raise ModelError(f"{call}: k is the number of basis functions, 3 or more")
    make, columns = numbers(call.arguments[0], writing.frame)
    make = sound(make, str(call))
    x = make(writing.frame)
    if len(np.unique(x)) < set_to["k"]:
        raise ModelError(
            f"{call} has {set_to['k']} basis functions and `{call.arguments[0]}` "
            f"{len(np.unique(x))} distinct values: take a smaller k="
        )
    spline = getattr(formulae.transforms, SMOOTHS[set_to["bs"]])()
    spline(x, df=set_to["k"] - 1)
    first = spline.to_random()
    wiggly = first[:, spline.null_space_dimension :]
    size = float(np.sqrt((wiggly**2).sum(1).mean()))

    def line(frame: pd.DataFrame) -> np.ndarray:
        return spline.to_random(spline.eval(make(frame)))[:, 0]

    def wiggles(frame: pd.DataFrame) -> np.ndarray:
        return spline.to_random(spline.eval(make(frame)))[:, spline.null_space_dimension :] / size

    parts = []
    for level, chosen in _by(writing, call, set_to["by"]):
        name = f"s({call.arguments[0]})" if level is None else f"s({call.arguments[0]}):{level}"
        script, reads = writing.script, set(columns) | {set_to["by"]} - {None}
        straight = script.argument(f"line_{name}", chosen(line), reads)
        basis = script.argument(f"basis_{name}", chosen(wiggles), reads)
        default = families.Normal(0.0, rounded(WIDE * writing.spread))
        slope = state(writing, f"{writing.prefix}{name}", [writing.prior(default, name, "b")])
        spread = _spread(writing, name)
        weights = script.identifier(f"w_{name}")
        law = f"ft.Normal(0, {spread}).expand([{wiggly.shape[1]}]).to_event(1)"
        script.say(
            f"{weights} = ft.sample({literal(script.name(f'_{writing.prefix}{name}'))}, {law})"
        )
        parts.append(f"{slope} * {straight} + {basis} @ {weights}")
    return " + ".join(parts)


Made = Callable[["pd.DataFrame"], np.ndarray]


def _by(writing: Writing, call: Call, by: str | None) -> list[tuple[Any, Callable[[Made], Made]]]:
    """Return for each level of a factor what keeps a term to its rows; without one it stays."""
    if by is None:
        return [(None, lambda make: make)]
    need(writing.frame, [by], str(call))
    known = grouped([by])(writing.frame).labels

    def only(place: int) -> Callable[[Made], Made]:
        def keep(make: Made) -> Made:
            def made(frame: pd.DataFrame) -> np.ndarray:
                found = grouped([by], known)(frame)
                if found.labels != known:
                    raise DataError(
                        f"`{by}` is {found.labels[len(known)]!r}, of which {call} has no smooth: "
                        f"the fit has seen {listed(map(repr, known))}"
                    )
                values = make(frame)
                return values * (found.codes == place).reshape(-1, *(1,) * (values.ndim - 1))

            return made

        return keep

    column: Any = writing.frame[by]
    if column.dtype.kind in "iuf" and column.nunique() > MANY:
        raise ModelError(
            f"{call}: `{by}` holds {column.nunique()} different numbers, and by= takes names, each "
            f"with a smooth of its own: make names of them, such as of ranges"
        )
    return [(level, only(place)) for place, level in enumerate(known)]


def _spread(writing: Writing, name: str, scale: float = 1.0) -> str:
    """Write a term's standard deviation and return its identifier."""
    script, label = writing.script, f"sd[{writing.prefix}{name}]"
    found = script.identifier(f"sd_{name}")
    default = families.HalfNormal(rounded(WIDE * writing.spread * scale))
    prior = writing.prior(default, label, "sd")
    script.say(f"{found} = ft.sample({literal(script.name(label))}, {written([prior], script)})")
    return found


def _process(writing: Writing, call: Call) -> str:
    """Write a Gaussian process by its spectrum (Riutort-Mayol et al. 2023, eq. 5-9)."""
    set_to = _settings(call, {"k": FUNCTIONS, "c": REACH})
    make, columns = numbers(call.arguments[0], writing.frame)
    make = sound(make, str(call))
    x = make(writing.frame)
    middle, half = (x.min() + x.max()) / 2, (x.max() - x.min()) / 2
    if half <= 0:
        raise DataError(f"{call}: `{call.arguments[0]}` has one value only")
    count, reach = int(set_to["k"]), float(set_to["c"])
    orders = np.arange(1, count + 1)

    def basis(frame: pd.DataFrame) -> np.ndarray:
        values = make(frame)
        at = (values - middle) / half
        far = np.flatnonzero(np.abs(at) >= reach)
        if len(far):
            raise DataError(
                f"{call} says nothing of {values[far[0]]:g}, in row {far[0] + 1} ({len(far)} such "
                f"rows): it reaches from {middle - reach * half:g} to {middle + reach * half:g}; "
                f"leave these rows out, or fit with a larger c={reach:g}"
            )
        return np.sin(np.pi * orders * (at[:, None] + reach) / (2 * reach)) / np.sqrt(reach)

    name, script = f"gp({call.arguments[0]})", writing.script
    data = script.argument(f"basis_{name}", basis, set(columns))
    spread = _spread(writing, name)
    label = f"lengthscale[{writing.prefix}{name}]"
    length = script.identifier(f"length_{name}")
    prior = writing.prior(families.InverseGamma(3.0, rounded(half)), label, "lengthscale")
    script.say(f"{length} = ft.sample({literal(script.name(label))}, {written([prior], script)})")
    weights = script.identifier(f"w_{name}")
    root = script.identifier(f"frequency_{name}")
    script.say(f"{root} = jnp.pi * jnp.arange(1, {count + 1}) / {literal(2 * reach * half)}")
    density = f"{spread} * (2 * jnp.pi) ** 0.25 * jnp.sqrt({length} / {literal(half)})"
    law = f"ft.Normal(0, {density} * jnp.exp(-0.25 * ({length} * {root}) ** 2)).to_event(1)"
    script.say(f"{weights} = ft.sample({literal(script.name(f'_{writing.prefix}{name}'))}, {law})")
    return f"{data} @ {weights}"


def _monotonic(writing: Writing, call: Call) -> str:
    """Write an ordinal predictor whose steps all go one way (Buerkner & Charpentier 2020)."""
    _settings(call, {})
    column = call.arguments[0].strip("`")
    need(writing.frame, [column], str(call))
    values: Any = writing.frame[column]
    if str(values.dtype) == "category":
        levels = values.cat.categories.tolist()
    elif values.dtype.kind in "iub":
        levels = list(range(int(values.min()), int(values.max()) + 1))
    else:
        raise DataError(f"{call}: `{column}` is to hold ordered categories or whole numbers")
    steps = len(levels) - 1
    if steps < 1:
        raise DataError(f"{call}: `{column}` has one value only")

    def codes(frame: pd.DataFrame) -> np.ndarray:
        found = [levels.index(v) if v in levels else -1 for v in frame[column].tolist()]
        if min(found) < 0:
            strange = frame[column].tolist()[found.index(-1)]
            raise DataError(f"`{column}` is {strange!r}, none of the levels of the fit: {levels}")
        return np.asarray(found)

    name, script = f"mo({column})", writing.script
    data = script.argument(f"step_{column}", codes, {column})
    code = codes(writing.frame)
    default = families.Normal(0.0, rounded(WIDE * writing.spread / writing.sd(code.astype(float))))
    slope = state(writing, f"{writing.prefix}{name}", [writing.prior(default, name, "b")])
    shares = script.identifier(f"simplex_{column}")
    label = script.name(f"simplex[{writing.prefix}{name}]")
    named = literal([str(v) for v in levels[1:]])
    dims = f"dims={{{literal(script.name(f'{column}_step'))}: {named}}}"
    script.say(f"{shares} = ft.sample({literal(label)}, ft.Dirichlet(jnp.ones({steps})), {dims})")
    risen = f"jnp.concatenate([jnp.zeros(1), jnp.cumsum({shares})])"
    return f"{slope} * {steps} * {risen}[{data}]"


def _in_time(writing: Writing, call: Call) -> tuple[str, str, Callable[..., Any], list[Any]]:
    """Return a process's name, its group, what codes its times, and the times themselves."""
    sides = [part.strip() for part in cut(", ".join(call.arguments), "|")]
    if len(sides) > 2 or not sides[0]:
        raise ModelError(f"{call}: write {call.name}(time | group), or {call.name}(time)")
    time, group = sides[0].strip("`"), (sides[1] if len(sides) == 2 else "")
    need(writing.frame, [time], str(call))
    if writing.frame[time].dtype.kind not in "iufM":
        raise DataError(f"{call}: `{time}` holds {writing.frame[time].iloc[0]!r}, no times")
    times = sorted(set(writing.frame[time].tolist()))
    if len(times) < 3:
        raise DataError(f"{call}: `{time}` has {len(times)} distinct values, too few for a process")

    def codes(frame: pd.DataFrame) -> np.ndarray:
        place = {t: i for i, t in enumerate(times)}
        strange = [t for t in frame[time].tolist() if t not in place]
        if strange:
            raise DataError(
                f"{call}: the fit has no time {strange[0]!r}, whose state would be unknown"
            )
        return np.array([place[t] for t in frame[time].tolist()])

    return f"{call.name}({' | '.join(sides)})", group, codes, times


def _series(writing: Writing, call: Call) -> str:
    """Write an autoregression or a random walk over time, one for each group."""
    _settings(call, {})
    name, group, codes, times = _in_time(writing, call)
    script, count = writing.script, len(times)
    time = script.argument(f"time_{name}", codes, {call.arguments[0].split("|")[0].strip(" `")})
    spread = _spread(writing, name, 1.0 if call.name == "ar" else 0.5)
    dim = script.name(f"{name}_time")
    shown = [t if isinstance(t, int | float | str) else str(t) for t in times]
    dims = f"dims={{{literal(dim)}: {literal(shown)}}}"
    if call.name == "ar":
        label = f"{writing.prefix}rho[{name}]"
        rho = script.identifier(f"rho_{name}")
        prior = writing.prior(families.Uniform(0.0, 1.0), label, "rho")
        script.say(f"{rho} = ft.sample({literal(script.name(label))}, {written([prior], script)})")
        at = np.asarray(times, "datetime64[ns]" if not np.isscalar(times[0]) else float).astype(
            float
        )
        step = float(np.diff(at).min())
        gaps = np.abs(at[:, None] - at) / step
        between = script.argument(f"gap_{name}", lambda frame: gaps, set(), key=("gaps", name))
        # Equal to the first-order autoregression at whole steps, and defined between them.
        law = (
            f"ft.MultivariateNormal(jnp.zeros({count}), {spread} ** 2 * "
            f"jnp.exp({between} * jnp.log({rho})) + 1e-8 * {spread} ** 2 * jnp.eye({count}))"
        )
    else:
        law = f"ft.GaussianRandomWalk({spread}, {count})"
    found, site = script.identifier(f"u_{name}"), script.name(f"{writing.prefix}{name}")
    if not group:
        script.say(f"{found} = ft.sample({literal(site)}, {law}, {dims})")
        return f"{found}[{time}]"
    columns = [part.strip().strip("`") for part in group.split(":")]
    need(writing.frame, columns, str(call))
    known = grouped(columns)(writing.frame).labels
    source = script.argument(
        "_".join(columns), grouped(columns, known), set(columns), key=("group", ":".join(columns))
    )
    with script.deeper(f"with ft.plate({literal(script.name(f'{name}_level'))}, {source}):"):
        script.say(f"{found} = ft.sample({literal(site)}, {law}, {dims})")
    return f"{found}[{source}, {time}]"


def _areas(writing: Writing, call: Call) -> str:
    """Write effects of areas that are like their neighbours' (Besag 1974): car(W, gr=area)."""
    set_to = _settings(call, {"gr": None})
    name, group = call.arguments[0], set_to["gr"]
    if group is None:
        raise ModelError(f"{call}: say which column names the areas, car({name}, gr=area)")
    need(writing.frame, [group], str(call))
    matrix = writing.matrices.get(name)
    if matrix is None:
        raise ModelError(
            f"{call} needs the adjacency `{name}`, 1 between neighbours: give it beside the table, "
            f"as matrices={{{name!r}: ...}}, with the areas' names or in their order"
        )
    areas = grouped([group])(writing.frame).labels
    make = grouped([group], areas)
    near = ordered(matrix, areas, name)
    if (near.sum(1) == 0).any() or not np.isin(near, (0, 1)).all():
        raise DataError(
            f"the adjacency `{name}` holds 1 between neighbours, else 0, and each area has one"
        )
    script = writing.script
    source = script.argument(group, make, {group}, key=("group", group))
    closed(writing, source, areas, call)
    adjacency = script.argument(name, lambda frame: near, set(), key=("matrix", name, areas))
    spread = _spread(writing, f"car({name})")
    label = f"{writing.prefix}rho[car({name})]"
    rho = script.identifier(f"rho_{name}")
    prior = writing.prior(families.Uniform(0.0, 1.0), label, "rho")
    script.say(f"{rho} = ft.sample({literal(script.name(label))}, {written([prior], script)})")
    found, dim = script.identifier(f"u_{name}"), script.name(f"car({name})_area")
    law = f"ft.CAR(0.0, {rho}, 1 / {spread} ** 2, {adjacency})"
    site = script.name(f"{writing.prefix}car({name})")
    dims = f"dims={{{literal(dim)}: {literal(list(areas))}}}"
    script.say(f"{found} = ft.sample({literal(site)}, {law}, {dims})")
    return f"{found}[{source}]"


WRITERS: Mapping[str, Callable[[Writing, Call], str]] = {
    "offset": _offset, "s": _smooth, "gp": _process, "mo": _monotonic, "ar": _series,
    "rw": _series, "car": _areas,
}  # fmt: skip
