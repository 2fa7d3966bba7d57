"""The page of a batch: all that it shows, and nothing that data could make it do."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard_client.html_report import Pair, page
from tests.unit.batchyard_client.tables.made import chat, expired, line, refused

EVIL = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;<!--\x00\ud800\x1b"
REPORT: dict[str, Any] = {
    "batch_id": "batch_1",
    "status": "completed",
    "created_at": 1_796_027_229,
    "input": {"key": "inbox/default/in.jsonl", "lines": 20_100},
    "output": {"lines": 20_000},
    "errors": {"lines": 100, "by_code": {"context_length_exceeded": 99, "batch_expired": 1}},
    "outcomes_equal_lines": True,
    "cost": {
        "usd": 12.4071,
        "estimate_usd": None,
        "by_model": {
            "m-1": {"input_tokens": 43_571_000, "cached_tokens": 5, "output_tokens": 7, "reasoning_tokens": 0, "usd": 12.4071}
        },
    },
    "shards": [
        {
            "shard": 0,
            "model": "m-1",
            "attempts": [
                {"number": 1, "provider_batch_id": "batch_p", "provider_status": "expired", "lines": 20_100,
                 "ended_at": 1_796_030_829, "succeeded": 15_000, "failed": 0},
                {"number": 2, "provider_batch_id": "batch_q", "provider_status": "completed", "lines": 5_100,
                 "ended_at": 1_796_034_429, "succeeded": 5_000, "failed": 100},
            ],
        }
    ],
}  # fmt: skip
VOID = {"meta", "input"}


class Reader(HTMLParser):
    """Reads a page as a browser does: its elements, their attributes, and the text that is shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.shown += data + "\n"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def asked(row: int, text: str = "Say it") -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0}
    return json.dumps({"custom_id": f"row-{row}", "url": "/v1/chat/completions", "body": body}).encode()


def pairs(good: int, failed: int) -> list[Pair]:
    lines: list[Pair] = [(asked(row), chat(row, f"answer {row}")) for row in range(1, good + 1)]
    return lines + [(asked(row), refused(row)) for row in range(good + 1, good + failed + 1)]


def test_the_page_tells_what_the_report_tells() -> None:
    shown = Reader(page(REPORT)).shown
    for told in (
        "batch_1", "completed", "2026-11-30 08:27:09 UTC", "2026-11-30 10:27:09 UTC", "20,100", "20,000", "$12.4071", "yes",
        "context_length_exceeded", "43,571,000", "m-1", "batch_q", "inbox/default/in.jsonl",
    ):  # fmt: skip
        assert told in shown
    assert shown.index("context_length_exceeded") < shown.index("batch_expired")


def test_the_progress_is_drawn_to_the_end_of_the_last_attempt() -> None:
    (path,) = [attributes["d"] for tag, attributes in Reader(page(REPORT)).elements if tag == "path"]
    # three quarters after half of the time, and all at the end
    assert path == "M60 190L430.0 190.0L430.0 63.1L800.0 63.1L800.0 20.0"


def test_the_progress_is_drawn_as_the_shards_tell_it() -> None:
    start = REPORT["created_at"]
    told = [
        {"at": start + at, "completed": done, "failed": bad}
        for at, done, bad in ((0, 0, 0), (10, 40, 10), (20, 90, 10))
    ]
    (path,) = [
        attributes["d"] for tag, attributes in Reader(page({**REPORT, "progress": told})).elements if tag == "path"
    ]
    assert path == "M60 190L60.0 190.0L430.0 105.0L800.0 20.0"


def test_a_line_has_its_number_in_the_input() -> None:
    assert "4711 · " in Reader(page(REPORT, [(None, chat(4711), 4711)])).shown


@pytest.mark.parametrize(
    "report", [{}, {"id": "b", "errors": None}, {"shards": [{}], "cost": None, "errors": {"data": []}}]
)
def test_a_report_that_knows_little_makes_a_page(report: dict[str, Any]) -> None:
    assert "Batch" in Reader(page(report)).shown


