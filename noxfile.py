"""The one front door to checks: `nox -s lint`, `nox -s tests`; `nox -l` lists all.

Every session has an environment of its own. `FLOWKIT_WHEEL` may name a wheel of this tree, built
for the Python that runs nox, so that a series of sessions compiles it once.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["lint", "tests", "interop", "tutorials", "native", "docs", "examples"]
nox.options.error_on_missing_interpreters = False

# Readers of Iceberg that have environments of their own: DuckDB's extension goes with one DuckDB.
INTEROP = {
    "duckdb": [
        "duckdb==1.5.5",
        "duckdb-extension-avro==1.5.5",
        "duckdb-extension-iceberg==1.5.5",
        "pyarrow>=21",
        "pytz>=2024.1",
    ],
    "polars": ["polars>=1.30", "pyiceberg[pyarrow]>=0.12"],
    "daft": ["daft[iceberg]>=0.7.26"],
}

# The ancestor, whose tutorials are run: a pin, so that what is compared does not move.
METAFLOW = "metaflow==2.19.39"

# What fuzzes Python guided by coverage. There are wheels for few versions and Linux alone.
ATHERIS = "atheris==3.0.0"


def install(session: nox.Session, extras: str) -> None:
    """Install flowkit as a user would, from the given wheel or from the tree."""
    wheel = os.environ.get("FLOWKIT_WHEEL")
    if wheel and session.python is None:
        session.install(f"flowkit[{extras}] @ {Path(wheel).resolve().as_uri()}")
    else:
        session.install(f".[{extras}]")


def interpreter(version: str) -> str:
    """Name a Python for nox, which finds those on the path and so none that pyenv keeps back."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(root.glob(f"versions/{version}.*/bin/python"))
    return str(kept[-1]) if kept else version


def cpp_sources() -> list[str]:
    """List our own files of C++ and C."""
    suffixes = {".c", ".cpp", ".h", ".hpp"}
    return sorted(str(path) for path in Path("native").rglob("*") if path.suffix in suffixes)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, the direction of imports, and the format of C++."""
    # The test extra too: what `flowkit.testing` imports must be known to mypy.
    install(session, "lint,test")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("clang-format", "--dry-run", "--Werror", *cpp_sources())


@nox.session
def interop(session: nox.Session) -> None:
    """Read what flowkit wrote with DuckDB's Iceberg extension, Polars and daft."""
    install(session, "test")
    environment = {}
    for name, packages in INTEROP.items():
        place = Path(session.virtualenv.location, name)
        python = str(place / "bin" / "python")
        session.run("python", "-m", "venv", str(place))
        session.run(python, "-m", "pip", "install", "--quiet", *packages, external=True)
        environment[f"FLOWKIT_INTEROP_{name.upper()}"] = python
    session.run("pytest", "tests/interop", *session.posargs, env=environment)


@nox.session
def tutorials(session: nox.Session) -> None:
    """Run Metaflow's own tutorials under Metaflow, and migrated under flowkit."""
    install(session, "test")
    place = Path(session.virtualenv.location, "metaflow")
    python = str(place / "bin" / "python")
    session.run("python", "-m", "venv", str(place))
    session.run(python, "-m", "pip", "install", "--quiet", METAFLOW, external=True)
    environment = {"FLOWKIT_TUTORIALS_METAFLOW": python}
    session.run("pytest", "tests/tutorials", *session.posargs, env=environment)


def run_tests(session: nox.Session) -> None:
    """All tests but those of the documentation, then the examples in docstrings."""
    install(session, "test")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    session.run("pytest", "--quiet", "--doctest-modules", "--pyargs", "flowkit")
    session.run("pytest", "--numprocesses=auto", "--dist=worksteal", "--ignore=tests/docs")


nox.session(run_tests, name="tests")
for version in ("3.11", "3.12", "3.13"):
    nox.session(run_tests, name=f"tests-{version}", python=interpreter(version))


@nox.session
def matrix(session: nox.Session) -> None:
    """Every shape of flow with every behaviour, under every executor, run in both ways."""
    install(session, "test")
    every = {"FLOWKIT_MATRIX": "all"}
    tests = ("--numprocesses=auto", "tests/flows/test_matrix.py", *session.posargs)
    session.run("pytest", *tests, env=every)


