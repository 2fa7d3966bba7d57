"""Tokens as the provider counts them."""

from operator import add, sub
from typing import Any, Final

import msgspec

LARGEST: Final = 2**31 - 1  # generated clients of OpenAI read every number as 32 bits


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the provider counted them."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    #: Of the input and of the output, where the provider tells: tokens of pictures have prices of their own.
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    #: Of the input, and not cached: written to the cache; and those of them that are kept there for an hour.
    written_tokens: int = 0
    written_hour_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Sum member by member."""
        return Usage(*map(add, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))

    def __sub__(self, other: "Usage") -> "Usage":
        """Subtract member by member."""
        return Usage(*map(sub, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))

    def most(self, other: "Usage | None") -> "Usage":
        """Return the greater of the two, member by member."""
        return Usage(*map(max, msgspec.structs.astuple(self), msgspec.structs.astuple(other or Usage())))

    def of_pictures(self, *, all_output: bool) -> "Usage":
        """Return the part of pictures; with `all_output` answers are pictures, unless the provider tells their tokens apart."""
        told = self.image_output_tokens or (self.output_tokens if all_output else 0)
        most_input = max(0, self.input_tokens - self.cached_tokens)
        return Usage(min(self.image_input_tokens, most_input), 0, min(told, self.output_tokens))

    @property
    def fits(self) -> bool:
        """Tell whether every sum can be shown: generated clients fail on more than 32 bits. The report shows any sum."""
        return all(count <= LARGEST for count in msgspec.structs.astuple(self))

    def shape(self) -> dict[str, Any]:
        """Shape OpenAI's `usage`."""
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.total_tokens,
        }
