"""The last answer about each thing, used again while nothing that it was made of has changed."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Kept:
    """One answer for each key. Threads may ask at the same time; two may then make the same answer."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[Any, Any]] = {}

    def of(self, key: Hashable, given: Any, make: Callable[[], T]) -> T:
        """What `make` says, unless what it goes by (`given`, compared by value) is as it was the last time."""
        kept = self._answers.get(key)
        if kept is None or kept[0] != given:
            kept = self._answers[key] = (given, make())
        answer: T = kept[1]
        return answer
