"""What importing a flow leaves behind: tasks of a warm process see what those of a cold one do."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Yard

LONG = pytest.mark.skipif(
    os.environ.get("FLOWKIT_CRASH") != "long", reason="FLOWKIT_CRASH=long runs it"
)

EXECUTORS = ("local", "process")

MANY = """
import atexit, faulthandler, gc, logging, logging.handlers, resource, socket, sqlite3, threading
import warnings, _thread, contextvars
from pathlib import Path

HERE = Path(os.environ["YARD"])
SEEN = []

def note(number, frame):
    SEEN.append(signal.Signals(number).name)

for one in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1):
    signal.signal(one, note)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGUSR2})
WOKEN = os.open(HERE / "woken", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK)
signal.set_wakeup_fd(WOKEN, warn_on_full_buffer=False)
signal.setitimer(signal.ITIMER_REAL, 600)

HELD = threading.Lock()
HELD.acquire()
OWN = threading.RLock()
OWN.acquire()
ENDED = threading.Thread(target=lambda: None)
ENDED.start()
ENDED.join()

(HERE / "read.txt").write_text("".join(f"{i}\\n" for i in range(100)))
READ = open(HERE / "read.txt", buffering=1)
READ.readline()
LISTENER = socket.create_server(("127.0.0.1", 0))
DATABASE = sqlite3.connect(HERE / "kept.sqlite", timeout=60)
DATABASE.execute("create table if not exists kept (number)")
DATABASE.commit()
OPEN = [os.open(os.devnull, os.O_RDONLY) for _ in range(100)]

class Tee:
    def __init__(self, stream):
        self.stream = stream
    def write(self, text):
        return self.stream.write(text.replace("plain", "teed"))
    def flush(self):
        self.stream.flush()

sys.stdout = Tee(sys.stdout)
LOG = logging.getLogger("hazards")
HANDLER = logging.StreamHandler(sys.stderr)
LOG.addHandler(HANDLER)
HANDLER.acquire()

(HERE / "sub").mkdir(exist_ok=True)
os.chdir(HERE / "sub")
os.umask(0o027)
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
sys.setrecursionlimit(20_000)
warnings.simplefilter("error", UserWarning)
gc.disable()
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
VARIABLE = contextvars.ContextVar("variable")
VARIABLE.set("imported")
random.seed(7)
OWN_RANDOM = random.Random(7)

def deep(n):
    return n and 1 + deep(n - 1)

class Many(FlowSpec):
    @step
    def start(self):
        self.numbers = [0, 1, 2]
        self.next(self.body, foreach="numbers")

    @step
    def body(self):
        found = {}
        before = os.fstat(WOKEN).st_size
        found["mask"] = sorted(s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGUSR1):
            os.kill(os.getpid(), one)
        found["exit"] = subprocess.run(["sh", "-c", "exit 3"]).returncode
        found["seen"] = sorted(set(SEEN))
        found["woken"] = sorted(set(os.pread(WOKEN, 100, before)))
        found["wakeup"] = signal.set_wakeup_fd(-1) == WOKEN
        found["timer"] = 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 600
        found["locks"] = HELD.locked(), OWN.acquire(blocking=False)
        found["read"] = READ.read()
        READ.seek(0)
        DATABASE.execute("insert into kept values (?)", (self.input,))
        DATABASE.commit()
        with socket.create_connection(LISTENER.getsockname()):
            found["accepted"] = True
        LOG.warning("logged")
        print("plain")
        found["folder"] = os.path.basename(os.getcwd())
        found["umask"] = os.umask(0)
        found["zone"] = time.tzname
        found["gc"] = gc.isenabled()
        found["depth"] = sys.getrecursionlimit(), deep(10_000)
        found["warnings"] = warnings.filters[0][0]
        found["core"] = resource.getrlimit(resource.RLIMIT_CORE)
        found["variable"] = VARIABLE.get()
        found["random"] = random.random(), OWN_RANDOM.random()
        leaked = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True)
        found["inherited"] = sorted(map(int, leaked.stdout.split()))
        self.found = repr(found)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = {one.found for one in inputs}
        self.next(self.end)

    @step
    def end(self):
        self.kept = DATABASE.execute("select count(*) from kept").fetchone()[0]
        self.sound = DATABASE.execute("pragma integrity_check").fetchone()[0]
