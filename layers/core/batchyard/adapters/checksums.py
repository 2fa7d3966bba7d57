"""The CRC-32 of joined pieces, computed from the CRC-32 and the size of each piece."""

import base64
from typing import Final

POLYNOMIAL: Final = 0xEDB88320  # of CRC-32 as zlib and S3 compute it; the highest bit holds the lowest power
ONE: Final = 0x80000000
X_TO_8: Final = 0x00800000


def joined(first: int, second: int, size: int) -> int:
    """Return the CRC-32 of a piece that is followed by another of `size` bytes.

    The CRC-32 of the first piece is shifted by `size` zero bytes, which multiplies it by x^(8 * size) modulo the polynomial.
    """
    factor, square = ONE, X_TO_8
    while size:
        if size & 1:
            factor = _product(factor, square)
        square, size = _product(square, square), size >> 1
    return _product(factor, first) ^ second


def shown(crc32: int) -> str:
    """Write a CRC-32 as S3 shows it."""
    return f"CRC32:{base64.b64encode(crc32.to_bytes(4, 'big')).decode()}"


def read(checksum: str | None) -> int | None:
    """Read a CRC-32 that S3 shows; None for any other checksum."""
    if checksum is None or not checksum.startswith("CRC32:"):
        return None
    return int.from_bytes(base64.b64decode(checksum.removeprefix("CRC32:")), "big")


def _product(one: int, other: int) -> int:
    """Multiply two polynomials over GF(2), modulo the polynomial of CRC-32."""
    found = 0
    while one:
        if one & ONE:
            found ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ (POLYNOMIAL if other & 1 else 0)
    return found
