"""Open pages in Chromium, and hold them against WCAG by axe-core; skip where either is lacking."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# No service of the browser's own looks for a network.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0]}).then(found => done(found.violations.map(
    v => `${v.id}: ${v.help} (${v.nodes.length}), such as ${v.nodes[0].html.slice(0, 120)}`)))
"""


@contextmanager
def opened() -> Iterator:
    """Yield a browser without a window."""
    if BROWSER is None or DRIVER is None:
        pytest.skip("needs Debian's packages chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def visit(browser, page: Path, width: int, scheme: str = "light") -> None:
    """Open a page in a window so many pixels wide, in light or dark colours."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.as_uri())


def violations(browser) -> list[str]:
    """Return what axe-core finds on the page that is open; needs the extra `browser`."""
    found = find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs axe-core, which the extra `browser` brings")
    (folder,) = found.submodule_search_locations
    browser.execute_script((Path(folder) / "axe.min.js").read_text(encoding="utf-8"))
    return browser.execute_async_script(RUN, RULES)
