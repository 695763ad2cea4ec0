"""Files of parameters and configs that are objects of S3, read once, before the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from flowkit import S3
from flowkit.errors import UsageError
from flowkit.testing import S3Server, open_s3_server

if TYPE_CHECKING:
    from conftest import Lab

FLOW = """
    from flowkit import Config, IncludeFile

    class Included(FlowSpec):
        config = Config("config", default="s3://files/config.json")
        words = IncludeFile("words", default="s3://files/words.txt")
        raw = IncludeFile("raw", default="s3://files/raw.bin", is_text=False)
        absent = IncludeFile("absent", required=False, default="s3://files/absent")

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            self.read = [self.config.alpha, self.words, self.raw, self.absent]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with open_s3_server() as server:
        server.create_bucket("files")
        yield server


@pytest.fixture
def at_s3(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in a bucket, in an environment in which it is found."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with S3(s3root="s3://files") as s3:
        s3.put("config.json", '{"alpha": 3}')
        s3.put("words.txt", "süß")
        s3.put("raw.bin", bytes(range(256)))


@pytest.mark.usefixtures("at_s3")
def test_flow_reads_files_at_s3_in_every_executor(any_lab: Lab) -> None:
    ran = any_lab.run(FLOW)
    assert ran.status == "succeeded", ran.end
    assert ran.value("read") == [3, "süß", bytes(range(256)), None]


@pytest.mark.usefixtures("at_s3")
def test_object_or_bucket_that_is_not_there_is_told_before_the_run(lab: Lab) -> None:
    lab.write(FLOW)
    with pytest.raises(UsageError, match=r"`s3://files/other.txt` of parameter `words`"):
        lab.run(words="s3://files/other.txt")
    with pytest.raises(UsageError, match=r"`s3://nowhere/a` of parameter `words`"):
        lab.run(words="s3://nowhere/a")
    assert list(lab.workspace.store.run_ids("Included")) == []
