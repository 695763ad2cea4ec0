"""Rows in text, CSV and JSON: read by pyarrow, and brought to the table's types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.formats import FileFormat
from flowkit.table.json_keys import RespelledRows, Respelling, spellings, starts_with_null
from flowkit.table.projection import Unlike, check_unambiguous, plain_type
from flowkit.table.uneven_rows import UnevenRows

if TYPE_CHECKING:
    import pyarrow

_COMPRESSED: Final = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_UNREAD: Final = (".deflate", ".lz4", ".lzo", ".lzo_deflate", ".snappy")
_LINE_BREAKS: Final = {"n": "\n", "r": "\r"}
_FIRST_BYTES: Final = 1 << 20


class TextFile:
    """A text file whose columns are known; its rows are read as often as asked for."""

    rows: int | None = None

    def __init__(
        self,
        schema: pyarrow.Schema,
        read: Callable[[Sequence[str]], Iterator[pyarrow.RecordBatch]],
    ) -> None:
        self.schema, self._read = schema, read

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pyarrow.RecordBatch]:
        """Yield all rows with these columns; how many at a time the size of a block says."""
        import pyarrow

        del rows
        fields = [self.schema.field(name) for name in columns]
        for batch in self._read(columns):
            values = [_typed(batch.column(field.name), field) for field in fields]
            if values:
                yield pyarrow.RecordBatch.from_arrays(values, schema=pyarrow.schema(fields))
            else:
                yield batch.select([])


def open_csv(
    open_file: Callable[[], Any],
    path: str,
    format: FileFormat,
    types: Mapping[str, pyarrow.DataType],
    block_bytes: int,
) -> TextFile:
    """Open delimited text. Raises Unlike; OSError, pyarrow.ArrowInvalid if it is damaged."""
    import pyarrow
    import pyarrow.csv

    source = _opener(open_file, path)
    # Hive's `\\N` is null only before escapes are undone, so they are undone here.
    escape = format.escape if format.escape and format.escape in (format.null or "") else None
    if escape:
        format = replace(format, escape=None)
    found = csv_schema(source(), format).names
    check_unambiguous(found)
    # Any row may have more fields than the first one, up to the table's.
    known = dict.fromkeys([*found, *format.columns])
    schema = pyarrow.schema(
        [pyarrow.field(name, plain_type(types[name])) for name in known if name in types]
    )

    def read(columns: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
        if not found:
            return
        # Of a file whose rows are only counted, one column.
        wanted = list(known) if escape else list(columns) or found[:1]
        uneven = UnevenRows(format.skip_lines + 1, lambda text, width: _few(text, format, width))
        with _csv_reader(
            source(),
            format,
            block_bytes,
            uneven.take if format.columns else None,
            column_names=found,
            **_as_text([name for name in wanted if name in found] or found[:1]),
        ) as reader:
            rows = uneven.put_back(reader, wanted) if format.columns else reader
            for batch in rows:
                yield _unescaped(batch, escape) if escape else batch

    return TextFile(schema, read)


def _few(text: bytes, format: FileFormat, width: int) -> pyarrow.Table:
    """Read rows that have so many fields each, and may be called after the table's columns."""
    import pyarrow

    names = [*format.columns, *map(str, range(len(format.columns), width))][:width]
    with _csv_reader(
        pyarrow.BufferReader(text),
        replace(format, skip_lines=0),
        len(text) + 1,
        column_names=names,
        **_as_text(names),
    ) as reader:
        return reader.read_all()


def _as_text(names: Iterable[str]) -> dict[str, Any]:
    """Return options to read just these columns, as text."""
    import pyarrow

    types = dict.fromkeys(names, pyarrow.string())
    return {"include_columns": list(types), "column_types": types}


