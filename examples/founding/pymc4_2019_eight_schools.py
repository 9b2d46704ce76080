"""Eight Schools in PyMC4 of January 2019, as it was written but for its import lines.

The figures printed with this listing, 14.93 7.35 3.09 6.52 2.32 3.66 12.80 7.60, are not what it
gives: they belong to a prior of scale 10 for mu (pymc4_2019_scale_10.py), not of scale 5. The exact
means of the listing are 13.339 6.101 1.050 5.390 .813 2.220 11.773 6.286.
"""

import numpy as np

from finetti.dialects import edward2 as ed
from finetti.dialects import pymc4 as pm4
from finetti.dialects import tf

J = 8
y = np.array([28, 8, -3, 7, -1, 1, 18, 12], dtype=np.float32)
sigma = np.array([15, 10, 16, 11, 9, 11, 10, 18], dtype=np.float32)

pymc4_non_centered_eight = pm4.Model(num_schools=J, y=y, sigma=sigma)


@pymc4_non_centered_eight.define
def process(cfg):
    mu = ed.Normal(loc=0., scale=5., name="mu")
    log_tau = ed.Normal(loc=5., scale=1., name="log_tau")
    theta_prime = ed.Normal(loc=tf.zeros(cfg.num_schools), scale=tf.ones(cfg.num_schools),
                            name="theta_prime")
    theta = mu + tf.exp(log_tau) * theta_prime
    y = ed.Normal(loc=theta, scale=np.float32(cfg.sigma), name="y")
    return y


pymc4_non_centered_eight.observe(y=y)
pymc4_trace = pm4.sample(pymc4_non_centered_eight)
pymc4_theta = (pymc4_trace['mu'][:, np.newaxis]
               + np.exp(pymc4_trace['log_tau'])[:, np.newaxis] * pymc4_trace['theta_prime'])
print(np.mean(pymc4_theta, axis=0))
