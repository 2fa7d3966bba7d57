"""Read a list page by page."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from .errors import ProtocolError
from .models import Page

T = TypeVar("T")

MOST_PAGES = 100_000


def all_items(
    page_after: Callable[[str | None], Page[T]],
    id_of: Callable[[T], str],
    after: str | None = None,
    *,
    paged: bool = True,
) -> Iterator[T]:
    """Yield the items of all pages after the item with the id `after`; of a list without pages those of its one.

    An empty page is the end, unless the service says that there are more items; then `last_id` leads to the next page.
    Raises ProtocolError if the service says that there are more items and does not show them.
    """
    if not paged:
        items = page_after(None).data
        ids = list(map(id_of, items))
        yield from items[ids.index(after) + 1 :] if after in ids else items
        return
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        page = page_after(after)
        after = id_of(page.data[-1]) if page.data else page.last_id
        if page.has_more is None and (not page.data or after in seen):
            return  # the service has no pages: the list ends, or begins again
        yield from page.data
        if page.has_more is False:
            return
        if after is None or after in seen:
            raise ProtocolError("The list says that there are more, but gives no way to them")
        seen.add(after)
    raise ProtocolError(f"The list has more than {MOST_PAGES} pages")


class ListEnd:
    """Tell when a list, newest first, has come to what was made before a time."""

    def __init__(self, since: int) -> None:
        """Look for the end of what was made since this time, in Unix seconds."""
        self._since = since
        self._first: int | None = None

    def passed(self, created_at: int | None) -> bool:
        """Take the next item's time, and tell whether this and all further items are older.

        If a service lists the oldest first, nothing is older than the first: then the whole list is read.
        """
        self._first = self._first or created_at
        return bool(created_at and self._first and created_at < min(self._since, self._first))


def query_of(**members: str | int | None) -> dict[str, str]:
    """Return query parameters for the members that are not None."""
    return {name: str(value) for name, value in members.items() if value is not None}
