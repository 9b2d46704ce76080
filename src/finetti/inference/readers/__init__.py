"""Read a run's draws as they come, and put what they say together as a posterior."""
