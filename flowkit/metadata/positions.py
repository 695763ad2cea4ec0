"""Task keys as text that sorts the way people count.

Each number is written as a letter for how many digits follow, then the digits: 9 is `a9`, 10 is
`b10`. The indexes come first, outermost first, the iteration last. No number's text starts
another's, so tasks below a foreach element are one range, and only ASCII letters and digits
occur, so that every database sorts it alike.
"""

from __future__ import annotations

from flowkit.values import TaskKey

_FIRST = ord("a") - 1
_PLAIN = tuple(f"a{number}" for number in range(10))


def _number(number: int) -> str:
    if number < 10:
        return _PLAIN[number]
    digits = str(number)
    return chr(_FIRST + len(digits)) + digits


def position(key: TaskKey) -> str:
    """Return the key's place within its step.

    >>> position(TaskKey("train", (3, 10))), position(TaskKey("loop", (), 2))
    ('a3b10a0', 'a2')
    """
    return "".join(map(_number, key.path)) + _number(key.iteration)


def key_at(step: str, text: str) -> TaskKey:
    """Read a position back. Raises ValueError if it is none.

    >>> key_at("train", "a3b10a0")
    TaskKey(step='train', path=(3, 10), iteration=0)
    """
    # Nearly all tasks have one index and no turns, and listings read thousands of them.
    if text.endswith("a0") and len(text) == ord(text[0]) - _FIRST + 3:
        return TaskKey(step, (int(text[1:-2]),))
    numbers, start = [], 0
    while start < len(text):
        end = start + 1 + ord(text[start]) - _FIRST
        numbers.append(int(text[start + 1 : end]))
        start = end
    if not numbers or start != len(text):
        raise ValueError(f"`{text}` is not a position")
    return TaskKey(step, tuple(numbers[:-1]), numbers[-1])


def below(path: tuple[int, ...]) -> tuple[str, str]:
    """Return the range, first included and last not, of the keys whose paths start so."""
    start = "".join(map(_number, path))
    return start, start + "~"


def candidates(step: str, task_id: str) -> list[TaskKey]:
    """Return the keys that a task id may stand for; none if it is no task id.

    `0` is two: the only task of a step outside all foreaches, and the first of one inside.
    """
    depth = task_id.partition("@")[0].count(".") + 1
    keys = []
    for at in (0, depth):
        try:
            keys.append(TaskKey.parse(step, task_id, depth=at))
        except ValueError:
            continue
    return keys
