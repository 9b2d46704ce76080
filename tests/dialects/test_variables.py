"""Hold variables, and the optimisers that change them, to their formulas by hand."""

import numpy as np
import pytest

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


made_before = tf.Variable(0.0)
NOISE = tfd.Normal(made_before, 1.0)
REFUSED = {
    "what was made before": (
        lambda: tfp.math.minimize(lambda: -NOISE.log_prob(1.0), 5, tf.optimizers.SGD(0.1)),
        ValueError, "inside the loss"),
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
