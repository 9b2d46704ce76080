"""Hold variables, and the optimisers that change them, to their formulas by hand."""

import numpy as np
import pytest

import zoo
from finetti.dialects import edward2 as ed
from finetti.dialects import tf, tfp

tfd = tfp.distributions


def by_hand(kind, slope, x, steps):
    """Return where an optimiser's published formula ends."""
    first, second = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        g = slope(x)
        if kind == "momentum":
            first = 0.6 * first - 0.05 * g
            x = x + first
        else:
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
            rate = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            x = x - rate * first / (np.sqrt(second) + 1e-7)
    return x


OPTIMIZERS = {
    "momentum": lambda: tf.optimizers.SGD(0.05, momentum=0.6),
    "adam": lambda: tf.keras.optimizers.Adam(learning_rate=0.1),
}
each = pytest.mark.parametrize("kind", OPTIMIZERS)


def test_plain_steps_shrink_the_distance_by_a_factor():
    x = tf.Variable([1.0, -2.0], name="x")
    losses = tfp.math.minimize(
        lambda: tf.reduce_sum((x - 3.0) ** 2), num_steps=7, optimizer=tf.optimizers.SGD(0.1)
    )
    far = 0.8 ** np.arange(8)[:, None] * np.array([-2.0, -5.0])
    np.testing.assert_allclose(losses, (far[:-1] ** 2).sum(1), rtol=1e-12)
    np.testing.assert_allclose(x.numpy(), 3 + far[-1], rtol=1e-12)


@each
def test_steps_are_those_of_the_formula(kind):
    start = np.array([1.5, -0.5])
    slope = lambda x: 4 * x**3 + np.array([0.3, -0.1])  # noqa: E731
    known = by_hand(kind, slope, start, 12)
    ways = [tf.Variable(start) for _ in range(3)]

    def loss(x):
        return tf.reduce_sum(x**4 + np.array([0.3, -0.1]) * x)

    made = OPTIMIZERS[kind]()
    tfp.math.minimize(lambda: loss(ways[0]), 5, made)
    tfp.math.minimize(lambda: loss(ways[0]), 7, made)  # it goes on from where it was
    made = OPTIMIZERS[kind]()
    for _ in range(12):
        made.minimize(lambda: loss(ways[1]), [ways[1]])
    made = OPTIMIZERS[kind]()
    for _ in range(12):
        made.apply_gradients([(slope(ways[2].numpy()), ways[2])])
    for x in ways:
        np.testing.assert_allclose(x.numpy(), known, rtol=1e-10)


@each
def test_single_precision_stays_single(kind):
    x = tf.Variable([1.5, -0.5], dtype=tf.float32)
    tfp.math.minimize(lambda: tf.reduce_sum(x**4), 12, OPTIMIZERS[kind]())
    known = by_hand(kind, lambda x: 4 * x**3, np.array([1.5, -0.5]), 12)
    assert x.numpy().dtype == np.float32
    np.testing.assert_allclose(x.numpy(), known, rtol=1e-5)


def test_a_search_ends_at_the_most_probable_values():
    y = np.array([1.0, 3.0, 2.5])
    joint = tfd.JointDistributionSequential(
        [tfd.Normal(0.0, 2.0, name="mu"), lambda mu: tfd.Sample(tfd.Normal(mu, 0.5), 3)]
    )
    mu = tf.Variable(0.0)
    tfp.math.minimize(lambda: -joint.log_prob([mu, y]), 600, tf.optimizers.Adam(0.1))
    precision = 1 / 4 + 3 / 0.25
    assert float(mu) == pytest.approx(y.sum() / 0.25 / precision, abs=1e-6)


def test_what_a_step_tells_is_kept():
    x, held = tf.Variable(2.0), tf.Variable(7.0, trainable=False)
    told = tfp.math.minimize(
        lambda: (x - held) ** 2, 3, tf.optimizers.SGD(0.25),
        trace_fn=lambda t: {"at": t.parameters[0], "slope": t.gradients[0], "step": t.step},
    )  # fmt: skip
    assert told["at"].tolist() == [2.0, 4.5, 5.75]
    assert told["slope"].tolist() == [-10.0, -5.0, -2.5]
    assert told["step"].tolist() == [0, 1, 2]
    assert float(held) == 7.0


def test_random_numbers_of_a_loss_are_new_at_each_step():
    x = tf.Variable(0.0)

    def losses():
        tf.random.set_seed(5)
        loss = lambda: 0.0 * x + tfd.Normal(0.0, 1.0).sample()  # noqa: E731
        return tfp.math.minimize(loss, 20, tf.optimizers.SGD(0.1))

    first = losses()
    assert len(set(first.tolist())) == 20
    np.testing.assert_array_equal(first, losses())


def test_arithmetic_is_with_the_value():
    x = tf.Variable(np.array([1.0, 2.0]))
    for found in (1 - x, np.array(1.0) - x, tf.constant(1.0) - x, -(x - 1), tf.subtract(1.0, x)):
        np.testing.assert_array_equal(found, [0.0, -1.0])
    assert (x > 1.5).tolist() == [False, True]
    assert float(x[1]) == 2.0
    assert x.assign([3.0, 4.0]) is x
    np.testing.assert_array_equal(x.assign_sub([1.0, 1.0]).value(), [2.0, 3.0])
    np.testing.assert_array_equal(ed.Normal(x, 1.0, name="z", value=[0.0, 0.0]) + x, [2.0, 3.0])
    assert tf.Variable(lambda: 3, dtype=tf.int32).dtype == np.int32


