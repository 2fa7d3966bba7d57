"""The checksum of joined pieces is that of the whole."""

import zlib

from hypothesis import given
from hypothesis import strategies as st

from batchyard.adapters import checksums


@given(st.lists(st.binary(max_size=3_000), max_size=6))
def test_of_any_pieces_the_checksum_of_the_whole_is_known(pieces: list[bytes]) -> None:
    known = 0
    for piece in pieces:
        known = checksums.joined(known, zlib.crc32(piece), len(piece))
    assert known == zlib.crc32(b"".join(pieces))


def test_a_piece_of_terabytes_moves_the_first_as_zeros_would() -> None:
    half = checksums.joined(zlib.crc32(b"yard"), 0, 2**41)
    assert checksums.joined(half, 0, 2**41) == checksums.joined(zlib.crc32(b"yard"), 0, 2**42)
    million = checksums.joined(zlib.crc32(b"yard"), zlib.crc32(bytes(10**6)), 10**6)
    assert million == zlib.crc32(b"yard" + bytes(10**6))


def test_a_checksum_is_written_as_the_store_writes_it() -> None:
    assert checksums.shown(zlib.crc32(b"123456789")) == "CRC32:y/Q5Jg=="  # 0xCBF43926, CRC-32's check value
