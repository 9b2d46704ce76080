"""Eight Schools in PyMC2, as it was written but for its import line.

`Normal` takes a precision: as written the standard deviation of theta is exp(log_tau / 4), and
that of y_j is sigma_j ** 0.25. That is the author's slip, and it is kept.
"""

import numpy as np

from finetti.dialects import pymc2 as pm

num_schools = 8
treatment_effects = np.array([28, 8, -3, 7, -1, 1, 18, 12], dtype=np.float32)
treatment_stddevs = np.array([15, 10, 16, 11, 9, 11, 10, 18], dtype=np.float32)
treatment_prec = 1. / np.sqrt(treatment_stddevs)

mu = pm.Normal('mu', 0., 0.01)
log_tau = pm.Normal('log_tau', 5., 1.)


@pm.deterministic
def tau(log_tau=log_tau):
    return 1. / np.sqrt(np.exp(log_tau))


theta1 = pm.Normal('theta1', mu, tau)
theta2 = pm.Normal('theta2', mu, tau)
theta3 = pm.Normal('theta3', mu, tau)
theta4 = pm.Normal('theta4', mu, tau)
theta5 = pm.Normal('theta5', mu, tau)
theta6 = pm.Normal('theta6', mu, tau)
theta7 = pm.Normal('theta7', mu, tau)
theta8 = pm.Normal('theta8', mu, tau)
y = pm.Normal('y', [theta1, theta2, theta3, theta4, theta5, theta6, theta7, theta8],
              treatment_prec, value=treatment_effects, observed=True)
model = pm.Model([mu, log_tau, tau, theta1, theta2, theta3, theta4, theta5, theta6, theta7,
                  theta8, y])

map_ = pm.MAP(model)
map_.fit()
mcmc = pm.MCMC(model)
mcmc.sample(iter=200000, burn=100000, thin=10)
print(mcmc.trace('theta1')[:].mean())
print(mcmc.trace('theta2')[:].mean())
print(mcmc.trace('theta3')[:].mean())
print(mcmc.trace('theta4')[:].mean())
print(mcmc.trace('theta5')[:].mean())
print(mcmc.trace('theta6')[:].mean())
print(mcmc.trace('theta7')[:].mean())
print(mcmc.trace('theta8')[:].mean())
