"""Answer a request without a model: a body in the shape of the endpoint, made from the request alone."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.emulator import media, structured, vectors
from local.emulator.messages import message
from local.emulator.prompts import FIM, MESSAGES, last_text, prompt_text, tokens

SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
}
_ECHOED = 200


def snapshot(model: str) -> str:
    """Return the dated name of a model, which the provider writes into batches and answers."""
    return SNAPSHOTS.get(model, model)


@dataclass(frozen=True)
class Question:
    """One request to answer."""

    endpoint: str
    body: dict[str, Any]
    #: The time of the answer in Unix seconds.
    created: int
    #: The least size of a text answer.
    answer_bytes: int = 0
    #: The size of an embedding, unless the request names one.
    dimensions: int = 64

    @cached_property
    def mark(self) -> str:
        """Return 32 hex digits that depend on the request alone, from which ids are made."""
        return hashlib.blake2b(repr((self.endpoint, self.body)).encode(), digest_size=16).hexdigest()

    @property
    def model(self) -> str:
        """Return the dated model of the request."""
        return snapshot(str(self.body.get("model")))

    @cached_property
    def prompt_tokens(self) -> int:
        """Return the estimated tokens of the request's text."""
        return tokens(prompt_text(self.endpoint, self.body))

    @cached_property
    def text(self) -> str:
        """Return the text of the answer: 200 characters of the question, filled up to `answer_bytes`.

        A request for structured output gets JSON that fits the schema, with this text in place of each string.
        """
        asked = last_text(self.endpoint, self.body)[:_ECHOED]
        text = f"You asked: {asked}".ljust(self.answer_bytes, ".")
        schema = structured.wanted_schema(self.endpoint, self.body)
        return text if schema is None else structured.structured_text(schema, text)


def answer(question: Question) -> dict[str, Any]:
    """Return the body of a successful answer, for any endpoint that a batch may name."""
    return _ANSWERS[question.endpoint](question)


def _chat(question: Question) -> dict[str, Any]:
    text, mark = question.text, question.mark
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choice = {"message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": f"chatcmpl-{mark[:29]}",
        "object": "chat.completion",
        "created": question.created,
        "model": question.model,
        "choices": [{"index": index, **choice} for index in range(_wanted(question))],
        "usage": _completion_usage(question, tokens(text) * _wanted(question)),
        "service_tier": "default",
        "system_fingerprint": f"fp_{mark[:10]}",
    }


def _completion(question: Question) -> dict[str, Any]:
    text = question.text
    choice = {"text": text, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": f"cmpl-{question.mark[:29]}",
        "object": "text_completion",
        "created": question.created,
        "model": question.model,
        "choices": [{"index": index, **choice} for index in range(_wanted(question))],
        "usage": _completion_usage(question, tokens(text) * _wanted(question)),
        "system_fingerprint": f"fp_{question.mark[:10]}",
    }


def _wanted(question: Question) -> int:
    return int(question.body.get("n") or 1)


def _completion_usage(question: Question, completion: int) -> dict[str, Any]:
    prompt = question.prompt_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _response(question: Question) -> dict[str, Any]:
    text, mark, body = question.text, question.mark, question.body
    content = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    message = {"id": f"msg_{mark[::-1]}", "type": "message", "status": "completed", "role": "assistant"}
    prompt, written = question.prompt_tokens, tokens(text)
    return {
        "id": f"resp_{mark}",
        "object": "response",
        "created_at": question.created,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": question.model,
        "output": [{**message, "content": [content]}],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text", {"format": {"type": "text"}, "verbosity": "medium"}),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + written,
        },
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def _embeddings(question: Question) -> dict[str, Any]:
    size = int(question.body.get("dimensions") or question.dimensions)
    encoded = question.body.get("encoding_format") == "base64"
    return {
        "object": "list",
        "data": vectors.embeddings(question.body["input"], size, encoded=encoded),
        "model": question.model,
        "usage": {"prompt_tokens": question.prompt_tokens, "total_tokens": question.prompt_tokens},
    }


def _moderation(question: Question) -> dict[str, Any]:
    return {
        "id": f"modr-{question.mark}",
        "model": question.model,
        "results": vectors.moderations(question.body["input"]),
    }


def _image(question: Question) -> dict[str, Any]:
    return media.image(question.created, question.prompt_tokens, _wanted(question))


def _video(question: Question) -> dict[str, Any]:
    return media.video(question.mark, question.model, question.created, question.body)


_ANSWERS: dict[str, Callable[[Question], dict[str, Any]]] = {
    "/v1/chat/completions": _chat,
    FIM: _chat,
    "/v1/responses": _response,
    "/v1/completions": _completion,
    "/v1/embeddings": _embeddings,
    "/v1/moderations": _moderation,
    "/v1/images/generations": _image,
    "/v1/images/edits": _image,
    "/v1/videos": _video,
    MESSAGES: message,
}
