"""JSON that is not quite JSON is mended, and read; nothing else of it changes."""

import json

import pytest

from batch_client.mending import decode_mended, is_sound, mended
from batch_client.nesting import decode as decode_answer
from tests.fakes.nested import DEPTHS, nested

ODD = [
    (b'{"a":"\xff"}', b'{"a":"\xef\xbf\xbd"}'),
    (b'{"a":"\xc3"}', b'{"a":"\xef\xbf\xbd"}'),
    (b'{"a":"\xed\xa0\xbd"}', b'{"a":"' + b"\xef\xbf\xbd" * 3 + b'"}'),
    (b'\xef\xbb\xbf{"a":1}', b'{"a":1}'),
    (b'{"a":NaN,"b":[-Infinity,Infinity]}', b'{"a":null,"b":[null,null]}'),
    (b'{"NaN":"NaN, \\"Infinity","b":NaN}', b'{"NaN":"NaN, \\"Infinity","b":null}'),
    (b'{"a":"x\ty\r\nz\x00"}', b'{"a":"x\\u0009y\\u000d\\u000az\\u0000"}'),
    (b'{"a":"\\ud83d"}', b'{"a":"\\ufffd"}'),
    (b'{"a":"\\uDE00 \\ud83d\\u0041"}', b'{"a":"\\ufffd \\ufffd\\u0041"}'),
    (b'{"a":"\\ud83d\\ude00 \\ud83d"}', b'{"a":"\\ud83d\\ude00 \\ufffd"}'),
    (b'{"a":"\\\\ud83d \\ud83d"}', b'{"a":"\\\\ud83d \\ufffd"}'),
]
SOUND = [
    b"null", b'{"a":"\\ud83d\\ude00"}', '{"a":"é\u2028"}'.encode(), b'{"a":1e400,"b":%s}' % (b"9" * 5_000), b'{"a":"\x7f"}',
    *map(nested, DEPTHS),
]  # fmt: skip
BROKEN = [b"", b"{", b'{"a":"', b'{"a":NaN', b'{"a":1}}', b'{"a":\\x}', b"\xff", b"[1,]"]


@pytest.mark.parametrize(("text", "whole"), ODD)
def test_what_is_not_quite_json_is_mended(text: bytes, whole: bytes) -> None:
    assert not is_sound(text)
    assert mended(text) == whole
    assert is_sound(whole)
    assert decode_mended(text) == json.loads(whole)


@pytest.mark.parametrize("text", SOUND)
def test_what_is_json_stays_as_it_is(text: bytes) -> None:
    assert mended(text) == text


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_nests_deeply_is_mended_too(depth: int) -> None:
    assert mended(b'{"a":%s,"b":NaN}' % nested(depth)) == b'{"a":%s,"b":null}' % nested(depth)


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_broken_is_no_json_mended_or_not(text: bytes) -> None:
    assert not is_sound(mended(text))
    with pytest.raises(ValueError, match=r"\w"):
        decode_mended(text)


@pytest.mark.parametrize("number", [b"9" * 401, b"-" + b"9" * 5_000, b"1e400", b"-1e999999999"])
def test_a_number_without_end_hides_no_other_member(number: bytes) -> None:
    text = b'{"before":1,"x":%s,"behind":2}' % number
    assert decode_mended(text) == {"before": 1, "x": None, "behind": 2}
    found = decode_answer(text)
    assert isinstance(found, dict)
    assert (found["before"], found["behind"]) == (1, 2)


def test_an_answer_of_the_service_is_read_though_it_is_not_quite_json() -> None:
    assert decode_answer(b'\xef\xbb\xbf{"id":"b","x":NaN,"y":"\xff\\ud83d"}') == {
        "id": "b",
        "x": None,
        "y": "\ufffd\ufffd",
    }
