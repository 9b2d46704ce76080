"""Take a formula's text apart: responses and what is said of them, terms, groups, parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from finetti.errors import ModelError

SPECIAL = ("s", "gp", "mo", "ar", "rw", "car", "offset")  # terms that formulae does not know
LACKING = re.compile(r"(?<![\w.])mi\(\s*([\w.]+|`[^`]+`)\s*\)")  # mi(x)
# What may be said of an outcome: how many columns each takes, and which settings.
ADDITIONS = {
    "trials": (1, ()), "weights": (1, ()), "se": (1, ("sigma",)), "cens": (None, ()),
    "trunc": (0, ("lb", "ub")), "mi": (0, ()), "rate": (1, ()),
}  # fmt: skip
RESCOR = re.compile(r"set_rescor\(\s*([TtFf])\w*\s*\)")  # set_rescor(TRUE)
OPEN, CLOSE, QUOTES = "([{", ")]}", "'\"`"


@dataclass(frozen=True)
class Call:
    """Hold a call in a formula, its arguments as text: `bs(x, df=4)` has ("x",) and {"df": "4"}."""

    name: str
    arguments: tuple[str, ...]
    named: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Write it as it was written."""
        parts = (*self.arguments, *(f"{k}={v}" for k, v in self.named.items()))
        return f"{self.name}({', '.join(parts)})"

    def takes(self, most: int | None, settings: Sequence[str] = ()) -> None:
        """Refuse more arguments than it takes, and settings that it does not have."""
        over = [] if most is None else list(self.arguments[most:])
        strange = [*over, *(f"{name}=" for name in self.named if name not in settings)]
        if strange:
            known = f", beside {', '.join(f'{name}=' for name in settings)}" if settings else ""
            columns = {None: "columns", 0: "nothing", 1: "one column"}.get(most, f"{most} columns")
            raise ModelError(
                f"{self}: {self.name}(...) takes {columns}{known}; leave {strange[0]} out"
            )

    def truth(self, name: str) -> bool:
        """Return a setting that is true or false, as R or Python writes it; false if absent."""
        said = self.named.get(name, "False").upper()
        if said not in ("T", "TRUE", "F", "FALSE"):
            raise ModelError(f"{self}: {name}= is True or False, not {self.named[name]}")
        return said.startswith("T")


@dataclass(frozen=True)
class Grouped:
    """Hold a group term: which coefficients vary, over what, and whether they do so together.

    `across` names, as in (x |p| g), what terms of several predictors share.
    """

    expression: str
    factor: str | Call
    correlated: bool = True
    across: str = ""


@dataclass(frozen=True)
class Predictor:
    """Hold the right-hand side of a formula: `linear` is what formulae reads, the rest is ours."""

    linear: str
    groups: tuple[Grouped, ...] = ()
    special: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Formula:
    """Hold one formula: its left-hand side, what is said of the response, and its predictor.

    `tied` tells that its residuals are correlated with those of the others.
    """

    text: str
    response: str
    predictor: Predictor
    additions: dict[str, Call] = field(default_factory=dict)
    tied: bool = False


def parse(texts: str | Sequence[str]) -> tuple[Formula, ...]:
    """Take formulas apart; several come as a sequence, or parted by semicolons or lines.

    Raises `ModelError` for text that is no formula.

    >>> parse("y | trials(n) ~ x + (1 | g)")[0].predictor.groups[0].factor
    'g'
    """
    whole = [texts] if isinstance(texts, str) or not isinstance(texts, Sequence) else list(texts)
    if not all(isinstance(t, str) for t in whole):
        raise ModelError(f"a formula is text, such as 'y ~ x + (1 | g)', not {texts!r:.80}")
    found = [line.strip() for t in whole for part in cut(t, ";") for line in _lines(part)]
    rescor = [found_in.group(1) for line in found if (found_in := RESCOR.fullmatch(line))]
    found = [line for line in found if line and not RESCOR.fullmatch(line)]
    if not found:
        raise ModelError("the formula is empty: write one such as 'y ~ x + (1 | g)'")
    tied = rescor[-1:] in (["T"], ["t"])
    return tuple(replace(one, tied=tied) for line in found for one in _each(_formula(line)))


def _each(formula: Formula) -> list[Formula]:
    """Return a formula for each outcome of mvbind(a, b) ~ x."""
    call = as_call(formula.response)
    if call is None or call.name != "mvbind":
        return [formula]
    call.takes(None)
    side = formula.text.partition("~")[2]
    return [replace(formula, text=f"{a} ~{side}", response=a) for a in call.arguments]


