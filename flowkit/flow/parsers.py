"""Parsers for configs: from the text of a file to a dict.

The last three give what `@pypi`, `@conda` and their like take:
`Config("deps", default="requirements.txt", parser=requirements_txt_parser)`, and then
`@pypi_base(packages=config_expr("deps.packages"))`.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = [
    "conda_environment_yml_parser",
    "pyproject_toml_parser",
    "requirements_txt_parser",
    "yaml_parser",
]

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<version>[^;#]*)"
)
_VERSIONS = re.compile(
    r"(===|==|~=|!=|<=|>=|<|>|=)\s*[^\s,]+(\s*,\s*(===|==|~=|!=|<=|>=|<|>)\s*[^\s,]+)*"
)


def yaml_parser(text: str) -> Any:
    """Read YAML. Needs PyYAML: `pip install flowkit[yaml]`."""
    import yaml

    return yaml.safe_load(text)


def requirements_txt_parser(text: str) -> dict[str, Any]:
    r"""Read `requirements.txt` as `{"packages": {name: version}}`.

    A line `python==3.12` gives the key `python`. Versions are as written, without `==`. Raises
    ValueError for options such as `-r`, URLs and environment markers.

    >>> requirements_txt_parser("pandas==2.2.2\nnumpy>=2,<3  # arrays")
    {'packages': {'pandas': '2.2.2', 'numpy': '>=2,<3'}}
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split("#")[0].strip() if not line.lstrip().startswith("#") else ""
        if bare:
            name, version = _requirement(bare, f"line {number}")
            found[name] = version
    return _with_python(found)


def pyproject_toml_parser(text: str) -> dict[str, Any]:
    r"""Read the dependencies of `pyproject.toml` as `{"packages": {name: version}}`.

    `requires-python` gives the key `python`. Raises ValueError.

    >>> pyproject_toml_parser('[project]\nrequires-python = ">=3.11"\ndependencies = ["a>=2"]')
    {'packages': {'a': '>=2'}, 'python': '>=3.11'}
    """
    import tomllib

    project = tomllib.loads(text).get("project", {})
    found = dict(_requirement(one, f"`{one}`") for one in project.get("dependencies", []))
    read = _with_python(found)
    if "requires-python" in project:
        read["python"] = project["requires-python"]
    return read


def conda_environment_yml_parser(text: str) -> dict[str, Any]:
    """Read the dependencies of conda's `environment.yml` as `{"packages": {name: version}}`.

    A dependency `python` gives the key `python`. Raises ValueError for a `pip:` section, which
    `@conda` cannot install. Needs PyYAML: `pip install flowkit[yaml]`.
    """
    import yaml

    document = yaml.safe_load(text)
    dependencies = document.get("dependencies", []) if isinstance(document, dict) else None
    if not isinstance(dependencies, list):
        raise ValueError("it has no list of dependencies")
    found = {}
    for one in dependencies:
        if not isinstance(one, str):
            raise ValueError(f"`{one}` is no conda package: list what pip installs with `@pypi`")
        channel, _, package = one.rpartition("::")
        name, version = _requirement(package, f"`{one}`")
        found[f"{channel}::{name}" if channel else name] = version
    return _with_python(found)


def _requirement(text: str, where: str) -> tuple[str, str]:
    matched = _REQUIREMENT.fullmatch(text.strip())
    version = matched["version"].strip() if matched else ""
    if matched is None or (version and not _VERSIONS.fullmatch(version)):
        raise ValueError(f"{where} is no package with a version, as in `numpy==2.1`")
    name = matched["name"] + (matched["extras"] or "")
    exact = re.fullmatch(r"={1,3}\s*([^,]+)", version)
    return name, exact[1].strip() if exact else version


def _with_python(packages: dict[str, str]) -> dict[str, Any]:
    read: dict[str, Any] = {"packages": packages}
    if "python" in packages:
        read["python"] = packages.pop("python")
    return read
