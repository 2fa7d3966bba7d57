import pytest

from batch_client import ProtocolError
from batch_client.models import Page
from batch_client.paging import all_items


class Pages:
    """Play prepared pages and remember the cursors asked for; the last page stays."""

    def __init__(self, *pages: Page[str]) -> None:
        self.pages = list(pages)
        self.asked: list[str | None] = []

    def __call__(self, after: str | None) -> Page[str]:
        self.asked.append(after)
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]


def walk(pages: Pages) -> list[str]:
    return list(all_items(pages, lambda item: item))


def of(*items: str, more: bool | None, last: str | None = None) -> Page[str]:
    return Page(data=items, has_more=more, last_id=last)


def test_pages_follow_the_last_item() -> None:
    pages = Pages(of("a", "b", more=True), of("c", more=False))
    assert walk(pages) == ["a", "b", "c"]
    assert pages.asked == [None, "b"]


def test_an_empty_page_that_leads_on_is_not_the_end() -> None:
    pages = Pages(of("a", more=True), of(more=True, last="x"), of("c", more=False))
    assert walk(pages) == ["a", "c"]
    assert pages.asked == [None, "a", "x"]


@pytest.mark.parametrize("last", [None, "a"])
def test_an_empty_page_that_claims_more_and_leads_nowhere_is_an_error(last: str | None) -> None:
    with pytest.raises(ProtocolError):
        walk(Pages(of("a", more=True), of(more=True, last=last)))


def test_a_list_that_turns_in_circles_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="no way to them"):
        walk(Pages(of("a", more=True)))


def test_a_service_that_does_not_say_ends_with_an_empty_page() -> None:
    assert walk(Pages(of("a", more=None), of("b", more=None), of(more=None))) == ["a", "b"]


def test_a_service_that_does_not_page_is_walked_once() -> None:
    assert walk(Pages(of("a", "b", more=None))) == ["a", "b"]


def test_an_empty_list_is_empty() -> None:
    assert walk(Pages(of(more=False))) == []


def test_a_walk_can_begin_behind_an_item() -> None:
    pages = Pages(of("b", more=True), of("c", more=False))
    assert list(all_items(pages, lambda item: item, "a")) == ["b", "c"]
    assert pages.asked == ["a", "b"]
