"""Strike at the effects a step has on AWS: a process that dies, a store that fails, a second worker that comes between."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from inspect import getmembers_static
from typing import TYPE_CHECKING, Any, Final

from batchyard.domain.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchyard.providers.account import Account
    from batchyard.services import Services

ADAPTERS: Final = (
    "bucket",
    "batch_store",
    "gather_store",
    "sweep_store",
    "executions",
    "event_bus",
    "cancel_function",
    "gather_function",
    "file_store",
    "file_bucket",
    "quota_store",
)
ADAPTERS_OF_ACCOUNTS: Final = ("token_ledgers", "creations")


KINDS: Final = ("kill", "fail", "overtake")


def some(effects: range, kind: str, *, after: bool, every: int = 3) -> range:
    """Choose one in `every` effects to strike, others by each kind, so that each is struck; all of them in `make faults`."""
    chosen = effects if os.environ.get("EVERY_EFFECT") else effects[(2 * KINDS.index(kind) + after) % every :: every]
    assert chosen, f"none of {len(effects)} effects would be struck"
    return chosen


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


@dataclass
class Strike:
    """At the effect that comes `after_effects` from now: `kind` is kill, fail or overtake, before or after the effect.

    One that is not `sure` may come to nothing, as in a play at random.
    """

    kind: str
    after_effects: int
    after: bool = False
    sure: bool = True
    struck: bool = False
    at: int = field(init=False)

    def __post_init__(self) -> None:
        self.at = self.after_effects


#: The strikes that were due in the test under way.
TOLD: Final[list[Strike]] = []


def missed() -> list[Strike]:
    """List the strikes of this test that struck nothing, if none of their kind struck, or if a later one of it did.

    A test whose strikes strike nothing proves nothing: `conftest` fails it. One that strikes effect after effect, and goes on
    past the last, has struck each of them. Strikes at random may come to nothing, but not all of them.
    """
    late = [each for each in TOLD if not each.struck]
    last = {(each.kind, each.after): max(map(_at, _like(each))) for each in TOLD if each.struck}
    sure = [each for each in late if each.sure and each.at < last.get((each.kind, each.after), each.at + 1)]
    return late if len(late) == len(TOLD) else sure


def _like(strike: Strike) -> list[Strike]:
    return [each for each in TOLD if each.struck and (each.kind, each.after) == (strike.kind, strike.after)]


def _at(strike: Strike) -> int:
    return strike.at


@dataclass
class Strikes:
    """The strike that is due, if any; `step` is the step under way, for another worker to do in between."""

    due: Strike | None = None
    step: Callable[[], object] = lambda: None
    struck: list[str] = field(default_factory=list)
    count: int = 0

    def __setattr__(self, name: str, value: Any) -> None:
        """Note each strike that becomes due."""
        if name == "due" and value is not None:
            TOLD.append(value)
        super().__setattr__(name, value)

    def around(self, name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a method so that it can be struck."""

        def call(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            now = self._now()
            if now is not None and not now.after:
                self._strike(now, name)
            try:
                return effect(*arguments, **named)
            finally:  # also after an effect that was refused
                if now is not None and now.after:
                    self._strike(now, name)

        return call

    def _now(self) -> Strike | None:
        if self.due is None:
            return None
        if self.due.after_effects:
            self.due.after_effects -= 1
            return None
        now, self.due = self.due, None
        return now

    def _strike(self, strike: Strike, name: str) -> None:
        strike.struck = True
        self.struck.append(f"{strike.kind} {'after' if strike.after else 'before'} {name}")
        if strike.kind == "kill":
            raise Killed
        if strike.kind == "fail":
            raise StoreError(f"{name}: struck")
        self.step()


class Struck:
    """An adapter whose every method can be struck."""

    def __init__(self, adapter: object, strikes: Strikes) -> None:
        self._adapter, self._strikes = adapter, strikes

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._adapter, name)
        return self._strikes.around(name, member) if callable(member) else member


def exposed(services: Services, strikes: Strikes) -> Services:
    """Return services over the same adapters, of which each that changes what a batch is can be struck."""
    struck = copy(services)
    for name, value in getmembers_static(type(services)):
        if isinstance(value, cached_property):
            adapter = getattr(services, name)
            setattr(struck, name, Struck(adapter, strikes) if name in ADAPTERS else adapter)
    struck.accounts = {name: _exposed_account(account, strikes) for name, account in services.accounts.items()}
    return struck


def _exposed_account(account: Account, strikes: Strikes) -> Account:
    struck: Any = copy(account)
    for name in ADAPTERS_OF_ACCOUNTS:
        setattr(struck, name, Struck(getattr(account, name), strikes))
    return struck  # type: ignore[no-any-return]
