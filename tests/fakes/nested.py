"""JSON texts that nest as deep as a test asks for, in every way that JSON can."""

from typing import Final

from batchyard.domain.nesting import MOST_LEVELS

# The last two are deeper than an interpreter reads: 3.11 goes to about 1,000, later ones to what their stack holds.
DEPTHS: Final = (MOST_LEVELS - 1, MOST_LEVELS, MOST_LEVELS + 1, 10_000, 200_000)
# What opens and closes two levels.
SHAPES: Final = {
    "arrays": (b"[[", b"]]"),
    "objects": (b'{"":{"":', b"}}"),
    "objects in arrays": (b'[{"a":', b"}]"),
    "white space": (b" [ \n [ \t", b" ] \r ] "),
    "neighbours": (b'[{},"]}",["{",', b',"}"],[]]'),
    "brackets in texts": (b'["[{\\"[\\\\",{"]}\\\\":', b',"}\\\\\\"]":"["},"]"]'),
}


def nested(depth: int, shape: str = "arrays", around: bytes = b"1") -> bytes:
    """Nest a text within `depth` levels; an odd one is an array."""
    opening, closing = SHAPES[shape]
    pairs, odd = divmod(depth, 2)
    return b"[" * odd + opening * pairs + around + closing * pairs + b"]" * odd
