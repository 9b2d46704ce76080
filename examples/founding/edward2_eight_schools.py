"""Eight Schools in Edward2 with TensorFlow Probability, as written but for its import line."""

import numpy as np

from finetti.dialects import edward2 as ed, tf, tfp

num_schools = 8
treatment_effects = np.array([28, 8, -3, 7, -1, 1, 18, 12], dtype=np.float32)
treatment_stddevs = np.array([15, 10, 16, 11, 9, 11, 10, 18], dtype=np.float32)


def schools_model(num_schools, treatment_stddevs):
  avg_effect = ed.Normal(loc=0., scale=10., name="avg_effect")
  avg_stddev = ed.Normal(loc=5., scale=1., name="avg_stddev")
  school_effects_standard = ed.Normal(loc=tf.zeros(num_schools), scale=tf.ones(num_schools),
                                      name="school_effects_standard")
  school_effects = avg_effect + tf.exp(avg_stddev) * school_effects_standard
  treatment_effects = ed.Normal(loc=school_effects, scale=treatment_stddevs,
                                name="treatment_effects")
  return treatment_effects


log_joint = ed.make_log_joint_fn(schools_model)


def target_log_prob_fn(avg_effect, avg_stddev, school_effects_standard):
  return log_joint(num_schools=num_schools, treatment_stddevs=treatment_stddevs,
      avg_effect=avg_effect, avg_stddev=avg_stddev,
      school_effects_standard=school_effects_standard, treatment_effects=treatment_effects)


num_results = 5000
num_burnin_steps = 3000
states, kernel_results = tfp.mcmc.sample_chain(
    num_results=num_results, num_burnin_steps=num_burnin_steps,
    current_state=[tf.zeros([], name='init_avg_effect'), tf.zeros([], name='init_avg_stddev'),
                   tf.ones([num_schools], name='init_school_effects_standard')],
    kernel=tfp.mcmc.HamiltonianMonteCarlo(target_log_prob_fn=target_log_prob_fn,
                                          step_size=0.4, num_leapfrog_steps=3))
avg_effect, avg_stddev, school_effects_standard = states
with tf.Session() as sess:
  [avg_effect_, avg_stddev_, school_effects_standard_, is_accepted_] = sess.run(
      [avg_effect, avg_stddev, school_effects_standard, kernel_results.is_accepted])
school_effects_samples = (avg_effect_[:, np.newaxis] +
    np.exp(avg_stddev_)[:, np.newaxis] * school_effects_standard_)
print('Acceptance rate: {}'.format(np.sum(is_accepted_) / num_results))
print("E[avg_effect] = {}".format(avg_effect_.mean()))
print("E[school_effects] ="); print(school_effects_samples[:, ].mean(0))
print("Inferred posterior mean: {0:.2f}".format(np.mean(school_effects_samples[:,])))
print("Inferred posterior mean se: {0:.2f}".format(np.std(school_effects_samples[:,])))
