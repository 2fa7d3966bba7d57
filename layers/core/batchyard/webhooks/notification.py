"""What a person is told by mail or in a chat: one event of the bus in plain sentences, and its shape for each chat."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from batchyard.domain import nesting

COMPLETED, FAILED, PAUSED, BUDGET = "completed", "failed", "paused", "budget"
#: The kind of notification that a detail type of the bus makes.
KINDS: Final = {
    "Batch Completed": COMPLETED, "Batch Failed": FAILED, "Batch Paused": PAUSED, "Budget Warning": BUDGET,
}  # fmt: skip
SLACK, TEAMS = "slack", "teams"
LONGEST_SENTENCE: Final = 1_500  # characters
SINCE: Final = ". It has been so since"  # what follows it in the words of a pause is different each time
CENT: Final = 0.01
WHOLE_BUDGET: Final = 100  # percent


class Notification(msgspec.Struct, frozen=True):
    """What is told. Mail and chats get the same words."""

    kind: str
    #: The same for the same thing, however often the bus tells of it.
    event_id: str
    batch_id: str | None
    title: str
    sentences: list[str]
    link: str

    @property
    def text(self) -> str:
        """Return the sentences and the link, one below the other."""
        return "\n".join([*self.sentences, "", self.link])

    def ending_with(self, sentence: str) -> "Notification":
        """Return the same notification with another sentence at its end."""
        return msgspec.structs.replace(self, sentences=[*self.sentences, sentence])


def notification_of(kind: str, detail: Mapping[str, Any], console_url: str, reason: str = "") -> Notification:
    """Put an event of the bus into words; `reason` is why a batch failed."""
    if kind == BUDGET:
        return _of_budget(detail, console_url)
    head, *sentences = {COMPLETED: _completed, FAILED: _failed, PAUSED: _paused}[kind](detail, reason)
    about = [f"Batch {detail['id']} of the tenant {detail['tenant']} {head}.", f"Input: {detail['input_file_id']}"]
    return Notification(
        kind=kind,
        event_id=_event_id(kind, detail["id"], _same_pause(detail) if kind == PAUSED else ""),
        batch_id=detail["id"],
        title=f"Batchyard: {detail['id']} {head}",
        sentences=[each[:LONGEST_SENTENCE] for each in [*about, *filter(None, sentences)]],
        link=f"{console_url}#/batches/{detail['id']}",
    )


def slack(told: Notification) -> bytes:
    """Shape the message of a chat that takes Slack's incoming webhooks; nothing in the words can mention or link."""
    lines = [f"*{told.title}*", *told.sentences]
    text = "\n".join(each.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for each in lines)
    return nesting.encode({"text": f"{text}\n<{told.link}>"}).encode()


def teams(told: Notification) -> bytes:
    """Shape the message of a workflow of Teams that waits for a webhook: one Adaptive Card, whose words are no Markdown."""
    blocks = [_words(told.title, weight="Bolder"), *map(_words, told.sentences)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "body": blocks, "actions": [{"type": "Action.OpenUrl", "title": "Open the console", "url": told.link}],
    }  # fmt: skip
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return nesting.encode({"type": "message", "attachments": [attachment]}).encode()


def _words(text: str, **look: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def _completed(detail: Mapping[str, Any], _: str) -> list[str]:
    failed, aside = detail["request_counts"]["failed"], detail.get("files_set_aside", 0)
    todos = [
        "look at the failed lines in the console, and retry them there" if failed else "",
        f"see in the report why {aside:,} {'file was' if aside == 1 else 'files were'} set aside" if aside else "",
    ]
    todo = "; ".join(filter(None, todos)) or "nothing; the results are ready"
    return [f"has completed{_with_failures(failed)}", _lines(detail), f"What to do: {todo}."]


def _failed(detail: Mapping[str, Any], reason: str) -> list[str]:
    why = f"Why: {reason}" if reason else ""
    return [
        "has failed",
        why,
        _lines(detail),
        "What to do: see its errors in the console, correct the input, and send it again.",
    ]


def _paused(detail: Mapping[str, Any], _: str) -> list[str]:
    return ["is paused", str(detail.get("paused") or ""), _lines(detail)]


def _lines(detail: Mapping[str, Any]) -> str:
    """Say how many lines are good and failed, and what was spent."""
    counts = detail["request_counts"]
    told = (
        f"{counts['total']:,} {_noun(counts['total'])}: {counts['completed']:,} good, {counts['failed']:,} failed"
        if counts["total"]
        else ""
    )
    return f"{told or 'No line was sent'}. {_spent(detail)}"


def _spent(detail: Mapping[str, Any]) -> str:
    cost = detail.get("cost")
    if not cost:
        return "Nothing is spent so far."
    if cost.get("usd") is None:
        return "What was spent is not known, for a model has no price."
    return f"Spent: {_dollars(cost['usd'])}."


def _of_budget(detail: Mapping[str, Any], console_url: str) -> Notification:
    tenant, percent, month = detail["tenant"], detail["percent"], detail["month"]
    reached = percent >= WHOLE_BUDGET
    head = f"the budget of {tenant} for {month} is {'reached' if reached else f'spent to {percent} %'}"
    under_way = f", and {_dollars(detail['estimated_usd'])} more is under way" if detail["estimated_usd"] else ""
    then = "Requests that would go above the budget are not sent any more." if reached else "Requests still run."
    return Notification(
        kind=BUDGET, event_id=detail["id"], batch_id=None, title=f"Batchyard: {head}",
        sentences=[
            f"{head[0].upper()}{head[1:]}.",
            f"{_dollars(detail['spent_usd'])} of {_dollars(detail['budget_usd'])} is spent{under_way}. {then}",
            f"What to do: raise it (make budget TENANT={tenant}), or wait for the next month.",
        ],
        link=f"{console_url}#/usage",
    )  # fmt: skip


def _with_failures(failed: int) -> str:
    return f" with {failed:,} failed {_noun(failed)}" if failed else ""


def _noun(count: int) -> str:
    return "line" if count == 1 else "lines"


def _dollars(amount: float) -> str:
    """Write an amount with cents, and one below a cent with all digits that it has."""
    text = f"{amount:,.2f}" if amount >= CENT or not amount else f"{amount:.6f}".rstrip("0")
    return f"${text}"


def _same_pause(detail: Mapping[str, Any]) -> str:
    """Reduce the words of a pause to what stays the same while it lasts: no times, and no counts of failures."""
    return re.sub(r"[0-9]+", "", str(detail.get("paused") or "").partition(SINCE)[0])


def _event_id(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass"))
    return f"evt_{digest.hexdigest()[:32]}"
