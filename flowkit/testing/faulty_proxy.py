"""An HTTP proxy in front of a real server that does to answers what bad networks do."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset after so many bytes of the body."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Truncate:
    """The connection ends in good order after so many bytes of the body."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more comes after so many bytes of the body, and the connection stays open."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing more comes after so many bytes until `released` is set; then comes a reset."""

    after_bytes: int
    released: threading.Event


@dataclass(frozen=True, slots=True)
class Trickle:
    """The body comes in small pieces with a pause before each."""

    piece_bytes: int
    pause_s: float


@dataclass(frozen=True, slots=True)
class ShortLength:
    """`Content-Length` says, and the body is, so many bytes: a lie that fits together."""

    length_bytes: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The server is not asked; the answer is this status with an S3 error of this code."""

    status: int = 503
    code: str = "SlowDown"


@dataclass(frozen=True, slots=True)
class ResetUpload:
    """The connection is reset after so many bytes of the request's body; nothing is passed on."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SlowUpload:
    """The request's body is read in small pieces with a pause before each, then passed on."""

    piece_bytes: int
    pause_s: float


Fault: TypeAlias = (
    Reset | Truncate | Stall | Hold | Trickle | ShortLength | Refuse | ResetUpload | SlowUpload
)


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request that the proxy was asked to pass on, and what it did to it."""

    method: str
    path: str
    headers: dict[str, str]
    fault: Fault | None


@dataclass(slots=True)
class _Planned:
    fault: Fault
    method: str
    path: str
    times: int


@dataclass(slots=True)
class FaultyProxy:
    """A proxy at `endpoint`. Each request has a connection of its own.

    `seen` lists the requests in order of their arrival.
    """

    endpoint: str
    seen: list[SeenRequest] = field(default_factory=list)
    _planned: list[_Planned] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def plan(self, fault: Fault, *, method: str = "GET", path: str = "", times: int = 1) -> None:
        """Do this to the next requests of a method whose path contains `path`.

        Faults are used up in the order in which they were planned; `times` may be large.
        """
        with self._changed:
            self._planned.append(_Planned(fault, method, path, times))

    def take(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        """Note a request and return what is planned for it."""
        with self._changed:
            fault = None
            for one in self._planned:
                if one.times and one.method == method and one.path in path:
                    one.times -= 1
                    fault = one.fault
                    break
            self.seen.append(SeenRequest(method, path, headers, fault))
            self._changed.notify_all()
            return fault

    def wait_until_seen(self, count: int, *, timeout_s: float = 30.0) -> bool:
        """Wait until so many requests have arrived; False if they do not in that time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.seen) >= count, timeout_s)


@contextmanager
def open_faulty_proxy(endpoint: str) -> Iterator[FaultyProxy]:
    """Listen on a free port of this machine, in front of the server at `endpoint`."""
    target = urlsplit(endpoint)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = FaultyProxy(f"http://127.0.0.1:{listening.getsockname()[1]}")
        upstream = (target.hostname or "", target.port or 80)

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                exchange = _Exchange(proxy, client, upstream, ended)
                threading.Thread(target=exchange.run, daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield proxy
        finally:
            ended.set()
            # Closing alone does not wake a thread that waits in `accept`.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
            accepting.join()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        proxy: FaultyProxy,
        client: socket.socket,
        upstream: tuple[str, int],
        ended: threading.Event,
    ) -> None:
        self._proxy, self._client, self._upstream = proxy, client, upstream
        self._ended = ended

    def run(self) -> None:
        """Serve the connection; whatever breaks ends it."""
        with self._client, suppress(OSError):
            head, body = _read_head(self._client)
            if head:
                self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        first, headers = _parse(head)
        method, path = first.split(" ")[:2]
        fault = self._proxy.take(method, path, headers)
        length = int(headers.get("content-length", "0"))
        if isinstance(fault, ResetUpload):
            _read_body(self._client, body, min(length, fault.after_bytes))
            self._reset()
            return
        if isinstance(fault, SlowUpload):
            while len(body) < length:
                self._ended.wait(fault.pause_s)
                wanted = min(length, len(body) + fault.piece_bytes)
                body = _read_body(self._client, body, wanted)
        body = _read_body(self._client, body, length)
        if isinstance(fault, Refuse):
            self._client.sendall(_refusal(fault, with_body=method != "HEAD"))
            return
        with socket.create_connection(self._upstream) as server:
            server.sendall(_closing(head) + body)
            answer_head, answer = _read_head(server)
            while piece := server.recv(1 << 16):
                answer += piece
        self._send(_closing(answer_head), answer, fault)

    def _send(self, head: bytes, body: bytes, fault: Fault | None) -> None:
        match fault:
            case Reset(after_bytes):
                self._client.sendall(head + body[:after_bytes])
                self._reset()
            case Truncate(after_bytes):
                self._client.sendall(head + body[:after_bytes])
            case Stall(after_bytes):
                self._client.sendall(head + body[:after_bytes])
                # Until the client gives up, or the test ends.
                self._client.settimeout(0.05)
                while not self._ended.is_set():
                    with suppress(TimeoutError):
                        if not self._client.recv(1):
                            return
            case Hold(after_bytes, released):
                self._client.sendall(head + body[:after_bytes])
                while not released.wait(0.05) and not self._ended.is_set():
                    pass
                self._reset()
            case Trickle(piece_bytes, pause_s):
                self._client.sendall(head)
                for start in range(0, len(body), piece_bytes):
                    self._ended.wait(pause_s)
                    self._client.sendall(body[start : start + piece_bytes])
            case ShortLength(length_bytes):
                stated = b"\r\nContent-Length: %d\r\n" % length_bytes
                head = re.sub(rb"(?i)\r\ncontent-length: *\d+\r\n", stated, head)
                self._client.sendall(head + body[:length_bytes])
            case _:
                self._client.sendall(head + body)

    def _reset(self) -> None:
        # Lingering for no time makes closing a reset.
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read a message's head, and what came with it of the body; empty if there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(1 << 16)
        if not piece:
            return b"", b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def _read_body(connection: socket.socket, body: bytes, length: int) -> bytes:
    pieces, missing = [body], length - len(body)
    while missing > 0:
        piece = connection.recv(min(missing, 1 << 16))
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _closing(head: bytes) -> bytes:
    """Say that the connection ends with this message."""
    kept = re.sub(rb"(?i)\r\n(connection|keep-alive):[^\r]*", b"", head)
    return kept[:-2] + b"Connection: close\r\n\r\n"


def _refusal(fault: Refuse, *, with_body: bool) -> bytes:
    body = f"<Error><Code>{fault.code}</Code><Message>by plan</Message></Error>".encode()
    head = (
        f"HTTP/1.1 {fault.status} Planned\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
