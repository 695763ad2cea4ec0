"""`python -m flowkit.worker`: the process end of an executor; people have no use for it.

`zygote DESCRIPTOR FILE [NAME]` serves the driver at the other end of a socket.
`attempt FILE SPEC STDOUT STDERR` runs the one attempt that the spec's descriptor holds.
"""

from __future__ import annotations

import os
import socket
import sys
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
        from flowkit.worker.zygote import serve

        die_with_parent()
        descriptor, file, *name = rest
        sys.argv = [file]
        return serve(socket.socket(fileno=int(descriptor)), file, name[0] if name else None)

    from flowkit.worker.output import capture
    from flowkit.worker.zygote import run_cold

    file, spec, stdout, stderr = rest
    capture(int(stdout), int(stderr))
    os.close(int(stdout))
    os.close(int(stderr))
    sys.argv = [file]
    return run_cold(file, int(spec))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
