"""The files of the console: each by its exact name, under headers that let a browser run them and nothing else."""

import gzip
import re
from html.parser import HTMLParser

import pytest

from batchyard import services
from batchyard.console import site
from tests.fakes.services import MemoryServices
from tests.unit.functions.gateway import Answer, call

FIRST_PAINT = 50_000  # bytes
ORIGIN = "https://data.example"


@pytest.fixture(autouse=True)
def of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    made = MemoryServices()
    monkeypatch.setattr(services, "current", lambda: made)


def get(path: str, **headers: str) -> Answer:
    return call("GET", path, **headers)


def links(page: bytes) -> list[str]:
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - as inherited
            found.extend(value for name, value in attrs if name in {"src", "href"} and value and value[0] != "#")

    Links().feed(page.decode())
    return found


def test_the_page_needs_no_key_and_every_file_it_names_is_there() -> None:
    page = get("/console")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert links(page.body)
    for link in links(page.body):
        assert get(f"/{link}").status == 200, link


@pytest.mark.parametrize("name", sorted(site.files()))
def test_every_module_that_a_file_imports_is_there(name: str) -> None:
    text = site.files()[name].decode()
    folder = f"/console/{site.version()}/{name}".rpartition("/")[0]
    for imported in re.findall(r"""(?:from|import\()\s*["'](\.[^"']+)["']""", text):
        place = folder
        for step in imported.split("/")[:-1]:
            place = place.rpartition("/")[0] if step == ".." else place
            place = f"{place}/{step}" if step not in {".", ".."} else place
        assert get(f"{place}/{imported.rpartition('/')[2]}").status == 200, imported


def test_the_first_paint_takes_few_bytes() -> None:
    page = get("/console", accept_encoding="gzip")
    sent = len(page.body) + sum(
        len(get(f"/{link}", accept_encoding="gzip").body) for link in links(gzip.decompress(page.body))
    )
    assert sent < FIRST_PAINT


def test_the_policy_allows_this_origin_and_the_bucket_alone() -> None:
    rules = dict(rule.split(" ", 1) for rule in get("/console").headers["content-security-policy"].split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "img-src")} == {"'self'"}
    assert rules["connect-src"] == f"'self' {services.current().bucket.origin}"


def test_each_answer_says_what_a_browser_may_not_do() -> None:
    for path in ("/console", f"/console/{site.version()}/app.js"):
        sent = get(path).headers
        assert sent["x-content-type-options"] == "nosniff"
        assert sent["referrer-policy"] == "no-referrer"
        assert sent["x-frame-options"] == "DENY"
        assert "content-security-policy" in sent


def test_the_page_is_compared_at_each_use_and_files_are_kept() -> None:
    page, file = get("/console"), get(f"/console/{site.version()}/app.js")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in file.headers["cache-control"]
    for path, answer in (("/console", page), (f"/console/{site.version()}/app.js", file)):
        again = get(path, if_none_match=answer.headers["etag"])
        assert (again.status, again.body) == (304, b"")


def test_files_come_packed_to_those_who_unpack() -> None:
    path = f"/console/{site.version()}/app.js"
    packed = get(path, accept_encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == get(path).body == site.files()["app.js"]


@pytest.mark.parametrize(
    "name",
    [
        "../site.py", "%2e%2e/site.py", "..%2fsite.py", "{v}/../site.py", "{v}/../../site.py", "{v}//app.js", "/app.js",
        "{v}/%2e%2e/site.py", "{v}/app.js/", "{v}/App.js", "{v}/app.js%00", "app.js", "000000000000/app.js", "{v}/", "{v}",
        "{v}/..\\site.py", "{v}/" + "x" * 9_000, "{v}/index.html",
    ],
)  # fmt: skip
def test_no_path_leads_to_another_file(name: str) -> None:
    answer = get(f"/console/{name.replace('{v}', site.version())}")
    assert answer.status == 404
    assert answer.json["error"]["message"]


def test_no_other_method_is_taken() -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = call(method, "/console")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_path_that_only_begins_alike_needs_a_key() -> None:
    assert get("/consoles").status == get("/v1/console").status == 401


def test_no_file_has_inline_script_style_or_markup_made_of_text() -> None:
    page = get("/console").body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page)
    for name, data in site.files().items():
        text = data.decode()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser", text
        ), name
        assert not re.search(r"https?://(?!['\"]|www\.w3\.org/)", text), f"{name} names another place"
