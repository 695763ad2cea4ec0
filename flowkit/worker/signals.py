"""What importing a flow did about signals: a zygote puts it aside, its children get it back."""

from __future__ import annotations

# What `signal` wraps: a forked child had better not pay for enumerations of what was set before.
import _signal  # type: ignore[import-not-found]
import signal
from contextlib import suppress
from typing import Any

_OWN = (signal.SIGCHLD, signal.SIGINT)
"""Signals that a zygote handles in its own way."""

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class ImportedSignals:
    """Handlers, timers and the mask of this process.

    Make it before the import, and call `put_aside` after it. A child calls `restore`, or, where
    it becomes a fresh interpreter that imports again, `reset`.
    """

    def __init__(self) -> None:
        self._mask_before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._mask = self._mask_before
        self._handlers: dict[int, Any] = {}
        self._timers: dict[int, tuple[float, float]] = {}
        self._wakeup = -1

    def put_aside(self, wakeup: int) -> None:
        """Have signals do what a zygote needs: the end of a child writes to `wakeup`."""
        self._timers = {one: signal.setitimer(one, 0) for one in _TIMERS}
        self._handlers = {one: _signal.getsignal(one) for one in _OWN}
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._wakeup = signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        # Also where this process was started with it blocked: it would never hear of an end.
        self._mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def restore(self) -> None:
        """Set signals as the import left them."""
        signal.set_wakeup_fd(-1)
        if self._wakeup >= 0:
            with suppress(OSError, ValueError):  # its author may have closed it
                signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            # None stands for one of C's, which Python cannot set again.
            _signal.signal(number, _signal.SIG_DFL if handler is None else handler)
        for timer, (delay_s, interval_s) in self._timers.items():
            if delay_s > 0:
                signal.setitimer(timer, delay_s, interval_s)
        if signal.SIGCHLD in self._mask:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def reset(self) -> None:
        """Set signals as they were before the import."""
        signal.set_wakeup_fd(-1)
        for number in _OWN:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask_before)
