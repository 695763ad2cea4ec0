"""What a driver and its zygote say to each other, over a Unix socket.

A message is one byte for its kind, eight for the length of its body (big-endian), and the body
as JSON. File descriptors travel beside the first byte, in order.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from flowkit import wire
from flowkit.errors import ExecutorError
from flowkit.graph import Fault, FlowDescription
from flowkit.values import (
    Attempt,
    Digest,
    Failure,
    LoadOptions,
    RunId,
    StoreAddress,
    TaskSpec,
)

HEADER = struct.Struct(">cQ")
LARGEST_BODY = 1 << 32
CHUNK = 1 << 16
MOST_DESCRIPTORS = 16


HookFailures = tuple[tuple[str, Failure], ...]
"""Functions that raised, by name, and what."""


class Imported(Struct, frozen=True):
    """The flow's file was imported, and has this flow: the driver says how to read it."""

    flow: str


class Read(Struct, frozen=True):
    """Read the flow that was imported, so."""

    options: LoadOptions


class Described(Struct, frozen=True):
    """The flow was read."""

    description: FlowDescription


class Refused(Struct, frozen=True):
    """What was asked for cannot be done. `exit_code` says whose turn it is to act.

    `faults` are those of `flow`, if it is the flow that must change.
    """

    failure: Failure
    exit_code: int
    flow: str = ""
    faults: tuple[Fault, ...] = ()


class Bind(Struct, frozen=True):
    """Convert parameters and keep them; with `earlier`, those not given are an earlier run's."""

    store: StoreAddress
    user: str
    given: Mapping[str, str | list[str]] = field(default_factory=dict)
    earlier: Digest | None = None


class Bound(Struct, frozen=True):
    """The manifest of the run's parameters and constants.

    `unsafe_to_fork`: as a flow's description has it, which was made before the binding.
    """

    parameters: Digest
    unsafe_to_fork: str | None


class CallExitHooks(Struct, frozen=True):
    """Call the flow's exit hooks for a run that has ended."""

    run: RunId
    succeeded: bool


class ExitHooksCalled(Struct, frozen=True):
    """The exit hooks have been called; those that raised, and what."""

    failed: HookFailures


class Decorate(Struct, frozen=True):
    """Put these `--with` options on the steps from now on; the answer describes the flow anew."""

    specs: tuple[str, ...]


class Submit(Struct, frozen=True):
    """Start an attempt; its stdout and stderr travel along as descriptors."""

    spec: TaskSpec
    cold: bool


class ColdStart(Struct, frozen=True):
    """All that a fresh interpreter is told: what to run, and how to read the flow.

    `sources`: what the files of the project said when the flow was described, by path.
    """

    spec: TaskSpec
    options: LoadOptions
    sources: Mapping[str, bytes]


class Cancel(Struct, frozen=True):
    """Stop an attempt: SIGTERM now, SIGKILL after `grace_s`."""

    attempt: Attempt
    grace_s: float


class Started(Struct, frozen=True):
    """An attempt runs in this process, which leads a process group of its own."""

    attempt: Attempt
    pid: int


class Exited(Struct, frozen=True):
    """An attempt's process is gone; `status` as `os.waitstatus_to_exitcode` gives it."""

    attempt: Attempt
    status: int


Message = (
    Imported
    | Read
    | Described
    | Refused
    | Bind
    | Bound
    | Decorate
    | Submit
    | Cancel
    | Started
    | Exited
    | CallExitHooks
    | ExitHooksCalled
)
KINDS: Mapping[bytes, type[Message]] = {
    b"i": Imported,
    b"R": Read,
    b"d": Described,
    b"r": Refused,
    b"b": Bind,
    b"p": Bound,
    b"D": Decorate,
    b"s": Submit,
    b"c": Cancel,
    b"S": Started,
    b"e": Exited,
    b"h": CallExitHooks,
    b"H": ExitHooksCalled,
}
BYTES = {kind: byte for byte, kind in KINDS.items()}


def send(channel: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send a whole message. Raises ExecutorError if the other side is gone."""
    body = wire.encode(message)
    data = memoryview(HEADER.pack(BYTES[type(message)], len(body)) + body)
    try:
        if descriptors:
            sent = socket.send_fds(channel, [data], list(descriptors))
            data = data[sent:]
        channel.sendall(data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise ExecutorError(
            "the process that starts tasks is gone",
            hint="look above for what it printed; `flowkit resume` goes on from what was committed",
        ) from error


class Channel:
    """The receiving side: bytes and descriptors in, whole messages out."""

    def __init__(self, channel: socket.socket) -> None:
        self.socket = channel
        self._buffer = bytearray()
        self._descriptors: deque[int] = deque()
        self.closed = False

    def receive(self) -> list[Message]:
        """Read what is there, waiting for at least one byte; returns whole messages."""
        try:
            data, descriptors, _flags, _from = socket.recv_fds(self.socket, CHUNK, MOST_DESCRIPTORS)
        except ConnectionResetError:
            data, descriptors = b"", []
        self._descriptors += descriptors
        if not data:
            self.closed = True
            return []
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def take_descriptors(self, count: int) -> list[int]:
        """Return the descriptors that came with the message just read."""
        return [self._descriptors.popleft() for _ in range(count)]

    def _next(self) -> Message | None:
        if len(self._buffer) < HEADER.size:
            return None
        kind, size = HEADER.unpack_from(self._buffer)
        if kind not in KINDS or size > LARGEST_BODY:
            raise ExecutorError(
                "the process that starts tasks sent what is no message",
                hint="does the flow write to file descriptors that it did not open?",
            )
        end = HEADER.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[HEADER.size : end])
        del self._buffer[:end]
        return wire.decode(KINDS[kind], body, name="message")