def _lines(text: str) -> list[str]:
    """Return the formulas of a text, each of which has its own tilde; lines may be continued."""
    lines: list[str] = []
    for line in text.splitlines():
        if "~" in line or not lines:
            lines.append(line)
        else:
            lines[-1] += " " + line
    return lines


def _formula(text: str) -> Formula:
    sides = cut(text, "~")
    if len(sides) != 2 or not all(side.strip() for side in sides):
        raise ModelError(
            f"{text!r} is no formula: write the outcome, ~, and its predictors, as in "
            f"'y ~ x + (1 | g)'"
        )
    response, *said = (part.strip() for part in cut(sides[0], "|"))
    additions: dict[str, Call] = {}
    for piece in (p.strip() for part in said for p in cut(part, "+")):
        call = as_call(piece)
        if call is None or call.name not in ADDITIONS:
            raise ModelError(
                f"{piece!r} says nothing known of the outcome {response!r}: after the bar "
                f"there may be {', '.join(f'{name}(...)' for name in ADDITIONS)}"
            )
        if not call.arguments and call.name not in ("trunc", "mi"):
            raise ModelError(
                f"{piece} names nothing: write a column, as in {call.name}({call.name[0]})"
            )
        call.takes(*ADDITIONS[call.name])
        if call.name in additions:
            raise ModelError(f"{text!r} says {call.name}(...) of the outcome twice")
        additions[call.name] = call
    return Formula(text, response, predictor(sides[1]), additions)


def predictor(text: str) -> Predictor:
    """Take a right-hand side apart.

    >>> predictor("x + s(z) + (1 | a/b)").linear, predictor("x * mi(z)").linear
    ('x', 'x * z')
    """
    linear, groups, special = [], [], []
    text = LACKING.sub(r"\1", text)  # what the table lacks tells such columns apart
    for sign, term in signed(text):
        inside = term[1:-1] if _is_wrapped(term) else ""
        if len(cut(inside, "|")) > 1:
            if sign == "-":
                raise ModelError(f"{term} cannot be taken away in {text!r}: leave it out instead")
            groups += _grouped(inside)
            continue
        call = as_call(term)
        if call is not None and call.name in SPECIAL:
            if sign == "-":
                raise ModelError(f"{term} cannot be taken away in {text!r}: leave it out instead")
            special.append(call)
            continue
        _refuse_buried(term)
        linear += [f"{sign} {plain}" for plain in _plain(term)]
    joined = " ".join(linear).strip().removeprefix("+").strip()
    return Predictor(joined or "1", tuple(groups), tuple(special))


def _plain(term: str) -> list[str]:
    """Return what a term stands for as formulae reads it: a / b is a and, within it, a:b."""
    term = re.sub(r"\^", "**", term)
    if powered := re.fullmatch(r"(`[^`]+`|[\w.]+)\s*\*\*\s*(\d+)", term):
        raise ModelError(
            f"{term} is {powered[1]} itself in a formula, where ** is of terms that interact: "
            f"write I({powered[1]} ** {powered[2]}) for a power, or poly({powered[1]}, "
            f"{powered[2]})"
        )
    first, *within = (part.strip() for part in cut(term, "/"))
    if not within:
        return [term]
    found = [first]
    for place, part in enumerate(within, 1):
        several = signed(part[1:-1]) if _is_wrapped(part) else [("+", part)]
        unclear = len(several) > 1 and place < len(within)
        if (
            unclear
            or len(cut(first, "*")) > 1
            or _is_wrapped(first)
            or re.fullmatch(r"[\d.]*", part)
        ):
            raise ModelError(
                f"{term!r} is not clear: / is of terms within others, a / b for a + a:b; write the "
                f"terms out, or I(a / b) to divide"
            )
        found += [f"{first}:{inner}" for _, inner in several]
        first = found[-1]
    return found


def _refuse_buried(term: str) -> None:
    """Refuse a group or special term within another, which would be read as something else."""
    for name in SPECIAL:
        if re.search(rf"(?<![\w.]){name}\s*\(", term):
            raise ModelError(
                f"{name}(...) stands inside {term!r}: it must be a term by itself, added to others"
            )
    if len(cut(term, "|")) > 1 or re.search(r"\([^()]*\|[^()]*\)", term):
        raise ModelError(f"in {term!r} a group term is part of another: add it by itself, (x | g)")


