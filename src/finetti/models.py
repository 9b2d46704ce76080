"""Hold a user's model: a function of data whose statements say how the data came about."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

import jax

from finetti.distributions import unchecked
from finetti.errors import ModelError, OutsidePlate
from finetti.hypertext.html import block, code, heading, words
from finetti.language import handlers
from finetti.language.code import code_of, refuse_unrun
from finetti.language.effects import Site, running
from finetti.language.holes import WAYS, Missing, without_rows
from finetti.language.missing import impute
from finetti.language.reader import Reader
from finetti.language.taken import as_data, explain, judged, kept
from finetti.structure.choices import AS_WRITTEN, FREE, Choices
from finetti.structure.graph import Graph
from finetti.structure.lacking import refuse_spread, unread
from finetti.structure.plan import Plan
from finetti.structure.surroundings import stamp, surroundings
from finetti.structure.tracing import write_program
from finetti.structure.variables import Variable, discover

Handler = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, eq=False)
class Model:
    """Hold a model's function, the data it is applied to, and the handlers around it.

    Calling a model with data binds them; calling it inside a running model runs it there with
    its sites prefixed by its name. Models are immutable: each method returns a new one.
    `reader` makes the function's arguments of a table, where columns are not taken as they are.
    `added` tells of the rows that its data are sums of, where those stayed in their table.
    `lacking` says what is done about values that data lack, as `missing` sets it.

    >>> [v.name for v in coin(10).condition(heads=7).variables]
    ['p', 'heads']
    """

    function: Callable[..., object]
    name: str
    arguments: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    handlers: tuple[Handler, ...] = ()
    reader: Reader | None = None
    added: str = ""
    lacking: Missing = "refuse"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Bind the model to its data or, inside a running model, run it with prefixed sites."""
        if self.arguments is not None and (args or kwargs):
            raise ModelError(f"model `{self.name}` already has its data")
        bound = self if self.arguments is not None else self._bind(args, kwargs)
        if not running():
            return bound
        with handlers.scope(self.name):
            return bound._run(())

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Model:
        try:
            inspect.signature(self.function).bind(*args, **kwargs)
        except TypeError as error:
            raise ModelError(f"model `{self.name}`: {error}") from None
        places = self._places(len(args))
        columns = dict(zip(places, args, strict=True)) | dict(kwargs)
        columns = without_rows(columns) if self.lacking == "drop" else columns
        holes = self.lacking == "impute"
        data = {name: judged(name, value, holes) for name, value in columns.items()}
        given = tuple(data.pop(name) for name in places)
        return replace(self, arguments=kept((given, data)))

    def _places(self, count: int) -> list[str]:
        """Return the names of the first `count` arguments, those of *args by number."""
        found: list[str] = []
        for p in inspect.signature(self.function).parameters.values():
            if p.kind is p.VAR_POSITIONAL:
                found += [f"{p.name}[{i}]" for i in range(count - len(found))]
            found.append(p.name)
        return found[:count]

    def run(self) -> object:
        """Run the model's statements under the handlers in force and return its result."""
        return self._run(self._unread if self.lacking == "impute" else ())

    def _run(self, unread: Collection[str]) -> object:
        """Run the statements; holes of data that are `unread` have no site."""
        bound = self if self.arguments is not None else self._bind((), {})
        args, kwargs = bound.arguments or ((), {})
        with ExitStack() as stack:
            stack.enter_context(unchecked())
            if self.lacking == "impute":
                stack.enter_context(impute(unread))
            for handler in reversed(self.handlers):
                stack.enter_context(handler())
            try:
                return self.function(*args, **kwargs)
            except (RecursionError, TypeError, ValueError, IndexError) as error:
                given = dict(zip(self._places(len(args)), args, strict=True)) | dict(kwargs)
                told = explain(self.name, given, error)
                if told is None:
                    raise
                raise told from None if isinstance(error, RecursionError) else error

    def named(self, name: str) -> Model:
        """Return the model under another name, to call it twice inside one model."""
        return replace(self, name=name)

    def reading(self, reader: Reader) -> Model:
        """Return the model with what makes its function's arguments of a table."""
        return replace(self, reader=reader)

    def added_up(self, said: str) -> Model:
        """Return the model with what there is to say of the rows that its data are sums of."""
        return replace(self, added=said)

    def code(self) -> str:
        """Return the model's code; that of a formula's model can be copied, changed and run.

        Raises `ModelError` where Python cannot find it, as of a function typed at a prompt.
        """
        if "_text" not in self.__dict__:
            self.__dict__["_text"] = code_of(self.function, self.name)
        return self.__dict__["_text"]

    def __getstate__(self) -> dict[str, object]:
        """Return what is pickled: the code as text too, but nothing of what was understood."""
        with suppress(ModelError):
            self.code()
        return {n: v for n, v in vars(self).items() if n not in ("variables", "_plans", "_seen")}

    def missing(self, how: Missing) -> Model:
        """Return the model that refuses values that its data lack, drops their rows, or imputes.

        Said before the data are given: `regression.missing("impute")(x, y)`. Missing are NaN, None,
        pandas' NA, and what an array masks. "refuse", the default, raises `MissingValue`. "drop"
        leaves these rows out of all columns of that length, with a warning. "impute" lets what an
        observed site `y` lacks be unknown: its likelihood is that of what is known, and where
        others depend on what the statement returns, the rest is latent, `y_missing`. A predictor
        is given a law by observing it. `ft.predict` draws all that is missing.

        >>> level = model(lambda y: sample("y", Normal(sample("mu", Normal(0, 5)), 1), obs=y))
        >>> level.missing("impute")([1.0, None, 3.0]).variables[1].data.shape
        (3,)
        """
        if how not in WAYS:
            raise ModelError(f"missing is refuse, drop or impute, not {how!r}")
        return replace(self, lacking=how)

    def condition(self, **values: Any) -> Model:
        """Return the model with the named variables observed, as with `obs=`.

        Where rows that lack values are dropped, its arguments of that length lose them too.
        """
        if self.lacking != "drop":
            return self._under(functools.partial(handlers.condition, kept(values)))
        args, kwargs = self.arguments or ((), {})
        given = dict(zip(self._places(len(args)), args, strict=True)) | dict(kwargs)
        both = without_rows(given | {f"site {name}": value for name, value in values.items()})
        observed = {name: both.pop(f"site {name}") for name in values}
        rest = tuple(both.values())[: len(args)], {name: both[name] for name in kwargs}
        bound = replace(self, arguments=kept(rest)) if self.arguments else self
        return bound._under(functools.partial(handlers.condition, kept(observed)))

    def leave_out(self, **places: Any) -> Model:
        """Return the model without some observations: those where an array of a site is True.

        They stay where they are and their log density is 0, so that draws have the same shapes.
        An array has the shape of the site's observations, an event being one of them.
        """
        return self._under(functools.partial(handlers.leave_out, kept(places)))

    def intervene(self, **values: Any) -> Model:
        """Return the model with the named variables set by fiat, their priors cut off."""
        return self._under(functools.partial(handlers.intervene, kept(values)))

    def substitute(self, **values: Any) -> Model:
        """Return the model with the named latent variables fixed, their priors kept."""
        return self._under(functools.partial(handlers.substitute, kept(values)))

    def block(self, names: str | Iterable[str]) -> Model:
        """Return the model with the named sites, or one, hidden from handlers further out."""
        named = (names,) if isinstance(names, str) else tuple(names)
        return self._under(functools.partial(handlers.block, named))

    def redraw(self, keep: Callable[[Site], bool] | None = None) -> Model:
        """Return the model with what is observed drawn anew, as predictions need it.

        Sites for which `keep` is true stay observed.
        """
        return self._under(functools.partial(handlers.redraw, keep))

    def _under(self, handler: Handler) -> Model:
        return replace(self, handlers=(*self.handlers, handler))

    def trace(self, seed: int = 0) -> dict[str, Site]:
        """Run the model once with a seed and return its sites by name.

        Raises `OutsidePlate` where it is indexed by codes that its plates do not have.
        """
        with jax.enable_x64(True), handlers.trace() as sites, handlers.seed(seed):
            self.run()
        try:
            _ = self.variables
        except OutsidePlate:
            raise
        except Exception:  # noqa: BLE001 - it ran all the same: here numbers are known
            pass
        return sites

    @functools.cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Return the description of every site, checked; nothing is compiled."""
        before = stamp(self.function)
        with jax.enable_x64(True):
            found = discover(self.run, self._columns)
        after = stamp(self.function)  # what the model changes itself tells nothing
        self.__dict__["_seen"] = {n: key for n, key in before.items() if after.get(n) == key}
        return found

    @functools.cached_property
    def _unread(self) -> frozenset[str]:
        """Return the sites of holes that nothing depends on: they are left out of the density."""
        with jax.enable_x64(True):
            return unread(functools.partial(self._run, ()))

    def whole(self) -> Model:
        """Return the model with a site for all that its data lack, whatever depends on it."""
        made = replace(self)
        made.__dict__["_unread"] = frozenset()
        return made

    def _columns(self) -> dict[str, Any]:
        """Return the data by name: the function's arguments, and what it takes from around it."""
        args, kwargs = self.arguments or ((), {})
        known = inspect.signature(self.function).bind_partial(*args, **kwargs).arguments
        inside = {
            name + jax.tree_util.keystr(path): leaf
            for name, value in known.items()
            for path, leaf in jax.tree_util.tree_flatten_with_path(value)[0]
        }
        return {**surroundings(self.function), **inside, **known}

    def changed(self) -> list[str]:
        """Name what the function reads from around it that has changed since it was read."""
        seen = self.__dict__.get("_seen", {})
        now = stamp(self.function) if seen else {}
        return [name for name, key in seen.items() if now.get(name) != key]

    def _look_around(self) -> None:
        """Forget what was understood of the model if what its function reads has changed."""
        if self.changed():
            for known in ("variables", "_plans", "_unread"):
                self.__dict__.pop(known, None)

    @functools.cached_property
    def _plans(self) -> dict[tuple[str, Choices], Plan]:
        return {}

    def plan(self, dtype: str = "float64", choices: Choices = FREE) -> Plan:
        """Return what finetti saw in the model and what it will do, and why.

        `dtype` is the float type to compute in. `choices` are rewrites refused and asked for, which
        `model.plan().without(...)` and `model.plan().approximate()` fill in for you.
        """
        self._look_around()
        if (dtype, choices) not in self._plans:
            base = self._plans.get((dtype, AS_WRITTEN))
            with jax.enable_x64(dtype == "float64"):
                base = base or Plan(*write_program(self.run, self.variables, dtype), AS_WRITTEN)
                if self.lacking == "impute":
                    refuse_spread(base.program, self._columns())
                self._plans[dtype, AS_WRITTEN] = base
                self._plans[dtype, choices] = Plan(base.program, base.graph, choices, self.added)
        return self._plans[dtype, choices]

    def graph(self) -> Graph:
        """Return the dependency graph of the model's sites and plates."""
        return self.plan(choices=AS_WRITTEN).graph

    def __repr__(self) -> str:
        return f"<model {self.name}{'' if self.arguments is not None else ', no data yet'}>"

    def _repr_html_(self) -> str:
        if self.arguments is None and inspect.signature(self.function).parameters:
            said = inspect.getdoc(self.function) or ""
            call = f"{self.name}{inspect.signature(self.function)}"
            return block(heading(repr(self)[1:-1]), code(call), words(said) if said else "")
        try:
            graph = self.graph()
            drawn = f"{graph.svg()}{code(str(graph))}"
        except Exception as error:  # noqa: BLE001 - whoever runs the model is told all of it
            drawn = words(f"It cannot be drawn: {str(error).partition(chr(10))[0]}")
        return block(heading(repr(self)[1:-1]), drawn)


