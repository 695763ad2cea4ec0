"""Tables in a catalog of their own, and deletes as engines write them that pyiceberg is not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import pyarrow
import pyarrow.csv
import pyarrow.orc
import pyarrow.parquet
import pytest
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    AssertTableUUID,
    SetSnapshotRefUpdate,
)
from pyiceberg.typedef import Record

from flowkit import DataFrame, Table

DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Flowkit's home, with its embedded catalog, of this test alone."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYICEBERG_HOME", str(tmp_path))
    return tmp_path / "home"


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def delete_rows(
    table: Table,
    rows: dict[str, list[int]],
    *,
    content: DataFileContent = DataFileContent.POSITION_DELETES,
    partition: Record | None = None,
) -> None:
    """Commit a file that deletes rows, by the paths of data files and positions in them."""
    iceberg = table.iceberg
    metadata = iceberg.metadata
    base = metadata.current_snapshot()
    assert base is not None
    path = f"{iceberg.location()}/data/{uuid.uuid4()}-deletes.parquet"
    pairs = [(name, at) for name in sorted(rows) for at in sorted(rows[name])]
    schema = pyarrow.schema(
        [
            pyarrow.field("file_path", "string", False, {"PARQUET:field_id": "2147483546"}),
            pyarrow.field("pos", "int64", False, {"PARQUET:field_id": "2147483545"}),
        ]
    )
    columns = [[name for name, _ in pairs], [at for _, at in pairs]]
    with iceberg.io.new_output(path).create() as sink:
        pyarrow.parquet.write_table(pyarrow.table(columns, schema=schema), sink)
    file = DataFile.from_args(
        content=content,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=partition or Record(),
        record_count=len(pairs),
        file_size_in_bytes=len(iceberg.io.new_input(path)),
        equality_ids=[1] if content == DataFileContent.EQUALITY_DELETES else None,
    )
    snapshot_id = uuid.uuid4().int >> 66
    sequence = metadata.last_sequence_number + 1
    output = iceberg.io.new_output(f"{iceberg.location()}/metadata/{uuid.uuid4()}-m0.avro")
    with _DeleteManifest(iceberg.spec(), iceberg.schema(), output, snapshot_id, "null") as writer:
        entry = ManifestEntry.from_args(
            status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file
        )
        writer.add_entry(entry)
    listed = iceberg.io.new_output(f"{iceberg.location()}/metadata/snap-{snapshot_id}.avro")
    with write_manifest_list(2, listed, snapshot_id, base.snapshot_id, sequence, "null") as lister:
        lister.add_manifests([*base.manifests(iceberg.io), writer.to_manifest_file()])
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=base.snapshot_id,
        sequence_number=sequence,
        timestamp_ms=base.timestamp_ms + 1,
        manifest_list=listed.location,
        summary=Summary(Operation.DELETE),
        schema_id=iceberg.schema().schema_id,
    )
    iceberg._do_commit(
        (
            AddSnapshotUpdate(snapshot=snapshot),
            SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id),
        ),
        (AssertTableUUID(uuid=metadata.table_uuid),),
    )
    table.refresh()


@pytest.fixture
def deleting() -> Callable[..., None]:
    """The function `delete_rows`."""
    return delete_rows


def write_file(path: Path, rows: pyarrow.Table, kind: str) -> None:
    """Write rows as Parquet, ORC, CSV or lines of JSON, into a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "parquet":
        pyarrow.parquet.write_table(rows, path)
    elif kind == "orc":
        pyarrow.orc.write_table(rows, path)
    elif kind == "csv":
        pyarrow.csv.write_csv(rows, path)
    else:
        lines = (json.dumps(row, default=str) for row in rows.to_pylist())
        path.write_text("".join(f"{line}\n" for line in lines))


def lay_out(root: Path, rows: pyarrow.Table, keys: Sequence[str], kind: str) -> None:
    """Write rows into folders `key=value/` by some of their columns, named as Hive does."""
    for values, part in DataFrame(rows).partition_by(*keys):
        folders = [
            f"{key}={quote(str(value), safe='') if value is not None else DEFAULT_PARTITION}"
            for key, value in zip(keys, values, strict=True)
        ]
        kept = part.to_arrow().drop_columns(list(keys))
        write_file(root.joinpath(*folders, f"part-0.{kind}"), kept, kind)


@pytest.fixture
def writing() -> Callable[[Path, pyarrow.Table, str], None]:
    """The function `write_file`."""
    return write_file


@pytest.fixture
def laying_out() -> Callable[[Path, pyarrow.Table, Sequence[str], str], None]:
    """The function `lay_out`."""
    return lay_out
