"""The list of living neurons that old code walks."""

from __future__ import annotations

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
        self._refs: dict[int, weakref.ref[Any]] = {}  # by identity, so that leaving costs nothing
        self.extend(items)

    def _living(self) -> list[_T]:
        found = [ref() for ref in tuple(self._refs.values())]
        return [item for item in found if item is not None]

    def _replace(self, items: Iterable[_T]) -> None:
        self._refs = {}
        self.extend(items)

    def append(self, value: _T) -> None:
        """Add an object at the end; it is in the list at most once."""
        key, refs = id(value), self._refs

        def forget(ref: weakref.ref[Any]) -> None:
            if refs.get(key) is ref:  # not another object that lives there now
                del refs[key]

        refs[key] = weakref.ref(value, forget)

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

    def __add__(self, other: Iterable[_T]) -> list[_T]:
        return [*self._living(), *other]

    def __repr__(self) -> str:
        return repr(self._living())

    __hash__ = None  # type: ignore[assignment]
