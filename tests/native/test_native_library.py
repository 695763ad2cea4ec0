"""What the compiled module needs from the system it is loaded on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from flowkit import _native


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("ldd") is None, reason="ldd is a tool of Linux"
)
def test_the_module_needs_the_runtimes_of_c_and_cpp_alone() -> None:
    listing = subprocess.run(
        ["ldd", str(_native.__file__)], check=True, capture_output=True, text=True
    )
    names = {re.split(r"[ (]", line.strip())[0] for line in listing.stdout.splitlines()}
    stems = {name.rpartition("/")[2].partition(".so")[0] for name in names}
    known = {"linux-vdso", "libstdc++", "libgcc_s", "libm", "libc", "libpthread"}
    assert {stem for stem in stems if not stem.startswith("ld-")} <= known
    assert {"libstdc++", "libc"} <= stems
