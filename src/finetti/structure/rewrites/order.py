"""List the rewrites in the order in which a plan tries them: to add one, add it here."""

from finetti.structure.rewrites import alternate, straighten
from finetti.structure.rewrites.alternate import Alternate
from finetti.structure.rewrites.approximate import find as approximate
from finetti.structure.rewrites.approximate.approximate import Approximate
from finetti.structure.rewrites.centre import find as centre
from finetti.structure.rewrites.centre.centre import Centre
from finetti.structure.rewrites.condense import find as condense
from finetti.structure.rewrites.condense.condense import Condense
from finetti.structure.rewrites.integrate import find as integrate
from finetti.structure.rewrites.integrate.integrate import Integrate
from finetti.structure.rewrites.pool import find as pool
from finetti.structure.rewrites.pool.pool import Pool
from finetti.structure.rewrites.quadrature import find as quadrature
from finetti.structure.rewrites.quadrature.quadrature import Quadrature
from finetti.structure.rewrites.rewrite import Kind
from finetti.structure.rewrites.shift import find as shift
from finetti.structure.rewrites.shift.shift import Shift
from finetti.structure.rewrites.straighten import Straighten
from finetti.structure.rewrites.sum_out import find as sum_out
from finetti.structure.rewrites.sum_out.sum_out import Propagate, SumOut
from finetti.structure.rewrites.tally import find as tally
from finetti.structure.rewrites.tally.tally import Tally

ORDER = (
    Kind(SumOut, sum_out.find),
    Kind(Propagate, sum_out.find_by_messages),
    Kind(Condense, condense.find, condense.again),
    Kind(Integrate, integrate.find),
    Kind(Pool, pool.find),
    Kind(Tally, tally.find),
    Kind(Approximate, approximate.find),
    Kind(Quadrature, quadrature.find),
    Kind(Shift, shift.find),
    Kind(Centre, centre.find),
    Kind(Straighten, straighten.find),
    Kind(Alternate, alternate.find),
)
