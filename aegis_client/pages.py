"""Lists that come in pages: iterate over the rows, and each next page is asked for when it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Pages(Generic[T]):
    """Rows over all pages. `fetch` gets the cursor to go on after, and gives the page."""

    def __init__(self, fetch: Callable[[str | None], Mapping[str, Any]], starting_after: str | None) -> None:
        self._fetch, self._starting_after = fetch, starting_after

    def __iter__(self) -> Iterator[T]:
        cursor, has_more = self._starting_after, True
        while has_more:
            page = self._fetch(cursor)
            yield from page["data"]
            cursor = page["next_cursor"]
            has_more = page["has_more"] and cursor is not None


class AsyncPages(Generic[T]):
    """As `Pages`, for `async for`."""

    def __init__(
        self, fetch: Callable[[str | None], Awaitable[Mapping[str, Any]]], starting_after: str | None
    ) -> None:
        self._fetch, self._starting_after = fetch, starting_after

    async def __aiter__(self) -> AsyncIterator[T]:
        cursor, has_more = self._starting_after, True
        while has_more:
            page = await self._fetch(cursor)
            for row in page["data"]:
                yield row
            cursor = page["next_cursor"]
            has_more = page["has_more"] and cursor is not None
