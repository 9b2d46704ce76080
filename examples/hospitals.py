"""Ask which of twelve hospitals lose more infants in cardiac surgery than chance explains.

    finetti fit examples/hospitals.py --data examples/hospitals.csv --report

Hospital A lost none of 47, B 18 of 148. A rate of nought is no rate to believe: each hospital's
log odds are drawn from a population of hospitals, and few operations are drawn in more.

Spiegelhalter et al. 1996, BUGS Examples Volume I, "Surgical: institutional ranking".
"""

import jax

import finetti as ft


@ft.model
def hospitals(hospital, operations, deaths=None):
    mu = ft.sample("mu", ft.Normal(0, 2))  # mean log odds of a death, over hospitals
    tau = ft.sample("tau", ft.HalfNormal(1))  # spread between hospitals
    with ft.plate("hospital", hospital):
        logit = ft.sample("logit", ft.Normal(mu, tau))
        ft.deterministic("rate", jax.nn.sigmoid(logit))
    with ft.plate("row", len(hospital)):
        ft.sample("deaths", ft.Binomial(operations, logits=logit[hospital]), obs=deaths)
