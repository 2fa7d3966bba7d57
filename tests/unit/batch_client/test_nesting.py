"""An answer that nests deeper than an interpreter reads is read as far as anybody wants it."""

import pytest

from batch_client import RequestOutcomeUnknown, shallow
from batch_client.nesting import decode
from tests.unit.batch_client.fake_service import BATCH, Answer, answer, client_of

DEPTHS = [99, 100, 101, 10_000, 200_000]
BODY = b'{"model": "m"}'


def deep(depth: int, member: str = "x") -> bytes:
    return f'{{"{member}":'.encode() + b'[{"":' * depth + b'"[{"' + b"}]" * depth + b"}"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (b"", b""),
        (b"[]", b"[]"),
        (b"[[1,[2]],{}]", b"[[1,null],{}]"),
        (b'{"a":{"b":{"c":1}},"d":[2]}', b'{"a":{"b":null},"d":[2]}'),
        (b'["[[",{"]":"\\"[[[","b":[1]}]', b'["[[",{"]":"\\"[[[","b":null}]'),
        (b'["\\\\",[[],3,[]]]', b'["\\\\",[null,3,null]]'),
        (b"[[[1", b"[[null"),
        (b'[[["]]]', b"[[null"),
        (b"]]]", b"]]]"),
    ],
)
def test_what_lies_within_more_levels_is_null(text: bytes, cut: bytes) -> None:
    assert shallow(text, 2) == cut


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_deep_member_hides_no_other(depth: int) -> None:
    found = decode(b'{"before":1,%s,"behind":[2]}' % deep(depth)[1:-1])
    assert isinstance(found, dict)
    assert (found["before"], found["behind"]) == (1, [2])


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b"", b"{", b"[" * 10_000 + b"]" * 9_999, b"\xff"])
def test_what_is_no_json_is_refused_however_deep(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(text)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_batch_is_read_whatever_else_its_service_tells(depth: int) -> None:
    told = answer({**BATCH, "id": "batch_deep"}).body[:-1] + b"," + deep(depth)[1:]
    client, service = client_of(Answer(told))
    assert client.retrieve_batch("batch_deep").id == "batch_deep"
    assert len(service.sent) == 1


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_deep_answer_to_a_request_is_given_as_it_came(depth: int) -> None:
    said = deep(depth)
    client, _ = client_of(Answer(said))
    assert client.send("/v1/responses", BODY).data == said


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_deep_answer_that_breaks_off_is_unknown(depth: int) -> None:
    client, _ = client_of(Answer(deep(depth)[:-1]))
    with pytest.raises(RequestOutcomeUnknown):
        client.send("/v1/responses", BODY)
