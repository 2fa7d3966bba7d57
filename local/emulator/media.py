"""Bodies of the image and video endpoints: the right shape, with the smallest possible picture."""

from typing import Any

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel, in base64."""

_IMAGE_TOKENS = 272


def image(created: int, prompt_tokens: int, wanted: int) -> dict[str, Any]:
    """Return the body of an images answer with `wanted` pictures."""
    written = _IMAGE_TOKENS * wanted
    return {
        "created": created,
        "background": "opaque",
        "data": [{"b64_json": _PIXEL} for _ in range(wanted)],
        "output_format": "png",
        "quality": "low",
        "size": "1024x1024",
        "usage": {
            "input_tokens": prompt_tokens,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": prompt_tokens},
            "output_tokens": written,
            "total_tokens": prompt_tokens + written,
        },
    }


def video(mark: str, model: str, created: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a finished video job."""
    return {
        "id": f"video_{mark}",
        "object": "video",
        "created_at": created,
        "completed_at": created,
        "error": None,
        "expires_at": created + 86_400,
        "model": model,
        "progress": 100,
        "prompt": body.get("prompt"),
        "remixed_from_video_id": None,
        "seconds": str(body.get("seconds", "4")),
        "size": body.get("size", "720x1280"),
        "status": "completed",
    }
