"""Check what stands in for TensorFlow and its library of optimisers against numpy and scipy."""

import jax
import numpy as np
import pytest
from scipy import optimize, special, stats

from finetti.dialects import tf, tfp

tfb, tfd = tfp.bijectors, tfp.distributions
A = np.arange(1.0, 7.0).reshape(2, 3)
SPD = np.array([[2.0, 0.3], [0.3, 1.0]])
L = np.linalg.cholesky(SPD)

FUNCTIONS = {
    "where": (lambda x: tf.where(x > 2, x, tf.zeros_like(x)), lambda x: np.where(x > 2, x, 0)),
    "softplus": (tf.nn.softplus, lambda x: np.logaddexp(0, x)),
    "sigmoid": (tf.math.sigmoid, special.expit),
    "lgamma": (tf.math.lgamma, special.gammaln),
    "logsumexp": (lambda x: tf.reduce_logsumexp(x, axis=-1), lambda x: special.logsumexp(x, -1)),
    "softmax": (tf.nn.softmax, lambda x: special.softmax(x, -1)),
    "sum by position": (lambda x: tf.reduce_sum(x, 1), lambda x: x.sum(1)),
    "mean of a list": (lambda x: tf.reduce_mean([x[0], x[1]]), np.mean),
    "cumsum": (lambda x: tf.cumsum(x, axis=1), lambda x: x.cumsum(1)),
    "matmul turned": (lambda x: tf.matmul(x, x, transpose_b=True), lambda x: x @ x.T),
    "adjoint": (lambda x: tf.linalg.matmul(x, x, adjoint_a=True), lambda x: x.T @ x),
    "matvec": (lambda x: tf.linalg.matvec(x, np.ones(3)), lambda x: x.sum(1)),
    "pad": (lambda x: tf.pad(x, [[0, 0], [1, 2]]), lambda x: np.pad(x, [[0, 0], [1, 2]])),
    "gather": (lambda x: tf.gather(x, [2, 0], axis=-1), lambda x: x[:, [2, 0]]),
    "unstack": (lambda x: tf.unstack(x, axis=1)[2], lambda x: x[:, 2]),
    "reshape": (lambda x: tf.reshape(x, [-1]), np.ravel),
    "broadcast": (lambda x: tf.broadcast_to(x, [4, 2, 3]), lambda x: np.stack([x] * 4)),
    "einsum": (lambda x: tf.einsum("ij,kj->ik", x, x), lambda x: x @ x.T),
    "norm": (lambda x: tf.linalg.norm(x, axis=1), lambda x: np.linalg.norm(x, axis=1)),
    "clip": (lambda x: tf.clip_by_value(x, 2.0, 4.0), lambda x: np.clip(x, 2, 4)),
    "diagonal": (lambda x: tf.linalg.diag(x), lambda x: np.stack([np.diag(r) for r in x])),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_numpys_also_of_traced_values(name):
    ours, theirs = FUNCTIONS[name]
    found = ours(tf.constant(A))
    assert isinstance(found, tf.Tensor)
    np.testing.assert_allclose(found.numpy(), theirs(A), rtol=1e-12, atol=1e-12)
    with jax.enable_x64(True):
        np.testing.assert_allclose(jax.jit(ours)(A), theirs(A), rtol=1e-12, atol=1e-12)


def test_linear_algebra_is_numpys():
    b = np.array([[1.0], [2.0]])
    np.testing.assert_allclose(tf.linalg.cholesky(SPD), L)
    np.testing.assert_allclose(tf.linalg.cholesky_solve(L, b), np.linalg.solve(SPD, b))
    np.testing.assert_allclose(tf.linalg.triangular_solve(L, b), np.linalg.solve(L, b))
    np.testing.assert_allclose(tf.linalg.logdet(SPD), np.linalg.slogdet(SPD)[1])
    np.testing.assert_allclose(tf.linalg.set_diag(SPD, [5.0, 6.0]), [[5, 0.3], [0.3, 6]])
    np.testing.assert_array_equal(tf.eye(2, batch_shape=[3]), np.stack([np.eye(2)] * 3))


def test_a_single_element_is_a_tensor_too():
    total = tf.reduce_sum(tf.constant(A))
    assert total.numpy() == 21
    assert f"{total:.1f}" == "21.0"
    assert tf.constant(A)[0, 1].numpy() == 2
    assert [float(x) for x in tf.constant([1.0, 2.0])] == [1, 2]
    assert tf.constant([tf.constant(1.0), 2.0]).shape == (2,)


def test_types_are_those_asked_for():
    assert tf.one_hot([1], 3).dtype == np.float32
    assert tf.to_float(np.arange(3)).dtype == np.float32
    assert tf.random.uniform([3], 0, 9, dtype=tf.int32).dtype == np.int32
    assert tf.range(3, dtype=tf.float32).dtype == np.float32
    assert tf.cast([1.7], tf.int32).numpy() == 1


REFUSED = {
    "an index outside": (lambda: tf.gather(np.arange(3.0), [3]), ValueError, "indices from 3 to 3"),
    "an unknown keyword": (lambda: tf.exp(1.0, axis=0), TypeError, "tf.exp takes no axis"),
    "a feed": (lambda: tf.Session().run(1.0, {"x": 1.0}), ValueError, "no feed_dict"),
    "a tape": (lambda: tf.GradientTape(), AttributeError, "tfp.math.value_and_gradient(loss, x)"),
    "no distribution of that name": (
        lambda: tfd.GaussianProcess, AttributeError, "GaussianProcess is not imitated"),
    "no bijector of that name": (lambda: tfb.RealNVP, AttributeError, "tfp.bijectors.RealNVP"),
    "no numbers": (lambda: tf.exp(tf.constant(["a", object()])), TypeError, "expected numbers"),
    "no room": (lambda: tfp.sts, AttributeError, "tfp.sts is not imitated"),
    "twice": (lambda: tfd.Normal(0.0, 1.0, loc=2.0), TypeError, "given loc twice"),
    "unknown": (lambda: tfd.Normal(0.0, sigma=1.0), TypeError, "not sigma"),
    "lacking": (lambda: tfd.Normal(0.0), TypeError, "needs scale"),
    "a bad scale": (
        lambda: tfd.Normal(0.0, -1.0, validate_args=True), ValueError, "invalid scale"),
    "no distribution": (lambda: tfd.Independent(3.0), TypeError, "made of distributions"),
    "one bound": (lambda: tfb.Sigmoid(low=0.0), ValueError, "both of low and high"),
    "no triangle": (lambda: tfb.FillTriangular().forward(np.ones(4)), ValueError, "a triangle"),
    "no quantile": (
        lambda: tfd.BetaBinomial(3, 1.0, 1.0).quantile(0.5), NotImplementedError, "no quantile"),
    "two searches' axes": (
        lambda: tfp.optimizer.bfgs_minimize(lambda x: (x, x), np.ones((1, 1, 1))), ValueError,
        "is (n,) or"),
    "many values": (
        lambda: tfp.optimizer.bfgs_minimize(lambda x: (x, x), np.ones(2)), ValueError,
        "is one number"),
    "no start": (
        lambda: tfp.optimizer.nelder_mead_minimize(lambda x: x), ValueError, "pass one of"),
    "chains that are none": (
        lambda: tfp.mcmc.sample_chain(
            10, 0.0, kernel=tfp.mcmc.HamiltonianMonteCarlo(lambda x: -(x - np.arange(3.0)) ** 2,
                                                           0.1, 2)),
        ValueError, "part 0 of the state has shape ()"),
    "bijectors of another number": (
        lambda: tfp.mcmc.sample_chain(
            10, [0.0, 1.0], kernel=tfp.mcmc.TransformedTransitionKernel(
                tfp.mcmc.HamiltonianMonteCarlo(lambda x, y: -x * x - y * y, 0.1, 2), tfb.Exp())),
        ValueError, "1 bijectors for 2 parts"),
    "earlier results": (
        lambda: tfp.mcmc.sample_chain(10, 0.0, "results", "kernel"), ValueError,
        "no previous_kernel_results"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_imitated_says_so(name):
    attempt, error, words = REFUSED[name]
    with pytest.raises(error) as caught:
        attempt()
    said = str(caught.value)
    assert words in said
    assert "\n" not in said or name == "a bad scale"


VECTORS = {
    "Tanh": (tfb.Tanh(), np.array([0.3, -1.2])),
    "NormalCDF": (tfb.NormalCDF(), np.array([0.3, -1.2])),
    "GumbelCDF": (tfb.GumbelCDF(0.5, 2.0), np.array([0.3, -1.2])),
    "KumaraswamyCDF": (tfb.KumaraswamyCDF(2.0, 3.0), np.array([0.3, 0.6])),
    "Square": (tfb.Square(), np.array([0.3, 1.2])),
    "Reciprocal": (tfb.Reciprocal(), np.array([0.3, -1.2])),
    "Softplus above": (tfb.Softplus(hinge_softness=0.5, low=2.0), np.array([0.3, -1.2])),
    "Ascending": (tfb.Ascending(), np.array([0.3, -1.2, 0.4])),
    "ScaleMatvecTriL": (tfb.ScaleMatvecTriL(L), np.array([0.3, -1.2])),
    "adjoint": (tfb.ScaleMatvecTriL(L, adjoint=True), np.array([0.3, -1.2])),
    "ScaleMatvecDiag": (tfb.ScaleMatvecDiag([2.0, 0.5]), np.array([0.3, -1.2])),
    "Blockwise": (tfb.Blockwise([tfb.Exp(), tfb.Scale(2.0)]), np.array([0.3, -1.2])),
    "Blockwise by sizes": (
        tfb.Blockwise([tfb.Exp(), tfb.Ascending()], [1, 2]), np.array([0.3, -1.2, 0.4])),
    "Inline": (
        tfb.Inline(lambda x: 3 * x, lambda y: y / 3, lambda x: np.log(3) + 0 * x),
        np.array([0.3, -1.2])),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_a_bijector_of_vectors_has_its_inverse_and_its_jacobian(name):
    bijector, x = VECTORS[name]
    with jax.enable_x64(True):
        slopes = np.linalg.slogdet(np.asarray(jax.jacobian(bijector.forward)(jax.numpy.array(x))))
        y = bijector.forward(x)
        np.testing.assert_allclose(bijector.inverse(y), x, rtol=1e-9)
        assert float(bijector.forward_log_det_jacobian(x, 1)) == pytest.approx(slopes[1])
        assert float(bijector.inverse_log_det_jacobian(y, 1)) == pytest.approx(-slopes[1])


def test_shares_have_the_jacobian_of_the_simplex():
    bijector, x = tfb.SoftmaxCentered(), np.array([0.3, -1.2])
    y = bijector.forward(x)
    np.testing.assert_allclose(y, special.softmax([0.3, -1.2, 0.0]))
    np.testing.assert_allclose(bijector.inverse(y), x)
    with jax.enable_x64(True):
        whole = np.asarray(jax.jacobian(bijector.forward)(jax.numpy.array(x)))
    surface = 0.5 * np.linalg.slogdet(whole.T @ whole)[1]
    assert float(bijector.forward_log_det_jacobian(x, 1)) == pytest.approx(surface)


def test_triangles_are_filled_in_a_spiral():
    filled = tfb.FillTriangular().forward(np.arange(1.0, 7.0))
    np.testing.assert_array_equal(filled, [[4, 0, 0], [6, 5, 0], [3, 2, 1]])
    np.testing.assert_array_equal(tfb.FillTriangular().inverse(filled), np.arange(1, 7))
    np.testing.assert_array_equal(tfp.math.fill_triangular(np.arange(1.0, 7.0)), filled)


def lower(x):
    return x[..., np.tril_indices(2)[0], np.tril_indices(2)[1]]


@pytest.mark.parametrize("name", ["CholeskyOuterProduct", "CholeskyToInvCholesky"])
def test_factors_are_mapped_with_their_jacobian(name):
    bijector = getattr(tfb, name)()
    known = {"CholeskyOuterProduct": SPD,
             "CholeskyToInvCholesky": np.linalg.cholesky(np.linalg.inv(SPD))}[name]  # fmt: skip
    np.testing.assert_allclose(bijector.forward(L), known, atol=1e-12)
    np.testing.assert_allclose(bijector.inverse(known), L, atol=1e-12)

    def free(v):
        rows, columns = np.tril_indices(2)
        return lower(bijector.forward(jax.numpy.zeros((2, 2)).at[rows, columns].set(v)))

    with jax.enable_x64(True):
        slopes = np.asarray(jax.jacobian(free)(jax.numpy.array(lower(L))))
    found = float(bijector.forward_log_det_jacobian(L, 2))
    assert found == pytest.approx(np.linalg.slogdet(slopes)[1])


def test_a_scale_of_numbers_is_a_covariance_by_its_factor():
    bijector = tfb.FillScaleTriL(diag_shift=None)
    factor = bijector.forward(np.array([0.1, 0.2, 0.3]))
    assert (np.diag(factor) > 0).all()
    assert factor[0, 1] == 0
    np.testing.assert_allclose(bijector.inverse(factor), [0.1, 0.2, 0.3], rtol=1e-6)


def test_normals_of_vectors_take_one_scale_or_many():
    x = np.array([0.3, -0.2])
    for made, scale in (
        (tfd.MultivariateNormalDiag(loc=[1.0, 2.0], scale_identity_multiplier=0.5), 0.5),
        (tfd.MultivariateNormalDiag(loc=[1.0, 2.0], scale_diag=[0.5, 3.0]), [0.5, 3.0]),
        (tfd.MultivariateNormalDiag(loc=[1.0, 2.0]), 1.0),
    ):
        assert made.event_shape == (2,)
        known = stats.norm([1, 2], scale).logpdf(x).sum()
        assert float(made.log_prob(x)) == pytest.approx(known)
    chains = tfd.MultivariateNormalDiag(np.zeros((4, 2)), scale_identity_multiplier=np.ones(4))
    assert (chains.batch_shape, chains.event_shape) == ((4,), (2,))


def test_factors_stand_for_matrices_where_that_is_asked_for():
    plain = tfd.WishartTriL(5.0, L)
    factors = tfd.WishartTriL(5.0, L, input_output_cholesky=True)
    assert float(factors.log_prob(L)) == pytest.approx(float(plain.log_prob(SPD)))
    assert float(plain.log_prob(SPD)) == pytest.approx(stats.wishart(5, SPD).logpdf(SPD))
    joint = tfd.JointDistributionNamed({"p": factors})
    with pytest.raises(ValueError, match="`p` is drawn as Cholesky factors"):
        joint.finetti.variables  # noqa: B018


def test_distribution_functions_and_quantiles_are_scipys():
    made = tfd.Normal(1.0, 2.0)
    assert float(made.cdf(0.3)) == pytest.approx(stats.norm(1, 2).cdf(0.3))
    assert float(made.quantile(0.2)) == pytest.approx(stats.norm(1, 2).ppf(0.2))


def test_gradients_are_those_of_the_sum():
    value, gradient = tfp.math.value_and_gradient(lambda x: x**3, [np.array([1.0, 2.0])])
    np.testing.assert_allclose(value, [1, 8])
    np.testing.assert_allclose(gradient[0], [3, 12])
    value, (a, b) = tfp.math.value_and_gradient(lambda a, b: a * tf.exp(b), 2, 0.0)
    assert (float(value), float(a), float(b)) == (2, 1, 2)


def himmelblau(z):
    x, y = z[..., 0], z[..., 1]
    return (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2


@pytest.mark.parametrize("name", ["bfgs_minimize", "lbfgs_minimize"])
def test_searches_find_the_minimum_that_they_start_by(name):
    minimize = getattr(tfp.optimizer, name)
    both = lambda z: tfp.math.value_and_gradient(himmelblau, z)  # noqa: E731
    starts = np.array([[1.0, 1.0], [-2.0, 2.0], [-1.0, -1.0], [1.0, -2.0]])
    known = [[3, 2], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]]
    found = minimize(both, initial_position=starts, tolerance=1e-6)
    assert found.converged.numpy().all()
    np.testing.assert_allclose(found.position, known, atol=1e-5)
    assert (np.abs(found.objective_gradient).max(-1) <= 1e-6).all()
    one = minimize(both, initial_position=tf.constant(starts[0]), tolerance=1e-6)
    np.testing.assert_allclose(one.position, known[0], atol=1e-5)
    assert all(isinstance(part, tf.Tensor) for part in (*found, *one))
    cut = minimize(both, initial_position=starts[0], max_iterations=1)
    assert not cut.converged
    assert not cut.failed
    assert cut.num_iterations == 1


def test_a_search_without_gradients_ends_where_scipys_does():
    start = np.array([[0.1], [0.2]])
    found = tfp.optimizer.nelder_mead_minimize(
        lambda x: optimize.rosen(np.ravel(x)), initial_vertex=start, func_tolerance=1e-12
    )
    assert found.converged
    assert found.position.shape == (2, 1)
    np.testing.assert_allclose(found.position.numpy().ravel(), [1, 1], atol=1e-5)


def test_langevins_steps_sample_their_target():
    tf.set_random_seed(0)
    kernel = tfp.mcmc.MetropolisAdjustedLangevinAlgorithm(lambda x: -0.5 * x**2, step_size=1.5)
    draws, _ = tfp.mcmc.sample_chain(6000, 0.0, kernel=kernel, num_burnin_steps=100)
    ess = float(tfp.mcmc.effective_sample_size(draws))
    assert abs(draws.mean()) < 4 / np.sqrt(ess)
    spread = float(tfp.mcmc.effective_sample_size(draws**2))
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / spread)


def test_chains_count_together_where_asked_for():
    draws = np.random.default_rng(0).normal(size=(500, 3, 2))
    each = tfp.mcmc.effective_sample_size(draws)
    assert each.shape == (3, 2)
    both = tfp.mcmc.effective_sample_size(draws, cross_chain_dims=1)
    assert both.shape == (2,)
    assert (both > 2 * each.mean(0)).all()


def test_correlations_have_their_density():
    """Of two rows the correlation r has a density in proportion to (1 - r^2)^(eta - 1)."""
    r, eta = 0.3, 2.5
    known = stats.beta(eta, eta).logpdf((1 + r) / 2) - np.log(2)
    made = tfd.LKJ(dimension=2, concentration=eta)
    assert float(made.log_prob([[1.0, r], [r, 1.0]])) == pytest.approx(known)
    factor = np.linalg.cholesky([[1.0, r], [r, 1.0]])
    assert float(tfd.CholeskyLKJ(2, eta).log_prob(factor)) == pytest.approx(known)
    with jax.enable_x64(True):
        traced = jax.jit(lambda eta: tfd.CholeskyLKJ(2, eta).log_prob(factor))(eta)
    assert float(traced) == pytest.approx(known)
    draws = tfd.LKJ(2, eta).sample(4000, seed=0)[:, 0, 1]
    assert abs(draws.var() / stats.beta(eta, eta).var() / 4 - 1) < 4 * np.sqrt(2 / 4000)


def test_a_bijector_of_a_distribution_is_that_of_its_draws():
    made = tfb.Exp(name="e", validate_args=True)(tfd.Normal(1.0, 2.0))
    assert float(made.log_prob(0.7)) == pytest.approx(stats.lognorm(2, scale=np.e).logpdf(0.7))
    both = tfb.Exp()(tfb.Scale(0.5))
    assert float(both.forward(2.0)) == pytest.approx(np.e)
