"""What the zygote rehearses goes well, and leaves nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from flowkit.flow import current
from flowkit.worker.rehearsal import TURNS, rehearse


def test_tasks_of_a_rehearsal_succeed_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    results = rehearse()
    assert [one.status for one in results] == ["succeeded"] * TURNS
    assert all(one.outcome is not None and one.fingerprint is not None for one in results)
    assert list(tmp_path.iterdir()) == []
    assert repr(current) == "<current: no task is running>"
    assert capfd.readouterr() == ("", "")
