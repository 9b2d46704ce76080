"""Run programs written for other systems: each dialect only builds a finetti Model."""
