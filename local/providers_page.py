"""Write the facts of docs/providers.md from the table of services: `make docs`. The page's other words are its own."""

from collections.abc import Iterator
from pathlib import Path

from batch_client import PROFILES, Facts, Profile
from local import ROOT

PAGE = ROOT / "docs/providers.md"
BEGIN = "<!-- `make docs` writes what follows from batch_client/profiles/rows.py. Change the rows, not the page. -->"
END = "<!-- The end of what `make docs` writes. -->"
_HOUR = 3_600
_DAY = 24 * _HOUR
_ROOM = {
    "tokens": "prompt tokens {whose} that wait",
    "requests": "requests {whose} that wait",
    "jobs": "batches {whose}",
    "nothing": "nothing",
}
_LOOKUP = {
    "token": "the key of the create: another create with it answers the first batch",
    "metadata": "our key in the batch's metadata",
    "name": "our key in the batch's name",
    "time": "when it was created, and how many requests it has",
    "none": "nothing for sure: a batch that is listed is adopted, else a person decides",
}
_PROGRESS = {"live": "while it runs", "end": "at its end", "none": "never"}
_LEFT = {"answers": "the answers so far", "nothing": "nothing, for all we know"}


def facts_of(profiles: dict[str, Profile]) -> str:
    """Return the part of the page that the table makes: a section with a table for each service."""
    return "\n\n".join((BEGIN, *map(_section, profiles.values()), END))


def page(text: str) -> str:
    """Return the page with its facts made anew; raises ValueError for a page without the marks."""
    head, _, rest = text.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise ValueError(f"{PAGE.name} lacks the lines between which the facts stand")
    return f"{head}{facts_of(PROFILES)}{tail}"


def main(target: Path = PAGE) -> None:
    """Write the page."""
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")


def _section(profile: Profile) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in _rows(profile, profile.facts))
    return f"### {profile.title}\n\n| `{profile.name}` | |\n|---|---|\n{rows}"


def _rows(profile: Profile, facts: Facts) -> Iterator[tuple[str, str]]:
    yield "chosen by the host", ", ".join(f"`{host}`" for host in profile.hosts) or "no host; name the profile"
    if profile.ordinary_url:
        yield "requests on their own go to", f"`{profile.ordinary_url}`"
    if facts.endpoints:
        alone = "takes alone" if facts.endpoints_alone else "takes besides"
        yield alone, ", ".join(f"`{url}`" for url in facts.endpoints)
    if facts.any_url:
        yield "takes besides", "urls of any other service, if it can"
    yield "requests of a batch", _requests(facts)
    yield "bytes of a batch", _most(facts.most_bytes)
    if facts.most_line_bytes:
        yield "bytes of a request", _most(facts.most_line_bytes)
    yield "embedding inputs of a batch", _most(facts.most_inputs)
    yield "models of a batch", "several; Batchyard sends one" if facts.mixed_models else "one"
    yield "windows", _windows(facts)
    yield "what fills up", _room(facts)
    yield "a lost create is found by", _LOOKUP[facts.lookup]
    yield "its list of batches", "may show one page only" if facts.paging == "none" else "goes on page by page"
    yield "counts are shown", _PROGRESS[facts.progress]
    yield "at the end of the window", _expiry(facts)
    yield "a cancel leaves", _LEFT[facts.after_cancel]
    yield "keeps inputs, results", f"{_kept(facts.inputs_kept)}, {_kept(facts.results_kept)}"
    yield "price of a batch without a listed one", _price(facts)
    if facts.reserved_metadata:
        yield "reserved keys of metadata", ", ".join(f"`{key}`" for key in facts.reserved_metadata)
    yield "source", facts.source


def _requests(facts: Facts) -> str:
    least = f"{facts.least_lines:,} to " if facts.least_lines > 1 else ""
    embeddings = f"; {facts.most_embedding_lines:,} of embeddings" if facts.most_embedding_lines else ""
    return f"{least}{_most(facts.most_lines)}{embeddings}"


def _most(number: int) -> str:
    return f"{number:,}" if number else "not known: the settings alone"


def _room(facts: Facts) -> str:
    what = _ROOM[facts.room].format(whose="of all models together" if facts.shares_room else "of a model")
    return what + (f": {facts.room_size:,} at once" if facts.room_size else "")


def _windows(facts: Facts) -> str:
    words = [f"`{window}`" for window in facts.windows]
    return " to ".join(words) if facts.windows_between else ", ".join(words) or "any"


def _expiry(facts: Facts) -> str:
    return f"it expires, and leaves {_LEFT[facts.after_expiry]}" if facts.expires else "it runs on: Batchyard ends it"


def _kept(seconds: int) -> str:
    if not seconds:
        return "until deleted"
    return f"{seconds // _DAY} days" if seconds > _DAY else f"{seconds // _HOUR} hours"


def _price(facts: Facts) -> str:
    if not facts.sellers:
        return "not known: name it in `PriceList`"
    return "the full price" if facts.price == 1 else f"{facts.price:.0%} of the full price"


if __name__ == "__main__":
    main()
