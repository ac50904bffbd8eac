"""Python's search for garbage, put off while a loop is noted.

Notes live until the loop ends, and die without being looked for. Meanwhile there are so many that
Python would search among all objects of the process, after every few training steps of a long loop
for longer than a step takes.
"""

from __future__ import annotations

import gc
from threading import Lock

#: So many new objects start a search, instead of 700 or 2,000: notes of some thousand steps. Few
#: enough that what a program itself leaves in circles does not pile up.
THRESHOLD = 100_000


class PutOff:
    """Counts the loops that are noted, in whatever thread: the threshold is the process's."""

    def __init__(self) -> None:
        self._lock, self._loops = Lock(), 0
        self._before = self._meanwhile = gc.get_threshold()

    def begin(self) -> None:
        """Raise the threshold, unless nothing is searched for anyway."""
        with self._lock:
            if not self._loops:
                self._before = young, old, oldest = gc.get_threshold()
                self._meanwhile = (max(young, THRESHOLD) if young else 0, old, oldest)
                gc.set_threshold(*self._meanwhile)
            self._loops += 1

    def end(self) -> None:
        """Put the threshold back after the last loop, unless the program has set another one."""
        with self._lock:
            self._loops -= 1
            if not self._loops and gc.get_threshold() == self._meanwhile:
                gc.set_threshold(*self._before)


PUT_OFF = PutOff()
