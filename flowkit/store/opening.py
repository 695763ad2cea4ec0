"""Finding the storage that a URL names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from flowkit.errors import UsageError
from flowkit.ports import Storage
from flowkit.store.directory import DirectoryStorage
from flowkit.store.plugins import load_plugin

PLUGINS: Final = "flowkit.storages"


def open_storage(url: str, *, sync: bool = True) -> Storage:
    """Return the storage at a path or URL; nothing is written yet.

    A path or `file:` URL is a directory, and `layered:///FOLDER?beneath=STORE` one that reads what
    it has not itself of objects from another store. Other schemes are entry points of that name in
    the group `flowkit.storages`, called as `open(url, sync=sync)`.

    Raises:
        UsageError: nothing handles the URL.
        PluginBroken: a plugin does, and cannot be loaded.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return DirectoryStorage(Path(os.path.expanduser(url)), sync=sync)
    if scheme == "file":
        from urllib.parse import unquote, urlsplit

        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise UsageError(f"`{url}` is no URL", hint="write `file:///FOLDER`") from error
        if parts.netloc not in ("", "localhost"):
            raise UsageError(
                f"`{url}` is on another machine", hint="write `file:///` and an absolute path"
            )
        return DirectoryStorage(Path(unquote(parts.path)), sync=sync)
    if scheme == "layered":
        from flowkit.store.layered import LayeredStorage, split_layered_url

        folder, beneath = split_layered_url(url)
        own = DirectoryStorage(Path(folder), sync=sync)
        return LayeredStorage(own, open_storage(beneath, sync=sync))
    plugin: Any = load_plugin(PLUGINS, scheme, known=("file", "layered"))
    if plugin is None:
        raise UsageError(
            f"no storage is known for `{scheme}://` URLs",
            hint=f"use a directory, or install a package with `{scheme}` in `{PLUGINS}`",
        )
    storage: Storage = plugin(url, sync=sync)
    return storage
