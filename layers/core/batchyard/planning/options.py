"""What a caller may ask for beside OpenAI's own members, in a body of `POST /batches` or in the user metadata of an upload."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from batchyard.acceptance import rules
from batchyard.domain.batch import REFUSE, SKIP, BatchError
from batchyard.domain.errors import meant
from batchyard.domain.numbers import amount, in_digits
from batchyard.providers import routing

MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512  # of OpenAI's metadata; keys and values in characters

NAMES: Final = ("on_invalid", "dry_run", "max_cost_usd", "accept", "provider")
WORDS: Final = {"true": True, "false": False}
LARGEST_AMOUNT: Final = 1e12  # US dollars; what is not below it stays as it is, and is refused
NO_AMOUNT: Final = "max_cost_usd must be an amount of US dollars above 0, in digits with a point, such as 12.50."
# All optional members that change what becomes of a batch: of a request, and of the user metadata of an upload.
MEMBERS: Final = (*NAMES, "metadata", "output_expires_after")
RETRY = (RETRY_OF, RETRY_LINES, RETRY_BODY) = ("retry-of", "retry-lines", "retry-body")  # of an empty upload
OF_UPLOADS: Final = (*(name.replace("_", "-") for name in NAMES), "completion-window", "metadata", *RETRY)
# In difflib's ratio: one letter of `dry_run` may be wrong, and the unit of an amount may be missing or another one.
CLOSE: Final = 0.8
# What people write before a name: ours, and that of the header which carries user metadata.
OURS: Final = r"^(xamzmeta)?x?batchyard"
PREFIX: Final = r"^(xamzmeta)?(x?batchyard)?"
SHOWN_NAME: Final = 64  # characters of an unknown name that an error shows


def spelled(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body with its options spelled with underscores; a value that has that spelling already is kept."""
    renamed = {_own(name): value for name, value in body.items() if _own(name) != name and value is not None}
    kept = {name: value for name, value in body.items() if _own(name) == name}
    return {**kept, **{name: value for name, value in renamed.items() if kept.get(name) is None}}


def twice(body: Mapping[str, Any]) -> BatchError | None:
    """Say which option a body gives in two spellings, if any; only one of its values could be followed."""
    given = [_own(name) for name, value in body.items() if _own(name) in NAMES and value is not None]
    double = next((name for name in given if given.count(name) > 1), None)
    return None if double is None else BatchError("invalid_value", f"'{double}' is named twice. Name it once.", double)


def misspelled(names: Iterable[str], known: Iterable[str] = MEMBERS) -> BatchError | None:
    """Say which name is nearly a `known` one, or begins with our name; if it were ignored, a batch could run unasked.

    Any other name is left alone: tools write names of their own, such as `s3cmd-attrs` and `mtime`.
    """
    spellings = {_bare(name): name for name in known}
    for name in names:
        right = _own(name) in NAMES or name in spellings.values()
        bare = re.sub(PREFIX, "", _bare(name))
        near = None if right else meant(bare, spellings, CLOSE)
        if near or re.match(OURS, _bare(name)):
            shown, listed = name[:SHOWN_NAME], ", ".join(spellings.values())
            way = f"Did you mean '{spellings[near]}'?" if near else f"There are: {listed}."
            return BatchError("unknown_parameter", f"Unknown parameter: '{shown}'. {way}", shown)
    return None


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _own(name: str) -> str:
    """Return the option that the name spells with hyphens or underscores, else the name itself."""
    underscored = name.replace("-", "_")
    return underscored if underscored in NAMES else name


def of_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the options of a body; an amount becomes text, as the record keeps it."""
    named = {name: body[name] for name in NAMES if body.get(name) is not None}
    cost = named.get("max_cost_usd")
    if isinstance(cost, int | float) and not isinstance(cost, bool) and abs(cost) < LARGEST_AMOUNT:
        named["max_cost_usd"] = in_digits(cost)
    return named


def of_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Pick the options of an object's user metadata, which spells them with hyphens."""
    named: dict[str, Any] = {name: text for name in NAMES if (text := metadata.get(name.replace("_", "-"))) is not None}
    if "dry_run" in named:
        named["dry_run"] = WORDS.get(named["dry_run"].lower(), named["dry_run"])
    if "accept" in named:
        named["accept"] = rules.of_text(named["accept"])
    return named


def wrong(options: Mapping[str, Any], providers: Collection[str]) -> BatchError | None:
    """Say which option cannot be followed, if any; `providers` are the names of those that there are."""
    if options.get("on_invalid", REFUSE) not in (REFUSE, SKIP):
        return BatchError("invalid_value", f"on_invalid must be '{REFUSE}' or '{SKIP}'.", "on_invalid")
    if not isinstance(options.get("dry_run", False), bool):
        return BatchError("invalid_type", "dry_run must be true or false.", "dry_run")
    if not amount(options.get("max_cost_usd", "1")):
        return BatchError("invalid_value", NO_AMOUNT, "max_cost_usd")
    if not isinstance(wanted := options.get("provider", ""), str):
        return BatchError("invalid_type", "provider must be a string.", "provider")
    if "provider" in options and wanted not in providers:
        return routing.unknown(providers, wanted)
    return rules.wrong(options.get("accept", {}))


def check_metadata(metadata: Mapping[str, object]) -> BatchError | None:
    """Say what OpenAI would refuse in `metadata`: more than 16 pairs, or keys above 64 or values above 512 characters."""
    if len(metadata) > MOST_PAIRS:
        message = f"metadata holds {len(metadata)} pairs; at most {MOST_PAIRS} are allowed."
        return BatchError("invalid_value", message, "metadata")
    for key, value in metadata.items():
        param = f"metadata.{key[:LONGEST_KEY]}"
        if not isinstance(value, str):
            return BatchError("invalid_type", f"{param} must be a string.", param)
        if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            message = f"A metadata key has at most {LONGEST_KEY} characters and a value {LONGEST_VALUE}."
            return BatchError("string_above_max_length", message, param)
        if not key:  # a name in DynamoDB has at least one character
            return BatchError("invalid_value", "A metadata key has at least one character.", param)
    return None
