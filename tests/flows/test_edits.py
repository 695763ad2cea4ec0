"""Edits that Python's own cache of code misses, and edits while a run is under way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

FLOW = """
    import edited_early
    from edited_pack import part

    class Edited(FlowSpec):
        @memo
        @step
        def start(self):
            import edited_late
            self.numbers = {number}, edited_early.NUMBER, edited_late.NUMBER, part.NUMBER
            self.next(self.end)

        @step
        def end(self):
            pass
"""
MODULES = ("edited_early.py", "edited_late.py", "edited_pack/part.py")
TIME_NS = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def _python_keeps_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def _write(lab: Lab, numbers: tuple[int, ...]) -> None:
    """Write all files, as if at one time."""
    (lab.folder / "edited_pack").mkdir(exist_ok=True)
    files = [lab.write(FLOW.format(number=numbers[0]), "edited_flow.py")]
    for name, number in zip(MODULES, numbers[1:], strict=True):
        files.append(lab.folder / name)
        files[-1].write_text(f"NUMBER = {number}\n")
    for file in files:
        os.utime(file, ns=(TIME_NS, TIME_NS))


def _cached(folder: Path) -> set[str]:
    return {one.name.partition(".")[0] for one in folder.rglob("*.pyc")}


def test_an_edit_of_the_same_size_within_a_second_is_seen(process_lab: Lab) -> None:
    numbers = [1, 1, 1, 1]
    for at in (None, 0, 1, 2, 3):
        if at is not None:
            numbers[at] = 2
        _write(process_lab, tuple(numbers))
        ran = process_lab.run()
        assert ran.status == "succeeded", ran.end
        assert ran.value("numbers") == tuple(numbers)
        assert ran.cloned == []
    assert process_lab.run().cloned == ["start/0"]
    assert _cached(process_lab.folder) == {"edited_flow", "edited_early", "edited_late", "part"}


WHILE_IT_RUNS = """
    import edited_module

    class Edited(FlowSpec):
        @memo
        @step
        def start(self):
            import edited_module, pathlib
            pathlib.Path(edited_module.__file__).write_text("def number():\\n    return 2\\n")
            self.next(self.work)

        @memo
        @step
        def work(self):
            self.number = edited_module.number()
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_run_goes_on_with_the_code_that_it_began_with(process_lab: Lab) -> None:
    file = process_lab.folder / "edited_module.py"
    file.write_text("def number():\n    return 1\n")
    ran = process_lab.run(WHILE_IT_RUNS)
    assert ran.status == "succeeded", ran.end
    assert ran.value("number") == 1
    file.write_text("def number():\n    return 1\n")
    again = process_lab.run()
    assert again.cloned == ["start/0", "work/0"]
    file.write_text("def number():\n    return 2\n")
    later = process_lab.run()
    assert "work/0" not in later.cloned
    assert later.value("number") == 2


WRITTEN_BY_A_STEP = """
    import pathlib

    class Written(FlowSpec):
        number = Parameter(default=1)

        @step
        def start(self):
            file = pathlib.Path(__file__).with_name("edited_product.py")
            file.write_text(f"NUMBER = {self.number}\\n")
            self.next(self.work)

        @memo
        @step
        def work(self):
            import edited_product
            self.found = edited_product.NUMBER
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_a_module_that_a_step_writes_is_imported_as_written_and_not_reused(
    process_lab: Lab,
) -> None:
    file = process_lab.folder / "edited_product.py"
    file.write_text("NUMBER = 1\n")
    assert process_lab.run(WRITTEN_BY_A_STEP, number="2").value("found") == 2
    # That run was described with the module as it was before.
    file.write_text("NUMBER = 1\n")
    assert process_lab.run(number="1").value("found") == 1
    file.write_text("NUMBER = 1\n")
    assert process_lab.run(number="1").cloned == ["work/0"]
