"""What the kernel does for a process, and Python has no call for."""

from __future__ import annotations

from flowkit import _native


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends.

    Holds for this process only, not for its children, and ends with an exec of a setuid program.
    A parent that has died already is not noticed: compare `os.getppid()` afterwards. Does nothing
    where the system is not Linux.

    Raises:
        OSError: the kernel refused.
    """
    _native.die_with_parent()
