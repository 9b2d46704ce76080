"""Every rule by which numpy runs an equation yields what XLA does."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from finetti.host import keys
from finetti.host.program import LOOPS, RULES, program
from finetti.host.rule import Unknown, is_key
from finetti.jaxprs import inside

GENERATOR = np.random.default_rng(5)
FLOATS = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 3.5, 1e-300, 1e300, -1e20, 7.25, -0.3])
FLOATS = np.concatenate([FLOATS, [np.inf, -np.inf, np.nan], GENERATOR.normal(size=14)])
OTHERS = np.roll(FLOATS, 7)
SHARES = GENERATOR.uniform(-0.99, 0.99, 9)
POSITIVE = GENERATOR.uniform(0.1, 9, 9)
WHOLE = np.array([0, 1, -1, 7, -7, 40, -40, 2**31 - 1, -(2**31)], np.int64)
DIVISORS = np.array([1, 2, -2, 3, -3, 7, 5, -5, 11], np.int64)
TRUTHS = np.array([True, False, False, True, True])
TABLE = GENERATOR.normal(size=(4, 5, 3))
SPREAD = TABLE[0].T @ TABLE[0] + np.eye(3)
CODES = np.array([[0, 3], [1, 9], [-1, 2], [4, -7]])


def _turned(x):
    """Return vectors, logs of roots, vectors: neither signs nor ties make a difference."""
    values, vectors = jnp.linalg.eigh(x)
    return vectors, jnp.log(values), vectors


UNARY = {
    "abs": FLOATS, "neg": FLOATS, "ceil": FLOATS, "floor": FLOATS, "sign": FLOATS, "sqrt": FLOATS,
    "exp": FLOATS, "exp2": FLOATS, "expm1": FLOATS, "log": FLOATS, "log1p": FLOATS,
    "is_finite": FLOATS, "square": FLOATS, "cbrt": FLOATS, "rsqrt": FLOATS, "logistic": FLOATS,
    "sin": SHARES, "cos": SHARES, "tan": SHARES, "asin": SHARES, "acos": SHARES, "atan": FLOATS,
    "sinh": SHARES, "cosh": SHARES, "tanh": FLOATS, "asinh": SHARES, "acosh": 1 + POSITIVE,
    "atanh": SHARES, "erf": FLOATS, "erfc": SHARES * 4, "erf_inv": SHARES, "lgamma": POSITIVE,
    "digamma": np.concatenate([POSITIVE, [-1.0, -2.5]]), "bessel_i0e": POSITIVE,
    "bessel_i1e": POSITIVE, "round": FLOATS,
}  # fmt: skip
BINARY = {
    "add": (FLOATS, OTHERS), "sub": (FLOATS, OTHERS), "mul": (FLOATS, OTHERS),
    "div": (FLOATS, OTHERS), "rem": (FLOATS[:9], POSITIVE), "max": (FLOATS, OTHERS),
    "min": (FLOATS, OTHERS), "pow": (np.abs(FLOATS), OTHERS), "atan2": (SHARES, POSITIVE),
    "nextafter": (SHARES, POSITIVE), "eq": (FLOATS, OTHERS), "ne": (FLOATS, OTHERS),
    "lt": (FLOATS, OTHERS), "le": (FLOATS, OTHERS), "gt": (FLOATS, OTHERS),
    "ge": (FLOATS, OTHERS), "igamma": (POSITIVE, POSITIVE[::-1].copy()),
    "igammac": (POSITIVE, POSITIVE[::-1].copy()), "bitwise_and": (WHOLE, DIVISORS),
    "bitwise_or": (WHOLE, DIVISORS), "bitwise_xor": (WHOLE, DIVISORS),
}  # fmt: skip

CASES = {name: (getattr(lax, name), x) for name, x in UNARY.items()}
CASES |= {name: (getattr(lax, name), *xs) for name, xs in BINARY.items()}
CASES |= {
    "not": (lax.bitwise_not, WHOLE),
    "not a truth": (lax.bitwise_not, TRUTHS),
    "integers divided": (lax.div, WHOLE, DIVISORS),
    "integers left over": (lax.rem, WHOLE, DIVISORS),
    "single": (lambda x: jnp.log1p(jnp.exp(x.astype(np.float32))), SHARES),
    "to even": (lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), FLOATS),
    "power of a positive": (lambda x: lax.integer_pow(x, 5), FLOATS),
    "power of a negative": (lambda x: lax.integer_pow(x, -3), FLOATS),
    "power nought": (lambda x: lax.integer_pow(x, 0), FLOATS),
    "of the least": (lambda x: x.astype(np.int32), FLOATS),
    "of the bytes": (lambda x: x.astype(np.uint8), FLOATS),
    "of the long": (lambda x: x.astype(np.int64), FLOATS),
    "of truths": (lambda x: x.astype(bool).astype(float), FLOATS),
    "of integers": (lambda x: x.astype(float), WHOLE),
    "bits": (lambda x: lax.bitcast_convert_type(x, np.uint64), FLOATS),
    "shifted left": (lax.shift_left, WHOLE, np.array([0, 1, 5, 63, 64, 70, 2, 3, 31])),
    "shifted right": (
        lax.shift_right_logical, WHOLE, np.array([0, 1, 5, 63, 64, 70, 2, 3, 31]),
    ),
    "shifted with its sign": (
        lax.shift_right_arithmetic, WHOLE, np.array([0, 1, 5, 63, 64, 70, 2, 3, 31]),
    ),
    "beta": (lax.betainc, POSITIVE, POSITIVE[::-1].copy(), np.abs(SHARES)),
    "clamped": (lambda x: lax.clamp(-1.0, x, 2.0), FLOATS),
    "selected": (lambda c, x, y: jnp.where(c, x, y), FLOATS > 0, FLOATS, OTHERS),
    "selected of three": (
        lambda i: lax.select_n(i, *[jnp.full(4, float(j)) for j in range(3)]),
        np.array([2, 0, 1, 1], np.int32),
    ),
    "precision": (lambda x: lax.reduce_precision(x, 11, 52), FLOATS),
    "summed twice": (jax.grad(lambda x: jnp.sum(x * jnp.tanh(x) + jnp.sin(x) * x)), SHARES),
    "broadcast": (lambda x: lax.broadcast_in_dim(x, (2, 4, 5, 3), (1, 2, 3)), TABLE),
    "reshaped": (lambda x: x.reshape(5, 12), TABLE),
    "squeezed": (lambda x: jnp.squeeze(x[:, None], 1), TABLE),
    "sliced": (lambda x: x[1:4:2, ::-1, 2], TABLE),
    "transposed": (lambda x: jnp.transpose(x, (2, 0, 1)), TABLE),
    "joined": (lambda x: jnp.concatenate([x, 2 * x], 1), TABLE),
    "stacked": (lambda x: jnp.stack([x, 2 * x], 1), TABLE),
    "apart": (lambda x: [2 * part for part in x], TABLE),
    "split": (lambda x: jnp.split(x, [1, 3], 1), TABLE),
    "turned": (lambda x: lax.rev(x, (0, 2)), TABLE),
    "counted": (lambda: lax.broadcasted_iota(np.int32, (3, 4), 1)),
    "padded": (lambda x: lax.pad(x, 7.0, [(1, 2, 0), (0, 1, 2), (-1, 3, 1)]), TABLE),
    "padded by less": (lambda x: lax.pad(x, 7.0, [(-2, -1, 0), (-9, 9, 0), (0, 0, 0)]), TABLE),
    "padded and cut within": (lambda x: lax.pad(x, 0.0, [(-3, 1, 2)]), SHARES),
    "sorted": (jnp.sort, FLOATS),
    "ranked": (jnp.argsort, np.array([3.0, 1.0, np.nan, 1.0, -2.0])),
    "sum": (lambda x: x.sum((0, 2)), TABLE),
    "sum of integers": (lambda x: x.astype(np.int32).sum(), WHOLE),
    "sum of nothing": (lambda x: x[:0].sum(0), TABLE),
    "largest of nothing": (lambda x: jnp.max(x[:0], 0, initial=-np.inf), TABLE),
    "product": (lambda x: x.prod(1), TABLE),
    "largest": (lambda x: jnp.max(x), FLOATS),
    "least": (lambda x: x.min((1, 2)), TABLE),
    "largest of all numbers": (lambda x: lax.reduce_max(x, (1,)), TABLE),
    "all": (lambda x: (x > -1).all(1), TABLE),
    "any": (lambda x: (x > 1).any((0, 1)), TABLE),
    "place of the largest": (jnp.argmax, FLOATS),
    "place of the least": (lambda x: jnp.argmin(x, 1), TABLE),
    "cumulated": (lambda x: [jnp.cumsum(x, 1), lax.cumsum(x, 1, True)], TABLE),
    "cumulated product": (lambda x: jnp.cumprod(x, 0), TABLE),
    "cumulated extremes": (lambda x: [lax.cummax(x, 1), lax.cummin(x, 1, True)], TABLE),
    "cumulated logs": (lambda x: lax.cumlogsumexp(x, 2), TABLE),
    "matrix by matrix": (lambda x, y: jnp.einsum("abc,bcd->ad", x, y), TABLE, np.ones((5, 3, 2))),
    "stack of matrices": (lambda x: jnp.einsum("abc,adc->abd", x, 2 * x), TABLE),
    "vectors": (lambda x: x @ x, SHARES),
    "integers multiplied": (lambda x: x.astype(np.int32) @ x.astype(np.int32), DIVISORS),
    "factor": (lax.linalg.cholesky, np.stack([SPREAD, np.eye(3)])),
    "no factor": (lax.linalg.cholesky, np.stack([SPREAD, -np.eye(3)])),
    "determinants": (
        lambda x: [jnp.linalg.slogdet(x), jax.grad(lambda x: jnp.linalg.slogdet(x)[1].sum())(x)],
        np.stack([SPREAD[::-1], TABLE[1, :3], np.eye(3)]),
    ),
    "no inverse": (jnp.linalg.slogdet, np.ones((2, 3, 3))),
    "decomposed": (lambda x: [lax.linalg.lu(x), lax.linalg.lu(x[0])], np.swapaxes(TABLE, 1, 2)),
    "systems": (
        lambda x, y: [jnp.linalg.solve(x, y), jax.grad(lambda x: jnp.linalg.inv(x).sum())(x)],
        np.stack([SPREAD[::-1], TABLE[1, :3]]), TABLE[:2, 2:],
    ),
    "systems side by side": (jax.vmap(jnp.linalg.solve, (None, 0)), SPREAD[::-1], TABLE[:, 0]),
    "roots": (
        lambda x: [jnp.linalg.eigvalsh(x), jnp.einsum("bij,bj,bkj->bik", *_turned(x))],
        np.stack([SPREAD, np.eye(3)]),
    ),
    "gathered": (lambda x, i: x[i], TABLE, CODES[:, 0]),
    "gathered beyond": (lambda x, i: x.at[i].get(mode="fill"), TABLE, CODES),
    "keys picked": (lambda k: jax.random.split(k, 5)[np.array([3, -1])], jax.random.key(4)),
    "gathered with a number": (
        lambda x, i: x.at[:, i].get(mode="fill", fill_value=7), TABLE, CODES,
    ),
    "gathered and clipped": (lambda x, i: x.at[i].get(mode="clip"), TABLE, CODES + 2),
    "gathered at two": (lambda x, i: x[i[:, 0], i[:, 1]], TABLE, np.array([[0, 1], [3, 4]])),
    "gathered whole numbers": (lambda x, i: x.at[i].get(mode="fill"), WHOLE, CODES + 8),
    "gathered truths": (lambda x, i: x.at[i].get(mode="fill"), TRUTHS, CODES + 3),
    "gathered by each": (jax.vmap(lambda x, i: x[i]), TABLE, CODES % 5),
    "gathered in the middle": (jax.vmap(lambda x, i: x[:, i], (1, None)), TABLE, CODES[:, 0] % 3),
    "windows": (
        jax.vmap(lambda x, i: lax.dynamic_slice(x, (i, 0), (2, 3)), (0, 0)), TABLE, CODES[:, 1],
    ),
    "taken along": (lambda x, i: jnp.take_along_axis(x, i, 1), SPREAD, np.array([[0], [2], [1]])),
    "scattered": (lambda x, i: x.at[i].set(1.5), TABLE, CODES[:, 0]),
    "scattered beyond": (lambda x, i: x.at[i + 2].add(1.5), TABLE, CODES),
    "scattered twice": (lambda x, i: x.at[i].add(x[: len(i)]), TABLE, np.array([1, 1, 0])),
    "scattered and clipped": (lambda x, i: x.at[i].add(2.0, mode="clip"), TABLE, CODES + 2),
    "scattered whole numbers": (lambda x, i: x.at[i].add(3), WHOLE, CODES + 4),
    "scattered infinities": (
        lambda x, i: x.at[i].add(jnp.array([jnp.inf, 1.0, jnp.nan, 2.0])), SHARES,
        np.array([1, 1, 2, 5]),
    ),
    "scattered less": (lambda x, i: x.at[i].subtract(2.0), TABLE, CODES[:, 0]),
    "scattered products": (lambda x, i: x.at[:, i].multiply(2.0), TABLE, CODES[:, 0]),
    "scattered extremes": (
        lambda x, i: [x.at[i].max(0.1), x.at[i].min(0.1)], TABLE, CODES[:, 0],
    ),
    "scattered by each": (jax.vmap(lambda x, i: x.at[i].add(1.0)), TABLE, CODES[:, 0]),
    "windows added": (
        jax.vmap(lambda x, i: lax.dynamic_update_slice(x, x[:2] * 2, (i, 0))), TABLE, CODES[:, 1],
    ),
    "slice": (lambda x, i: lax.dynamic_slice(x, (i, 0, 9), (2, 2, 2)), TABLE, np.int64(3)),
    "slice put": (
        lambda x, i: lax.dynamic_update_slice(x, x[:2] * 2, (i, 0, 0)), TABLE, np.int64(9),
    ),
    "slices differentiated": (
        jax.grad(lambda x: jnp.sum(jnp.stack([x[0], x[2]]) @ x[1] * x[:2, 1])), SPREAD,
    ),
    "branches": (
        lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, lambda x: 2 * x], x), np.int32(5), SHARES,
    ),
    "scanned": (lambda x: lax.scan(lambda c, y: (c * 0.5 + y, c + y), x[0], x), TABLE),
    "scanned backwards": (
        lambda x: lax.scan(lambda c, y: (c * 0.5 + y, c + y), x[0], x, reverse=True), TABLE,
    ),
    "scanned over nothing": (lambda x: lax.scan(lambda c, y: (c, c + y), x[0], x[:0]), TABLE),
    "loops differentiated": (
        jax.grad(lambda x: lax.scan(lambda c, y: (c * y, jnp.sin(c)), x[0], x)[1].sum()), TABLE,
    ),
    "own derivative": (jax.grad(lambda x: jax.nn.relu(x).sum()), FLOATS[:9]),
    "found": (lambda x: jnp.nonzero(x > 0, size=4, fill_value=9), TABLE[0]),
    "looked up": (lambda x, y: jnp.searchsorted(x, y), np.sort(FLOATS), OTHERS),
    "looked up by all": (
        lambda x, y: [
            jnp.searchsorted(x, y, method="compare_all", side=side) for side in ("left", "right")
        ],
        np.sort(FLOATS), OTHERS,
    ),
    "for a processor": (
        lambda x: lax.platform_dependent(x, cuda=jnp.tan, cpu=jnp.sin, default=jnp.cos), SHARES,
    ),
    "constants only": (lambda: jnp.arange(3.0)[:, None] * jnp.ones((3, 2)) + 1),
    "random numbers": (
        lambda k: [jax.random.normal(k, (3, 2)), jax.random.bits(k, (5,), "uint8")],
        jax.random.key(3),
    ),
    "random keys": (
        lambda k, n: jax.vmap(lambda k: jax.random.split(jax.random.fold_in(k, n), 3))(
            jax.random.split(k, (2, 2)).ravel()
        ),
        jax.random.key(3), np.int64(-7),
    ),
    "seeds": (lambda s: [jax.random.key(s), jax.random.key(s.astype(np.int32))], np.int64(-5)),
    "words of keys": (
        lambda k: jax.random.key_data(jax.random.wrap_key_data(jax.random.key_data(k))),
        jax.random.split(jax.random.key(3), 4),
    ),
    "old keys": (lambda s: jax.random.uniform(jax.random.PRNGKey(s), (4,)), np.int64(8)),
    "chosen at random": (
        lambda k: jax.random.categorical(k, jnp.arange(4.0), shape=(9,)), jax.random.key(1),
    ),
}  # fmt: skip
CASES |= {
    f"solved {left}{lower}{turned}{unit}": (
        partial(
            lax.linalg.triangular_solve, left_side=left, lower=lower, transpose_a=turned,
            unit_diagonal=unit,
        ),
        np.stack([SPREAD, 2 * SPREAD]), GENERATOR.normal(size=(2, 3, 3)),
    )
    for left in (True, False) for lower in (True, False) for turned in (True, False)
    for unit in (True, False)
}  # fmt: skip


def parts(case):
    """Return the function and the arguments of a case."""
    function, *arguments = case if isinstance(case, tuple) else (case,)
    return function, arguments


def by_numpy(function, arguments):
    """Return what numpy makes of a function's program."""
    ready = program(jax.make_jaxpr(function)(*arguments))
    values = [keys.taken(x) for x in arguments]
    with np.errstate(all="ignore"):
        return ready(*values)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", CASES)
