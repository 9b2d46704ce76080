"""Predict Eight Schools by an interceptor, as it was written for Edward2, and by the true integral.

What the program computes is a plug-in prediction: the parameters stand fixed at their means. The
posterior predictive proper integrates over them, which the last lines do.
"""

import numpy as np
from edward2_eight_schools import (
  avg_effect_,
  avg_stddev_,
  num_schools,
  school_effects_samples,
  school_effects_standard_,
  schools_model,
  treatment_effects,
  treatment_stddevs,
)

from finetti.dialects import edward2 as ed
from finetti.dialects import tf


def interceptor(rv_constructor, *rv_args, **rv_kwargs):
  name = rv_kwargs.pop("name")
  if name == "avg_effect":                rv_kwargs["value"] = np.mean(avg_effect_, 0)
  elif name == "avg_stddev":              rv_kwargs["value"] = np.mean(avg_stddev_, 0)
  elif name == "school_effects_standard": rv_kwargs["value"] = np.mean(school_effects_standard_, 0)
  return rv_constructor(*rv_args, **rv_kwargs)


with ed.interception(interceptor):
  posterior = schools_model(num_schools=num_schools, treatment_stddevs=treatment_stddevs)
with tf.Session() as sess:
  posterior_predictive = sess.run(posterior.distribution.sample(sample_shape=(5000)))

print("plug-in prediction, parameters at their means:")
print("  mean", posterior_predictive.mean(0))
print("  sd  ", posterior_predictive.std(0))
print("  data minus mean", treatment_effects - posterior_predictive.mean(0))

# The posterior predictive proper: a new measurement for each draw of the effects.
noise = ed.Normal(loc=tf.zeros(num_schools), scale=treatment_stddevs, name="noise")
integrated_predictive = school_effects_samples + noise.distribution.sample(len(avg_effect_))
print("posterior predictive, the parameters integrated out:")
print("  mean", integrated_predictive.mean(0))
print("  sd  ", integrated_predictive.std(0))
