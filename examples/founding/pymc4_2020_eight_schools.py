"""Eight Schools in PyMC4 of January 2020, as it was written but for its import lines.

Its priors pool more than the data ask for. They are kept.
"""

import arviz_plots as az
import numpy as np

from finetti.dialects import pymc4 as pm

J = 8
y = np.array([28, 8, -3, 7, -1, 1, 18, 12], dtype=np.float32)
sigma = np.array([15, 10, 16, 11, 9, 11, 10, 18], dtype=np.float32)


@pm.model
def schools_pm4():
    eta = yield pm.Normal("eta", 0, 1, plate=J)
    mu = yield pm.Normal("mu", 0, 1, plate=1)
    tau = yield pm.HalfNormal('tau', 2., plate=1)
    theta = mu + tau * eta
    obs = yield pm.Normal('obs', theta, scale=sigma, observed=y)
    return obs


tf_trace, sample_stats = pm.sample(schools_pm4())
az_trace = pm.trace_to_arviz(tf_trace, sample_stats)
az.plot_trace(az_trace)
