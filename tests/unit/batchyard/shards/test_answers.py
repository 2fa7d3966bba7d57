"""The provider's files joined to what was sent."""

import json
import resource
from itertools import permutations

import pytest

from batch_client import is_sound
from batchyard.domain.errors import DiskFull
from batchyard.domain.policy import Outcome
from batchyard.shards.answers import Answers
from tests.fakes.nested import DEPTHS, nested


def line(custom_id: str, status: int = 200, tokens: int = 5) -> bytes:
    body = {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}, "error": {"code": f"code_{status}"}}
    response = {"status_code": status, "body": body}
    return json.dumps({"custom_id": custom_id, "response": response, "error": None}).encode() + b"\n"


def expired(custom_id: str) -> bytes:
    return json.dumps({"custom_id": custom_id, "response": None, "error": {"code": "batch_expired"}}).encode() + b"\n"


def test_every_answer_is_found_by_the_place_of_its_request_in_any_order_and_file() -> None:
    with Answers(["a", "b", "c", "d"]) as answers:
        answers.read([line("c"), line("a")])
        answers.read([line("b", 400), expired("d")])
        assert [answers.outcome(at) for at in range(4)] == [
            Outcome.SUCCEEDED, Outcome.REFUSED, Outcome.SUCCEEDED, Outcome.UNFINISHED,
        ]  # fmt: skip
        assert [answers.line(at) for at in range(4)] == [line("a"), line("b", 400), line("c"), expired("d")]
        assert (answers.code(1), answers.code(3)) == ("code_400", "batch_expired")
        assert (answers.succeeded(), answers.strays, answers.usage.total_tokens) == (2, 0, 10)


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_the_cut_of_the_download_changes_nothing(size: int) -> None:
    data = line("b") + b"\r\n" + line("a", 500).rstrip(b"\n")
    with Answers(["a", "b"]) as answers:
        answers.read(data[at : at + size] for at in range(0, len(data), size))
        assert (answers.line(0), answers.line(1)) == (line("a", 500).rstrip(b"\n"), line("b"))
        assert answers.strays == 0


def test_a_file_without_a_last_line_end_does_not_run_into_the_next() -> None:
    with Answers(["a", "b"]) as answers:
        answers.read([line("a").rstrip(b"\n")])
        answers.read([line("b")])
        assert [answers.outcome(at) for at in (0, 1)] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED]
        assert answers.line(1) == line("b")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("broken", "whole"), [(b"", b""), (b",NaN", b",null")])
def test_an_answer_that_nests_deeply_is_kept_as_it_came(depth: int, broken: bytes, whole: bytes) -> None:
    deep = line("b").replace(b'"usage"', b'"x":[%s%s],"usage"' % (nested(depth), broken))
    with Answers(["a", "b", "c"]) as answers:
        answers.read([line("a") + deep + line("c")])
        assert (answers.succeeded(), answers.strays, answers.usage.total_tokens) == (3, 0, 15)
        assert answers.line(1) == deep.replace(broken, whole) if broken else deep
        assert answers.mended == bool(broken)


ODD = {
    "a byte that is not UTF-8": (b"\xff", b"\xef\xbf\xbd"),
    "a character cut in two": (b"\xc3", b"\xef\xbf\xbd"),
    "a surrogate as bytes": (b"\xed\xa0\xbd", b"\xef\xbf\xbd" * 3),
    "half a surrogate pair": (b"\\ud83d", b"\\ufffd"),
    "a control character": (b"\x02", b"\\u0002"),
    "NaN": (b'", "n": NaN, "m": "', b'", "n": null, "m": "'),
    "minus infinity": (b'", "n": [-Infinity], "m": "', b'", "n": [null], "m": "'),
}


