"""Run Edward2 programs on finetti: `from finetti.dialects import edward2 as ed, tfp, tf`.

Random variables, interceptors and log joint densities are Edward2's; `ed.as_model(program)` is the
same program as a finetti Model. TensorFlow is not needed.
"""

from finetti.dialects.edward2.interceptors import (
    condition,
    get_next_interceptor,
    get_next_tracer,
    interceptable,
    interception,
    make_value_setter,
    tape,
    trace,
    traceable,
)
from finetti.dialects.edward2.programs import as_model, make_log_joint_fn
from finetti.dialects.edward2.variables import CONSTRUCTORS, RandomVariable, as_random_variable

globals().update(CONSTRUCTORS)

__all__ = [
    "RandomVariable",
    "as_model",
    "as_random_variable",
    "condition",
    "get_next_interceptor",
    "get_next_tracer",
    "interceptable",
    "interception",
    "make_log_joint_fn",
    "make_value_setter",
    "tape",
    "trace",
    "traceable",
]
__all__ += [*CONSTRUCTORS]