def _unescaped(batch: pyarrow.RecordBatch, escape: str) -> pyarrow.RecordBatch:
    """Undo escapes in columns of text. Raises Unlike where one was of the delimiter."""
    import pyarrow
    import pyarrow.compute as pc

    one = re.escape(escape)
    columns = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        escaped = pc.any(pc.match_substring(values, escape)).as_py()
        if (
            escaped
            and pc.any(pc.match_substring_regex(values, f"(^|[^{one}])({one}{one})*{one}$")).as_py()
        ):
            raise Unlike(f"column `{name}` has a delimiter that is escaped, which is not read")
        columns.append(
            pyarrow.array([_undone(text, one) for text in values.to_pylist()], values.type)
            if escaped
            else values
        )
    return pyarrow.RecordBatch.from_arrays(columns, schema=batch.schema)


def _undone(text: str | None, escape: str) -> str | None:
    return text and re.sub(f"{escape}(.)", lambda found: _LINE_BREAKS.get(found[1], found[1]), text)


def csv_schema(source: Any, format: FileFormat) -> pyarrow.Schema:
    """Return the columns of delimited text, with types as its first rows suggest them."""
    import pyarrow

    try:
        skip = (lambda row: "skip") if format.columns else None
        with _csv_reader(source, format, _FIRST_BYTES, skip) as reader:
            schema = reader.schema
    except pyarrow.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return pyarrow.schema([])
        raise
    if not format.columns:
        return schema
    named = zip(schema, format.columns, strict=False)
    extra = list(schema)[len(format.columns) :]
    return pyarrow.schema([*(field.with_name(name) for field, name in named), *extra])


