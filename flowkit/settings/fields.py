"""What can be set, with what each setting takes and does."""

import os
import re
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from msgspec import Meta, Struct, ValidationError, convert, field
from msgspec.structs import force_setattr

from flowkit.wording import is_nameable

# No annotation is a string here: they are read each time a value is checked.

_WORDS: Final = {
    **dict.fromkeys(("true", "1", "yes", "y", "on", "t"), True),
    **dict.fromkeys(("false", "0", "no", "n", "off", "f"), False),
}
_BOUNDS: Final = {
    "ge": " of at least {}",
    "gt": " above {}",
    "le": " and at most {}",
    "min_length": " that is not empty",
}
"""Bounds of a setting, and how errors say them."""
_MOST: Final = 1_000_000_000
"""Of cores and seconds: no bound from below keeps out an infinite number."""
_FOLLOWS: Final = ""
"""The default of a setting that follows another one."""


def login_name(environ: Mapping[str, str] | None = None) -> str:
    """Return the name of who has logged in, or the user's number where it has no name."""
    environ = os.environ if environ is None else environ
    for name in ("LOGNAME", "USER"):
        if environ.get(name):
            return environ[name]
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under a number that has no name.
        return str(os.getuid())


def _cpu_count() -> int:
    """Cores that this process may use, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def _gpu_count() -> int:
    try:
        return sum(re.fullmatch(r"nvidia\d+", name) is not None for name in os.listdir("/dev"))
    except OSError:
        return 0


def _about(text: str, **bounds: Any) -> Meta:
    return Meta(description=text, **bounds)


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. Sizes are in the unit that their name ends with.

    Made like this, values are taken as they are; `check_settings` checks them.
    """

    home: Annotated[
        Path,
        _about(
            "Folder for everything flowkit keeps; `.flowkit` beside the configuration file, or in "
            "the folder that flowkit was started for."
        ),
    ] = field(default_factory=lambda: Path(".flowkit"))
    store: Annotated[
        str,
        _about(
            "Where artifacts and results are: a folder. Default: `store` in `home`.", min_length=1
        ),
    ] = _FOLLOWS
    metadata: Annotated[
        str,
        _about("The index of runs: a SQLite file. Default: `metadata.db` in `home`.", min_length=1),
    ] = _FOLLOWS
    executor: Annotated[
        str, _about("Where attempts run: the name of an executor.", min_length=1)
    ] = "local"
    max_workers: Annotated[
        int, _about("Attempts of a run at a time. Default: one a core, and no fewer than 4.", ge=1)
    ] = field(default_factory=lambda: max(4, _cpu_count()))
    cpu: Annotated[
        float,
        _about("Cores that the attempts on this machine may ask for together.", gt=0, le=_MOST),
    ] = field(default_factory=lambda: float(_cpu_count()))
    memory_mb: Annotated[
        int, _about("Memory that the attempts on this machine may ask for together.", gt=0)
    ] = field(default_factory=_memory_mb)
    gpu: Annotated[
        int, _about("GPUs that the attempts on this machine may ask for together.", ge=0)
    ] = field(default_factory=_gpu_count)
    user: Annotated[str, _about("Whose runs these are. Default: the login name.", min_length=1)] = (
        field(default_factory=login_name)
    )
    namespace: Annotated[
        str | None,
        _about(
            "Which runs the client sees: those with this tag; all if it is empty. "
            "Default: `user:` and the user."
        ),
    ] = _FOLLOWS
    log_limit_bytes: Annotated[
        int, _about("Bytes of output kept of an attempt.", ge=0, le=1_000_000_000)
    ] = 10_000_000
    sync: Annotated[
        bool,
        _about("Wait until the disk has what is committed, so that a power cut loses nothing."),
    ] = True
    verify: Annotated[
        Literal["fetched", "always"],
        _about(
            "When to check bytes against their digest: as they are fetched or gathered, or also "
            "each time a stored file is mapped."
        ),
    ] = "fetched"
    s3_root: Annotated[
        str | None,
        _about(
            "Where runs keep what they write with `S3(run=...)`: a URL such as "
            "`s3://bucket/flowkit`.",
            min_length=1,
        ),
    ] = None
    s3_endpoint: Annotated[
        str | None,
        _about(
            "The S3 server. Default: that of `AWS_ENDPOINT_URL`, or else Amazon's.", min_length=1
        ),
    ] = None
    s3_workers: Annotated[int, _about("Objects of an `S3` scope at a time.", ge=1)] = 32
    s3_memory_mb: Annotated[
        int,
        _about(
            "Memory for objects that an `S3` scope has read; more go to temporary files. "
            "Default: an eighth of `memory_mb`.",
            ge=0,
        ),
    ] = -1
    s3_timeout_s: Annotated[
        float, _about("How long to wait for the next byte of an S3 server.", gt=0, le=_MOST)
    ] = 30.0
    s3_retries: Annotated[int, _about("How often to ask again an S3 server that fails.", ge=0)] = 8
    progress: Annotated[
        Literal["auto", "plain", "off"],
        _about("How a run shows how far it is; `auto` suits a terminal and a pipe alike."),
    ] = "auto"
    quiet: Annotated[bool, _about("Print only what a flow prints, and errors.")] = False
    secrets_provider: Annotated[
        str | None,
        _about(
            "Who is asked for secrets whose source names no provider: `env-file`, `command`, or "
            "the name of an installed one.",
            min_length=1,
        ),
    ] = None
    catalog: Annotated[
        str,
        _about(
            "Where tables are looked up: the name of a catalog. `local` is a SQLite file and a "
            "folder in `home`.",
            min_length=1,
        ),
    ] = "local"
    catalogs: Annotated[
        dict[str, dict[str, str]],
        _about("Catalogs by name, each with pyiceberg's properties; keep secrets out of them."),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Attempts run in folders of their own choice.
        home = Path(os.path.expanduser(self.home)).absolute()
        force_setattr(self, "home", home)
        follow: dict[str, tuple[object, Callable[[], object]]] = {
            "store": (_FOLLOWS, lambda: str(home / "store")),
            "metadata": (_FOLLOWS, lambda: str(home / "metadata.db")),
            "namespace": (_FOLLOWS, lambda: f"user:{self.user}"),
            "s3_memory_mb": (-1, lambda: self.memory_mb // 8),
        }
        for name, (stands_for_it, default) in follow.items():
            if getattr(self, name) == stands_for_it:
                force_setattr(self, name, default())


SETTINGS: Final = Settings.__struct_fields__
"""The names of all settings."""


class WrongSettings(ValueError):
    """Some values are not what their settings take: `expected` says what those are, by name."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} takes {what}" for name, what in expected.items()))
        self.expected = expected


def check_settings(values: Mapping[str, object]) -> Settings:
    """Make settings of values as they are written: numbers and words may be text.

    Raises WrongSettings: of all values that are wrong.
    """
    checked, wrong = {}, {}
    for name, value in values.items():
        try:
            checked[name] = _checked(name, value)
        except (KeyError, ValueError, OverflowError, ValidationError):
            wrong[name] = _expected(name)
    if wrong:
        raise WrongSettings(wrong)
    return Settings(**checked)


def describe_setting(name: str) -> str:
    """Say what a setting is for."""
    return _meta(name).description or ""


def _checked(name: str, value: object) -> Any:
    kind, meta = get_args(Settings.__annotations__[name])
    if isinstance(value, str | Path) and not is_nameable(str(value)):
        raise ValidationError("it is no text")
    if kind is Path and isinstance(value, Path):
        return value
    if kind is Path:
        return Path(convert(value, Annotated[str, Meta(min_length=1)]))
    if name == "namespace" and value == "":
        return None
    if kind in (bool, int, float) and isinstance(value, str):
        value = value.strip()
        if kind is bool:
            return _WORDS[value.lower()]
    if type(None) in get_args(kind):
        if value is None:
            return None
        kind = get_args(kind)[0]  # bounds hold for what is not None
    checked = convert(value, Annotated[kind, meta], strict=False)
    if isinstance(checked, float) and not isfinite(checked):
        raise ValidationError("it is no amount")  # NaN, which no bound keeps out
    return checked


def _meta(name: str) -> Meta:
    meta: Meta = get_args(Settings.__annotations__[name])[1]
    return meta


def _expected(name: str) -> str:
    """Say what a setting takes, from its type and its bounds."""
    if name not in SETTINGS:
        return "nothing: there is no such setting"
    kind, meta = get_args(Settings.__annotations__[name])
    if get_origin(kind) is Literal:
        *others, last = (f"`{one}`" for one in get_args(kind))
        return f"{', '.join(others)} or {last}"
    kinds: dict[object, str] = {
        Path: "the path of a folder",
        bool: "`true` or `false`",
        float: "a number",
        int: "a whole number",
    }
    text = kinds.get(kind, "text")
    for bound, words in _BOUNDS.items():
        if (value := getattr(meta, bound)) is not None:
            text += words.format(value)
    return text
