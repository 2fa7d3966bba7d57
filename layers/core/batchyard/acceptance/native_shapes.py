"""What an answer of a model on Bedrock says: each family of models has its own shape, told by the members of the body.

Sources: AWS's API reference, Converse, 2026; the user guide's pages of Nova, Claude, Llama, Titan and Mistral for InvokeModel.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from batchyard.acceptance.shapes import SOUND_ARGUMENTS, Said, items_of, member_of, of_choices, of_message, text_of

# In the words of chat completions.
STOP_REASONS: Final = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "tool_use": "tool_calls", "guardrail_intervened": "content_filter", "content_filtered": "content_filter",
    "FINISH": "stop", "FINISHED": "stop", "LENGTH": "length", "STOP_CRITERIA_MET": "stop", "CONTENT_FILTERED": "content_filter",
}  # fmt: skip


def of_body(body: Mapping[str, Any]) -> list[Said] | None:
    """Read an answer; None if its shape is not known, or it is no text."""
    read = next((read for name, read in _BY_MEMBER.items() if body.get(name) is not None), None)
    return read(body) if read else None


def _of_converse(body: Mapping[str, Any]) -> list[Said] | None:
    message = member_of(body.get("output"), "message")
    if message is None:
        return None
    blocks = [
        block for block in items_of(member_of(message, "content")) if member_of(block, "reasoningContent") is None
    ]
    calls = [block for block in blocks if member_of(block, "toolUse") is not None]
    other = any(isinstance(block, dict) and set(block) - {"text"} for block in blocks)
    said = "".join(text_of(member_of(block, "text")) for block in blocks)
    return [_said(body.get("stopReason"), said, (SOUND_ARGUMENTS,) * len(calls), other=other)]


def _of_choices(body: Mapping[str, Any]) -> list[Said]:
    """Read choices as chat completions have them; DeepSeek's and Mistral's end with a `stop_reason`."""
    reasons = [text_of(member_of(each, "stop_reason")) for each in items_of(body["choices"])]
    return [
        said if said.finish_reason or not told else said._replace(finish_reason=told, in_chat=STOP_REASONS.get(told))
        for said, told in zip(of_choices(body), reasons or [""], strict=True)
    ]


def _of_message(body: Mapping[str, Any]) -> list[Said] | None:
    return of_message(body) if isinstance(body.get("content"), list) else None


def _of_llama(body: Mapping[str, Any]) -> list[Said]:
    return [_said(body.get("stop_reason"), text_of(body["generation"]))]


def _of_titan(body: Mapping[str, Any]) -> list[Said] | None:
    """Read the results of Titan's text models; its other models have results of another kind, or none."""
    results = items_of(body["results"])
    if not all(isinstance(member_of(each, "outputText"), str) for each in results):
        return None
    return [_said(member_of(each, "completionReason"), text_of(member_of(each, "outputText"))) for each in results] or [
        Said()
    ]


def _of_mistral(body: Mapping[str, Any]) -> list[Said] | None:
    outputs = items_of(body["outputs"])
    if not all(isinstance(member_of(each, "text"), str) for each in outputs):
        return None
    return [_said(member_of(each, "stop_reason"), text_of(member_of(each, "text"))) for each in outputs] or [Said()]


def _said(reason: object, said: str, arguments: tuple[str, ...] = (), *, other: bool = False) -> Said:
    told = text_of(reason)
    in_chat = STOP_REASONS.get(told)
    refusal = (said or f"the stop reason is {told}") if in_chat == "content_filter" else ""
    return Said(told or None, said, refusal, arguments, other, in_chat)


_BY_MEMBER: Final[dict[str, Callable[[Mapping[str, Any]], list[Said] | None]]] = {
    "output": _of_converse, "choices": _of_choices, "content": _of_message, "generation": _of_llama, "results": _of_titan,
    "outputs": _of_mistral,
}  # fmt: skip
