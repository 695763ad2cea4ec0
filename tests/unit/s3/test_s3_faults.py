"""What bad networks and servers do: what is read is whole, or there is a clear error."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit import (
    S3,
    S3AccessDenied,
    S3Error,
    S3Interrupted,
    S3NotFound,
    S3ObjectChanged,
    S3Unavailable,
)
from flowkit.testing import (
    Fault,
    FaultyProxy,
    Hold,
    Refuse,
    Reset,
    ResetUpload,
    ShortLength,
    SlowUpload,
    Stall,
    Trickle,
    Truncate,
)

MIB = 1 << 20
SMALL = os.urandom(300_000)
LARGE = os.urandom(9 * MIB)
"""Two parts."""

PASSING: list[Fault] = [
    Reset(0),
    Reset(100_000),
    Truncate(0),
    Truncate(100_000),
    Stall(0),
    Stall(100_000),
    Trickle(60_000, pause_s=0.02),
    ShortLength(1000),
    ShortLength(0),
    Refuse(503, "SlowDown"),
    Refuse(500, "InternalError"),
    Refuse(429, "TooManyRequests"),
    Refuse(400, "RequestTimeout"),
]


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_an_object_is_whole_after_a_fault_that_passes(
    open_shaky: Callable[..., S3], proxy: FaultyProxy, fault: Fault
) -> None:
    s3 = open_shaky()
    s3.put("key", SMALL)
    proxy.plan(fault)
    assert s3.get("key").blob == SMALL
    assert fault in [one.fault for one in proxy.seen]


@pytest.mark.parametrize("memory_mb", [0, 64])
@pytest.mark.parametrize("fault", [Reset(MIB), Truncate(MIB), ShortLength(MIB), Refuse()], ids=str)
def test_a_large_object_is_whole_after_faults_in_several_parts(
    open_shaky: Callable[..., S3], proxy: FaultyProxy, fault: Fault, memory_mb: int
) -> None:
    s3 = open_shaky(memory_mb=memory_mb)
    s3.put("key", LARGE)
    proxy.plan(fault, times=2)
    assert s3.get("key").blob == LARGE


def test_many_objects_are_whole_while_every_answer_may_break_off(
    open_shaky: Callable[..., S3], proxy: FaultyProxy
) -> None:
    s3 = open_shaky(retries=8)
    objects = [(f"{number:02}", os.urandom(50_000)) for number in range(30)]
    s3.put_many(objects)
    for number in range(30):
        proxy.plan(PASSING[number % 4] if number % 2 else ShortLength(20_000))
    assert [one.blob for one in s3.get_all()] == [data for _, data in objects]


@pytest.mark.parametrize(
    "fault", [Reset(1000), Truncate(1000), ShortLength(1000), Refuse(), Stall(1000)], ids=str
)
@pytest.mark.parametrize("memory_mb", [0, 64])
def test_a_fault_that_stays_is_an_error_and_nothing_is_returned(
    open_shaky: Callable[..., S3], proxy: FaultyProxy, fault: Fault, memory_mb: int
) -> None:
    s3 = open_shaky(retries=1, memory_mb=memory_mb)
    s3.put("key", SMALL)
    proxy.plan(fault, times=1000)
    with pytest.raises((S3Interrupted, S3Unavailable)) as caught:
        s3.get("key")
    assert caught.value.retryable
    assert caught.value.hint
    with pytest.raises((S3Interrupted, S3Unavailable)):
        list(s3.iter_many(["key"]))


@pytest.mark.parametrize("fault", [Reset(100), Truncate(100), ShortLength(300), Refuse()], ids=str)
def test_a_listing_is_whole_or_an_error(
    open_shaky: Callable[..., S3], proxy: FaultyProxy, fault: Fault
) -> None:
    s3 = open_shaky(retries=2)
    keys = [f"folder-{number}/key" for number in range(20)]
    s3.put_many([(key, "x") for key in keys])
    for list_all in (s3.list_recursive, s3.list_paths):
        proxy.plan(fault, path="list-type=2")
        assert len(list_all()) == 20
    proxy.plan(fault, path="list-type=2", times=1000)
    for list_all in (s3.list_recursive, s3.list_paths):
        with pytest.raises((S3Interrupted, S3Unavailable)):
            list_all()


UPLOADS: list[Fault] = [ResetUpload(1000), ResetUpload(0), Refuse(), Reset(0), Truncate(0)]


@pytest.mark.parametrize("fault", UPLOADS, ids=str)
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_what_is_written_is_whole_after_a_fault_that_passes(
    open_shaky: Callable[..., S3], proxy: FaultyProxy, tmp_path: Path, fault: Fault, data: bytes
) -> None:
    s3 = open_shaky()
    (tmp_path / "file").write_bytes(data)
    proxy.plan(fault, method="PUT")
    s3.put("value", data)
    proxy.plan(fault, method="PUT")
    s3.put_files([("file", tmp_path / "file")])
    assert [one.blob for one in s3.get_all()] == [data, data]


def test_an_upload_may_take_longer_than_the_wait_for_a_byte(
    open_shaky: Callable[..., S3], proxy: FaultyProxy
) -> None:
    s3 = open_shaky(retries=0)
    data = os.urandom(8 * MIB)
    proxy.plan(SlowUpload(MIB, pause_s=0.15), method="PUT")
    s3.put("key", data)
    assert s3.get("key").blob == data


@pytest.mark.parametrize("fault", [ResetUpload(1000), Refuse()], ids=str)
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_an_object_stays_as_it_was_if_writing_it_fails(
    open_shaky: Callable[..., S3], proxy: FaultyProxy, fault: Fault, data: bytes
) -> None:
    s3 = open_shaky(retries=1)
    s3.put("key", "before")
    proxy.plan(fault, method="PUT", times=1000)
    with pytest.raises(S3Unavailable):
        s3.put("key", data)
    assert s3.get("key").text == "before"


@pytest.mark.parametrize("size", [MIB, 20 * MIB], ids=["small", "large"])
def test_an_object_that_is_replaced_while_it_is_read_is_an_error(
    open_shaky: Callable[..., S3], proxy: FaultyProxy, size: int
) -> None:
    s3 = open_shaky(timeout_s=30)
    s3.put("key", b"a" * size)
    before, replaced = len(proxy.seen), threading.Event()
    proxy.plan(Hold(1000, replaced))

    def replace() -> None:
        assert proxy.wait_until_seen(before + 1)
        s3.put("key", b"b" * size)
        replaced.set()

    replacing = threading.Thread(target=replace)
    replacing.start()
    with pytest.raises(S3ObjectChanged):
        s3.get("key")
    replacing.join()
    assert s3.get("key").blob == b"b" * size


def test_refused_credentials_are_told_from_missing_ones(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with S3(s3root=f"s3://{bucket}") as s3:
        for call in (
            lambda: s3.get("key"),
            lambda: s3.info("key"),
            lambda: s3.put("key", b""),
            s3.list_recursive,
            s3.list_paths,
        ):
            with pytest.raises(S3AccessDenied):
                call()


@pytest.mark.parametrize("key", ["latest/meta-data/x", "PermanentRedirect", "body error"])
def test_a_key_is_not_taken_for_the_words_of_an_error(s3: S3, key: str) -> None:
    with pytest.raises(S3NotFound) as caught:
        s3.get(key)
    assert caught.value.key == f"base/{key}"


def test_a_bucket_in_another_region_is_told(
    open_shaky: Callable[..., S3], proxy: FaultyProxy
) -> None:
    s3 = open_shaky()
    proxy.plan(Refuse(301, "PermanentRedirect"))
    with pytest.raises(S3Error) as caught:
        s3.get("key")
    assert "AWS_REGION" in (caught.value.hint or "")


def test_an_answer_that_nobody_knows_is_told_with_its_code(
    open_shaky: Callable[..., S3], proxy: FaultyProxy
) -> None:
    s3 = open_shaky()
    proxy.plan(Refuse(418, "ImATeapot"))
    with pytest.raises(S3Error, match="ImATeapot") as caught:
        s3.get("key")
    assert not isinstance(caught.value, S3NotFound)


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://127.0.0.1:1", "nothing accepts connections there"),
        ("https://127.0.0.1:1", "nothing accepts connections there"),
        ("http://no-such-host.invalid", "its name is not known"),
    ],
)
def test_an_endpoint_that_does_not_answer_is_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch, endpoint: str, why: str
) -> None:
    monkeypatch.setenv("FLOWKIT_S3_ENDPOINT", endpoint)
    monkeypatch.setenv("FLOWKIT_S3_RETRIES", "1")
    with S3(s3root=f"s3://{bucket}") as s3:
        for call in (lambda: s3.get("key"), s3.list_recursive, lambda: s3.put("key", b"")):
            with pytest.raises(S3Unavailable) as caught:
                call()
            assert endpoint in caught.value.message
            assert why in caught.value.message
