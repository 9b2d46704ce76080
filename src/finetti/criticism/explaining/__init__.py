"""Say what explains the data: how much the model, each kind of group, and the population."""