def _grouped(inside: str) -> list[Grouped]:
    parts = [part.strip() for part in cut(inside, "|")]
    correlated, across = True, ""
    if len(parts) == 3 and not parts[1]:
        expression, _, factor = parts
        correlated = False
    elif len(parts) == 3:
        expression, across, factor = parts
    elif len(parts) == 2:
        expression, factor = parts
    else:
        raise ModelError(f"({inside}) has too many bars: write (x | g), (x || g) or (x |id| g)")
    if not expression or not factor:
        raise ModelError(f"({inside}) lacks a side: write what varies and over what, (1 | g)")
    terms = [f"{sign} {plain}" for sign, term in signed(expression) for plain in _plain(term)]
    expression = " ".join(terms).removeprefix("+ ")
    return [
        Grouped(expression, f, correlated, across)
        for each in cut(factor, "+")
        for f in _nested(each)
    ]


def _nested(factor: str) -> list[str | Call]:
    """Return the factors that one stands for: a/b is a and, within it, b."""
    call = as_call(factor.strip())
    if call is not None:
        return [call]
    names = [part.strip() for part in cut(factor, "/")]
    for name in (n for part in names for n in cut(part, ":")):
        if not re.fullmatch(r"\s*(`[^`]+`|[\w.]+)\s*", name):
            raise ModelError(
                f"{factor.strip()!r} is no grouping: name a column, a/b for b within a, a:b for "
                f"their combinations, gr(g, ...) or mm(g1, g2)"
            )
    whole = [":".join(part.strip() for part in cut(name, ":")) for name in names]
    return [":".join(whole[: i + 1]) for i in range(len(whole))]


def as_call(term: str) -> Call | None:
    """Return a term as a call, if all of it is one."""
    found = re.match(r"([A-Za-z_]\w*)\s*\(", term)
    if found is None or not _is_wrapped(term[found.end() - 1 :]):
        return None
    pieces = [p.strip() for p in cut(term[found.end() : -1], ",") if p.strip()]
    plain, named = [], {}
    for piece in pieces:
        key = re.match(r"([A-Za-z_]\w*)\s*=(?!=)", piece)
        if key is None:
            plain.append(piece)
        else:
            named[key.group(1)] = piece[key.end() :].strip()
    return Call(found.group(1), tuple(plain), named)


def words(text: str) -> set[str]:
    """Return what may be names of columns in a text: words, and what is between backquotes.

    >>> sorted(words("x + log(`my y`)"))
    ['log', 'my y', 'x']
    """
    quoted = r"`([^`]+)`"
    return {*re.findall(quoted, text), *re.findall(r"[^\W\d][\w.]*", re.sub(quoted, " ", text))}


def signed(text: str) -> list[tuple[str, str]]:
    """Return the terms that are added up, each with its sign.

    Raises `ModelError` where a sign follows a minus, which reads as nothing or as its contrary.
    """
    found: list[tuple[str, str]] = []
    sign = "+"
    for piece in cut(text, "+-", keep=True):
        if piece in ("+", "-"):
            if sign == "-":
                raise ModelError(f"{text.strip()!r} has two signs, - {piece}: write one of them")
            sign = piece
        elif piece.strip():
            found.append((sign, piece.strip()))
            sign = "+"
    return found


def _is_wrapped(text: str) -> bool:
    """Tell whether a bracket opens at the beginning of a text and closes at its end."""
    if not text or text[0] not in OPEN or text[-1] not in CLOSE:
        return False
    return all(level > 0 for level, _ in levels(text)[:-1])


def cut(text: str, marks: str, keep: bool = False) -> list[str]:
    """Cut a text at marks that stand outside brackets and quotes, keeping the marks if asked to.

    >>> cut("a + f(b + c)", "+")
    ['a ', ' f(b + c)']
    """
    found, start = [], 0
    for place, (level, character) in enumerate(levels(text)):
        if level == 0 and character in marks:
            found += [text[start:place], character] if keep else [text[start:place]]
            start = place + 1
    return [*found, text[start:]]


def levels(text: str) -> list[tuple[int, str]]:
    """Return each character with the number of brackets it is in; quoted ones count as one more."""
    level, quote, escaped, found = 0, "", False, []
    for character in text:
        if quote:
            found.append((level + 1, character))
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and not escaped and quote != "`"
            continue
        if character in QUOTES:
            quote = character
            found.append((level + 1, character))
            continue
        level += character in OPEN
        found.append((level, character))
        level -= character in CLOSE
    if quote or level:
        raise ModelError(f"{text!r} has a bracket or a quote that is not closed")
    return found
