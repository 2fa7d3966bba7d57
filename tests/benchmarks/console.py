"""The first paint of the console in an installed Chromium, on a warm local stack: script, and bytes over the wire."""

import statistics
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from playwright.sync_api import Browser

from tests.benchmarks.row import Row
from tests.system.browser import browsing, program
from tests.system.processes import up

VISITS: Final = 9
DURATIONS: Final = ("ScriptDuration", "TaskDuration")  # seconds of the page's own process, as DevTools count them


def rows(*, full: bool) -> Iterator[Row]:
    """Open the list of batches as a person does who is signed in, each time in a browser that has kept nothing."""
    if program() is None:
        sys.stdout.write("console: no browser is installed, nothing was measured\n")
        return
    with up() as doors, browsing() as chromium:
        _visit(chromium, doors)  # the function's own start is no script of the page
        seen = [_visit(chromium, doors) for _ in range(VISITS * (3 if full else 1))]
    script, work, sent = (statistics.median(each) for each in zip(*seen, strict=True))
    yield Row("console, first paint: script", script * 1_000, "ms", 150, f"{work * 1_000:.0f} ms of work in all")
    yield Row("console, first paint: transfer", sent / 1_000, "KB", 50, "headers included")


def _visit(chromium: Browser, doors: Mapping[str, str]) -> tuple[float, float, float]:
    """Return the seconds of script and of all work, and the bytes, until the list of batches is there."""
    context = chromium.new_context()
    page = context.new_page()
    context.add_init_script(f"sessionStorage.setItem('batchyard-key', {doors['api_key']!r})")
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Performance.enable")
    sent: list[float] = []
    session.on("Network.loadingFinished", lambda told: sent.append(told["encodedDataLength"]))
    page.goto(doors["console_url"])
    page.get_by_role("heading", name="Batches", exact=True).wait_for()
    page.locator(".loading").wait_for(state="detached")
    told = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    script, work = (told[name] for name in DURATIONS)
    return script, work, sum(sent)
