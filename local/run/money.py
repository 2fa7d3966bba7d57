"""What a run may spend, and what the stack estimates that it will."""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import UsageError

_YES, _NO = ("1", "true", "yes"), ("0", "false", "no")
_NEAR = 0.8  # of two names' letters
_SHOWN_MODELS = 5
_SMALL = 0.01  # dollars, of which a ten-thousandth is much


@dataclass(frozen=True)
class Money:
    """What the user wants of a run that may be paid."""

    #: Whether the run only estimates, and sends nothing.
    dry_run: bool = False
    #: The estimate in US dollars above which nothing is sent, as the user has written it; empty means no limit.
    most: str = ""

    @property
    def metadata(self) -> dict[str, str]:
        """Return the user metadata that tells the stack so."""
        limit = {"max-cost-usd": self.most} if self.most else {}
        return {**limit, "dry-run": "true"} if self.dry_run else limit


def money_from(environment: Mapping[str, str]) -> Money:
    """Read DRY_RUN and MAX_COST_USD.

    Raises:
        UsageError: one of them is misspelt, or has a value that says nothing.

    """
    for name in ("DRY_RUN", "MAX_COST_USD"):
        for given in environment:
            if given != name and difflib.SequenceMatcher(None, _letters(given), _letters(name)).ratio() >= _NEAR:
                raise UsageError(f"{given} is set, which is no setting. Did you mean {name}?")
        if environment.get(name) == "":
            raise UsageError(f"{name} is empty, which may be a slip. Give it a value, or leave it out.")
    dry_run, most = environment.get("DRY_RUN", _NO[0]), environment.get("MAX_COST_USD", "")
    if dry_run.lower() not in (*_YES, *_NO):
        raise UsageError(f"DRY_RUN is {dry_run!r}. Set it to 1 to estimate and send nothing.")
    if most and not (re.fullmatch(r"[0-9]+(\.[0-9]+)?", most) and float(most) > 0):
        raise UsageError(f"MAX_COST_USD is {most!r}. Set it to an amount of US dollars above 0, such as 12.50.")
    return Money(dry_run.lower() in _YES, most)


def estimate_lines(preflight: str) -> list[str]:
    """Return sentences on the estimate that the stack has made before anything is sent."""
    found: Mapping[str, Any] = json.loads(preflight)
    tokens = f"{found['estimated_input_tokens']:,} tokens in, {found['estimated_output_tokens']:,} out at most"
    good = _counted(found["lines"] - found["bad_lines"], "request")
    lines = [f"Estimate: {good}, {tokens}, {_dollars(found)}.", found["note"]]
    by_provider = found.get("lines_by_provider", {})
    if len(by_provider) > 1:
        lines.append(f"By provider: {', '.join(f'{name} {count:,}' for name, count in by_provider.items())}.")
    if alone := found.get("lines_one_by_one"):
        lines.append(f"{_counted(alone, 'request')} too few for a batch there: one by one, at the full price.")
    if found["bad_lines"]:
        are = "is" if found["bad_lines"] == 1 else "are"
        lines.append(f"{_counted(found['bad_lines'], 'line')} {are} bad, and the batch would {_would(found)}.")
    return lines


def tokens_told(report: Path) -> str | None:
    """Return the tokens that the provider has counted, by the report of a batch; None if it counted none."""
    usage = json.loads(report.read_text(encoding="utf-8")).get("usage") or {}
    if not usage.get("total_tokens"):
        return None
    return f"{usage['input_tokens']:,} in, {usage['output_tokens']:,} out"


def cost_told(report: Path) -> str | None:
    """Return what the batch cost, by its report; None if it sent nothing, or has no price."""
    cost = json.loads(report.read_text(encoding="utf-8")).get("cost") or {}
    if cost.get("unpriced_tokens"):
        known = sum(cost.get(name) or 0 for name in ("input_usd", "cached_usd", "output_usd"))
        return f"{_amount(known)} and {cost['unpriced_tokens']:,} tokens without a price" + _by_provider(cost)
    if not cost.get("usd"):
        return None
    return _amount(cost["usd"]) + (_by_provider(cost) or f" ({cost['basis']})")


def _by_provider(cost: Mapping[str, Any]) -> str:
    """Part what a batch cost by the providers; an empty text if there is one alone."""
    each = cost.get("by_provider") or {}
    return f" ({', '.join(f'{name} {_part(of_it)}' for name, of_it in each.items())})" if len(each) > 1 else ""


def _part(cost: Mapping[str, Any]) -> str:
    known = cost.get("usd")
    if known is None:  # some of its tokens have no price
        known = sum(cost.get(name) or 0 for name in ("input_usd", "cached_usd", "output_usd"))
        if not known:
            return "no price"
        return f"{_amount(known)} and more"
    return _amount(known)


def _amount(usd: float) -> str:
    digits = 2 if usd >= 1 else 6 if 0 < usd < _SMALL else 4
    return f"${usd:,.{digits}f}"


def _dollars(found: Mapping[str, Any]) -> str:
    if found["estimated_usd"] is not None:
        return _amount(found["estimated_usd"])
    without = [each["model"] for each in found["models"] if each["estimated_usd"] is None]
    more = "" if len(without) <= _SHOWN_MODELS else ", …"
    return f"dollars unknown: there is no price for {', '.join(without[:_SHOWN_MODELS])}{more}"


def _would(found: Mapping[str, Any]) -> str:
    if not found["would_run"]:
        return "be refused"
    return f"run without {'it' if found['bad_lines'] == 1 else 'them'}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z]", "", name.upper())
