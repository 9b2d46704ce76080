"""Write the names of sites as trees have them."""


def dotted(name: str) -> str:
    """Return a site's name as trees have it: they keep the slash for their groups.

    >>> dotted("inner/theta")
    'inner.theta'
    """
    return name.replace("/", ".")