def test_a_refused_batch_shows_its_bad_lines() -> None:
    data = [{"code": "invalid_json", "message": EVIL, "line": n} for n in range(1, 151)]
    shown = Reader(page({"id": "b", "status": "failed", "errors": {"object": "list", "data": data}})).shown
    assert "invalid_json" in shown
    assert "and \n" not in shown
    assert "and 50 more" in shown


def test_answers_stand_beside_their_requests() -> None:
    shown = Reader(page(REPORT, [(asked(1, "Is it?"), chat(1, "It is.")), (None, expired(2))])).shown
    for told in ("user: Is it?", '"temperature": 0', "It is.", "row-1", "row-2", "batch_expired: Not done in time"):
        assert told in shown
    assert "The request is not at hand." in shown


def test_a_long_text_is_cut_and_says_so() -> None:
    html = page(REPORT, [(asked(1, "q" * 1_000_000), chat(1, "a" * 1_000_000))])
    assert len(html) < 50_000
    assert "characters more" in html


@pytest.mark.parametrize(
    ("good", "failed", "shown_good", "shown_failed"),
    [
        (5, 3, 5, 3),
        (900, 600, 50, 50),
        (900, 10, 90, 10),
        (10, 900, 10, 90),
        (0, 900, 0, 100),
        (900, 0, 100, 0),
        (0, 0, 0, 0),
    ],
)
def test_the_sample_has_room_for_both(good: int, failed: int, shown_good: int, shown_failed: int) -> None:
    reader = Reader(page(REPORT, iter(pairs(good, failed)), most=100))
    kinds = [attributes.get("class") for tag, attributes in reader.elements if tag == "details"]
    assert (kinds.count(None), kinds.count("failed")) == (shown_good, shown_failed)


def test_the_same_batch_makes_the_same_page() -> None:
    assert page(REPORT, pairs(900, 90)) == page(REPORT, pairs(900, 90))


def test_the_sample_is_in_the_order_of_the_lines() -> None:
    numbers = [int(found) for found in re.findall(r"<summary>(\d+) ", page(REPORT, pairs(900, 90)))]
    assert numbers == sorted(numbers)
    assert numbers[0] < 100 < 800 < numbers[-1]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b'{"response":5}', b"\xff", b'{"response":{"status_code":200}}']
)
def test_a_line_that_is_none_breaks_nothing(line: bytes) -> None:
    written = page(REPORT, [(line, line)])
    Reader(written)
    assert written.rstrip().endswith("</html>")


def evil(value: Any) -> Any:
    """Put markup where any text stands, and into the names of members that are shown."""
    if isinstance(value, dict):
        return {name if name in KEPT else EVIL: evil(each) for name, each in value.items()}
    if isinstance(value, list):
        return [evil(each) for each in value]
    return EVIL if isinstance(value, str) else value


KEPT = set(re.findall(r'"(\w+)":', json.dumps(REPORT))) - {
    "m-1",
    "context_length_exceeded",
}
ALLOWED = {
    "html": {"lang"}, "meta": {"charset", "http-equiv", "content", "name"},
    "svg": {"viewbox", "role", "aria-label", "aria-hidden"},
    "line": {"x1", "x2", "y1", "y2"}, "path": {"d"}, "text": {"x", "y", "text-anchor"}, "rect": {"width", "height", "class"},
    "input": {"type", "name"},
}  # fmt: skip


def assert_harmless(html: str, answers: bool) -> None:
    reader = Reader(html)
    for tag, attributes in reader.elements:
        assert set(attributes) <= ALLOWED.get(tag, {"class"}), (tag, attributes)
    tags = [tag for tag, _ in reader.elements]
    assert (tags.count("script"), tags.count("style"), tags.count("form")) == (1, 1, int(answers))
    assert not {"img", "a", "link", "iframe", "object", "base"} & set(tags)
    assert "http:" not in html.replace("http-equiv", "")
    html.encode()


