"""What steps print: in order, whole, and also what was printed last before a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab


def _one_step(body: str, top: str = "") -> str:
    indented = "\n".join(" " * 8 + line for line in body.strip().splitlines())
    head = "class Talking(FlowSpec):\n    @step(start=True, end=True)\n    def only(self):"
    return f"{top}\n{head}\n{indented}\n"


def test_lines_are_kept_in_order_with_their_times(any_lab: Lab) -> None:
    ran = any_lab.run(
        _one_step(
            """
for n in range(50):
    print("out", n)
    print("err", n, file=sys.stderr)
print("ünï 日本 \\U0001f600")
print("no newline", end="")
"""
        )
    )
    task = ran.run["only"].task
    assert task.stdout.splitlines()[:50] == [f"out {n}" for n in range(50)]
    assert task.stdout.endswith("ünï 日本 \U0001f600\nno newline")
    assert task.stderr == "".join(f"err {n}\n" for n in range(50))
    times = [time for stream in ("stdout", "stderr") for time, _ in task.loglines(stream)]
    assert times[:51] == sorted(times[:51])
    began, ended = task.created_at, task.finished_at
    assert began is not None
    assert ended is not None
    assert all(began <= time for time in times)
    assert max(times) <= ended


def test_both_streams_keep_their_order_to_one_another(process_lab: Lab) -> None:
    ran = process_lab.run(
        _one_step("for n in range(200):\n    print(n, file=(sys.stdout, sys.stderr)[n % 2])")
    )
    assert ran.printed == [str(n) for n in range(200)]


def test_bytes_that_are_no_text_are_kept_as_they_are(process_lab: Lab) -> None:
    ran = process_lab.run(
        _one_step(
            """
sys.stdout.buffer.write(b"\\xff\\x00\\x1b[31m\\x1e\\x1eo1 2\\n")
sys.stdout.buffer.write(b"\\x1eo12 5\\nabc\\n")
os.write(1, b"raw \\xfe\\n")
"""
        )
    )
    lines = [text for _, text in ran.run["only"].task.loglines("stdout", as_unicode=False)]
    assert lines == [b"\xff\x00\x1b[31m\x1e\x1eo1 2", b"\x1eo12 5", b"abc", b"raw \xfe"]


def test_a_line_of_five_megabytes_is_whole(process_lab: Lab) -> None:
    ran = process_lab.run(_one_step("print('x' * 5_000_000 + 'y')\nprint('after')"))
    out = ran.run["only"].task.stdout
    assert out == "x" * 5_000_000 + "y\nafter\n"


def test_output_beyond_the_limit_is_cut_and_said(lab: Lab) -> None:
    lab.having(log_limit_bytes=5_000)
    ran = lab.run(_one_step("for n in range(2_000):\n    print('line', n)"))
    out = ran.run["only"].task.stdout
    assert len(out) < 6_000
    assert out.startswith("line 0\nline 1\n")
    assert "limit" in out.splitlines()[-1]
    assert ran.printed[-1] == "line 1999"


def test_what_c_code_and_children_print_is_kept(process_lab: Lab) -> None:
    ran = process_lab.run(
        _one_step(
            """
import ctypes
libc = ctypes.CDLL(None)
os.write(1, b"raw out\\n")
os.write(2, b"raw err\\n")
subprocess.run(["sh", "-c", "echo child out; echo child err >&2"])
os.system("echo system")
libc.printf(b"buffered by C\\n")
"""
        )
    )
    task = ran.run["only"].task
    assert task.stdout == "raw out\nchild out\nsystem\nbuffered by C\n"
    assert task.stderr == "raw err\nchild err\n"


def test_what_importing_leaves_in_buffers_of_c_is_printed_by_no_task(lab: Lab) -> None:
    top = 'import ctypes\nctypes.CDLL(None).printf(b"imported\\n")\nprint("imported too")'
    ran = lab.run(_one_step("print('step')", top))
    assert ran.run["only"].task.stdout == "step\n"


@pytest.mark.parametrize("where", ["top", "step"])
def test_logging_is_kept(process_lab: Lab, where: str) -> None:
    setup = "import logging, warnings\nlogging.basicConfig(level=logging.INFO)"
    body = "logging.getLogger('lab').info('told %s', 1)\nwarnings.warn('careful')"
    text = _one_step(body, setup) if where == "top" else _one_step(f"{setup}\n{body}")
    err = process_lab.run(text).run["only"].task.stderr
    assert "INFO:lab:told 1\n" in err
    assert "UserWarning: careful" in err


@pytest.mark.parametrize(
    "death",
    ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "__import__('ctypes').string_at(0)"],
)
def test_a_crash_loses_nothing_that_was_printed(lab: Lab, death: str) -> None:
    ran = lab.run(
        _one_step(
            f"""
for n in range(5_000):
    print("line", n, "." * 50)
sys.stdout.write("last words")
{death}
"""
        )
    )
    assert ran.status == "failed"
    lines = ran.run["only"].task.stdout.splitlines()
    assert len(lines) == 5_001
    assert (lines[4_999][:9], lines[-1]) == ("line 4999", "last words")


def test_threads_and_children_print_whole_lines(process_lab: Lab) -> None:
    ran = process_lab.run(
        _one_step(
            """
import threading
threads = [threading.Thread(target=talk, args=(name,)) for name in "abc"]
for one in threads: one.start()
for one in threads: one.join()
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(talk, "de")
""",
            """
def talk(name):
    for n in range(300):
        sys.stdout.write(f"{name} {n}\\n")
""",
        )
    )
    assert ran.status == "succeeded", ran.end
    lines = ran.run["only"].task.stdout.splitlines()
    assert sorted(lines) == sorted(f"{name} {n}" for name in "abcde" for n in range(300))


def test_a_pipe_that_was_made_not_to_block_loses_nothing(process_lab: Lab) -> None:
    ran = process_lab.run(
        _one_step("os.set_blocking(1, False)\nfor n in range(20_000):\n    print('line', n)")
    )
    assert ran.status == "succeeded", ran.end
    lines = ran.run["only"].task.stdout.splitlines()
    assert lines == [f"line {n}" for n in range(20_000)]


def test_a_child_that_lives_on_holds_nothing_up(process_lab: Lab) -> None:
    ran = process_lab.run(
        _one_step(
            """
subprocess.Popen(["sleep", "300"])
subprocess.Popen(["sleep", "30"], start_new_session=True)
print("done")
"""
        )
    )
    assert ran.status == "succeeded"
    assert ran.run["only"].task.stdout == "done\n"


def test_the_command_line_shows_output_by_task_and_keeps_talk_apart(lab: Lab) -> None:
    lab.write(
        """
    class Shown(FlowSpec):
        @step
        def start(self):
            self.items = ["a", "b"]
            print("from start")
            self.next(self.work, foreach="items")

        @step
        def work(self):
            print("got", self.input)
            print("ünï", file=sys.stderr)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    ended = lab.cli("run", str(lab.file), "--max-workers", "1", "--executor", "local")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "start | from start",
        "work[0] | got a",
        "work[1] | got b",
    ]
    assert ended.stderr.count("ünï") == 2
