"""Hold labels' probabilities by draws to those of a sum over all joint labels."""

import numpy as np

import finetti as ft


def demand_enumerated(model, known):
    """Compare in standard errors over four seeds: t of 3 exceeds 12.9 once in 1000."""
    method = ft.NUTS(draws=500, warmup=300, thin=1)
    chains = np.stack(
        [
            ft.fit(model, method, seed=seed, progress=False).probabilities("label").to_numpy()
            for seed in range(4)
        ]
    )
    error = chains.std(0, ddof=1) / np.sqrt(len(chains))
    assert error.max() < 0.03
    assert (np.abs(chains.mean(0) - known) / error).max() < 12.9
