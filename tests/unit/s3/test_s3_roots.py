"""What keys mean: below which root, as which URL, and where runs keep what they write."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import flowkit
from flowkit import S3, FlowSpec, S3InvalidUrl, S3NotFound, UsageError, step


@dataclass(frozen=True)
class NamedRun:
    """What a client's `Run` is to S3."""

    pathspec: str


class Small(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


def test_keys_are_below_the_root(bucket: str) -> None:
    with S3(s3root=f"s3://{bucket}/a/b/") as s3:
        assert s3.put("c/d", "x") == f"s3://{bucket}/a/b/c/d"
    for again in (
        S3(bucket=bucket, prefix="a/b"),
        S3(bucket=bucket, prefix="/a/b/"),
        S3(s3root=f"s3a://{bucket}/a/b"),
    ):
        with again:
            assert again.get("c/d").text == "x"
    with S3(s3root=f"s3://{bucket}/a/b/c/d") as s3:
        found = s3.get()
        assert (found.text, found.url) == ("x", f"s3://{bucket}/a/b/c/d")
        assert s3.info().size == 1


def test_without_a_root_keys_are_urls(bucket: str) -> None:
    url = f"s3://{bucket}/a/b"
    with S3() as s3:
        assert s3.put(url, "x") == url
        found = s3.get(url)
        assert (found.key, found.url, found.prefix, found.text) == (url, url, "", "x")
        (listed,) = s3.list_recursive([f"s3://{bucket}/a"])
        assert (listed.key, listed.prefix) == (url, f"s3://{bucket}/a")
        assert s3.get(listed.key).text == "x"
        assert [one.key for one in s3.list_paths([f"s3://{bucket}"])] == [f"s3://{bucket}/a"]
        for call in (s3.list_recursive, s3.list_paths, s3.get_all, s3.get, s3.info):
            with pytest.raises(UsageError):
                call()


@pytest.mark.parametrize(
    "key",
    ["", "/", "a//b", "a/", "/a", "../a", "a/../b", "a/./b", "a\nb", "x" * 1025, "s3://bucket/a"],
)
def test_keys_that_cannot_be_are_refused(key: str) -> None:
    with S3(s3root="s3://bucket") as s3:
        for call in (lambda: s3.get(key), lambda: s3.info(key), lambda: s3.put(key, b"")):
            with pytest.raises(S3InvalidUrl):
                call()


@pytest.mark.parametrize(
    "url",
    ["a/b", "https://bucket/a", "s3://", "s3:///a", "s3://bucket", "s3://b/a", "s3://bu cket/a"],
)
def test_urls_that_cannot_be_are_refused(url: str) -> None:
    with S3() as s3, pytest.raises(S3InvalidUrl):
        s3.get(url)


def test_what_is_below_ends_at_a_slash(s3: S3, bucket: str) -> None:
    s3.put_many([(key, "x") for key in ("a/0", "a/b/1", "a/c/2", "ab/3", "d")])
    assert [(one.key, one.exists) for one in s3.list_paths()] == [
        ("a", False),
        ("ab", False),
        ("d", True),
    ]
    assert [(one.key, one.exists) for one in s3.list_paths(["a", "ab/"])] == [
        ("a/0", True),
        ("a/b", False),
        ("a/c", False),
        ("ab/3", True),
    ]
    assert [one.key for one in s3.list_recursive(["a"])] == ["a/0", "a/b/1", "a/c/2"]
    assert [one.key for one in s3.get_recursive(["a/b", "ab"])] == ["a/b/1", "ab/3"]
    assert [one.prefix for one in s3.get_recursive(["a/b"])] == [f"s3://{bucket}/base/a/b"]
    assert s3.list_recursive(["missing"]) == s3.list_paths(["missing"]) == []
    assert [one.size for one in s3.list_recursive(["d", "ab"])] == [1]


def test_a_run_has_a_prefix_of_its_own(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWKIT_S3_ROOT", f"s3://{bucket}/flowkit")
    run = NamedRun("Small/12")
    with S3(run=run) as s3:
        assert s3.put("key", "x") == f"s3://{bucket}/flowkit/Small/12/key"
    with S3(run=run, prefix="other") as s3:
        assert s3.put("key", "y") == f"s3://{bucket}/other/Small/12/key"
    monkeypatch.delenv("FLOWKIT_S3_ROOT")
    with S3(run=run, bucket=bucket, prefix="other") as s3:
        assert s3.get("key").text == "y"


def test_a_root_that_is_not_told_or_told_twice_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = NamedRun("Small/12")
    monkeypatch.delenv("FLOWKIT_S3_ROOT", raising=False)
    with pytest.raises(UsageError, match="no root is configured"):
        S3(run=run)
    monkeypatch.setenv("FLOWKIT_S3_ROOT", "bucket/flowkit")
    with pytest.raises(S3InvalidUrl):
        S3(run=run)
    monkeypatch.setenv("FLOWKIT_S3_ROOT", "s3://bucket/flowkit")
    with pytest.raises(UsageError):
        S3(run=run, s3root="s3://bucket")
    with pytest.raises(UsageError):
        S3(prefix="a")
    with pytest.raises(UsageError):
        S3(run=NamedRun("Small/12/start/0"))
    with pytest.raises(UsageError, match="no task is running"):
        # Made without being run, which is what calling the class does.
        S3(run=Small.__new__(Small))


FLOW = """\
from flowkit import S3, FlowSpec, Run, current, step

BEFORE

class Uses(FlowSpec):
    @step
    def start(self):
        with S3(run=self) as s3:
            self.url = s3.put("result", current.run_id)
        self.next(self.end)

    @step
    def end(self):
        with S3(run=self) as s3:
            assert s3.get("result").text == current.run_id
        with S3(run=Run(f"Uses/{current.run_id}")) as s3:
            assert [one.key for one in s3.get_all()] == ["result"]
        print("url is", self.url)
"""


@pytest.mark.parametrize("used_at_import", [False, True])
def test_steps_share_the_prefix_of_their_run(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used_at_import: bool
) -> None:
    with S3(s3root=f"s3://{bucket}") as s3:
        s3.put("config", "x")
    # A module that has used S3 is not forked, as its steps would hang.
    use = f'with S3() as s3:\n    assert s3.get("s3://{bucket}/config").text == "x"\n'
    flow = tmp_path / "uses.py"
    flow.write_text(FLOW.replace("BEFORE", use if used_at_import else ""))
    monkeypatch.setenv("FLOWKIT_S3_ROOT", f"s3://{bucket}/runs")
    monkeypatch.setenv("PYTHONPATH", str(Path(flowkit.__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-m", "flowkit", "run", str(flow)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"url is s3://{bucket}/runs/Uses/" in done.stdout
    assert ("whose threads do not survive a fork" in done.stdout + done.stderr) == used_at_import


FORKING = """\
import os
from flowkit import S3, S3Error
with S3(s3root="s3://BUCKET") as s3:
    s3.put("key", "x")
child = os.fork()
if child == 0:
    try:
        S3(s3root="s3://BUCKET").get("key")
    except S3Error as error:
        os._exit(42 if "forked" in error.message else 1)
    os._exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_gets_an_error_instead_of_hanging(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(flowkit.__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-c", FORKING.replace("BUCKET", bucket)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "42\n", done.stderr


CHILD_ENDS = """\
import os, sys
from flowkit import S3
with S3(s3root="s3://BUCKET", memory_mb=0) as s3:
    s3.put("key", "x")
    found = s3.get("key")
    child = os.fork()
    if child == 0:
        sys.exit()
    os.waitpid(child, 0)
    print(found.text)
"""


def test_a_forked_process_leaves_the_files_of_its_parent(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(flowkit.__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-c", CHILD_ENDS.replace("BUCKET", bucket)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "x\n", done.stderr


def test_a_missing_temporary_folder_is_told(bucket: str, tmp_path: Path) -> None:
    with S3(s3root=f"s3://{bucket}", tmproot=tmp_path / "missing") as s3:
        s3.put("key", "x")
        found = s3.get("key")
        assert found.text == "x"
        with pytest.raises(UsageError, match="no folder"):
            _ = found.path


def test_errors_have_metaflows_names_too() -> None:
    assert flowkit.MetaflowS3NotFound is S3NotFound
    assert flowkit.MetaflowS3URLException is S3InvalidUrl
    assert issubclass(S3NotFound, flowkit.MetaflowS3Exception)
