"""Tapes and transcripts, and whoever follows them."""

from __future__ import annotations

import asyncio
import threading

from flowkit.launch.bell import Bell
from flowkit.launch.following import Tape, Transcript


def test_followers_in_threads_get_every_item_once_and_come_to_an_end() -> None:
    bell = Bell()
    tape: Tape[int] = Tape(bell, most=10_000)
    heard: list[list[int]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda to=to: to.extend(tape)) for to in heard]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for number in range(2000):
        tape.add(number)
        bell.ring()
    tape.end()
    bell.ring()
    for thread in threads:
        thread.join()
    assert heard == [list(range(2000))] * 4
    assert list(tape) == list(range(2000))


def test_only_the_latest_items_are_kept_for_late_followers() -> None:
    tape: Tape[int] = Tape(Bell(), most=10)
    for number in range(105):
        tape.add(number)
    tape.end()
    kept = list(tape)
    assert kept == list(range(105 - len(kept), 105))
    assert 10 <= len(kept) < 20


def test_a_transcript_is_followed_from_any_line_in_an_event_loop() -> None:
    bell = Bell()
    transcript = Transcript(bell)

    def write() -> None:
        for line in ("one\n", "zwölf\n", "three\n"):
            transcript.write(line)
            bell.ring()
        transcript.end()
        bell.ring()

    async def follow() -> None:
        writer = threading.Thread(target=write)
        writer.start()
        lines = [line async for line in transcript.lines()]
        assert lines == [(4, "one"), (11, "zwölf"), (17, "three")]
        assert [line async for line in transcript.lines(4)] == lines[1:]
        writer.join()

    asyncio.run(follow())
    assert transcript.text == "one\nzwölf\nthree\n"


def test_a_bell_rung_after_the_event_loop_was_closed_is_no_error() -> None:
    bell = Bell()

    async def waits() -> None:
        waiting = asyncio.create_task(bell.heard(lambda: False))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(waits())
    bell.ring()


def test_much_text_is_kept_whole() -> None:
    transcript = Transcript(Bell())
    for number in range(30_000):
        transcript.write(f"{number:0100}\n")
    assert len(transcript.text) == 30_000 * 101
