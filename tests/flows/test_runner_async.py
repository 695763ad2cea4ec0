"""`Runner` in an event loop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from flowkit import Runner, UsageError
from flowkit.runner import RunEnded

FLOW = """
import sys
from flowkit import FlowSpec, Parameter, step

class Async(FlowSpec):
    fifo = Parameter("fifo", default="")
    number = Parameter("number", default=0)

    @step
    def start(self):
        print("begins", self.number)
        if self.fifo:
            open(self.fifo).read()
        print("goes on", file=sys.stderr)
        self.next(self.end)

    @step
    def end(self):
        print("ends", self.number)
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Make a runner of a flow, and a pipe that its first step can wait for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWKIT_SYNC", "0")
    (tmp_path / "flow.py").write_text(FLOW)
    os.mkfifo("fifo")
    return Runner("flow.py", show_output=False)


def test_a_run_is_awaited_while_the_loop_goes_on(runner: Runner) -> None:
    async def main() -> None:
        with await runner.async_run(fifo="fifo") as running:
            assert running.status == "running"
            # The run ends because of what this very loop does while it is awaited.
            ended = asyncio.create_task(running.wait())
            Path("fifo").write_text("go on")
            assert await ended is running
            assert (running.status, running.returncode) == ("successful", 0)

    asyncio.run(main())


def test_a_runner_stops_what_goes_on_where_its_async_block_ends(runner: Runner) -> None:
    async def main() -> str:
        async with runner as same:
            running = await same.async_run(fifo="fifo")
        return running.status

    assert asyncio.run(main()) != "running"


def test_lines_are_streamed_and_a_stream_is_taken_up_again(runner: Runner) -> None:
    async def main() -> None:
        async with await runner.async_run(fifo="fifo") as running:
            lines = running.stream_log("stdout")
            position, first = await anext(lines)
            assert first == "start | begins 0"
            Path("fifo").write_text("go on")
            assert [line async for _, line in lines] == ["end | ends 0"]
            again = [line async for _, line in running.stream_log("stdout", position)]
            assert again == ["end | ends 0"]
            assert "start | goes on" in [line async for _, line in running.stream_log("stderr")]
            with pytest.raises(UsageError, match="stdin"):
                await anext(running.stream_log("stdin"))

    asyncio.run(main())


def test_waiting_prints_a_stream(runner: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        await (await runner.async_run(number=3)).wait(stream="stdout")

    asyncio.run(main())
    assert capsys.readouterr().out == "start | begins 3\nend | ends 3\n"


def test_waiting_too_long_stops_the_run(runner: Runner) -> None:
    async def main() -> None:
        async with await runner.async_run(fifo="fifo") as running:
            await running.wait(timeout=0.05)
            assert running.status == "timeout"
            assert running.run.status == "cancelled"

    asyncio.run(main())


def test_events_are_followed_by_an_event_loop(runner: Runner) -> None:
    async def main() -> None:
        async with await runner.async_run() as running:
            events = [event async for event in running.events]
        assert isinstance(events[-1], RunEnded)
        assert events[-1].end.status == "succeeded"

    asyncio.run(main())


def test_many_runs_are_awaited_at_once(runner: Runner) -> None:
    async def one(number: int) -> str:
        async with await runner.async_run(number=number) as running:
            return (await running.wait()).stdout

    async def main() -> list[str]:
        return list(await asyncio.gather(*map(one, range(5))))

    texts = asyncio.run(main())
    assert texts == [f"start | begins {one}\nend | ends {one}\n" for one in range(5)]


def test_a_wrong_parameter_is_raised_where_the_run_is_started(runner: Runner) -> None:
    with pytest.raises(UsageError, match="number"):
        asyncio.run(runner.async_run(number="many"))


def test_a_start_that_is_cancelled_leaves_no_run(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text("open('fifo').read()\n" + FLOW)

    async def main() -> None:
        starting = asyncio.create_task(runner.async_run())
        # Opens when the flow has opened it too: it is being imported then.
        with await asyncio.to_thread(open, "fifo", "w"):
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            await asyncio.to_thread(runner.cleanup)

    asyncio.run(main())


def test_a_run_is_resumed_from_an_event_loop(runner: Runner) -> None:
    async def main() -> None:
        async with await runner.async_run(fifo="fifo") as stopped:
            stopped.terminate()
        async with await runner.async_resume(tags=["again"]) as resumed:
            Path("fifo").write_text("go on")
            await resumed.wait()
        assert resumed.status == "successful"
        assert resumed.run.origin_pathspec == stopped.run.pathspec

    asyncio.run(main())
