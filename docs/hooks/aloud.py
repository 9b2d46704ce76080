"""Name what the theme leaves without a name, for those who have a page read to them."""

from __future__ import annotations

import re

NAV = re.compile(
    r'(<nav class="md-nav" data-md-level="\d+" )aria-labelledby="[^"]*"'
    r'(.*?<label class="md-nav__title"[^>]*>.*?</span>\s*)([^<]+?)(\s*</label>)',
    flags=re.DOTALL,
)
SEARCH = 'data-md-component="search" role="dialog"'


def on_post_template(output_content: str, template_name: str, **kwargs: object) -> str:
    """Do the same for the page that stands for pages that are not there."""
    return on_post_page(output_content) if template_name.endswith(".html") else output_content


def on_post_page(output: str, **kwargs: object) -> str:
    """Name each list of pages by its title, and the search; what heads nothing is no head."""
    output = NAV.sub(r'\1aria-label="\3"\2\3\4', output)
    output = output.replace(SEARCH, f'{SEARCH} aria-label="Search"')
    return output.replace("<th></th>", "<td></td>")
