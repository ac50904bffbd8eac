"""The list of living neurons that old code walks."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, MutableSequence
from typing import Any, Generic, TypeVar, overload

_T = TypeVar("_T")


class WeakList(MutableSequence[_T], Generic[_T]):
    """A list that keeps nothing alive: what is gone is no longer in it.

    Args:
        items: What it begins with.
    """

    def __init__(self, items: Iterable[_T] = ()) -> None:
        self._replace(items)

    def _living(self) -> list[_T]:
        found = [ref() for ref in tuple(self._refs.values())]
        return [item for item in found if item is not None]

    def _replace(self, items: Iterable[_T]) -> None:
        self._refs: dict[int, weakref.ref[Any]] = {}  # numbered, so that leaving costs nothing
        self._numbers = itertools.count()
        self.extend(items)

    def append(self, value: _T) -> None:
        """Add an object at the end."""
        number, refs = next(self._numbers), self._refs
        refs[number] = weakref.ref(value, lambda _: refs.pop(number, None))

    def insert(self, index: int, value: _T) -> None:
        """Add an object at a position."""
        items = self._living()
        items.insert(index, value)
        self._replace(items)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> list[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | list[_T]:
        return self._living()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        items = self._living()
        items[index] = value
        self._replace(items)

    def __delitem__(self, index: int | slice) -> None:
        items = self._living()
        del items[index]
        self._replace(items)

    def __len__(self) -> int:
        return len(self._refs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (list, WeakList)) and self._living() == list(other)

    def copy(self) -> list[_T]:
        """Return the objects in a list of its own, which keeps them."""
        return self._living()

    def reverse(self) -> None:
        """Turn the order round."""
        self._replace(self._living()[::-1])

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Put the objects in the order of ``key``."""
        items = self._living()
        items.sort(key=key, reverse=reverse)
        self._replace(items)

    def __add__(self, other: Iterable[_T]) -> list[_T]:
        return [*self._living(), *other]

    def __radd__(self, other: Iterable[_T]) -> list[_T]:
        return [*other, *self._living()]

    def __repr__(self) -> str:
        return repr(self._living())

    __hash__ = None  # type: ignore[assignment]
