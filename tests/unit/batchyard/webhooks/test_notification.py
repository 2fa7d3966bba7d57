"""What a person reads, and the shapes in which chats take it."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchyard.webhooks.notification import BUDGET, COMPLETED, FAILED, KINDS, PAUSED, notification_of, slack, teams

ROOT = Path(__file__).resolve().parents[4]
CONSOLE = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/console"
BATCH = "batch_5f0c1e8a9b7d4c3e8f2a6b1d0e9c8a7f"


def detail(case: str, **changes: object) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((ROOT / f"events/inform.{case}.json").read_text(encoding="utf-8"))["detail"]
    return {**told, **changes}


def test_the_end_of_a_batch_says_how_many_lines_failed_what_was_spent_and_what_to_do() -> None:
    told = notification_of(COMPLETED, detail("batch-completed", cost={"usd": 1234.5}), CONSOLE)
    assert told.title == f"Batchyard: {BATCH} has completed with 1 failed line"
    assert told.text.splitlines() == [
        f"Batch {BATCH} of the tenant default has completed with 1 failed line.",
        "Input: s3://batchyard-data-example/inbox/default/requests.jsonl",
        "3 lines: 2 good, 1 failed. Spent: $1,234.50.",
        "What to do: look at the failed lines in the console, and retry them there.",
        "",
        f"{CONSOLE}#/batches/{BATCH}",
    ]


def test_a_batch_without_failures_asks_for_nothing() -> None:
    counts = {"total": 3, "completed": 3, "failed": 0}
    told = notification_of(COMPLETED, detail("batch-completed", request_counts=counts), CONSOLE)
    assert told.title == f"Batchyard: {BATCH} has completed"
    assert "What to do: nothing; the results are ready." in told.sentences


def test_files_that_were_set_aside_are_told_with_the_way_to_see_why() -> None:
    counts = {"total": 0, "completed": 0, "failed": 0}
    told = notification_of(COMPLETED, detail("batch-completed", request_counts=counts, files_set_aside=1), CONSOLE)
    assert "What to do: see in the report why 1 file was set aside." in told.sentences
    told = notification_of(COMPLETED, detail("batch-completed", files_set_aside=1_200), CONSOLE)
    assert told.sentences[-1] == (
        "What to do: look at the failed lines in the console, and retry them there; see in the report why 1,200 files "
        "were set aside."
    )


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (None, "Nothing is spent so far."),
        ({"usd": None}, "What was spent is not known, for a model has no price."),
        ({"usd": 0.0}, "Spent: $0.00."),
        ({"usd": 0.000125}, "Spent: $0.000125."),
        ({"usd": 0.01}, "Spent: $0.01."),
    ],
)
def test_what_was_spent_is_said_in_dollars_or_that_it_is_not_known(cost: object, words: str) -> None:
    told = notification_of(COMPLETED, detail("batch-completed", cost=cost), CONSOLE)
    assert f"3 lines: 2 good, 1 failed. {words}" in told.sentences


def test_a_refused_batch_says_why() -> None:
    told = notification_of(FAILED, detail("batch-failed"), CONSOLE, "Line 3 is no JSON.")
    assert told.sentences[2:4] == ["Why: Line 3 is no JSON.", "No line was sent. Nothing is spent so far."]
    assert len(notification_of(FAILED, detail("batch-failed"), CONSOLE).sentences) == len(told.sentences) - 1


def test_a_pause_says_what_the_batch_says_of_itself() -> None:
    told = notification_of(PAUSED, detail("batch-paused"), CONSOLE)
    assert "The provider refused us: You exceeded your current quota." in told.sentences


def test_the_same_pause_is_one_notification_and_another_one_is_another() -> None:
    def pause(words: str) -> str:
        return notification_of(PAUSED, detail("batch-paused", paused=words), CONSOLE).event_id

    first = pause("The provider has not served us 3 times in a row: 503. It has been so since 2026-09-21 13:33 UTC. …")
    assert first == pause("The provider has not served us 9 times in a row: 502. It has been so since 2026-09-22 …")
    assert first != pause("The provider refused our key: 401. It has been so since 2026-09-21 13:33 UTC. …")
    other = notification_of(PAUSED, detail("batch-paused", id="batch_other"), CONSOLE)
    assert other.event_id != notification_of(PAUSED, detail("batch-paused"), CONSOLE).event_id


def test_a_budget_says_how_far_it_is_and_what_follows() -> None:
    told = notification_of(BUDGET, detail("budget-warning"), CONSOLE)
    assert told.event_id == detail("budget-warning")["id"]
    assert told.sentences == [
        "The budget of default for 2026-09 is spent to 80 %.",
        "$204.50 of $250.00 is spent, and $12.25 more is under way. Requests still run.",
        "What to do: raise it (make budget TENANT=default), or wait for the next month.",
    ]
    reached = notification_of(BUDGET, detail("budget-warning", percent=100, estimated_usd=0.0), CONSOLE)
    assert reached.title == "Batchyard: the budget of default for 2026-09 is reached"
    assert "is spent. Requests that would go above the budget are not sent any more." in reached.sentences[1]


def test_no_word_of_others_mentions_or_links_in_slack() -> None:
    told = notification_of(PAUSED, detail("batch-paused", paused="<!channel> & <http://evil|here>"), CONSOLE)
    said = json.loads(slack(told))
    assert said.keys() == {"text"}
    assert "&lt;!channel&gt; &amp; &lt;http://evil|here&gt;" in said["text"]
    assert said["text"].count("<") == 1
    assert said["text"].endswith(f"<{CONSOLE}#/batches/{BATCH}>")


def test_teams_gets_one_adaptive_card_of_plain_runs_of_text() -> None:
    told = notification_of(PAUSED, detail("batch-paused", paused="[here](http://evil)"), CONSOLE)
    message = json.loads(teams(told))
    (attachment,) = message["attachments"]
    card = attachment["content"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}  # a TextBlock would read Markdown
    words = [run["text"] for block in card["body"] for run in block["inlines"]]
    assert words == [told.title, *told.sentences]
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open the console", "url": told.link}]


def test_words_without_end_are_cut() -> None:
    told = notification_of(PAUSED, detail("batch-paused", paused="x" * 100_000), CONSOLE)
    assert len(told.text) < 4_000


def test_each_kind_is_one_of_those_that_the_setting_takes() -> None:
    assert sorted(KINDS.values()) == ["budget", "completed", "failed", "paused"]


def test_one_line_is_one_line() -> None:
    told = notification_of(
        COMPLETED, detail("batch-completed", request_counts={"total": 1, "completed": 1, "failed": 0}), CONSOLE
    )
    assert any(each.startswith("1 line: 1 good, 0 failed.") for each in told.sentences)