"""

ONE = """
    class Only(FlowSpec):
        @step(start=True, end=True)
        def only(self):
"""


def _only(yard: Yard, imported: str, body: str) -> None:
    """Write a flow of one step."""
    yard.write(
        "import threading\n" + dedent(imported) + dedent(ONE) + indent(dedent(body), " " * 8)
    )


def _run(yard: Yard, *words: str) -> tuple[str, str]:
    done = yard.run("run", *words)
    assert done.returncode == 0, done.stderr
    assert yard.processes() == []
    return done.stdout, done.stderr


def test_what_an_import_sets_holds_in_every_task(yard: Yard) -> None:
    told = []
    for executor in EXECUTORS:
        yard.write(MANY)
        # One at a time, as what wakes one task is written to a file for all.
        stdout, stderr = _run(yard, "--executor", executor, "--max-workers", "1")
        assert "cold" not in stderr
        data = yard.latest("Many").data
        (found,) = data.found
        told.append((found, data.kept, data.sound, stdout.count("teed"), stderr.count("logged")))
        (yard.folder / "kept.sqlite").unlink()
    assert told[0] == told[1]
    assert told[0][1:4] == (3, "ok", 3)
    assert "'woken': [2, 10, 14, 15" in told[0][0]


def test_what_steps_leave_in_buffers_is_written(yard: Yard) -> None:
    _only(
        yard,
        """
        import logging.handlers
        KEPT = open(os.path.join(os.environ["YARD"], "kept.txt"), "a")
        KEPT.write("imported\\n")
        LATER = logging.FileHandler(os.path.join(os.environ["YARD"], "log.txt"))
        logging.getLogger().addHandler(logging.handlers.MemoryHandler(100, target=LATER))
        """,
        """
        global OPENED
        OPENED = open(os.path.join(os.environ["YARD"], "opened.txt"), "w")
        OPENED.write("step\\n")
        KEPT.write("step\\n")
        logging.warning("step")
        """,
    )
    _run(yard)
    # The import was one, so what it wrote is there once.
    assert (yard.folder / "kept.txt").read_text() == "imported\nstep\n"
    assert (yard.folder / "opened.txt").read_text() == "step\n"
    assert (yard.folder / "log.txt").read_text() == "step\n"


COLD = {
    "a thread": (
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "the thread `Thread-1",
    ),
    "a thread for ever": (
        "threading.Thread(target=time.sleep, args=(600,)).start()",
        "the thread `Thread-1",
    ),
    "a thread that Python does not list": (
        "import _thread; _thread.start_new_thread(time.sleep, (600,))",
        "the thread `",
    ),
    "a process": (
        "CHILD = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)",
        "the process `cat`",
    ),
    "a connection": (
        "import socket; S = socket.create_server(('127.0.0.1', 0));"
        "C = socket.create_connection(S.getsockname())",
        "a connection to 127.0.0.1:",
    ),
    "a pipe": ("import multiprocessing; QUEUE = multiprocessing.Queue()", "a pipe"),
    "a transaction": (
        "import sqlite3; D = sqlite3.connect(':memory:'); D.execute('create table t (x)');"
        "D.execute('insert into t values (1)')",
        "a transaction of SQLite open: commit it",
    ),
    "a value of multiprocessing": (
        "import multiprocessing; VALUE = multiprocessing.Value('i', 0)",
        "memory that tasks would share",
    ),
    "an array of multiprocessing": (
        "import multiprocessing; ARRAY = multiprocessing.RawArray('i', 3)",
        "memory that tasks would share",
    ),
    "anonymous memory": ("import mmap; MAP = mmap.mmap(-1, 9)", "memory that tasks would share"),
    "a generator": ("OWN = random.Random()", "the random generator `OWN`"),
    "a generator of numpy": (
        "import numpy\nclass Kept: OWN = numpy.random.default_rng()",
        "a random generator of numpy in `Kept`",
    ),
    "an event loop": ("import asyncio; LOOP = asyncio.new_event_loop()", "an epoll"),
}


SELDOM = (
    "a thread",
    "an event loop",
    "a pipe",
    "a generator of numpy",
    "an array of multiprocessing",
    "anonymous memory",
)


@pytest.mark.parametrize(
    "what",
    [pytest.param(one, marks=LONG if one in SELDOM else ()) for one in COLD],
)
def test_what_a_fork_would_break_makes_tasks_cold(yard: Yard, what: str) -> None:
    imported, why = COLD[what]
    _only(yard, imported, "self.done = os.getppid()")
    _, stderr = _run(yard)
    assert re.search(f"cold processes, which is slower: importing the flow .*{why}", stderr)


def test_what_parameters_and_decorators_do_is_looked_at_too(yard: Yard) -> None:
    started = """
        def begin(*_):
            threading.Thread(target=time.sleep, args=(600,), daemon=True, name="begun").start()
            return 1
    """
    _only(yard, started, "assert self.given == 1")
    asked = yard.file.read_text().replace(
        "    @step(", "    given = Parameter(default=begin, type=int)\n    @step("
    )
    yard.file.write_text(asked)
    _, stderr = _run(yard)
    assert "slower: a parameter started the thread `begun`" in stderr
    lines = (
        *started.splitlines(),
        "        class Begins(StepMutator):",
        "            def mutate(self, step): begin()",
    )
    _only(yard, "\n".join(lines), "pass")
    _, stderr = _run(yard, "--with", "flow.Begins")
    assert "slower: a decorator of `--with` started the thread `begun`" in stderr


RANDOM = """
import secrets, tempfile, uuid
import numpy
numpy.random.random()
BEFORE = random.random()
SEEDED = random.Random(5), numpy.random.default_rng(5), numpy.random.RandomState(5)
if "SEED" in os.environ:
    random.seed(7)
    numpy.random.seed(7)

