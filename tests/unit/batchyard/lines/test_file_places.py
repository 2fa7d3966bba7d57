"""Which file a line or a request belongs to, of files with no line, too."""

from batchyard.adapters.file_list import GatheredFile
from batchyard.domain.batch import BatchError
from batchyard.lines.file_places import FilePlaces, FileRead

FILES = [GatheredFile(name, "e", 1, None, 0) for name in "abcde"]
# a has two requests in three lines, b and e are set aside, c has blank lines alone, d has a request
READ = [FileRead(0, 0), FileRead(2, 3), FileRead(2, 3), FileRead(2, 5), FileRead(3, 6)]


def test_a_line_is_told_by_its_file_and_its_number_there() -> None:
    places = FilePlaces(FILES, READ)
    assert [places.line(number) for number in range(1, 7)] == [
        ("a", 1), ("a", 2), ("a", 3), ("c", 1), ("c", 2), ("d", 1),
    ]  # fmt: skip
    assert places.named(BatchError("c", "Wrong."), 6).message == "d: Wrong."


def test_requests_are_parted_by_file() -> None:
    places = FilePlaces(FILES, READ)
    assert list(places.parts([0, 1, 2])) == [(0, 0, 2), (3, 2, 3)]
    assert list(places.parts([1])) == [(0, 0, 1)]
    assert list(places.parts([2])) == [(3, 0, 1)]
    assert list(places.parts([])) == []


def test_a_table_that_grows_is_read_as_far_as_it_is() -> None:
    read = READ[:1]
    places = FilePlaces(FILES, read)
    assert places.line(3) == ("a", 3)
    read.append(READ[1])
    assert places.line(3) == ("a", 3)
    assert places.line(4) == ("b", 1)
