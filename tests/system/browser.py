"""A real browser on the console: what it asked for, what it complained of, and what axe-core finds on a page."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.system.packages import installed
from tests.system.processes import ROOT

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--no-sandbox", "--disable-gpu")  # fmt: skip
SOURCES: Final = ROOT / "tests/system/axe"
SHOTS: Final = ROOT / ".cache/console"  # where every run leaves its pictures, for people to look at
PHONE: Final = {"width": 390, "height": 844}


def program() -> str | None:
    """Return the path of an installed browser; None if there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Yield the installed browser, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        yield browser
        browser.close()


class Visit:
    """One person at the console: a page with a session of its own."""

    def __init__(self, browser: Browser, doors: Mapping[str, str], **options: Any) -> None:
        self.doors = doors
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.context.add_init_script(path=installed(SOURCES) / "node_modules/axe-core/axe.min.js")
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        #: Where requests went beside the stack.
        self.strangers: list[str] = []
        #: What stands in the console of the browser, and errors that no code caught.
        self.complaints: list[str] = []
        self.page.on("request", self._asked)
        self.page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if f"{url.scheme}://{url.netloc}" != self.doors["endpoint_url"] and url.scheme not in {"data", "blob"}:
            self.strangers.append(request.url)

    def sign_in(self, key: str | None = None) -> None:
        self.page.goto(self.doors["console_url"])
        self.page.get_by_label("API key").fill(key or self.doors["api_key"])
        self.page.get_by_role("button", name="Sign in").click()

    def heading(self, text: str) -> None:
        """Wait for a page by its heading."""
        expect(self.page.get_by_role("heading", name=text, exact=True)).to_be_visible()

    def open(self, name: str) -> None:
        self.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()

    def look(self, name: str) -> None:
        """Keep a picture of the page as it is, and hold it to axe-core's rules."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
        found = self._run(
            "axe.run(document, {resultTypes: ['violations']}).then((found) => JSON.stringify(found.violations))"
        )
        violations = [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in json.loads(found)]
        assert violations == [], f"{name}: {violations}"

    def _run(self, expression: str) -> str:
        """Run a script of the test's own; the page's policy would let no page do so."""
        wanted = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        session = self.context.new_cdp_session(self.page)
        answer: str = session.send("Runtime.evaluate", wanted)["result"]["value"]
        session.detach()
        return answer

    def heap(self) -> int:
        """Return the bytes of the page's scripts and data, after rubbish was collected."""
        session = self.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        used: int = session.send("Runtime.getHeapUsage")["usedSize"]
        session.detach()
        return used

    def end(self) -> None:
        """Close the page; nothing went elsewhere, and nothing was complained of."""
        self.context.close()
        assert (self.strangers, self.complaints) == ([], [])


def file_of(name: str, data: bytes) -> Any:
    """Shape a file as a file input takes it."""
    return {"name": name, "mimeType": "application/jsonl", "buffer": data}


def saved(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
