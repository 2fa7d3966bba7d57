"""Get the answer to one line: make it up, or ask a real OpenAI-compatible server."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import requests

from local.emulator import messages
from local.emulator.answers import Question, answer
from local.emulator.faults import Scenario
from local.emulator.lines import InputLine
from local.emulator.prompts import MESSAGES
from local.emulator.refusals import refusal

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Answer:
    """The answer to one line."""

    #: The HTTP status; 0 if there is none.
    status: int
    #: The body as JSON.
    body: dict[str, Any]
    #: Code and message of a request that got no HTTP answer, or that stand beside the answer; None as a rule.
    error: tuple[str, str] | None = None

    @property
    def succeeded(self) -> bool:
        """Tell whether the line is billed and belongs to the output file."""
        return 200 <= self.status < 300


class Answerer(Protocol):
    """Answers lines, one after the other or several at once."""

    def ask(self, endpoint: str, line: InputLine, created: int) -> Answer:
        """Return the answer to one line."""

    def each(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Yield `work(item)` of every item, in any order, with few items in memory."""


class Invented:
    """Answers that are made up from the request."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario

    def ask(self, endpoint: str, line: InputLine, created: int) -> Answer:
        """Return the made-up answer, or the 400 of a model endpoint."""
        if endpoint == MESSAGES and (fault := messages.fault(line.body)) is not None:
            return Answer(400, fault)
        refused = refusal(line.body)
        if refused is not None:
            told = messages.refused(refused.status, str(refused)) if endpoint == MESSAGES else refused.envelope()
            return Answer(refused.status, told)
        scenario = self._scenario
        question = Question(endpoint, line.body, created, scenario.answer_bytes, scenario.embedding_dimensions)
        return Answer(200, answer(question))

    def each(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Yield results one after the other."""
        return map(work, items)


class Forwarded:
    """Answers of a real server at `url`, with at most `concurrency` requests at a time over all batches."""

    def __init__(self, url: str, api_key: str | None, concurrency: int, timeout: float) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._concurrency = concurrency
        self._timeout = timeout
        self._places = threading.BoundedSemaphore(concurrency)
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=concurrency))

    def ask(self, endpoint: str, line: InputLine, created: int) -> Answer:  # noqa: ARG002 # the real server dates it
        """Return the server's answer; a timeout becomes `request_timeout`, no connection a 503."""
        try:
            with self._places:
                response = self._session.post(
                    self._url + endpoint, json=line.body, headers=self._headers, timeout=(5.0, self._timeout)
                )
        except requests.Timeout:
            message = f"The request took longer than {self._timeout:g} seconds."
            return Answer(0, {}, ("request_timeout", message))
        except requests.RequestException as error:
            return Answer(503, _envelope(f"The model server did not answer: {type(error).__name__}."))
        return Answer(response.status_code, _json_object(response))

    def each(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Yield each result when it is there, with up to `concurrency` items in work."""
        finished: SimpleQueue[Future[_R]] = SimpleQueue()
        running = 0
        for item in items:
            # Daemon threads, not a pool: the emulator must be able to end while a model still writes its answer.
            threading.Thread(target=_work, args=(work, item, finished), daemon=True).start()
            running += 1
            if running == self._concurrency:
                yield finished.get().result()
                running -= 1
        for _ in range(running):
            yield finished.get().result()


def _work(work: Callable[[_T], _R], item: _T, finished: "SimpleQueue[Future[_R]]") -> None:
    future: Future[_R] = Future()
    try:
        future.set_result(work(item))
    except Exception as error:  # noqa: BLE001 # raised again where the result is taken
        future.set_exception(error)
    finished.put(future)


def _json_object(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    return body if isinstance(body, dict) else _envelope("The model server's answer was no JSON object.")


def _envelope(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "server_error", "param": None, "code": None}}
