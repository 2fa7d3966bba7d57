"""How many prompt tokens a request may have, before anybody has counted them."""

from typing import Final

# English prose has four bytes to a token or more; the JSON around it makes the estimate err on the side of too many.
BYTES_PER_TOKEN: Final = 4


def estimated(size: int) -> int:
    """Estimate the prompt tokens of `size` bytes of requests, as they are uploaded."""
    return -(-size // BYTES_PER_TOKEN)