@pytest.mark.parametrize(("odd", "whole"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_an_answer_that_is_not_quite_json_is_kept_mended_and_counted(
    odd: bytes, whole: bytes, status: int, size: int
) -> None:
    given = line("b", status).replace(b'"usage"', b'"x": "?", "usage"')
    came, kept = given.replace(b"?", odd), given.replace(b"?", whole)
    data = line("c") + came + line("a")
    with Answers(["a", "b", "c"]) as answers:
        answers.read(data[at : at + size] for at in range(0, len(data), size))
        assert (answers.strays, answers.missing(), answers.mended) == (0, 0, 1)
        assert answers.line(1) == kept
        sizes, joined = zip(*answers.lines([0, 1, 2]), strict=True)
        assert b"".join(joined) == line("a") + kept + line("c")
        assert sum(map(sum, sizes)) == len(b"".join(joined))
        for each in b"".join(joined).splitlines():
            assert is_sound(each)


def test_a_byte_order_mark_is_left_out_and_mends_nothing() -> None:
    with Answers(["a"]) as answers:
        answers.read([b"\xef\xbb\xbf" + line("a")])
        assert (answers.line(0), answers.mended) == (line("a"), 0)


def test_a_better_answer_that_is_sound_takes_the_place_of_one_that_is_mended() -> None:
    with Answers(["a", "b"]) as answers:
        answers.read(
            [each.replace(b', "error": null', b', "x": NaN, "error": null') for each in (line("a", 503), line("b"))]
        )
        answers.read([line("a"), line("b")])
        assert (answers.line(0), answers.mended) == (line("a"), 1)


@pytest.mark.parametrize(
    "body",
    [b"null", b"{}", b"{ }", b'""', b"[]", b"{\t}", None],
    ids=lambda body: "none" if body is None else body.decode(),
)
@pytest.mark.parametrize("beside", [b"", b',"x":NaN', b',"error":{"code":"odd"}'])
def test_a_success_with_an_empty_body_stays_one_and_is_counted(body: bytes | None, beside: bytes) -> None:
    member = b"" if body is None else b',"body" : ' + body
    text = b'{"custom_id":"a","response":{"status_code":200%s}%s}\n' % (member, beside)
    with Answers(["a", "b", "c"]) as answers:
        answers.read([text + line("b")])
        assert (answers.succeeded(), answers.empty) == (2, 1)
        assert answers.line(0) == text.replace(b"NaN", b"null")


@pytest.mark.parametrize(
    "body", [b'{"data":[{"body":{}}]}', b'"text"', b"[0]", b'{"body":null}', b'{"x":"\\"body\\":{}"}']
)
def test_a_success_without_usage_is_not_empty_for_that(body: bytes) -> None:
    with Answers(["a"]) as answers:
        answers.read([b'{"custom_id":"a","response":{"status_code":200,"body":%s}}' % body])
        assert (answers.succeeded(), answers.empty) == (1, 0)


def test_a_request_without_an_answer_has_no_outcome() -> None:
    with Answers(["a", "b"]) as answers:
        answers.read([line("a")])
        assert answers.outcome(1) is None


def test_answers_to_nobody_and_broken_lines_are_strays() -> None:
    with Answers(["a"]) as answers:
        answers.read([line("z"), b"{oops\n", b'{"custom_id":7}\n', line("a"), b"\xff\n", b"\n"])
        assert answers.strays == 4
        assert answers.outcome(0) is Outcome.SUCCEEDED
        assert answers.line(0) == line("a")


BY_WORTH = [line("a", 200), line("a", 400), line("a", 503), expired("a")]


@pytest.mark.parametrize("order", [*permutations(BY_WORTH)])
def test_of_several_answers_the_most_worth_stands_whatever_their_order(order: tuple[bytes, ...]) -> None:
    with Answers(["a"]) as answers:
        for each in order:
            answers.read([each])
        assert answers.line(0) == BY_WORTH[0]
        assert answers.succeeded() == 1
        assert answers.usage.total_tokens == 5


def test_of_equals_the_first_stands_and_is_counted_once() -> None:
    with Answers(["a"]) as answers:
        answers.read([line("a", tokens=5), line("a", tokens=900)])
        assert answers.line(0) == line("a", tokens=5)
        assert (answers.usage.total_tokens, answers.strays, answers.succeeded()) == (5, 1, 1)


def test_nothing_sent_makes_everything_a_stray() -> None:
    with Answers([]) as answers:
        answers.read([line("a")])
        assert (answers.strays, answers.succeeded()) == (1, 0)


def test_ids_are_told_apart_by_every_character() -> None:
    ids = ["a", "A", "a ", "é", "e\u0301", "", "\u0000", "1", "01"]
    with Answers(ids) as answers:
        answers.read(line(each) for each in reversed(ids))
        assert [answers.line(at) for at in range(len(ids))] == [line(each) for each in ids]


def test_answers_that_do_not_fit_the_disk_say_so_and_what_to_do() -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    chunks = iter([line("a"), line("b") * 1_000])
    with Answers(["a", "b"]) as answers:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, usual[1]))
        try:
            with pytest.raises(DiskFull, match="MaxRequestsPerShard"):
                answers.read(chunks)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert answers.line(0) == line("a")