def begin(context):
    return int(random.random() + numpy.random.random()) * 0

class Drawing(FlowSpec):
    drawn = Parameter(default=begin, type=int)

    @step
    def start(self):
        self.numbers = [0, 1]
        self.next(self.draw, foreach="numbers")

    @step
    def draw(self):
        self.seeded = repr([one.random() for one in SEEDED])
        self.open = [
            random.random(), random.gauss(0, 1), numpy.random.random(), numpy.random.normal(),
        ]
        self.fresh = [
            random.Random().random(), numpy.random.default_rng().random(),
            secrets.token_hex(), uuid.uuid4().hex, uuid.uuid1().hex, os.urandom(8),
            random.SystemRandom().random(), tempfile.mktemp(),
        ]
        self.hashed = hash("text")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.seeded = {one.seeded for one in inputs}
        self.open = list(zip(*(one.open for one in inputs)))
        self.fresh = list(zip(*(one.fresh for one in inputs)))
        self.hashed = {one.hashed for one in inputs}
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.mark.parametrize("executor", ["local", pytest.param("process", marks=LONG)])
@pytest.mark.parametrize("is_seeded", [False, True])
def test_random_numbers_differ_between_tasks_unless_they_are_seeded(
    yard: Yard, executor: str, is_seeded: bool
) -> None:
    numpy = pytest.importorskip("numpy")
    yard.write(RANDOM)
    more = {"SEED": "1", "PYTHONHASHSEED": "3"} if is_seeded else {}
    done = yard.run("run", "--executor", executor, **more)
    assert done.returncode == 0, done.stderr
    assert "cold" not in done.stderr
    data = yard.latest("Drawing").data
    own = random.Random(5), numpy.random.default_rng(5), numpy.random.RandomState(5)
    assert data.seeded == {repr([one.random() for one in own])}
    assert all(len(set(one)) == 2 for one in data.fresh)
    assert all(len(set(one)) == (1 if is_seeded else 2) for one in data.open)
    if is_seeded:
        python, legacy = random.Random(7), numpy.random.RandomState(7)
        drawn = python.random(), python.gauss(0, 1), legacy.random(), legacy.normal()
        assert tuple(one[0] for one in data.open) == drawn
        assert len(data.hashed) == 1


