"""Decorators that ask for a place to run or for an environment: `@kubernetes`, `@pypi`, ...

They are checked and kept as data. Whoever runs the flow says whether it can give what they ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from flowkit.flow.policies import (
    Options,
    PolicyRejected,
    PolicyRule,
    flag,
    number,
    text,
    whole,
)
from flowkit.graph import Backend
from flowkit.wording import shown

Read = Callable[[str, str, object], object]


def _amount(decorator: str, option: str, value: object) -> object:
    """Take a number, or a quantity such as `2Gi`."""
    return value if isinstance(value, str) and value else number(decorator, option, value)


def _count(decorator: str, option: str, value: object) -> object:
    return whole(decorator, option, value, low=0)


def _texts(decorator: str, option: str, value: object) -> object:
    """Take a list of text, or text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(one, str) for one in items):
        raise PolicyRejected(
            f"`{option}` of `@{decorator}` is a list of text, not `{shown(value)}`"
        )
    return list(items)


def _pairs(decorator: str, option: str, value: object) -> object:
    """Take a dict with text as keys."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise PolicyRejected(f"`{option}` of `@{decorator}` is a dict, not `{shown(value)}`")
    return dict(value)


def _dicts(decorator: str, option: str, value: object) -> object:
    if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
        raise PolicyRejected(
            f"`{option}` of `@{decorator}` is a list of dicts, not `{shown(value)}`"
        )
    return [dict(one) for one in value]


def _versions(decorator: str, option: str, value: object) -> object:
    """Take a dict of package names and versions."""
    pairs = _pairs(decorator, option, value)
    assert isinstance(pairs, dict)
    return {name: str(version) for name, version in pairs.items()}


_SIZES: dict[str, Read] = {
    "cpu": number,
    "gpu": _count,
    "memory": _amount,
    "disk": _amount,
    "shared_memory": _amount,
    "use_tmpfs": flag,
    "tmpfs_tempdir": flag,
    "tmpfs_size": _amount,
    "tmpfs_path": text,
    "image": text,
    "executable": text,
}

_KUBERNETES: dict[str, Read] = {
    **_SIZES,
    "image_pull_policy": text,
    "image_pull_secrets": _texts,
    "service_account": text,
    "secrets": _texts,
    "node_selector": _pairs,
    "namespace": text,
    "gpu_vendor": text,
    "tolerations": _dicts,
    "labels": _pairs,
    "annotations": _pairs,
    "persistent_volume_claims": _pairs,
    "port": _count,
    "compute_pool": text,
    "hostname_resolution_timeout": number,
    "qos": text,
    "extended_resources": _pairs,
    "security_context": _pairs,
}

_BATCH: dict[str, Read] = {
    **_SIZES,
    "queue": text,
    "iam_role": text,
    "execution_role": text,
    "max_swap": _count,
    "swappiness": _count,
    "inferentia": _count,
    "trainium": _count,
    "efa": _count,
    "host_volumes": _texts,
    "efs_volumes": _texts,
    "aws_batch_tags": _pairs,
    "ephemeral_storage": _count,
    "log_driver": text,
    "log_options": _texts,
    "privileged": flag,
}

_PYPI: dict[str, Read] = {"packages": _versions, "python": text, "disabled": flag}
_CONDA: dict[str, Read] = {**_PYPI, "libraries": _versions}


def _backend(name: str, readers: Mapping[str, Read], options: Options) -> tuple[Backend, ...]:
    """Read the options; those that are None were not given, and a disabled decorator is none."""
    read = {
        option: readers[option](name, option, value)
        for option, value in options.items()
        if value is not None
    }
    if read.pop("disabled", False):
        return ()
    try:
        pairs = tuple((key, msgspec.json.encode(value).decode()) for key, value in read.items())
    except TypeError as error:
        raise PolicyRejected(
            f"`@{name}` is given what is no plain data: {error}",
            hint="use text, numbers, lists and dicts",
        ) from error
    return (Backend(name, pairs),)


def _rule(name: str, readers: Mapping[str, Read], example: str) -> PolicyRule:
    return PolicyRule(
        "backends", tuple(readers), example, partial(_backend, name, readers), gathers=True
    )


BACKEND_RULES: dict[str, PolicyRule] = {
    "kubernetes": _rule("kubernetes", _KUBERNETES, "@kubernetes(cpu=2, memory=8000)"),
    "batch": _rule("batch", _BATCH, "@batch(cpu=2, memory=8000)"),
    "pypi": _rule("pypi", _PYPI, '@pypi(packages={"numpy": "2.1"}, python="3.12")'),
    "conda": _rule("conda", _CONDA, '@conda(packages={"numpy": "2.1"}, python="3.12")'),
}
"""Step decorators that name a backend."""

BASE_RULES: dict[str, PolicyRule] = {
    "pypi_base": _rule("pypi_base", _PYPI, '@pypi_base(packages={"numpy": "2.1"})'),
    "conda_base": _rule("conda_base", _CONDA, '@conda_base(packages={"numpy": "2.1"})'),
}
"""Flow decorators that name an environment for all steps."""

BACKENDS = frozenset({*BACKEND_RULES, *BASE_RULES})
"""Decorators that are read and checked, and that nothing here can run."""