@nox.session
def crash(session: nox.Session) -> None:
    """Hours of what `tests` does briefly: kills, faults, damage, hostile input; fuzzing; a soak."""
    install(session, "test")
    long = {"FLOWKIT_CRASH": "long"}
    tests = session.posargs or ("tests/crash", "tests/model/test_store_model.py")
    session.run("pytest", "--numprocesses=auto", "--timeout=0", *tests, env=long)
    if session.posargs:
        return
    try:
        session.install(ATHERIS, silent=True)
    except CommandFailed:
        session.log(f"{ATHERIS} cannot be installed for this Python: no fuzzing")
    else:
        session.run("python", "tests/crash/fuzz", "60")
    session.run("python", "tests/crash/soak.py", "--minutes", "60")


def use_installed(session: nox.Session) -> None:
    """Install the library for C and C++; build and run a program that finds it there."""
    prefix = str(Path(session.create_tmp()).resolve() / "prefix")
    session.run("cmake", "--preset", "release", "-DFLOWKIT_TESTS=OFF", silent=True)
    session.run("cmake", "--build", "--preset", "release")
    session.run("cmake", "--install", "build/release", "--prefix", prefix, silent=True)
    session.run(
        *("cmake", "-G", "Ninja", "-S", "native/example", "-B", "build/example"),
        f"-DCMAKE_PREFIX_PATH={prefix}",
        silent=True,
    )
    session.run("cmake", "--build", "build/example")
    session.run("ctest", "--test-dir", "build/example", "--output-on-failure")


@nox.session
def native(session: nox.Session) -> None:
    """C++ tests under sanitizers, an install, and fuzzing where Clang is found."""
    session.install("cmake>=3.26", "ninja>=1.11")

    def build_and_test(preset: str, *options: str) -> None:
        session.run("cmake", "--preset", preset, *options, silent=True)
        session.run("cmake", "--build", "--preset", preset)
        session.run("ctest", "--preset", preset)

    build_and_test("asan")
    use_installed(session)
    names = ["clang++", *(f"clang++-{version}" for version in range(30, 13, -1))]
    clang = next(filter(None, map(shutil.which, names)), None)
    if clang:
        build_and_test("fuzz", f"-DCMAKE_CXX_COMPILER={clang}")
    else:
        session.log("clang++ is not installed: no fuzzing")


@nox.session
def tidy(session: nox.Session) -> None:
    """What clang-tidy says of the native core: half a minute a file, so not part of `native`."""
    session.install("clang-tidy==23.*", "cmake>=3.26", "ninja>=1.11")
    session.run("cmake", "--preset", "asan", silent=True)
    sources = [path for path in cpp_sources() if path.startswith("native/src/")]
    session.run("clang-tidy", "--quiet", "-p", "build/asan", *sources)


@nox.session
def tsan(session: nox.Session) -> None:
    """C++ tests under ThreadSanitizer."""
    session.install("cmake>=3.26", "ninja>=1.11")
    session.run("cmake", "--preset", "tsan", silent=True)
    session.run("cmake", "--build", "--preset", "tsan")
    session.run("ctest", "--preset", "tsan")


@nox.session
def docs(session: nox.Session) -> None:
    """Every code block and command of the documentation runs."""
    install(session, "examples,test")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Every flow in `examples/` runs to its end."""
    install(session, "examples")
    flows = [
        path.resolve()
        for path in sorted(Path("examples").rglob("*.py"))
        if "FlowSpec" in path.read_text(encoding="utf-8")
    ]
    with session.chdir(session.create_tmp()):
        for path in flows:
            session.run("flowkit", "run", str(path), env={"FLOWKIT_HOME": "state"})


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, or those named: `nox -s bench -- store`."""
    install(session, "examples,test")
    programs = [path.resolve() for path in sorted(Path("benchmarks").glob("[!_]*.py"))]
    with session.chdir(session.create_tmp()):
        for path in programs:
            if not session.posargs or path.stem in session.posargs:
                session.run("python", str(path))
