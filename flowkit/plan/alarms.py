"""Moments to come: when a retry is due, when an attempt has had its time."""

from __future__ import annotations

from math import inf

from flowkit.values import TaskKey


class Alarms:
    """Keys that wait for a moment, at most one moment a key.

    The clock is known only when it ticks, and may not have ticked for long. So the time of a new
    alarm counts from the first tick after it was set: it may ring late, never early.

    Alarms of the same length ring in the order they were set, and flows have few lengths, so a
    dict per length keeps them sorted and lets any be dropped at once, which a heap does not.
    """

    def __init__(self) -> None:
        self._now_s = -inf
        self._length_s: dict[TaskKey, float] = {}
        self._undated: dict[TaskKey, None] = {}
        self._due_s: dict[float, dict[TaskKey, float]] = {}

    def set(self, key: TaskKey, after_s: float) -> None:
        """Ring for `key` in `after_s` seconds. The key must have no alarm yet."""
        self._length_s[key] = after_s
        self._undated[key] = None

    def drop(self, key: TaskKey) -> None:
        """Forget the alarm of a key, if there is one."""
        length_s = self._length_s.pop(key, None)
        if length_s is not None and key in self._undated:
            del self._undated[key]
        elif length_s is not None:
            del self._due_s[length_s][key]

    def clear(self) -> None:
        """Forget all alarms."""
        self._length_s.clear()
        self._undated.clear()
        self._due_s.clear()

    def ring(self, now_s: float) -> list[TaskKey]:
        """Move on to `now_s`; return the keys whose moment has come, the earliest first."""
        self._now_s = max(now_s, self._now_s)
        for key in self._undated:
            length_s = self._length_s[key]
            self._due_s.setdefault(length_s, {})[key] = self._now_s + length_s
        self._undated.clear()
        rung: list[tuple[float, TaskKey]] = []
        for waiting in self._due_s.values():
            for key, due_s in waiting.items():
                if due_s > self._now_s:
                    break
                rung.append((due_s, key))
        rung.sort(key=lambda one: one[0])
        for _, key in rung:
            self.drop(key)
        return [key for _, key in rung]

    @property
    def next_s(self) -> float | None:
        """The earliest moment at which `ring` has something to do, or None.

        With alarms that no tick has dated yet, that is the last tick, or minus infinity.
        """
        if self._undated:
            return self._now_s
        firsts = [next(iter(waiting.values())) for waiting in self._due_s.values() if waiting]
        return min(firsts, default=None)