HELD = """
import functools
class Aug:
    def __init__(self, rng):
        self.rng = rng
class Mine(random.Random):
    pass
def draw(rng=random.Random(SEED)):
    return rng.random()
AUG = Aug(random.Random(SEED))
DRAWS = [AUG.rng.random, Mine(SEED).random, draw, functools.partial(random.Random(SEED).random)]

class Drawing(FlowSpec):
    @step
    def start(self):
        self.numbers = [0, 1]
        self.next(self.draw, foreach="numbers")

    @step
    def draw(self):
        self.drawn = [one() for one in DRAWS]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.drawn = list(zip(*(one.drawn for one in inputs)))
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.mark.parametrize("seed", ["", "7"])
def test_generators_that_are_held_by_others_draw_as_in_fresh_processes(
    yard: Yard, seed: str
) -> None:
    yard.write(HELD.replace("SEED", seed))
    _, stderr = _run(yard)
    assert ("a random generator in `" in stderr) == (not seed)
    assert ("cold" in stderr) == (not seed)
    drawn = yard.latest("Drawing").data.drawn
    assert [len(set(one)) for one in drawn] == [1 if seed else 2] * 4


def test_an_open_transaction_does_not_end_in_a_broken_database(yard: Yard) -> None:
    import sqlite3

    _only(
        yard,
        """
        import sqlite3
        DATABASE = sqlite3.connect(os.path.join(os.environ["YARD"], "kept.sqlite"), timeout=0.1)
        DATABASE.execute("pragma journal_mode=wal")
        DATABASE.execute("create table if not exists kept (number)")
        DATABASE.execute("insert into kept values (1)")
        """,
        "DATABASE.commit()",
    )
    done = yard.run("run")
    # The process that imported the flow has the lock, and no task can.
    assert done.returncode == 1
    assert "a transaction of SQLite" in done.stderr
    assert "database is locked" in done.stdout + done.stderr
    with sqlite3.connect(yard.folder / "kept.sqlite") as database:
        assert database.execute("pragma integrity_check").fetchone()[0] == "ok"
        assert database.execute("select count(*) from kept").fetchone()[0] == 0


MAPPED = """
    import mmap, multiprocessing
    LOCK = multiprocessing.Lock()
    with open(os.path.join(os.environ["YARD"], "mapped"), "wb+") as file:
        file.write(bytes(9))
        file.flush()
        MAP = mmap.mmap(file.fileno(), 9)
    OWN = mmap.mmap(-1, 9, flags=mmap.MAP_PRIVATE)
    READ = mmap.mmap(-1, 9, prot=mmap.PROT_READ)
