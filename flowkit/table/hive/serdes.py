"""Formats of files as a metastore tells them: by SerDe, input format and their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.errors import UnsupportedTable
from flowkit.table.formats import FileFormat, FormatKind
from flowkit.table.properties import number_property

if TYPE_CHECKING:
    from hive_metastore.ttypes import StorageDescriptor

_BINARY: Final[dict[str, FormatKind]] = {
    "MapredParquetInputFormat": "parquet",
    "DeprecatedParquetInputFormat": "parquet",
    "OrcInputFormat": "orc",
}
_TEXT: Final = ("TextInputFormat", "JsonInputFormat")
_CONTROL_A: Final = "\x01"


def format_of(
    storage: StorageDescriptor, parameters: Mapping[str, str], *, table: str
) -> FileFormat:
    """Return how the files of a partition, or of a table without any, are written.

    Args:
        storage: what the metastore tells of them.
        parameters: properties of the table, and those of the partition over them.
        table: the table's name, for errors.

    Raises:
        UnsupportedTable: they are written in a way that is not read.
    """
    serde = storage.serdeInfo
    library = str(serde.serializationLib or "").rpartition(".")[2]
    input_format = str(storage.inputFormat or "").rpartition(".")[2]
    columns = tuple(column.name for column in storage.cols or ())
    if input_format in _BINARY:
        return FileFormat(kind=_BINARY[input_format], columns=columns)
    given = {**parameters, **(serde.parameters or {})}
    if input_format not in _TEXT or given.get("skip.footer.line.count", "0") != "0":
        library = ""
    if given.get("serialization.encoding", "UTF-8").upper().replace("-", "") != "UTF8":
        library = ""
    if library == "JsonSerDe":
        return FileFormat(kind="json")
    facts: dict[str, Any] = {
        "kind": "csv",
        "columns": columns,
        "skip_lines": number_property(given, "skip.header.line.count", 0),
    }
    if library == "OpenCSVSerde":
        quote = given.get("quoteChar", '"')
        escape = given.get("escapeChar", "\\")
        return FileFormat(
            delimiter=given.get("separatorChar", ","),
            quote=quote,
            # The quote doubled is what CSV escapes it by anyway.
            escape=None if escape == quote else escape,
            null=None,
            **facts,
        )
    if library == "LazySimpleSerDe":
        escape = given.get("escape.delim")
        return FileFormat(
            delimiter=_character(
                given.get("field.delim") or given.get("serialization.format") or _CONTROL_A
            ),
            quote=None,
            escape=None if not escape else _character(escape),
            null=given.get("serialization.null.format", "\\N"),
            **facts,
        )
    raise UnsupportedTable(
        table,
        feature=f"files of `{serde.serializationLib}` in `{storage.inputFormat}` are not read",
        hint="Parquet, ORC, delimited text, CSV and JSON are: copy the table into one of them",
    )


def _character(text: str) -> str:
    """Return the character that a property means: itself, or its code in decimal digits."""
    return chr(int(text[:9]) % 256) if text.isdecimal() else text[0]
