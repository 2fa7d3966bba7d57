"""Ask the user's own providers side by side, so that one that does not answer keeps nobody waiting, and know who is silent."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

from batch_client import APIStatusError, BatchClientError, Dialect, Look, NotFoundError
from local.run.records import Held
from local.stack.provider_choice import Own, asking, titled

K = TypeVar("K")
V = TypeVar("V")
_CALLS_AT_ONCE = 16
_CALL_SECONDS = 3.0
_NAP_SECONDS = 0.02
_IN_TIME = "no whole answer in time"


def side_by_side(calls: Mapping[K, Callable[[], V]], over: Callable[[], bool]) -> dict[K, V]:
    """Make the calls, several at once, and return the answers that came before it was `over`.

    What a call raises is raised. The threads keep no program from its end.
    """
    waiting = queue.SimpleQueue[tuple[K, Callable[[], V]]]()
    ended = queue.SimpleQueue[tuple[K, V] | BaseException]()
    for entry in calls.items():
        waiting.put(entry)
    for _ in range(0 if over() else min(len(calls), _CALLS_AT_ONCE)):
        threading.Thread(target=_work, args=(waiting, ended), daemon=True).start()
    found = dict[K, V]()
    try:
        while len(found) < len(calls) and not over():
            try:
                each = ended.get_nowait()
            except queue.Empty:
                time.sleep(_NAP_SECONDS)
                continue
            if isinstance(each, BaseException):
                raise each
            found[each[0]] = each[1]
    finally:
        while not waiting.empty():  # no call begins any more
            with suppress(queue.Empty):
                waiting.get_nowait()
    return found


def _work(
    waiting: "queue.SimpleQueue[tuple[K, Callable[[], V]]]",
    ended: "queue.SimpleQueue[tuple[K, V] | BaseException]",
) -> None:
    while True:
        try:
            key, call = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            ended.put((key, call()))
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            ended.put(error)


class Looks:
    """What the providers show of provider batches, and since when one of them answers nothing."""

    def __init__(
        self, own: Own, over: Callable[[], bool] = lambda: False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask the providers `own`; a round of calls is not waited for once it is `over`."""
        self._own, self._over, self._clock = own, over, clock
        self._since: dict[str, float] = {}
        self._unshown: dict[Held, float] = {}
        self._why: dict[str, str] = {}
        #: What each provider batch has shown last; None of one that has shown nothing.
        self.shown: dict[Held, Look | None] = {}

    def stop(self, running: Collection[Held]) -> None:
        """Cancel these provider batches."""
        self._ask({held: partial(_stopped, held.id) for held in running})

    def look(self, running: Collection[Held], providers: Collection[str] = ()) -> None:
        """Look at these provider batches, and whether these providers answer at all."""
        named = {self.name(held.provider) for held in running}
        doors = {Held(name, ""): _knocked for name in providers if self.name(name) not in named}
        self._ask({**{held: partial(_looked, held.id) for held in running}, **doors})

    def silent_seconds(self, provider: str, running: Held | None = None) -> float | None:
        """Return for how long this provider has answered nothing, or shown nothing of a batch of it that runs; else None."""
        found = (self._since.get(self.name(provider)), None if running is None else self._unshown.get(running))
        since = min((each for each in found if each is not None), default=None)
        return None if since is None else self._clock() - since

    def why(self, provider: str) -> str:
        """Say what came of the last call of a silent provider."""
        return self._why.get(self.name(provider), _IN_TIME)

    def name(self, provider: str) -> str:
        """Return what the user calls the provider that a record names; an empty text for the only one."""
        known = self._own.named(provider)
        return provider if known is None else known.name

    def titled(self, held: Held) -> str:
        """Name a provider batch for people, with its provider where there are several."""
        return titled(self._own, held.provider, held.id)

    def _ask(self, wanted: Mapping[Held, Callable[[Dialect], Look | None]]) -> None:
        began, end, silent = self._clock(), time.monotonic() + 2 * _CALL_SECONDS, set[str]()
        calls = {held: partial(self._answer, held, call, silent) for held, call in wanted.items()}
        answers = side_by_side(calls, lambda: time.monotonic() > end or self._over())
        spoke = {self.name(held.provider) for held, answer in answers.items() if not isinstance(answer, str)}
        for held in wanted:
            answer, name = answers.get(held, _IN_TIME), self.name(held.provider)
            if isinstance(answer, str):
                self._why[name] = answer
                self.shown.setdefault(held, None)
                self._unshown.setdefault(held, began)
            elif answer is not None:
                self.shown[held] = answer
                self._unshown.pop(held, None)
            if name not in spoke and (held in answers or not self._over()):
                self._since.setdefault(name, began)
        for name in spoke:
            self._since.pop(name, None)

    def _answer(self, held: Held, call: Callable[[Dialect], Look | None], silent: set[str]) -> Look | str | None:
        """Ask, and return the answer, or in words why there is none; in one round, a silent provider is asked once."""
        name = self.name(held.provider)
        if name in silent:
            return self.why(name)
        try:
            with asking(self._own, held.provider, _CALL_SECONDS) as provider:
                return call(provider)
        except NotFoundError:
            return "HTTP 404: it does not know the batch"
        except APIStatusError as error:
            return f"HTTP {error.status}"
        except BatchClientError as error:
            self._why[name] = error.message.rpartition(": ")[2]
            silent.add(name)
            return self._why[name]


def _looked(job: str, provider: Dialect) -> Look:
    return provider.look(job)


def _stopped(job: str, provider: Dialect) -> Look:
    try:
        return provider.stop(job)
    except APIStatusError:  # some providers do not cancel what has ended
        return provider.look(job)


def _knocked(provider: Dialect) -> None:
    next(provider.jobs(), None)
