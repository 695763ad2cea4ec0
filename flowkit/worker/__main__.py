"""`python -m flowkit.worker`: the process end of an executor; people have no use for it.

`zygote DESCRIPTOR FILE [NAME]` serves the driver at the other end of a socket.
`attempt FILE SPEC STDOUT STDERR` runs the one attempt that the spec's descriptor holds.
`fetch URL` writes an object of S3 to stdout.
`override` puts artifacts of a module over others, as stdin asks.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Sequence

if __name__ == "__main__":
    # Started by path, without the current folder on `sys.path`, so that no file of the user's
    # hides a module; where flowkit is not installed, it is found from here.
    _root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if _root not in sys.path:
        sys.path.append(_root)


def main(arguments: Sequence[str]) -> int:
    """Run as the first argument says. Returns an exit code."""
    role, *rest = arguments
    if role == "zygote":
        from flowkit.native import die_with_parent
        from flowkit.worker.ending import end_without, threads_to_wait_for
        from flowkit.worker.zygote import serve

        die_with_parent()
        descriptor, file, *name = rest
        channel = socket.socket(fileno=int(descriptor))
        if _is_hung_up(channel):  # the driver died before this process could be tied to it
            return 0
        sys.argv = [file]
        try:
            status = serve(channel, file, name[0] if name else None)
        except Exception:  # threads of the flow's must not keep the driver waiting for an answer
            traceback.print_exc()
            status = 1
        return end_without(threads_to_wait_for(), status)

    if role == "fetch":
        from flowkit.worker.files import fetch

        return fetch(rest[0])

    if role == "override":
        from flowkit.worker.overriding import serve_override

        return serve_override()

    from flowkit.worker.output import capture
    from flowkit.worker.zygote import run_cold

    file, spec, stdout, stderr = rest
    capture(int(stdout), int(stderr))
    os.close(int(stdout))
    os.close(int(stderr))
    sys.argv = [file]
    return run_cold(file, int(spec))


def _is_hung_up(channel: socket.socket) -> bool:
    try:
        return not channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
