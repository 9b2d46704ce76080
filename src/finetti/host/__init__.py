"""Run programs of JAX by numpy, an equation at a time, where compiling them would take longer.

XLA takes about a millisecond to compile an equation, numpy some microseconds to run it. A program
that runs once, or a few times, is done sooner so. What comes out is what XLA computes but for
rounding: the randomness is JAX's own (`keys`), to the bit.
"""
