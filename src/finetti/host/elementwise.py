"""Rules for what is done to each element by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from finetti.host.rule import Numpy, Rule, Step, Unknown, dtype_of
from finetti.types import Equation


def _always(step: Step) -> Rule:
    """Return the rule of what depends on no parameters."""
    return lambda equation: step


def _divide(equation: Equation) -> Step:
    """Integers are divided towards zero."""
    if dtype_of(equation).kind == "f":
        return np.divide

    def towards_zero(x: Numpy, y: Numpy) -> Numpy:
        quotient = np.floor_divide(x, y)
        return quotient + ((quotient < 0) & (quotient * y != x)).astype(quotient.dtype)

    return towards_zero


def _integer_power(equation: Equation) -> Step:
    """Multiply, as XLA does: numpy's general power takes ten times as long."""
    power = int(equation.params["y"])

    def multiplied(x: Numpy) -> Numpy:
        found, square, left = None, x, abs(power)
        while left:
            if left & 1:
                found = square if found is None else found * square
            left >>= 1
            square = square * square if left else square
        found = np.ones_like(x) if found is None else found
        return np.reciprocal(found) if power < 0 else found

    return multiplied


def _convert(equation: Equation) -> Step:
    before, after = np.dtype(equation.invars[0].aval.dtype), dtype_of(equation)
    if before.kind == "f" and after.kind in "iu":
        least, most = np.iinfo(after).min, np.iinfo(after).max

        def saturated(x: Numpy) -> Numpy:
            """What is too large for an integer becomes the largest, and NaN zero."""
            high, low = x >= float(most), x <= float(least)
            inside = np.where(high | low | np.isnan(x), 0, x).astype(after)
            return np.where(high, after.type(most), np.where(low, after.type(least), inside))

        return saturated
    if after.kind == "b":
        return lambda x: np.not_equal(x, 0)
    return lambda x: np.asarray(x).astype(after, copy=False)


def _bitcast(equation: Equation) -> Step:
    before, after = np.dtype(equation.invars[0].aval.dtype), dtype_of(equation)
    if before.itemsize != after.itemsize:
        raise Unknown("bits of another width")
    return lambda x: np.ascontiguousarray(x).view(after).reshape(np.shape(x))


def _select(equation: Equation) -> Step:
    if len(equation.invars) == 3:
        return lambda which, no, yes: np.where(which, yes, no)

    def choose(which: Numpy, *cases: Numpy) -> Numpy:
        found = cases[0]
        for number, case in enumerate(cases[1:], 1):
            found = np.where(np.equal(which, number), case, found)
        return found

    return choose


def _round(equation: Equation) -> Step:
    if int(equation.params["rounding_method"]) == 1:  # to even
        return np.rint

    def away_from_zero(x: Numpy) -> Numpy:
        whole = np.trunc(x)
        return whole + np.where(np.abs(x - whole) >= 0.5, np.sign(x), 0).astype(x.dtype)

    return away_from_zero


def _shift(move: Callable[[Numpy, Numpy], Numpy], fills: bool = False) -> Rule:
    """A shift by all bits or more leaves none, or the sign: numpy does not say what it leaves."""

    def rule(equation: Equation) -> Step:
        dtype = dtype_of(equation)
        bits = 8 * dtype.itemsize

        def shifted(x: Numpy, by: Numpy) -> Numpy:
            amount = np.asarray(by).astype(np.int64)
            inside = (amount >= 0) & (amount < bits)
            kept = np.where(inside, amount, bits - 1 if fills else 0).astype(dtype)
            found = move(np.asarray(x), kept)
            return found if fills or np.all(inside) else np.where(inside, found, 0).astype(dtype)

        return shifted

    return rule


def _right(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Shift bits to the right, zeros after them."""
    plain = np.dtype(f"u{x.dtype.itemsize}")
    return np.right_shift(x.astype(plain), by.astype(plain)).astype(x.dtype)


def _in_total_order(compare: np.ufunc) -> Rule:
    """Return the rule of a comparison by which -0 is below 0, and NaN beyond infinity."""

    def rule(equation: Equation) -> Step:
        dtype = np.dtype(equation.invars[0].aval.dtype)
        if dtype.kind != "f":
            return compare
        whole = np.dtype(f"i{dtype.itemsize}")

        def ordered(x: Numpy) -> Numpy:
            bits = np.ascontiguousarray(x, dtype).view(whole).reshape(np.shape(x))
            return np.where(bits < 0, bits ^ np.iinfo(whole).max, bits)

        return lambda x, y: compare(ordered(x), ordered(y))

    return rule


def _floats(step: Step) -> Rule:
    """Return the rule of what is known of floating-point numbers alone."""

    def rule(equation: Equation) -> Step:
        if dtype_of(equation).kind != "f":
            raise Unknown("no floating-point numbers")
        return step

    return rule


def _precision(equation: Equation) -> Step:
    bits = {2: (5, 10), 4: (8, 23), 8: (11, 52)}[dtype_of(equation).itemsize]
    if (equation.params["exponent_bits"], equation.params["mantissa_bits"]) != bits:
        raise Unknown("fewer bits than the dtype's")
    return lambda x: x


RULES: dict[str, Rule] = {
    name: _always(step)
    for name, step in {
        "abs": np.abs, "add": np.add, "add_any": np.add, "and": np.bitwise_and, "ceil": np.ceil,
        "eq": np.equal, "floor": np.floor, "ge": np.greater_equal, "gt": np.greater,
        "is_finite": np.isfinite, "le": np.less_equal, "lt": np.less, "max": np.maximum,
        "min": np.minimum, "mul": np.multiply, "ne": np.not_equal, "neg": np.negative,
        "nextafter": np.nextafter, "not": np.invert, "or": np.bitwise_or, "sign": np.sign,
        "square": np.square, "sub": np.subtract, "xor": np.bitwise_xor, "rem": np.fmod,
        "clamp": lambda least, x, most: np.minimum(np.maximum(x, least), most),
        "one_minus_square": lambda x: (1 + x) * (1 - x),
    }.items()
} | {
    name: _floats(step)
    for name, step in {
        "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh,
        "atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh, "cbrt": np.cbrt,
        "cos": np.cos, "cosh": np.cosh, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1,
        "log": np.log, "log1p": np.log1p, "log2": np.log2, "sin": np.sin,
        "pow": lambda x, y: np.power(x, np.asarray(y, x.dtype)),
        "sinh": np.sinh, "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh,
        "rsqrt": lambda x: np.reciprocal(np.sqrt(x)),
        "logistic": special.expit, "erf": special.erf, "erfc": special.erfc,
        "erf_inv": special.erfinv, "lgamma": special.gammaln, "digamma": special.psi,
        "igamma": special.gammainc, "igammac": special.gammaincc,
        "regularized_incomplete_beta": special.betainc,
        "bessel_i0e": special.i0e, "bessel_i1e": special.i1e,
    }.items()
} | {
    "div": _divide,
    "integer_pow": _integer_power,
    "convert_element_type": _convert,
    "bitcast_convert_type": _bitcast,
    "select_n": _select,
    "round": _round,
    "reduce_precision": _precision,
    "eq_to": _in_total_order(np.equal),
    "le_to": _in_total_order(np.less_equal),
    "lt_to": _in_total_order(np.less),
    "shift_left": _shift(np.left_shift),
    "shift_right_logical": _shift(_right),
    "shift_right_arithmetic": _shift(np.right_shift, fills=True),
}  # fmt: skip
