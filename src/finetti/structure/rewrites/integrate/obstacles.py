"""Say what keeps sites from being integrated out, in the words of a plan's table."""

from __future__ import annotations

from collections.abc import Collection

from finetti.structure.program import Program
from finetti.structure.rewrites.rewrite import Sight
from finetti.structure.variables import Variable
from finetti.structure.words import listed


def obstacles(sight: Sight) -> dict[str, str]:
    """Return, by name, why real-valued sites that are left are not integrated out."""
    latent, found = list(sight.latent), {}
    for v in sight.left:
        if v.discrete or v.support != "real":
            continue
        if v.name in sight.refused:
            found[v.name] = "you refused to integrate it out"
        else:
            found[v.name] = _obstacle(sight.program, v, latent, sight.gone)
    return found


def _obstacle(program: Program, v: Variable, latent: list[Variable], gone: Collection[str]) -> str:
    """Return what stands in a site's way: the first of the finder's conditions that it fails."""
    read, outputs = program.degrees({v.name}), program.outputs
    if read(outputs.log_terms[v.name]) > 2:
        return "not Gaussian given the rest: its own prior is not"
    bent = [name for name, term in outputs.log_terms.items() if read(term) > 2]
    if bent:
        return f"not Gaussian given the rest, owing to {listed(bent)}"
    reached = [name for name, term in outputs.log_terms.items() if read(term)]
    sampled = [w.name for w in latent if w.name not in gone and w.name != v.name]
    held = [name for name in sampled if name in reached]
    held += [
        name for name in sampled if read(outputs.log_jacobians.get(name, 0)) and name not in held
    ]
    if held:
        return f"the prior of {listed(held)} depends on it, which is sampled"
    discrete = [w.name for w in latent if w.discrete]
    reaches = program.degrees(discrete)
    met = [name for name in reached if reaches(outputs.log_terms[name])]
    if met:
        return f"meets the discrete {listed(discrete)} in {listed(met)}"
    # Left by itself it would have been taken: so those that were chosen before it are in its way.
    rivals = [w.name for w in latent if w.name in gone and not w.discrete]
    read = program.degrees({v.name, *rivals})
    if any(read(term) > 2 for term in outputs.log_terms.values()):
        return f"Gaussian given the rest, but not jointly with {listed(rivals)}"
    return "its joint precision is improper, singular but for rounding, or too wide to factorise"