def test_whatever_texts_hold_they_are_shown_and_never_obeyed() -> None:
    line = json.loads(chat(1))
    request = json.loads(asked(1))
    error = {"custom_id": EVIL, "response": None, "error": {"code": EVIL, "message": EVIL}}
    found = [
        (
            json.dumps({**request, "custom_id": EVIL, "body": {EVIL: EVIL, "input": EVIL}}),
            json.dumps({**line, "custom_id": EVIL}),
        ),
        (
            json.dumps(request).replace("Say it", "</pre><script>"),
            json.dumps(line).replace("good", "</details><script>x"),
        ),
        (json.dumps(request), json.dumps(error)),
    ]
    html = page(evil(REPORT), [(one.encode(), two.encode()) for one, two in found])
    assert_harmless(html, answers=True)
    assert html.count("<script") == 1
    assert "</details><script>x" in Reader(html).shown


@given(st.text(), st.text(), st.text())
def test_any_text_is_harmless(name: str, question: str, answer: str) -> None:
    report = {**REPORT, "batch_id": name, "errors": {"by_code": {question: 1}}}
    assert_harmless(
        page(report, [(asked(1, question), chat(1, answer)), (asked(2), chat(2, None, refusal=answer))]), answers=True
    )


def test_the_policy_lets_nothing_be_loaded_and_only_these_texts_run() -> None:
    html = page(REPORT)
    (policy,) = [
        each["content"] for tag, each in Reader(html).elements if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    for tag in ("script", "style"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"\sstyle=|\son\w+=|url\(", html)


@pytest.mark.parametrize(
    ("result", "state", "told"),
    [
        (chat(1, None, refusal="I will not"), "refused", "refusal: I will not"),
        (chat(1, ""), "empty", "the answer is empty, and its finish_reason is stop"),
        (chat(1, None), "empty", "the answer is empty, and its finish_reason is stop"),
        (line(1, {"model": "m", "output": [], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
         "empty", "the answer is empty, and its finish_reason is max_output_tokens"),
        (refused(1), "failed", "context_length_exceeded: Too long"),
        (chat(1, "good"), "answered", "good"),
        (chat(1, None, tool_calls=[{"id": "c"}]), "answered", '[{"id":"c"}]'),
    ],
)  # fmt: skip
def test_a_refusal_and_an_empty_answer_are_shown_as_what_they_are(result: bytes, state: str, told: str) -> None:
    read = Reader(page(REPORT, [(None, result)]))
    words = read.shown.split("\n")
    assert state in words
    assert ("answered" in words) is (state == "answered")
    assert told in words
    marked = [attributes.get("class") for name, attributes in read.elements if name == "details"]
    assert marked == [None if state == "answered" else "failed"]


def test_refusals_have_their_places_among_many_good_answers() -> None:
    lines = [chat(row, None, refusal="No") if row == 777 else chat(row) for row in range(1, 1_001)]
    assert "refusal: No" in page(REPORT, [(None, each) for each in lines], most=10)


@pytest.mark.parametrize(
    ("cost", "shown", "hidden"),
    [
        ({"usd": 0.0000123, "estimate_usd": 1.5}, ["$0.000012", "Estimated", "$1.5000"], "price"),
        ({"usd": 12.4071, "estimate_usd": None}, ["$12.4071"], "Estimated"),
        (
            {"usd": None, "input_usd": 0.25, "cached_usd": 0, "output_usd": 0.5, "unpriced_tokens": 1_200},
            ["$0.7500 and 1,200 tokens without a price"],
            "Estimated",
        ),
    ],
)
def test_what_was_paid_is_told_as_far_as_it_is_known(cost: dict[str, Any], shown: list[str], hidden: str) -> None:
    text = Reader(page({**REPORT, "cost": cost, "shards": []}, [])).shown
    assert all(words in text for words in shown)
    assert hidden not in text