def require_model(value: object, verb: str) -> Model:
    """Return a model, or refuse what is none in a sentence that says how to come by one."""
    if isinstance(value, Model):
        return value
    if isinstance(value, str):
        given, remedy = f"the text {value!r:.80}", "give the function itself that @ft.model marks"
    elif callable(value):
        given = f"the plain function `{getattr(value, '__name__', type(value).__name__)}`"
        remedy = "mark it with @ft.model, and give it its data"
    elif isinstance(getattr(value, "model", None), Model):
        given, remedy = "a posterior", "give its model, posterior.model"
    else:
        given, remedy = f"{value!r:.80}", "give a function that @ft.model marks, with its data"
    raise ModelError(f"{verb} takes a model, not {given}: {remedy}")


def require_rows(model: Model, verb: str) -> None:
    """Refuse what looks at single rows where they stayed in their table and their sums came."""
    if model.added:
        raise ModelError(
            f"{verb} looks at single rows, and those of `{model.name}` stayed in their table "
            f"({model.added.partition(', made')[0]}): give a sample of them to ft.formula for that"
        )


def model(function: Callable[..., object]) -> Model:
    """Make a model of a function: its parameters are data, its statements say the rest.

    >>> @model
    ... def coin(n):
    ...     p = sample("p", Uniform(0, 1))
    ...     sample("heads", Binomial(n, p))
    >>> coin(10).condition(heads=7)
    <model coin>
    """
    if isinstance(function, Model):
        return function
    refuse_unrun(function)
    made = Model(function, getattr(function, "__name__", type(function).__name__))
    made.__dict__.update(__doc__=function.__doc__, __wrapped__=function)
    return made


__all__ = ["Model", "as_data", "model"]