def open_json(
    open_file: Callable[[], Any],
    path: str,
    types: Mapping[str, pyarrow.DataType],
    block_bytes: int,
) -> TextFile:
    """Open lines of JSON. Raises Unlike; OSError, pyarrow.ArrowInvalid if it is damaged."""
    import pyarrow
    import pyarrow.json

    fields = [pyarrow.field(name, kind) for name, kind in types.items()]
    spelled = spellings(fields)
    schema = pyarrow.schema([field.with_type(plain_type(field.type)) for field in fields])

    def read(columns: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
        explicit = pyarrow.schema(
            [field.with_type(_as_json(field)) for field in map(schema.field, columns)]
        )
        lines = _blocks_of_lines(decompressed(open_file(), path), block_bytes)
        # Of a file whose rows are only counted, no key matters.
        rows = RespelledRows(
            Respelling(spelled if columns else {}),
            explicit,
            are_all_columns=len(explicit) == len(schema),
        )
        yield from filter(len, map(rows.read, lines))

    return TextFile(schema, read)


def _blocks_of_lines(source: Any, size: int) -> Iterator[memoryview]:
    """Yield a file in blocks of whole lines, each in the place of the one before.

    New memory for each block would take a tenth of the time that its rows are read in.
    """
    buffer, filled, count = bytearray(size), 0, 1
    with source:
        while count:
            if filled == len(buffer):  # A line is longer than that.
                buffer = buffer + bytearray(filled)
            # What is far away, or compressed, comes in pieces.
            while filled < len(buffer) and (count := source.readinto(memoryview(buffer)[filled:])):
                filled += count
            end = buffer.rfind(b"\n", 0, filled) + 1 if count else filled
            if end:
                yield memoryview(buffer)[:end]
                buffer[: filled - end] = buffer[end:filled]
                filled -= end


def json_schema(source: Any) -> pyarrow.Schema:
    """Return the keys of lines of JSON, with types as the first rows suggest them."""
    import pyarrow
    import pyarrow.json

    first = b""
    # What is far away, or compressed, comes in pieces.
    while len(first) < _FIRST_BYTES and (piece := source.read(_FIRST_BYTES - len(first))):
        first += piece
    if starts_with_null(first):
        raise pyarrow.ArrowInvalid("its first row is null")
    if first:
        if len(first) == _FIRST_BYTES:
            first = first[: first.rfind(b"\n") + 1] or first
        source = pyarrow.BufferReader(first)
    try:
        with pyarrow.json.open_json(source) as reader:
            return reader.schema
    except pyarrow.ArrowInvalid as error:
        if "Empty JSON" in str(error):
            return pyarrow.schema([])
        raise


def decompressed(source: Any, path: str) -> Any:
    """Return a file to read plain text from. Raises Unlike for a compression that is not read."""
    import pyarrow

    if path.endswith(_UNREAD):
        raise Unlike(f"text in `.{path.rpartition('.')[2]}` is not read: write it as `.gz`")
    codec = next((codec for end, codec in _COMPRESSED.items() if path.endswith(end)), None)
    if isinstance(source, str):
        return pyarrow.input_stream(source, compression=codec)
    return source if codec is None else pyarrow.CompressedInputStream(source, codec)


def _opener(open_file: Callable[[], Any], path: str) -> Callable[[], Any]:
    return lambda: decompressed(open_file(), path)


def _csv_reader(
    source: Any,
    format: FileFormat,
    block_bytes: int,
    uneven: Callable[[Any], str] | None = None,
    *,
    column_names: Sequence[str] = (),
    **convert: Any,
) -> Any:
    from pyarrow import csv

    header = not format.columns
    return csv.open_csv(
        source,
        csv.ReadOptions(
            use_threads=False,
            block_size=block_bytes,
            skip_rows=format.skip_lines,
            column_names=None if header else list(column_names) or None,
            autogenerate_column_names=not header and not column_names,
        ),
        csv.ParseOptions(
            delimiter=format.delimiter,
            quote_char=format.quote or False,
            double_quote=format.quote is not None,
            escape_char=format.escape or False,
            # A line break inside quotes counts; without quotes there is no such thing.
            newlines_in_values=format.quote is not None and header,
            # An empty line of text with one column is a row.
            ignore_empty_lines=header,
            invalid_row_handler=uneven,
        ),
        csv.ConvertOptions(
            null_values=[] if format.null is None else [format.null],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            **convert,
        ),
    )


def _as_json(field: pyarrow.Field) -> pyarrow.DataType:
    """Return the type that values of a field have in JSON."""
    import pyarrow

    kind = field.type
    types = pyarrow.types
    if types.is_map(kind):
        raise Unlike(f"column `{field.name}` is a map, which is not read from JSON")
    if types.is_struct(kind):
        return pyarrow.struct([one.with_type(_as_json(one)) for one in kind])
    if types.is_large_list(kind):
        return pyarrow.list_(_as_json(kind.value_field))
    if types.is_temporal(kind) or types.is_large_string(kind):
        return pyarrow.string()
    return kind


def _typed(values: pyarrow.Array, field: pyarrow.Field) -> pyarrow.Array:
    """Bring values, text or as JSON has them, to the type of a field."""
    import pyarrow
    import pyarrow.compute as pc

    kind = field.type
    types = pyarrow.types
    if values.type == kind:
        return values
    if not types.is_string(values.type):
        return _inside(values, field)
    if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        raise Unlike(f"column `{field.name}` of type `{kind}` is not read from text")
    if not types.is_large_string(kind):
        values = pc.if_else(pc.equal(values, ""), pyarrow.scalar(None, values.type), values)
    if types.is_timestamp(kind):
        # What is finer than the table's microseconds is cut.
        values = pc.replace_substring_regex(values, r"(\.\d{6})\d+", r"\1")
    try:
        return values.cast(kind)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise Unlike(f"column `{field.name}`: {' '.join(str(error).split())}") from error


def _inside(values: Any, field: pyarrow.Field) -> pyarrow.Array:
    import pyarrow
    import pyarrow.compute as pc

    kind = field.type
    if pyarrow.types.is_struct(kind):
        members = [_typed(one, inner) for one, inner in zip(values.flatten(), kind, strict=True)]
        mask = values.is_null() if values.null_count else None
        return pyarrow.StructArray.from_arrays(members, fields=list(kind), mask=mask)
    if pyarrow.types.is_large_list(kind):
        inner = _typed(values.values, kind.value_field)
        offsets = values.offsets.cast(pyarrow.int64())
        if values.null_count:
            offsets = pc.add(offsets, 0).cast(pyarrow.int64())
        mask = values.is_null() if values.null_count else None
        return pyarrow.LargeListArray.from_arrays(offsets, inner, type=kind, mask=mask)
    return values.cast(kind)