tfb = tfp.bijectors
READERS = {  # distributions made of a variable that is 0.3 and then 0.8, and of the number itself
    "a parameter": lambda x: tfd.Normal(x, 1.0),
    "arithmetic of it, put off": lambda x: tfd.Normal(0.0, tfp.util.DeferredTensor(x, tf.exp)),
    "independent copies": lambda x: tfd.Independent(tfd.Normal([x, 1.0], 1.0), 1),
    "a sample": lambda x: tfd.Sample(tfd.Exponential(x), 3),
    "a mixture": lambda x: tfd.MixtureSameFamily(
        tfd.Categorical(probs=[0.3, 0.7]),
        tfd.Normal(tfp.util.DeferredTensor(x, lambda x: [x, 2.0]), 1.0)),
    "a bijector's shift": lambda x: tfb.Shift(x)(tfd.Normal(0.0, 1.0)),
    "a chain": lambda x: tfb.Chain([tfb.Exp(), tfb.Scale(x)])(tfd.Normal(0.0, 1.0)),
    "bounds": lambda x: tfb.Sigmoid(x, 3.0)(tfd.Normal(0.0, 1.0)),
    "what is transformed": lambda x: tfd.TransformedDistribution(tfd.Normal(x, 1.0), tfb.Exp()),
    "a joint distribution": lambda x: tfd.JointDistributionSequential(
        [tfd.Normal(x, 1.0), lambda m: tfd.Normal(m, x)]),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", zoo.shortened(READERS, "a parameter", "a mixture", "a chain", "a joint distribution")
)
def test_what_is_made_of_a_variable_has_the_value_that_it_has_now(name):
    make, x = READERS[name], tf.Variable(0.3)
    made = make(x)
    at = [1.1, 0.9] if name == "a joint distribution" else np.full(made.event_shape, 1.1)
    first = np.asarray(made.log_prob(at))
    np.testing.assert_allclose(first, make(0.3).log_prob(at), rtol=1e-12)
    x.assign(0.8)
    np.testing.assert_allclose(made.log_prob(at), make(0.8).log_prob(at), rtol=1e-12)
    assert not np.allclose(first, made.log_prob(at))
    tfp.math.minimize(lambda: -tf.reduce_sum(made.log_prob(at)), 1, tf.optimizers.SGD(1e-3))
    assert float(x) != 0.8


def test_a_distribution_made_before_is_fitted():
    y = np.array([0.4, 2.2, 1.3, 3.0])
    loc = tf.Variable(0.0)
    scale = tfp.util.TransformedVariable(1.0, tfb.Exp())
    made = tfd.Normal(loc, scale)
    assert made.loc is loc
    assert scale.trainable_variables == (scale.pretransformed_input,)
    tfp.math.minimize(
        lambda: -tf.reduce_sum(made.log_prob(y)), 800, tf.optimizers.Adam(0.05),
        trainable_variables=[loc, *scale.trainable_variables],
    )  # fmt: skip
    assert float(loc) == pytest.approx(y.mean(), abs=1e-6)
    assert float(scale) == pytest.approx(y.std(), abs=1e-6)
    assert float(made.stddev()) == pytest.approx(y.std(), abs=1e-6)
    assert float(scale.assign(4.0).pretransformed_input) == pytest.approx(np.log(4.0))
    assert float(2 * scale + [1.0][0]) == pytest.approx(9.0)


made_before = tf.Variable(0.0)
NOISE = tfd.Normal(2.0, 1.0)
REFUSED = {
    "what reads no variable": (
        lambda: tfp.math.minimize(lambda: -NOISE.log_prob(1.0), 5, tf.optimizers.SGD(0.1)),
        ValueError, "does not read"),
    "a variable that is not read": (
        lambda: tfp.math.minimize(lambda: made_before**2, 5, tf.optimizers.SGD(0.1),
                                  trainable_variables=[tf.Variable(1.0)]),
        ValueError, "does not read each"),
    "a value for a loss": (
        lambda: tf.optimizers.SGD(0.1).minimize(made_before**2, [made_before]), TypeError,
        "a function without arguments"),
    "a loss that branches": (
        lambda: tfp.math.minimize(lambda: made_before if made_before > 0 else -made_before, 5,
                                  tf.optimizers.SGD(0.1)),
        TypeError, "cannot be traced"),
    "another's optimiser": (
        lambda: tfp.math.minimize(lambda: made_before**2, 5, "adam"), TypeError,
        "tf.optimizers.Adam(...)"),
    "a schedule": (lambda: tf.optimizers.Adam(lambda: 0.1), TypeError, "learning_rate is a number"),
    "a criterion": (
        lambda: tfp.math.minimize(lambda: made_before**2, 5, tf.optimizers.SGD(0.1), object()),
        ValueError, "look at the trace"),
    "a value of another shape": (
        lambda: made_before.assign([1.0, 2.0]), ValueError, "shape (), and is assigned (2,)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_sentence(name):
    attempt, error, words = REFUSED[name]
    with pytest.raises(error) as caught:
        attempt()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert float(made_before) == 0.0
