"""Answers that are JSON already, up to so many bytes: what was used longest ago makes room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    @property
    def size(self) -> int: ...


ItemT = TypeVar("ItemT", bound=Sized)


class Shelf(Generic[ItemT]):
    """Thread safe. An item that alone is larger than all of it is not kept."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._items: OrderedDict[Hashable, ItemT] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> ItemT | None:
        with self._lock:
            item = self._items.get(key)
            if item is not None:
                self._items.move_to_end(key)
            return item

    def put(self, key: Hashable, item: ItemT) -> None:
        with self._lock:
            before = self._items.pop(key, None)
            self._size -= before.size if before is not None else 0
            if item.size > self._most:
                return
            self._items[key] = item
            self._size += item.size
            while self._size > self._most:
                _, oldest = self._items.popitem(last=False)
                self._size -= oldest.size
