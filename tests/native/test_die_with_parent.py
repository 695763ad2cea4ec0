"""A process that asked for it does not outlive its parent."""

import select
import subprocess
import sys

import pytest

CHILD = """
import sys
from flowkit.native import die_with_parent
die_with_parent()
print("ready", flush=True)
sys.stdin.read()
"""

PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help is Linux's")
def test_a_child_ends_when_its_parent_is_killed() -> None:
    # Parent and child share both pipes. Nothing closes the child's stdin, so only the kernel
    # ends it, and stdout ends when both are gone.
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
        ended, _, _ = select.select([parent.stdout], [], [], 60)
        assert ended, "the child lives on"
        assert parent.stdout.read() == b""