def test_numpy_yields_what_xla_does(name):
    function, arguments = parts(CASES[name])
    found = by_numpy(function, arguments)
    expected = jax.tree.leaves(jax.jit(function)(*arguments))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        if is_key(theirs.dtype):
            np.testing.assert_array_equal(ours, keys.taken(theirs))
            continue
        assert (np.asarray(ours).dtype, np.shape(ours)) == (theirs.dtype, theirs.shape)
        close = {"rtol": 1e-6} if theirs.dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-15}
        np.testing.assert_allclose(ours, np.asarray(theirs), **close)


@pytest.mark.usefixtures("float64")
def test_every_rule_is_tried():
    tried = set()
    for case in CASES.values():
        function, arguments = parts(case)
        closed = jax.make_jaxpr(function)(*arguments)
        tried |= {equation.primitive.name for equation in inside(closed.jaxpr.eqns)}
    old = {"expand_dims", "one_minus_square", "log2", "stack", "unstack", "threefry2x32"}
    old |= {"eq_to", "le_to", "lt_to", "empty", "empty2"}
    assert (set(RULES) | set(LOOPS)) - tried <= old  # of some versions of JAX


def _halving(f, start):
    """Go down by halves until the function is none."""
    return lax.while_loop(lambda y: f(y) > 0, lambda y: y / 2, start)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 1j,
        lambda x: lax.while_loop(lambda x: x < 3, lambda x: x + 1, x),
        lambda x: jax.pure_callback(np.sin, x, x),
        lambda x: x.astype(jnp.bfloat16),
        lambda x: lax.custom_root(lambda y: y**2 - x, x, _halving, lambda g, y: y / g(1.0)),
    ],
)
def test_what_numpy_does_not_have_is_left_to_xla(function):
    with pytest.raises(Unknown):
        program(jax.make_jaxpr(function)(1.0))


def test_twins_are_done_once_and_what_is_not_used_is_left():
    def twice(x):
        jnp.cos(x)
        return jnp.sin(x) + jnp.sin(x)

    ready = program(jax.make_jaxpr(twice)(1.0))
    assert ready.work[:2] == (4, 2)


def test_values_are_let_go_of_after_their_last_use():
    ready = program(jax.make_jaxpr(lambda x: jnp.sin(jnp.cos(jnp.tan(x))))(1.0))
    assert [len(move.gone) for move in ready.moves] == [1, 1, 1]