"""


def test_memory_of_a_file_and_semaphores_stay_warm(yard: Yard) -> None:
    _only(yard, MAPPED, "assert LOCK.acquire() and MAP[0] == OWN[0] == READ[0] == 0")
    _, stderr = _run(yard)
    assert "cold" not in stderr


GOES = {
    "warm": (("--executor", "local"), ""),
    "cold": (("--executor", "process"), ""),
    "fallen back": ((), "OWN = random.Random()\n"),
}


@pytest.mark.parametrize("as_script", [False, True])
@pytest.mark.parametrize("how", ["warm", pytest.param("cold", marks=LONG), "fallen back"])
def test_a_flow_that_changes_folder_does_so_once(
    yard: Yard, how: str, as_script: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, more = GOES[how]
    (yard.folder / "data").mkdir()
    monkeypatch.chdir(yard.folder)
    _only(yard, f"{more}os.chdir('data')", "self.folder = os.getcwd()")
    with yard.file.open("a") as file:
        file.write("\n\nOnly()\n")
    command = yard.command("run", *words, str(yard.file))
    if as_script:
        command = [sys.executable, str(yard.file), "--home", str(yard.home), "run", *words]
    done = subprocess.run(
        command, env=yard.environ(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert yard.latest("Only").data.folder == str(yard.folder / "data")


@pytest.mark.parametrize("how", GOES)
def test_what_an_import_adds_to_is_added_to_once(yard: Yard, how: str) -> None:
    words, more = GOES[how]
    _only(
        yard,
        f"""
        {more}
        os.environ["PATH"] += ":/added"
        os.environ["COUNT"] = str(int(os.environ.get("COUNT", 0)) + 1)
        os.environ["FIRST"] = os.environ.pop("GIVEN", "nothing")
        os.umask(os.umask(0) + 0o010)
        os.nice(1)
        """,
        """
        self.path = os.environ["PATH"].count(":/added")
        self.count, self.first = os.environ["COUNT"], os.environ["FIRST"]
        self.set, self.asked = os.environ["SET"], os.environ["FLOWKIT_USER"]
        self.umask = oct(os.umask(0))
        self.nice = os.getpriority(os.PRIO_PROCESS, 0)
        """,
    )
    asked = "    @environment(vars={'SET': 'by the step'})\n    @step("
    yard.file.write_text(yard.file.read_text().replace("    @step(", asked))
    umask, nice = os.umask(0o022), os.getpriority(os.PRIO_PROCESS, 0)
    try:
        done = yard.run("run", *words, GIVEN="something")
    finally:
        os.umask(umask)
    assert done.returncode == 0, done.stderr
    data = yard.latest("Only").data
    assert (data.path, data.count, data.first) == (1, "1", "something")
    assert (data.set, data.asked) == ("by the step", "tester")
    assert data.umask == "0o32"
    if how == "warm" or os.geteuid() == 0:  # others cannot become less nice again
        assert data.nice == nice + 1


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_lock_that_keeps_others_out_is_held_for_the_whole_run(yard: Yard, executor: str) -> None:
    _only(
        yard,
        """
        import fcntl
        LOCK = open(os.path.join(os.environ["YARD"], "lock"), "a")
        try:
            fcntl.flock(LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
            IS_FIRST = True
        except BlockingIOError:
            IS_FIRST = False
        """,
        """
        with open(LOCK.name) as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                raise AssertionError("nobody has the lock")
        assert IS_FIRST == (os.environ["WARM"] == "local")
        """,
    )
    done = yard.run("run", "--executor", executor, WARM=executor)
    assert done.returncode == 0, done.stderr


def test_a_process_that_an_import_leaves_ends_with_the_run(yard: Yard) -> None:
    _only(yard, "CHILD = subprocess.Popen(['sleep', '600'])", "assert CHILD.poll() is None")
    for executor in EXECUTORS:
        _run(yard, "--executor", executor)


def test_an_interrupt_in_a_step_is_the_exception_that_it_is_elsewhere(yard: Yard) -> None:
    _only(yard, "", "os.kill(os.getpid(), signal.SIGINT); time.sleep(600)")
    for executor in EXECUTORS:
        done = yard.run("run", "--executor", executor)
        assert done.returncode == 1
        assert "KeyboardInterrupt" in done.stdout + done.stderr
        assert "killed by SIGINT" in done.stderr


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_handler_of_the_users_does_not_keep_a_run_from_being_cancelled(
    yard: Yard, executor: str
) -> None:
    _only(
        yard,
        "for one in (15, 2): signal.signal(one, lambda *_: print('no', flush=True))",
        """
        print("waiting", flush=True)
        while True:
            time.sleep(600)
        """,
    )
    process = yard.begin("run", "--executor", executor)
    assert process.stdout is not None
    assert "waiting" in process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert yard.processes() == []


def test_openmp_used_by_an_import_and_by_a_step_stays_warm(yard: Yard) -> None:
    pytest.importorskip("sklearn")
    _only(
        yard,
        """
        import numpy as np
        from sklearn.cluster import KMeans
        POINTS = np.random.default_rng(0).random((3000, 8))
        def fit(_=None):
            return round(KMeans(4, n_init=1, random_state=0).fit(POINTS).inertia_, 6)
        FIRST = fit()
        """,
        """
        assert fit() == FIRST
        assert parallel_map(fit, [1, 2]) == [FIRST, FIRST]
        """,
    )
    _, stderr = _run(yard)
    assert "cold" not in stderr


POLARS = """
    import polars
    FRAME = polars.DataFrame({"a": range(100_000)})
    def total():
        return FRAME.lazy().group_by(polars.col("a") % 7).len().collect()["len"].sum()
"""


def test_a_pool_of_polars_that_an_import_used_makes_tasks_cold(yard: Yard) -> None:
    pytest.importorskip("polars")
    _only(yard, dedent(POLARS) + "\ntotal()\n", "assert total() == 100_000")
    _, stderr = _run(yard)
    assert "cold" in stderr
    assert "_polars" in stderr


WARM = {
    "polars": (POLARS, "assert total() == 100_000"),
    "numpy": (
        "import numpy; ONES = numpy.ones((500, 500)); ONES @ ONES",
        "assert (ONES @ ONES).sum() == 500.0**3",
    ),
    "arrow": (
        """
        import io, pandas, pyarrow, pyarrow.csv, pyarrow.dataset, pyarrow.parquet
        TEXT = b"a,b\\n" + b"1,2\\n" * 500_000
        def rows():
            table = pyarrow.csv.read_csv(io.BytesIO(TEXT))
            return table.group_by("a").aggregate([("b", "sum")]).to_pandas()["b_sum"].sum()
        rows()
        """,
        "assert rows() == 1_000_000",
    ),
}


@pytest.mark.parametrize("library", [pytest.param(one, marks=LONG) for one in sorted(WARM)])
def test_libraries_that_survive_stay_warm(yard: Yard, library: str) -> None:
    imported, body = WARM[library]
    _only(yard, imported, body)
    _, stderr = _run(yard)
    assert "cold" not in stderr


def test_arrow_used_by_an_import_stays_warm(yard: Yard) -> None:
    test_libraries_that_survive_stay_warm(yard, "arrow")


POOLS = {
    "multiprocessing": "import multiprocessing; POOL = multiprocessing.Pool(2)",
    "futures": """
        from concurrent.futures import ProcessPoolExecutor
        POOL = ProcessPoolExecutor(2)
        list(POOL.map(abs, [1]))
    """,
    "threads": """
        from concurrent.futures import ThreadPoolExecutor
        POOL = ThreadPoolExecutor(2)
        list(POOL.map(abs, [1]))
    """,
}


@LONG
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("pool", POOLS)
def test_pools_of_an_import_work_in_steps(yard: Yard, pool: str, executor: str) -> None:
    _only(yard, POOLS[pool], "assert list(POOL.map(abs, [-1, -2])) == [1, 2]")
    _run(yard, "--executor", executor)


@LONG
def test_thousands_of_descriptors_are_no_hindrance(yard: Yard) -> None:
    _only(
        yard,
        """
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        OPEN = [os.open(__file__, os.O_RDONLY) for _ in range(min(hard - 200, 3000))]
        """,
        "assert os.read(OPEN[-1], 6) == b'import'",
    )
    _, stderr = _run(yard)
    assert "cold" not in stderr


LARGE = {
    "an array": """
        import numpy
        HEAP = numpy.ones(250_000_000)
        def read():
            return HEAP[::100_000].sum() == 2_500
    """,
    "many objects": """
        HEAP = [{"number": i, "text": str(i)} for i in range(1_000_000)]
        def read():
            return len(HEAP) == 1_000_000
    """,
    "many modules": """
        import importlib, pathlib
        for i in range(2_000):
            pathlib.Path(__file__).with_name(f"module_{i}.py").write_text(
                f"class Own{i}:\\n    number = {i}\\ndef get():\\n    return Own{i}.number\\n"
            )
        MODULES = [importlib.import_module(f"module_{i}") for i in range(2_000)]
        def read():
            return sum(one.get() for one in MODULES) == 1_999_000
    """,
}


@LONG
@pytest.mark.parametrize("what", LARGE)
def test_a_large_import_is_shared_and_not_copied(yard: Yard, what: str) -> None:
    _only(
        yard,
        LARGE[what],
        """
        import gc
        assert read()
        gc.collect()
        told = open("/proc/self/smaps_rollup").read()
        own = sum(int(line.split()[1]) for line in told.splitlines() if "Private_Dirty" in line)
        assert own < 100_000, own
        """,
    )
    _, stderr = _run(yard)
    assert "cold" not in stderr
