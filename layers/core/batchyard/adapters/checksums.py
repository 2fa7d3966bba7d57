"""CRC-32 of bytes that never are in one place: of two pieces it is made from that of each, and their sizes."""

import base64
from typing import Final

POLYNOMIAL: Final = 0xEDB88320  # of CRC-32 as zlib and S3 compute it: reversed, the lowest power in the highest bit
ONE: Final = 0x80000000
X_TO_8: Final = 0x00800000


def joined(first: int, second: int, size: int) -> int:
    """Return the CRC-32 of a piece followed by another, which has `size` bytes.

    That of the first is moved by as many zero bytes: a multiplication by x^(8 * size) modulo the polynomial.
    """
    factor, square = ONE, X_TO_8
    while size:
        if size & 1:
            factor = _product(factor, square)
        square, size = _product(square, square), size >> 1
    return _product(factor, first) ^ second


def shown(crc32: int) -> str:
    """Write a CRC-32 as S3 does."""
    return f"CRC32:{base64.b64encode(crc32.to_bytes(4, 'big')).decode()}"


def _product(one: int, other: int) -> int:
    """Multiply two polynomials over GF(2) modulo that of CRC-32."""
    found = 0
    while one:
        if one & ONE:
            found ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ (POLYNOMIAL if other & 1 else 0)
    return found
