"""Walk a list page by page."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from .errors import ProtocolError
from .models import Page

T = TypeVar("T")

_MOST_PAGES = 100_000


def all_items(
    page_after: Callable[[str | None], Page[T]], id_of: Callable[[T], str], after: str | None = None
) -> Iterator[T]:
    """Yield the items of all pages, behind the one with the id `after`.

    An empty page is the end only if the service does not say that there are more; then its `last_id` leads on.
    Raises ProtocolError for a list that says there are more and gives no way to them.
    """
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        page = page_after(after)
        after = id_of(page.data[-1]) if page.data else page.last_id
        if page.has_more is None and (not page.data or after in seen):
            return  # the service does not page: it ends, or gives the same again
        yield from page.data
        if page.has_more is False:
            return
        if after is None or after in seen:
            raise ProtocolError("The list says that there are more, but gives no way to them")
        seen.add(after)
    raise ProtocolError(f"The list has more than {_MOST_PAGES} pages")


def query_of(**members: str | int | None) -> dict[str, str]:
    """Make query parameters of the members that are given."""
    return {name: str(value) for name, value in members.items() if value is not None}
