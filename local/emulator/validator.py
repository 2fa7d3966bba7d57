"""Check an input file as the provider does while a batch is `validating`: every bad line is reported."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from local.emulator.faults import Scenario
from local.emulator.prompts import REQUIRED_MEMBER, inputs, prompt_text, tokens

_LINE_MEMBERS = ("custom_id", "method", "url", "body")
MAX_EMBEDDING_INPUTS = 50_000

Problem = dict[str, Any]
"""One member of a batch's `errors.data`: code, message, param, line (1-based or None)."""


def problem(code: str, message: str, param: str | None = None, line: int | None = None) -> Problem:
    """Return one member of `errors.data`."""
    return {"code": code, "message": message, "param": param, "line": line}


@dataclass
class Validation:
    """Check one input file, and hold what was found."""

    endpoint: str
    limits: Scenario
    #: The lines of the file.
    total: int = 0
    #: The model of the first request; all requests must have the same.
    model: str | None = None
    #: The prompt tokens of all requests.
    tokens: int = 0
    #: The inputs of all embedding requests.
    embedding_inputs: int = 0
    problems: list[Problem] = field(default_factory=list)
    _custom_ids: set[str] = field(default_factory=set)

    def read(self, path: Path) -> "Validation":
        """Check the file at `path` and return self."""
        if path.stat().st_size > self.limits.max_file_bytes:
            self.problems.append(file_too_large(self.limits.max_file_bytes))
            return self
        with path.open("rb") as file:
            for self.total, line in enumerate(file, start=1):
                self._check(line)
        self._check_file()
        self._custom_ids.clear()
        return self

    def _check_file(self) -> None:
        limits = self.limits
        if not self.total:
            self.problems.append(problem("empty_file", "The input file contains no requests."))
        if self.total > limits.max_lines:
            message = f"The input file has {self.total} requests; a batch may have at most {limits.max_lines}."
            self.problems.append(problem("too_many_requests_in_batch", message))
        if self.embedding_inputs > MAX_EMBEDDING_INPUTS:
            message = (
                f"The input file has {self.embedding_inputs} embedding inputs; at most {MAX_EMBEDDING_INPUTS} fit."
            )
            self.problems.append(problem("too_many_embedding_inputs", message))

    def _check(self, line: bytes) -> None:
        try:
            request = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            request = None
        if not isinstance(request, dict):
            found: Problem | None = problem("invalid_json_line", "This line is not parseable as valid JSON.")
        else:
            found = self._envelope_problem(request) or self._body_problem(request["body"])
        if found is not None:
            self.problems.append({**found, "line": self.total})

    def _envelope_problem(self, request: dict[str, Any]) -> Problem | None:
        for member in _LINE_MEMBERS:
            if request.get(member) is None:
                return problem("missing_required_parameter", f"Missing required parameter: '{member}'.", member)
            wanted = dict if member == "body" else str
            if not isinstance(request[member], wanted):
                expected = "an object" if wanted is dict else "a string"
                return problem("invalid_type", f"Invalid type for '{member}': expected {expected}.", member)
        return self._custom_id_problem(request["custom_id"]) or self._target_problem(request)

    def _custom_id_problem(self, custom_id: str) -> Problem | None:
        if custom_id in self._custom_ids:
            message = f"The custom_id '{custom_id}' is used by another request of this batch; it must be unique."
            return problem("duplicate_custom_id", message, "custom_id")
        self._custom_ids.add(custom_id)
        return None

    def _target_problem(self, request: dict[str, Any]) -> Problem | None:
        if request["method"] != "POST":
            return problem("invalid_method", "Invalid method: only 'POST' is supported.", "method")
        if request["url"] != self.endpoint:
            message = f"The url '{request['url']}' does not match the batch endpoint '{self.endpoint}'."
            return problem("invalid_url", message, "url")
        return None

    def _body_problem(self, body: dict[str, Any]) -> Problem | None:
        found = self._model_problem(body.get("model"))
        if found is not None:
            return found
        if body.get("stream"):
            return problem("streaming_unsupported", "Streaming is not supported in the Batch API.", "body.stream")
        member = REQUIRED_MEMBER[self.endpoint]
        if body.get(member) is None:
            return problem("invalid_request", f"{member.capitalize()} parameter is required.", f"body.{member}")
        self.tokens += tokens(prompt_text(self.endpoint, body))
        if self.endpoint == "/v1/embeddings":
            self.embedding_inputs += len(inputs(body[member]))
        return None

    def _model_problem(self, model: object) -> Problem | None:
        if not isinstance(model, str) or not model:
            return problem("invalid_request", "Model parameter is required.", "body.model")
        if self.limits.models is not None and model not in self.limits.models:
            message = f"The provided model '{model}' is not supported by the Batch API."
            return problem("model_not_found", message, "body.model")
        self.model = self.model or model
        if model != self.model:
            message = f"The model '{model}' differs from '{self.model}': all requests of a batch must use one model."
            return problem("mismatched_model", message, "body.model")
        return None


def file_too_large(limit: int) -> Problem:
    """Return the problem of an input that is larger than the limit."""
    return problem("invalid_request", f"The input file is too large: at most {limit} bytes are allowed.")


def file_not_found(file_id: str) -> Problem:
    """Return the problem of an input file that is unknown or not visible."""
    message = f"Cannot find file {file_id}, or this organization does not have access to it."
    return problem("invalid_request", message, "file_id")


def token_limit_exceeded(model: str, limit: int) -> Problem:
    """Return the problem of a model whose token limit is reached; the message states the limit, as the provider's does."""
    message = (
        f"Enqueued token limit reached for {model} in organization org-emulator. Limit: {limit:,} enqueued tokens. "
        "Please try again once some in_progress batches have been completed."
    )
    return problem("token_limit_exceeded", message)


def ordered_problems(order: list[Problem | str] | str | None, file_id: str, model: str | None) -> list[Problem]:
    """Return the problems that a scenario orders, each given whole or by its code alone."""
    if order is None:
        return []
    return [
        item if isinstance(item, dict) else _named_problem(item, file_id, model)
        for item in ([order] if isinstance(order, str) else order)
    ]


def _named_problem(code: str, file_id: str, model: str | None) -> Problem:
    if code == "token_limit_exceeded":
        return token_limit_exceeded(model or "unknown", 90_000)
    if code == "file_not_found":
        return file_not_found(file_id)
    return problem(code, f"The batch failed with {code}, on order.")
