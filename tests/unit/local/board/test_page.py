"""The page of the stack's owner is served with the console's design, under a strict policy, and leaves all else alone."""

import asyncio
import json
import re
from typing import Any

import pytest

from batchyard.console import site
from local.board.page import ROOT, SHARED, with_board
from tests.unit.local.board.test_figures import Told


def get(path: str, kind: str = "http") -> tuple[int, dict[str, str], bytes]:
    """Ask the page; 599 is the answer of what stands behind it."""
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    async def behind(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 599, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing() -> None:
        return None

    async def ask() -> None:
        await with_board(behind, Told([], {}))({"type": kind, "path": path}, nothing, keep)

    asyncio.run(ask())
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


def test_the_page_and_every_file_that_it_names_are_there() -> None:
    status, headers, page = get(ROOT)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r'(?:href|src)="(operator/[^"]+)"', page.decode())
    assert len(named) >= 4
    _, _, script = get(f"{ROOT}/operator.js")
    named += [f"operator/{name}" for name in re.findall(r'from "\./([^"]+)"', script.decode())]
    assert [name for name in named if get(f"/console/{name}")[0] != 200] == []


@pytest.mark.parametrize("name", SHARED)
def test_what_it_shares_with_the_console_is_the_console_s_own(name: str) -> None:
    assert get(f"{ROOT}/{name}")[2] == site.files()[name]


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/operator.js", f"{ROOT}/figures", f"{ROOT}/nothing"])
def test_the_policy_allows_this_origin_alone(path: str) -> None:
    headers = get(path)[1]
    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


def test_no_file_has_inline_script_style_or_markup_made_of_text() -> None:
    assert not re.search(rb"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", get(ROOT)[2])
    assert not re.search(
        rb"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function|https?://", get(f"{ROOT}/operator.js")[2]
    )


@pytest.mark.parametrize(
    "path", ["/../page.py", "/%2e%2e/page.py", "/index.py", "//operator.js", "/operator.js/", "/api.js", "/app.js"]
)
def test_no_address_leads_to_another_file(path: str) -> None:
    assert get(f"{ROOT}{path}")[0] == 404


@pytest.mark.parametrize("path", ["/console", "/console/operators", "/v1/batches", "/", ""])
def test_all_else_is_left_to_what_stands_behind(path: str) -> None:
    assert get(path)[0] == 599
    assert get(ROOT, "websocket")[0] == 599


def test_the_figures_are_json() -> None:
    status, headers, body = get(f"{ROOT}/figures")
    assert (status, headers["content-type"], json.loads(body)["widgets"]) == (200, "application/json", [])
