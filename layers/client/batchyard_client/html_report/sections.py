"""The parts of the page that are made of the report."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from .markup import UNKNOWN, Markup, dollars, element, joined, moment, number, table

_WIDTH, _HEIGHT, _LEFT = 800, 220, 60
_MOST_FAULTS: Final = 100
Report = Mapping[str, Any]


def summary(report: Report) -> Markup:
    """Say what the batch was, how it ended, and what it cost."""
    cost = _inner(report, "cost")
    facts = {
        "Status": report.get("status", UNKNOWN),
        "Created": moment(report.get("created_at")),
        "Ended": moment(max((at for at, _ in _ends(report)), default=None)),
        "Lines": number(_inner(report, "input").get("lines")),
        "Answered": number(_inner(report, "output").get("lines")),
        "Failed": number(_inner(report, "errors").get("lines")),
        "Every line has one outcome": _yes(report.get("outcomes_equal_lines")),
        "Cost": _paid(cost),
        **({} if cost.get("estimate_usd") is None else {"Estimated": dollars(cost["estimate_usd"])}),
        "Input": _inner(report, "input").get("key") or report.get("input_file_id") or UNKNOWN,
    }
    return element("dl", *(joined([element("dt", name), element("dd", value)]) for name, value in facts.items()))


def _paid(cost: Report) -> str:
    """Say what was paid; where tokens have no price, what the others cost, and how many these are."""
    unpriced = cost.get("unpriced_tokens")
    if not unpriced:
        return dollars(cost.get("usd"))
    known = sum(cost.get(name) or 0 for name in ("input_usd", "cached_usd", "output_usd"))
    return f"{dollars(known)} and {number(unpriced)} tokens without a price"


def _yes(value: object) -> str:
    return UNKNOWN if value is None else "yes" if value is True else "no"


def progress(report: Report) -> Markup | None:
    """Draw how many lines had their outcome when."""
    points, start = _points(report), report.get("created_at")
    if not points or not isinstance(start, int | float):
        return None
    end, total = points[-1][0], max(points[-1][1], 1)
    span = max(end - start, 1)
    path = f"M{_LEFT} {_HEIGHT - 30}" + "".join(
        f"L{_LEFT + (at - start) / span * (_WIDTH - _LEFT):.1f} {_HEIGHT - 30 - done / total * (_HEIGHT - 50):.1f}"
        for at, done in points
    )
    axis = element("line", x1=_LEFT, x2=_WIDTH, y1=_HEIGHT - 30, y2=_HEIGHT - 30)
    words = [
        element("text", number(total), x=0, y=24),
        element("text", "0", x=0, y=_HEIGHT - 30),
        element("text", moment(start), x=_LEFT, y=_HEIGHT - 8),
        element("text", moment(end), x=_WIDTH, y=_HEIGHT - 8, text_anchor="end"),
    ]
    told = f"{number(total)} {'line' if total == 1 else 'lines'} had their outcome by {moment(end)}"
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return element("svg", axis, element("path", d=path), *words, viewBox=box, role="img", aria_label=told)


def _points(report: Report) -> list[tuple[float, int]]:
    """Return how many lines had their outcome at which times; without a `progress`, as the ends of attempts tell."""
    told = report.get("progress")
    if isinstance(told, list) and told:
        return [(each["at"], _whole(each.get("completed")) + _whole(each.get("failed"))) for each in told]
    done, points = 0, list[tuple[float, int]]()
    for at, count in sorted(_ends(report)):
        points += [(at, done), (at, done + count)]
        done += count
    return points


def _ends(report: Report) -> Iterator[tuple[float, int]]:
    """Yield when attempts ended, and for how many lines that was the outcome."""
    for shard in report.get("shards") or []:
        for attempt in shard.get("attempts") or []:
            if isinstance(at := attempt.get("ended_at"), int | float):
                yield at, sum(_whole(attempt.get(name)) for name in ("succeeded", "failed"))


def errors(report: Report) -> Markup | None:
    """Tell the errors by code, the most frequent first."""
    codes = {str(code): _whole(count) for code, count in _inner(_inner(report, "errors"), "by_code").items()}
    if not codes:
        return None
    most = max(1, *codes.values())
    ordered = sorted(codes.items(), key=lambda each: (-each[1], each[0]))
    return table(["Code", "Lines", ""], [(element("bdi", code), number(n), _bar(n / most)) for code, n in ordered], [1])


def _bar(share: float) -> Markup:
    """Draw a bar; by attributes, because the page's policy lets no element have a style of its own."""
    rect = element("rect", width=max(1, round(200 * share)), height=12, class_="share")
    return element("svg", rect, viewBox="0 0 200 12", aria_hidden="true")


def faults(report: Report) -> Markup | None:
    """List the bad lines of an input that was refused."""
    found = _inner(report, "errors").get("data")
    if not isinstance(found, list) or not found:
        return None
    rows = [
        (
            number(each.get("line")),
            element("bdi", each.get("code") or UNKNOWN),
            element("bdi", each.get("message") or ""),
        )
        for each in found[:_MOST_FAULTS]
        if isinstance(each, dict)
    ]
    left = len(found) - len(rows)
    more = [element("p", f"and {number(left)} more")] if left > 0 else []
    return joined([table(["Line", "Code", "Message"], rows, [0]), *more])


def models(report: Report) -> Markup | None:
    """Tell tokens and dollars by model."""
    by_model = _inner(_inner(report, "cost"), "by_model")
    if not by_model:
        used = _inner(report, "usage")
        by_model = {"all models": used} if used else {}
    if not by_model:
        return None
    heads = ["Model", "Input tokens", "of these cached", "Output tokens", "of these reasoning", "Dollars", "Price"]
    rows = [
        (
            element("bdi", name),
            *(number(each.get(f"{kind}_tokens")) for kind in ("input", "cached", "output", "reasoning")),
            dollars(each.get("usd")),
            each.get("basis") or UNKNOWN,
        )
        for name, each in by_model.items()
        if isinstance(each, dict)
    ]
    return table(heads, rows, range(1, 6))


def shards(report: Report) -> Markup | None:
    """Tell how each shard went at the provider."""
    rows = [
        (
            number(shard.get("shard")),
            element("bdi", shard.get("model") or UNKNOWN),
            number(attempt.get("number")),
            element("bdi", attempt.get("provider_batch_id") or UNKNOWN),
            attempt.get("provider_status") or UNKNOWN,
            number(attempt.get("lines")),
            number(attempt.get("succeeded")),
            number(attempt.get("failed")),
        )
        for shard in report.get("shards") or []
        for attempt in shard.get("attempts") or []
    ]
    heads = ["Shard", "Model", "Attempt", "Provider batch", "Status", "Lines", "Succeeded", "Failed"]
    return table(heads, rows, [0, 2, 5, 6, 7]) if rows else None


def _inner(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
