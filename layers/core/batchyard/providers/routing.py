"""Which provider a line goes to: the first one, in the order of the settings, that takes its url and its model."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from batchyard.domain.batch import BatchError
from batchyard.providers.entries import Entry

if TYPE_CHECKING:
    from batchyard.providers.windows import Windows

CODE: Final = "no_provider"
PARAM: Final = "body.model"
SHOWN: Final = 64  # characters of a model
MOST_TOLD: Final = 1_000  # characters of what there is


def choose(entries: Iterable[Entry], url: str, model: str, wanted: str | None = None) -> Entry | None:
    """Return the provider of a line; None if none takes it. Of a batch that is for one provider, only this one may."""
    return next((each for each in entries if wanted in {None, each.name} and takes(each, url, model)), None)


def takes(entry: Entry, url: str, model: str) -> bool:
    """Tell whether a provider gets lines of this url and model."""
    return takes_url(entry, url) and takes_model(entry, model)


def takes_url(entry: Entry, url: str) -> bool:
    """Tell whether a provider gets lines of this url, of some model."""
    if _matches(entry.foreign_urls, url) and url not in entry.urls:
        return False
    return _matches(entry.urls, url)


def takes_model(entry: Entry, model: str) -> bool:
    """Tell whether a provider gets lines of this model, at some url."""
    return _matches(entry.models, model)


def no_provider(
    entries: Iterable[Entry], url: str, model: str, wanted: str | None = None, *, brief: bool = False
) -> BatchError:
    """Say that no provider takes a line, and unless `brief`, what each one takes, and the remedy."""
    whose = f"The provider '{wanted}', which the batch is for, does not take" if wanted else "No provider takes"
    told = f"{whose} the model '{model[:SHOWN]}' at {url}"
    if brief:
        return BatchError(CODE, f"{told}.", PARAM)
    asked = [each for each in entries if wanted in {None, each.name}]
    known = "; ".join(f"{each.name} takes {_told(each, url)}" for each in asked)
    known = known if len(known) <= MOST_TOLD else known[: MOST_TOLD - 1] + "…"
    message = f"{told}: {known or 'there is no such provider'}."
    elsewhere = any(takes_model(each, model) and not takes_url(each, url) for each in asked)
    change = "Change `url`, or the model" if elsewhere else "Change the model"
    return BatchError(CODE, f"{message} {change}, or have the operator add it to Providers.", PARAM)


def no_window(name: str, window: str, windows: "Windows") -> BatchError:
    """Say that the provider of a line does not have the window of the batch."""
    told = f"The provider '{name}', which takes this line, has the window {windows.told()}, and not '{window}'."
    way = "Upload a batch for such a window, or have the operator give the provider a completion_window in Providers."
    return BatchError(CODE, f"{told} {way}", "completion_window")


def unknown(names: Iterable[str], wanted: str) -> BatchError:
    """Say that no provider has the name that a batch asks for."""
    message = f"There is no provider '{wanted[:SHOWN]}'. There are: {', '.join(names)}."
    return BatchError("invalid_value", message, "provider")


def _matches(patterns: Iterable[str], text: str) -> bool:
    return any(pattern == text or fnmatchcase(text, pattern) for pattern in patterns)


def _told(entry: Entry, url: str) -> str:
    models = ", ".join(entry.models) if entry.models != ("*",) else "any model"
    urls = f"{models} at {', '.join(entry.urls)}" if entry.urls != ("*",) else models
    return f"{urls}, but not at {url}" if _matches(entry.foreign_urls, url) else urls
