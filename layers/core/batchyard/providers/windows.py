"""Which windows a batch may ask for: those that a provider of this stack has."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from batchyard.domain.batch import BatchError, window_seconds

if TYPE_CHECKING:
    from batchyard.providers.account import Account


class Windows(NamedTuple):
    """The windows of one provider."""

    #: None where any may be asked for.
    named: tuple[str, ...] | None = None
    #: Whether any whole number of hours between the first and the last is taken, too.
    between: bool = False

    def take(self, window: str) -> bool:
        """Tell whether a window is among them."""
        if self.named is None or window in self.named:
            return True
        first, last = window_seconds(self.named[0]), window_seconds(self.named[-1])
        return self.between and first <= window_seconds(window) <= last

    def told(self) -> str:
        """Name them, as in `'24h' or '7d'`."""
        words = [f"'{window}'" for window in self.named or ()]
        return " to ".join(words) if self.between else " or ".join(words)


def windows_of(account: "Account", usual: Iterable[str] | None = None) -> Windows:
    """Return the windows that a batch for a provider may ask for.

    Where nobody knows which ones the service has, or the settings name the provider's own window, a batch may ask for the
    `usual` ones; without these, for any.
    """
    known = () if account.entry.completion_window else account.facts.windows
    if known:
        return Windows(known, account.facts.windows_between)
    return Windows(None if usual is None else tuple(sorted(usual)))


def windows_for(accounts: Mapping[str, "Account"], wanted: object, usual: Iterable[str] | None = None) -> list[Windows]:
    """Return the windows of the provider that a batch is for, or of all providers if it is for none that there is."""
    is_there = isinstance(wanted, str) and wanted in accounts
    return [windows_of(each, usual) for name, each in accounts.items() if name == wanted or not is_there]


def wrong_window(windows: Iterable[Windows], window: str) -> BatchError | None:
    """Say that no provider has a window, and which ones there are; None if one has it."""
    offered = list(windows)
    try:
        window_seconds(window)
        if any(each.take(window) for each in offered):
            return None
        told = " or ".join(dict.fromkeys(each.told() for each in offered))
        message = f"Invalid value: completion_window must be {told}."
    except ValueError as error:
        told = " or ".join(dict.fromkeys(filter(None, (each.told() for each in offered))))
        message = f"Invalid value: completion_window must be {told}." if told else f"{error}"
    return BatchError("invalid_value", message, "completion_window")
