"""Reading and writing objects at a real server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest

from flowkit import (
    S3,
    S3Error,
    S3GetObject,
    S3InvalidRange,
    S3NotFound,
    S3PutObject,
    UsageError,
)

MIB = 1 << 20


def test_what_was_put_can_be_got(s3: S3, bucket: str) -> None:
    assert s3.put("a/b.txt", "grüße") == f"s3://{bucket}/base/a/b.txt"
    found = s3.get("a/b.txt")
    assert (found.text, found.blob, found.size) == ("grüße", "grüße".encode(), 7)
    assert (found.key, found.url) == ("a/b.txt", f"s3://{bucket}/base/a/b.txt")
    assert found.prefix == f"s3://{bucket}/base"
    assert found.exists
    assert found.downloaded
    assert found.range_info is None
    assert found.last_modified is not None
    assert abs(found.last_modified - time.time()) < 60


@pytest.mark.parametrize(
    "value",
    [b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), BytesIO(b"bytes"), "bytes"],
    ids=lambda value: type(value).__name__,
)
def test_values_of_these_types_are_written(s3: S3, value: object) -> None:
    s3.put("value", value)
    assert s3.get("value").blob == b"bytes"


def test_a_file_that_is_open_and_one_that_cannot_seek_are_written(s3: S3, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)
    with file.open("rb") as opened:
        s3.put("opened", opened)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        with os.fdopen(writing, "wb") as end:
            end.write(b"through a pipe")
        s3.put("piped", pipe)
    with file.open("r+b") as opened:
        opened.truncate(20 * MIB)
        opened.seek(MIB)
        s3.put("large", opened)
    assert s3.get("large").blob == bytes(19 * MIB)
    assert s3.get("opened").size == 100_000
    assert s3.get("piped").blob == b"through a pipe"


@pytest.mark.parametrize("value", [1, None, ["a"], memoryview(b"abcd")[::2]])
def test_other_values_are_refused(s3: S3, value: object) -> None:
    with pytest.raises(UsageError):
        s3.put("value", value)
    assert not s3.info("value", return_missing=True).exists


def test_numbers_in_a_buffer_are_written_as_their_bytes(s3: S3) -> None:
    s3.put("numbers", memoryview(pa.array([1, 2, 3], pa.int32()).buffers()[1]))
    assert s3.get("numbers").size == 12


@pytest.mark.parametrize(
    "key",
    ["sp ace", "ünï", "pct%20x", "h#q?z+~&=", "quote'\"", "a*b", "back\\slash", "😀", "x" * 200],
)
def test_keys_of_all_kinds_come_back_as_they_were(s3: S3, key: str) -> None:
    s3.put(key, key)
    assert s3.get(key).text == key
    assert [one.key for one in s3.list_recursive()] == [key]


def test_an_empty_object_is_read(s3: S3) -> None:
    s3.put("empty", b"")
    found = s3.get("empty")
    assert (found.blob, found.text, found.size, found.exists) == (b"", "", 0, True)
    assert found.path is not None
    assert Path(found.path).read_bytes() == b""
    with pytest.raises(S3InvalidRange):
        s3.get(S3GetObject("empty", 0, 1))


def test_content_type_and_metadata_come_with_an_object(s3: S3) -> None:
    s3.put("table", b"a,b", content_type="text/csv", metadata={"Made-By": "ada", "rows": "0"})
    for found in (s3.get("table"), s3.info("table")):
        assert found.has_info
        assert found.content_type == "text/csv"
        assert found.metadata == {"made-by": "ada", "rows": "0"}
    (listed,) = s3.list_recursive()
    assert not listed.has_info
    assert (listed.content_type, listed.metadata) == (None, None)


@pytest.mark.parametrize(
    "metadata",
    [{"a b": "x"}, {"": "x"}, {"k": "ü"}, {"k": "a\nb"}, {"k": 1}, {"content-type": "x"}],
)
def test_metadata_that_no_header_carries_is_refused(s3: S3, metadata: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        s3.put("key", b"", metadata=metadata)


def test_info_has_no_bytes(s3: S3) -> None:
    s3.put("key", b"value")
    found = s3.info("key")
    assert (found.exists, found.downloaded, found.size) == (True, False, 5)
    assert (found.blob, found.text, found.path, found.buffer) == (None, None, None, None)


@pytest.mark.parametrize("size", [100, 8 * MIB, 8 * MIB + 1, 20 * MIB])
@pytest.mark.parametrize("memory_mb", [0, 64])
def test_small_and_large_objects_are_whole_in_memory_and_in_files(
    bucket: str, size: int, memory_mb: int, tmp_path: Path
) -> None:
    data = os.urandom(size)
    with S3(s3root=f"s3://{bucket}", tmproot=tmp_path, memory_mb=memory_mb) as s3:
        s3.put("key", data)
        found = s3.get("key")
        is_in_file = any(tmp_path.iterdir())
        assert is_in_file == (memory_mb == 0)
        assert found.blob == data
        assert found.path is not None
        assert Path(found.path).read_bytes() == data
        part = s3.get(S3GetObject("key", 50, 9 * MIB))
        assert part.blob == data[50 : 50 + 9 * MIB]
        assert part.size == len(data[50 : 50 + 9 * MIB])
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_written_only_when_it_is_asked_for(bucket: str, tmp_path: Path) -> None:
    with S3(s3root=f"s3://{bucket}", tmproot=tmp_path) as s3:
        s3.put("key", b"value")
        found = s3.get("key")
        assert found.blob == b"value"
        assert list(tmp_path.iterdir()) == []
        assert found.path == found.path
        assert Path(found.path or "").is_relative_to(tmp_path)


def test_a_buffer_is_given_without_a_copy(s3: S3) -> None:
    s3.put("numbers", memoryview(pa.array([1, 2, 3], pa.int64()).buffers()[1]))
    found = s3.get("numbers")
    first, second = pa.py_buffer(found.buffer), pa.py_buffer(found.buffer)
    assert first.address == second.address
    assert found.buffer is not None
    assert found.buffer.readonly
    assert pa.Array.from_buffers(pa.int64(), 3, [None, first]).to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 3, b"012"), (4, 2, b"45"), (8, None, b"89"), (8, 100, b"89"), (0, None, b"0123456789")],
)
def test_a_part_is_read(s3: S3, offset: int, length: int | None, expected: bytes) -> None:
    s3.put("digits", b"0123456789")
    found = s3.get(S3GetObject("digits", offset, length))
    assert (found.blob, found.size) == (expected, len(expected))
    if expected != b"0123456789":
        assert found.range_info is not None
        assert found.range_info.total_size == 10
        assert found.range_info.request_offset == offset
        assert found.range_info.request_length == len(expected)


def test_a_part_behind_the_end_is_an_error(s3: S3) -> None:
    s3.put("digits", b"0123456789")
    with pytest.raises(S3InvalidRange):
        s3.get(S3GetObject("digits", 10, 1))


@pytest.mark.parametrize(("offset", "length"), [(-1, 5), (0, 0), (0, -1)])
def test_a_part_that_cannot_be_is_refused(s3: S3, offset: int, length: int) -> None:
    with pytest.raises(UsageError):
        s3.get(S3GetObject("digits", offset, length))


def test_many_come_in_the_order_of_their_keys(s3: S3) -> None:
    pairs = [(f"{number:03}", str(number)) for number in range(100)]
    written = s3.put_many(pairs)
    assert [key for key, _ in written] == [key for key, _ in pairs]
    keys = [key for key, _ in reversed(pairs)]
    assert [one.text for one in s3.get_many(keys)] == [str(int(key)) for key in keys]
    assert [one.text for one in s3.iter_many(keys)] == [str(int(key)) for key in keys]
    assert [one.size for one in s3.info_many(keys)] == [len(str(int(key))) for key in keys]
    assert [one.text for one in s3.get_all()] == [value for _, value in pairs]
    assert [one.text for one in s3.iter_recursive()] == [value for _, value in pairs]


def test_what_is_missing_is_an_error_or_an_object_that_does_not_exist(s3: S3, bucket: str) -> None:
    s3.put("there", "x")
    with pytest.raises(S3NotFound) as caught:
        s3.get("missing")
    assert (caught.value.bucket, caught.value.key) == (bucket, "base/missing")
    for ask in (s3.get, s3.info):
        found = ask("missing", return_missing=True)
        assert (found.exists, found.size, found.blob, found.path) == (False, None, None, None)
        assert (found.last_modified, found.has_info, found.key) == (None, False, "missing")
    for many in (s3.get_many, s3.info_many, s3.iter_many):
        found_many = list(many(["there", "missing"], return_missing=True))
        assert [one.exists for one in found_many] == [True, False]
        with pytest.raises(S3NotFound):
            list(many(["there", "missing"]))


def test_a_missing_bucket_is_an_error_even_where_missing_objects_are_none(bucket: str) -> None:
    with S3(s3root="s3://no-such-bucket") as s3:
        for ask in (s3.get, s3.info):
            with pytest.raises(S3NotFound) as caught:
                ask("key", return_missing=True)
            assert caught.value.key is None
        for call in (s3.list_recursive, s3.list_paths, lambda: s3.put("key", b"")):
            with pytest.raises(S3NotFound) as caught:
                call()
            assert (caught.value.bucket, caught.value.key) == ("no-such-bucket", None)


def test_an_object_is_not_overwritten_unless_it_may_be(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("third")
    s3.put("key", "first")
    assert s3.put("key", "second", overwrite=False).endswith("/base/key")
    assert s3.put_many([("key", "second"), ("new", "x")], overwrite=False) == [
        ("new", s3.info("new").url)
    ]
    assert s3.put_files([("key", tmp_path / "file")], overwrite=False) == []
    assert s3.get("key").text == "first"
    s3.put_files([("key", tmp_path / "file")])
    assert s3.get("key").text == "third"


def test_put_objects_say_all_of_what_is_written(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from a file")
    s3.put(S3PutObject("one", value="x", content_type="text/plain"))
    s3.put_files([S3PutObject("two", path=tmp_path / "file", metadata={"a": "b"})])
    s3.put_many([S3PutObject("three", value=b"y")])
    assert s3.info("one").content_type == "text/plain"
    assert (s3.get("two").blob, s3.info("two").metadata) == (b"from a file", {"a": "b"})
    with pytest.raises(UsageError):
        s3.put(S3PutObject("four", value="x"), "y")
    with pytest.raises(UsageError):
        s3.put(S3PutObject("four", value="x", path=tmp_path / "file"))


def test_a_missing_file_and_a_key_given_twice_are_refused(s3: S3, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        s3.put_files([("key", tmp_path / "missing")])
    with pytest.raises(UsageError):
        s3.put_many([("key", "a"), ("key", "b")])


def test_one_key_is_not_taken_for_many(s3: S3) -> None:
    with pytest.raises(UsageError):
        s3.get_many("key")
    with pytest.raises(UsageError):
        s3.list_paths("key")


@pytest.mark.parametrize(
    "use",
    [
        lambda s3: s3.put_many({"c": "d"}),
        lambda s3: s3.put_many(["cd"]),
        lambda s3: s3.put_many([("c",)]),
        lambda s3: s3.put_many(5),
        lambda s3: s3.put_files({"c": "d"}),
        lambda s3: s3.put_files([("c", 5)]),
        lambda s3: s3.put(5, "x"),
        lambda s3: s3.get(5),
        lambda s3: s3.get_many(5),
        lambda s3: s3.get_many([None, 5]),
        lambda s3: s3.list_paths([5]),
        lambda s3: s3.get(S3GetObject("c", offset=None)),
        lambda s3: s3.get(S3GetObject("c", length="1")),
        lambda s3: s3.get(S3GetObject(5)),
    ],
)
def test_what_is_no_key_pair_or_part_is_refused(use: Callable[[Any], object], s3: S3) -> None:
    with pytest.raises(UsageError) as caught:
        use(s3)
    assert caught.value.hint
    assert s3.list_recursive() == []


def test_text_that_is_no_utf8_is_an_error(s3: S3) -> None:
    s3.put("bytes", b"\xff\xfe")
    with pytest.raises(UsageError):
        _ = s3.get("bytes").text


def test_nothing_can_be_had_after_the_scope_has_ended(bucket: str) -> None:
    with S3(s3root=f"s3://{bucket}") as s3:
        s3.put("key", b"value")
        found = s3.get("key")
    assert (found.size, found.exists) == (5, True)
    for read in (lambda: found.blob, lambda: found.path, lambda: s3.get("key")):
        with pytest.raises(UsageError):
            read()
    s3.close()


def test_objects_passed_one_by_one_stay_within_the_memory_given(
    bucket: str, tmp_path: Path
) -> None:
    data = os.urandom(MIB)
    with S3(s3root=f"s3://{bucket}", tmproot=tmp_path, memory_mb=3) as s3:
        s3.put_many([(f"{number:02}", data) for number in range(20)])
        s3.put("20-large", data * 4)
        sizes = [(one.key, one.size, one.blob == data) for one in s3.iter_recursive()]
        # Only the one that is larger than all of the memory went to a file.
        (folder,) = tmp_path.iterdir()
        assert len(list(folder.iterdir())) == 1
    assert [size for _, size, _ in sizes] == [MIB] * 20 + [4 * MIB]
    assert all(same for _, _, same in sizes[:20])


def test_objects_that_are_kept_go_to_files_beyond_the_memory_given(
    bucket: str, tmp_path: Path
) -> None:
    with S3(s3root=f"s3://{bucket}", tmproot=tmp_path, memory_mb=3) as s3:
        keys = [f"{number:02}" for number in range(8)]
        s3.put_many([(key, key.encode() * (MIB // 2)) for key in keys])
        kept = s3.get_many(keys)
        (folder,) = tmp_path.iterdir()
        assert len(list(folder.iterdir())) == 5
        assert [one.blob for one in kept] == [key.encode() * (MIB // 2) for key in keys]
        del kept
        again = s3.get_many(keys[:3])
        assert len(list(folder.iterdir())) == 5
        assert [one.size for one in again] == [MIB] * 3


def test_reading_ahead_ends_when_the_reader_does(s3: S3) -> None:
    s3.put_many([(f"{number:03}", b"x" * 1000) for number in range(200)])
    for found in s3.iter_recursive():
        assert found.key == "000"
        break
    assert s3.get("199").size == 1000


def test_threads_share_a_scope(s3: S3) -> None:
    s3.put_many([(str(number), str(number)) for number in range(20)])
    seen: dict[int, str | None] = {}

    def read(number: int) -> None:
        seen[number] = s3.get(str(number)).text

    threads = [threading.Thread(target=read, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: str(number) for number in range(20)}


def test_other_clients_read_what_was_written_and_the_other_way_round(s3: S3, bucket: str) -> None:
    other = boto3.client("s3")
    data = os.urandom(20 * MIB)
    s3.put("ours", data, content_type="a/b", metadata={"k": "v"})
    answer = other.get_object(Bucket=bucket, Key="base/ours")
    assert answer["Body"].read() == data
    assert (answer["ContentType"], answer["Metadata"]) == ("a/b", {"k": "v"})
    other.put_object(Bucket=bucket, Key="base/theirs", Body=b"hello", Metadata={"x": "y"})
    assert (s3.get("theirs").blob, s3.info("theirs").metadata) == (b"hello", {"x": "y"})


def test_a_marker_of_a_folder_is_no_object_to_read(s3: S3, bucket: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="base/folder/", Body=b"")
    s3.put("folder/key", "x")
    assert [one.key for one in s3.get_recursive(["folder"])] == ["folder/key"]
    assert [one.key for one in s3.get_all()] == ["folder/key"]


def test_encryption_that_the_server_does_not_offer_is_an_error(bucket: str) -> None:
    with S3(s3root=f"s3://{bucket}", encryption="aws:kms") as s3, pytest.raises(S3Error):
        s3.put("key", b"value")
