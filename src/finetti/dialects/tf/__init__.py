"""Stand in for as much of TensorFlow as programs for Edward2 use; TensorFlow is not needed.

Values are numpy arrays with `.numpy()`, or traced ones inside a sampler. Unless told otherwise they
are of double precision. `set_random_seed` sets where random numbers start; without it they start
from 0.
"""

import sys
from types import SimpleNamespace

import numpy as np

from finetti.dialects.tf import keras, linalg, math, nn, optimizers, random
from finetti.dialects.tf.arithmetic import (
    abs,
    add,
    argmax,
    argmin,
    clip_by_value,
    cos,
    cosh,
    cumsum,
    divide,
    dot,
    equal,
    exp,
    expm1,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    not_equal,
    pow,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_std,
    reduce_sum,
    reduce_variance,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    where,
)
from finetti.dialects.tf.arrays import (
    boolean_mask,
    broadcast_to,
    concat,
    einsum,
    expand_dims,
    eye,
    fill,
    gather,
    linspace,
    matmul,
    one_hot,
    ones,
    ones_like,
    pad,
    range,
    rank,
    reshape,
    shape,
    squeeze,
    stack,
    tensordot,
    tile,
    transpose,
    unstack,
    zeros,
    zeros_like,
)
from finetti.dialects.tf.linalg import matvec
from finetti.dialects.tf.randomness import (
    RANDOMNESS,
    Randomness,
    random_normal,
    random_shuffle,
    random_uniform,
    set_random_seed,
)
from finetti.dialects.tf.surroundings import (
    Session,
    config,
    control_dependencies,
    enable_eager_execution,
    enable_v2_behavior,
    errors,
    function,
    global_variables_initializer,
    lacking,
    nest,
    reset_default_graph,
    test,
)
from finetti.dialects.tf.tensors import (
    Tensor,
    cast,
    convert_to_tensor,
    precise,
    to_float,
    to_int32,
    to_numpy,
    value_of,
)
from finetti.dialects.tf.variables import Variable

float16, float32, float64 = np.float16, np.float32, np.float64
int32, int64, bool_ = np.int32, np.int64, np.bool_
bool = np.bool_
newaxis = None
constant = identity = convert_to_tensor
compat = SimpleNamespace(v1=sys.modules[__name__], v2=sys.modules[__name__])

__all__ = [
    "RANDOMNESS", "Randomness", "Session", "Tensor", "Variable", "abs", "add", "argmax", "argmin",
    "bool", "bool_", "boolean_mask", "broadcast_to", "cast", "clip_by_value", "compat", "concat",
    "config", "constant", "control_dependencies", "convert_to_tensor", "cos", "cosh", "cumsum",
    "divide", "dot", "einsum", "enable_eager_execution", "enable_v2_behavior", "equal", "errors",
    "exp", "expand_dims", "expm1", "eye", "fill", "float16", "float32", "float64", "floor",
    "function", "gather", "global_variables_initializer", "greater", "greater_equal", "identity",
    "int32", "int64", "keras", "less", "less_equal", "linalg", "linspace", "log", "log1p",
    "logical_and", "logical_not", "logical_or", "math", "matmul", "matvec", "maximum", "minimum",
    "multiply", "nest", "newaxis", "nn", "not_equal", "one_hot", "ones", "ones_like", "optimizers",
    "pad", "pow", "precise", "random", "random_normal", "random_shuffle", "random_uniform",
    "range", "rank", "reduce_all", "reduce_any", "reduce_logsumexp", "reduce_max", "reduce_mean",
    "reduce_min", "reduce_prod", "reduce_std", "reduce_sum", "reduce_variance",
    "reset_default_graph", "reshape", "rsqrt", "set_random_seed", "shape", "sigmoid", "sign",
    "sin", "sinh", "sqrt", "square", "squeeze", "stack", "subtract", "tan", "tanh", "tensordot",
    "test", "tile", "to_float", "to_int32", "to_numpy", "transpose", "unstack", "value_of",
    "where", "zeros", "zeros_like",
]  # fmt: skip

__getattr__ = lacking(
    "tf",
    GradientTape=(
        "a value is had at once, and no record is kept: write the loss as a function, for "
        "tfp.math.value_and_gradient(loss, x) or tfp.math.minimize(loss, ...)"
    ),
)
