"""Plans against pyiceberg's, for tables of manifests alone: no data file is ever opened."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyiceberg import expressions as ex
from pyiceberg import transforms as tr
from pyiceberg import types
from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import ManifestGroupPlanner
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import (
    AddPartitionSpecUpdate,
    AddSnapshotUpdate,
    AssertTableUUID,
    SetSnapshotRefUpdate,
)
from pyiceberg.typedef import Record

from flowkit import Table
from flowkit.table import ManifestDamaged, UnsupportedTable
from flowkit.table.settling import settle

NAN = float("nan")
KEYS = [bytes([one]) * 16 for one in (1, 7, 200)]
COLUMNS: dict[str, tuple[types.PrimitiveType, list[Any]]] = {
    "flag": (types.BooleanType(), [False, True]),
    "small": (types.IntegerType(), [-3, 0, 7]),
    "big": (types.LongType(), [-(2**40), 0, 5, 9]),
    "ratio": (types.FloatType(), [-1.5, 0.0, 2.5]),
    "price": (types.DoubleType(), [-1024.5, 0.25, 3.0]),
    "amount": (types.DecimalType(9, 2), [Decimal("-1.50"), Decimal("0.00"), Decimal("7.25")]),
    "day": (types.DateType(), [-1, 0, 20000]),
    "clock": (types.TimeType(), [0, 3_600_000_000]),
    "at": (types.TimestampType(), [-1, 0, 1_700_000_000_000_000]),
    "zoned": (types.TimestamptzType(), [-1, 0, 1_700_000_000_000_000]),
    "name": (types.StringType(), ["", "a", "ab", "abc", "b", "é"]),
    "raw": (types.BinaryType(), [b"", b"a", b"b\xff"]),
    "code": (types.FixedType(2), [b"\x00\x01", b"zz"]),
    "key": (types.UUIDType(), KEYS),
}
IDS = {name: at + 1 for at, name in enumerate(COLUMNS)}
SCHEMA = Schema(*(types.NestedField(IDS[name], name, kind) for name, (kind, _) in COLUMNS.items()))


def spec_of(number: int, *fields: tuple[str, tr.Transform[Any, Any]]) -> PartitionSpec:
    parts = [
        PartitionField(IDS[name], 1000 + 20 * number + at, transform, f"{name}_{at}")
        for at, (name, transform) in enumerate(fields)
    ]
    return PartitionSpec(*parts, spec_id=number)


IDENTITY = tr.IdentityTransform()
SPECS = {
    0: PartitionSpec(),
    1: spec_of(1, ("small", IDENTITY), ("name", IDENTITY), ("ratio", IDENTITY)),
    2: spec_of(
        2,
        *((name, IDENTITY) for name in COLUMNS if name not in ("small", "name", "ratio", "key")),
    ),
    3: spec_of(3, ("big", tr.BucketTransform(4)), ("name", tr.TruncateTransform(2))),
    4: spec_of(4, ("at", tr.DayTransform()), ("zoned", tr.HourTransform())),
    5: spec_of(5, ("day", tr.MonthTransform()), ("day", tr.YearTransform()), ("name", IDENTITY)),
    6: spec_of(6, ("small", tr.VoidTransform()), ("amount", tr.TruncateTransform(100))),
}


@dataclass(frozen=True)
class Listed:
    """An entry to be listed: values of its partition are those of columns before transforms."""

    values: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    status: ManifestEntryStatus = ManifestEntryStatus.ADDED
    sequence: int | None = None
    rows: int = 5
    content: DataFileContent = DataFileContent.DATA
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """A manifest to be written; `sequence` None means that it inherits the snapshot's."""

    entries: Sequence[Listed]
    spec: int = 0
    sequence: int | None = None
    codec: str = "deflate"


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def make_table(version: int = 2, specs: Sequence[int] = tuple(SPECS)) -> Table:
    """Create a table that has some specs."""
    table = Table.create("t.t", SCHEMA, properties={"format-version": str(version)})
    added = tuple(AddPartitionSpecUpdate(spec=SPECS[one]) for one in specs if one)
    table.iceberg._do_commit(added, (AssertTableUUID(uuid=table.iceberg.metadata.table_uuid),))
    return table.refresh()


numbers = itertools.count()


def commit(table: Table, *listings: Listing) -> None:
    """Make manifests all that the table has."""
    iceberg = table.iceberg
    metadata, snapshot_id = iceberg.metadata, uuid.uuid4().int >> 66
    place = f"{iceberg.location()}/metadata/{snapshot_id}"
    manifests = [
        write_listing(table, f"{place}-{at}.avro", snapshot_id, one)
        for at, one in enumerate(listings)
    ]
    # Only the second version of the format counts.
    sequence = getattr(metadata, "last_sequence_number", 0) + 1
    version: Any = metadata.format_version
    target = iceberg.io.new_output(f"{place}.avro")
    with write_manifest_list(version, target, snapshot_id, None, sequence, "deflate") as lister:
        lister.add_manifests(manifests)
    head = metadata.current_snapshot()
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=head.snapshot_id if head else None,
        sequence_number=sequence if version > 1 else None,
        timestamp_ms=metadata.last_updated_ms + 1,
        manifest_list=target.location,
        summary=Summary(Operation.APPEND),
        schema_id=iceberg.schema().schema_id,
    )
    branch = SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id)
    iceberg._do_commit(
        (AddSnapshotUpdate(snapshot=snapshot), branch),
        (AssertTableUUID(uuid=metadata.table_uuid),),
    )
    table.refresh()


def write_listing(table: Table, path: str, snapshot_id: int, listing: Listing) -> ManifestFile:
    iceberg, spec = table.iceberg, SPECS[listing.spec]
    target, codec = iceberg.io.new_output(path), listing.codec
    version: Any = iceberg.metadata.format_version
    if any(one.content != DataFileContent.DATA for one in listing.entries):
        writer: Any = _DeleteManifest(spec, iceberg.schema(), target, snapshot_id, codec)  # type: ignore[arg-type]
    else:
        writer = write_manifest(version, spec, iceberg.schema(), target, snapshot_id, codec)  # type: ignore[arg-type]
    with writer:
        for one in listing.entries:
            writer.add_entry(
                ManifestEntry.from_args(
                    status=one.status,
                    snapshot_id=snapshot_id,
                    sequence_number=one.sequence if version > 1 else None,
                    file_sequence_number=one.sequence if version > 1 else None,
                    data_file=data_file(one, spec),
                )
            )
    manifest: ManifestFile = writer.to_manifest_file()
    if listing.sequence is not None and version > 1:
        known = [one.sequence for one in listing.entries if one.sequence is not None]
        manifest.sequence_number = listing.sequence
        manifest.min_sequence_number = min([listing.sequence, *known])
    return manifest


def data_file(listed: Listed, spec: PartitionSpec) -> DataFile:
    values = [
        part.transform.transform(SCHEMA.find_type(part.source_id))(
            listed.values.get(SCHEMA.find_field(part.source_id).name)
        )
        for part in spec.fields
    ]
    arguments = {
        "content": listed.content,
        "file_path": f"s3://lake/{next(numbers)}.parquet",
        "file_format": FileFormat.PARQUET,
        "partition": Record(*values),
        "record_count": listed.rows,
        "file_size_in_bytes": 1000 + listed.rows,
        **listed.metrics,
        **listed.more,
    }
    file = DataFile.from_args(**arguments)
    file.spec_id = spec.spec_id
    return file


def plan_of(table: Table, where: ex.BooleanExpression) -> list[tuple[Any, ...]]:
    """Plan with flowkit."""
    plan = table.scan(where=where).plan()
    assert plan.rows == sum(one.file.record_count for one in plan.files)
    assert plan.size_bytes == sum(one.file.file_size_in_bytes for one in plan.files)
    assert len(plan) == len(plan.files)
    return [
        (
            one.file.file_path,
            one.file.spec_id,
            repr(one.file.partition),
            one.file.record_count,
            one.file.file_size_in_bytes,
            one.file.split_offsets,
            one.deletes,
            one.residual,
        )
        for one in plan.files
    ]


def plan_of_pyiceberg(table: Table, where: ex.BooleanExpression) -> list[tuple[Any, ...]]:
    """Plan with pyiceberg."""
    return [
        (
            one.file.file_path,
            one.file.spec_id,
            repr(tuple(one.file.partition[at] for at in range(len(one.file.partition)))),
            one.file.record_count,
            one.file.file_size_in_bytes,
            tuple(one.file.split_offsets or ()),
            tuple(sorted(file.file_path for file in one.delete_files)),
            one.residual,
        )
        for one in table.iceberg.scan(row_filter=where).plan_files()
    ]


def check_plans(table: Table, where: ex.BooleanExpression) -> int:
    """Compare the plans; return how many files are in them."""
    ours = plan_of(table, where)
    # pyiceberg has no rows of NaN where `not` is before a range: ours is what is compared.
    where = settle(where, SCHEMA)
    try:
        theirs = plan_of_pyiceberg(table, where)
    except TypeError:
        # pyiceberg cannot say what is left of a filter where a partition is null.
        scan = table.iceberg.scan(row_filter=where)
        planner = ManifestGroupPlanner(table.iceberg.metadata, table.iceberg.io, where)
        snapshot = scan.snapshot()
        assert snapshot is not None
        lots = planner.plan_manifest_entries(snapshot.manifests(table.iceberg.io))
        paths = [one.data_file.file_path for lot in lots for one in lot]
        assert [one[0] for one in ours] == paths, where
        return len(ours)
    assert ours == theirs, where
    return len(ours)


def every_filter() -> Iterator[ex.BooleanExpression]:
    """Yield a filter of every operator on every column that has it."""
    for name, (kind, values) in COLUMNS.items():
        yield ex.IsNull(name)
        yield ex.NotNull(name)
        if isinstance(kind, types.FloatType | types.DoubleType):
            yield ex.IsNaN(name)
            yield ex.NotNaN(name)
        for value in values:
            yield ex.EqualTo(name, value)
            yield ex.NotEqualTo(name, value)
            if not isinstance(kind, types.BooleanType):
                yield ex.LessThan(name, value)
                yield ex.LessThanOrEqual(name, value)
                yield ex.GreaterThan(name, value)
                yield ex.GreaterThanOrEqual(name, value)
            if isinstance(kind, types.StringType):
                yield ex.StartsWith(name, value)
                yield ex.NotStartsWith(name, value)
        yield ex.In(name, values[:2])
        yield ex.NotIn(name, values[:2])


FILTERS = list(every_filter())


@st.composite
def metrics(draw: st.DrawFn, rows: int) -> dict[str, Any]:
    """Statistics of some columns, some of them missing, unreliable or of nothing but null."""
    made: dict[str, dict[int, Any]] = {
        name: {}
        for name in (
            "value_counts",
            "null_value_counts",
            "nan_value_counts",
            "lower_bounds",
            "upper_bounds",
        )
    }
    for name in draw(st.lists(st.sampled_from(list(COLUMNS)), max_size=6, unique=True)):
        kind, values = COLUMNS[name]
        number = IDS[name]
        counts = st.none() | st.sampled_from([0, 1, rows])
        for which in ("value_counts", "null_value_counts", "nan_value_counts"):
            if (count := draw(counts)) is not None:
                made[which][number] = count
        is_float = isinstance(kind, types.FloatType | types.DoubleType)
        bound = st.none() | st.sampled_from([*values, *([NAN] if is_float else [])])
        low, high = draw(bound), draw(bound)
        if low is not None and high is not None and low > high:
            low, high = high, low
        for which, value in (("lower_bounds", low), ("upper_bounds", high)):
            if value is not None:
                made[which][number] = to_bytes(kind, value)
    return {name: None if not draw(st.integers(0, 4)) else one for name, one in made.items()}


@st.composite
def values_of(draw: st.DrawFn) -> dict[str, Any]:
    return {
        name: draw(
            st.none() | st.sampled_from([*values, *([NAN] if name in ("ratio", "price") else [])])
        )
        for name, (_, values) in COLUMNS.items()
    }


@st.composite
def listed(draw: st.DrawFn, newest: int) -> Listed:
    status = draw(st.sampled_from(ManifestEntryStatus))
    rows = draw(st.sampled_from([5, 5, 5, 0, 12]))
    return Listed(
        values=draw(values_of()),
        metrics=draw(metrics(rows)),
        status=status,
        sequence=None if status == ManifestEntryStatus.ADDED else draw(st.integers(1, newest)),
        rows=rows,
        more={"split_offsets": draw(st.none() | st.lists(st.integers(4, 999), max_size=3))},
    )


@st.composite
def listings(draw: st.DrawFn) -> list[Listing]:
    made = []
    for _ in range(draw(st.integers(1, 3))):
        newest = draw(st.integers(1, 5))
        entries = draw(st.lists(listed(newest), min_size=1, max_size=6))
        inherits = draw(st.booleans())
        made.append(
            Listing(entries, draw(st.sampled_from(list(SPECS))), None if inherits else newest)
        )
    return made


FILTER_TREES = st.recursive(
    st.sampled_from(FILTERS),
    lambda inner: st.one_of(
        st.builds(ex.And, inner, inner), st.builds(ex.Or, inner, inner), st.builds(ex.Not, inner)
    ),
    max_leaves=4,
)


@pytest.mark.parametrize("version", [1, 2])
def test_plans_are_those_of_pyiceberg(version: int) -> None:
    table = make_table(version)

    @given(listings(), st.lists(FILTER_TREES, min_size=4, max_size=8))
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    def check(manifests: list[Listing], filters: list[ex.BooleanExpression]) -> None:
        commit(table, *manifests)
        for where in (ex.AlwaysTrue(), *filters):
            check_plans(table, where)

    check()


def test_deletes_apply_as_pyiceberg_applies_them() -> None:
    table = make_table()
    values = [{"small": small, "name": "a", "ratio": 0.0} for small in (0, 7, None)]
    data = [
        Listed(one, status=ManifestEntryStatus.EXISTING, sequence=sequence)
        for one in values
        for sequence in (1, 2, 3)
    ]
    deletes = [
        Listed(one, content=DataFileContent.POSITION_DELETES, sequence=2, status=status)
        for one in values
        for status in (ManifestEntryStatus.EXISTING, ManifestEntryStatus.DELETED)
    ]
    commit(table, Listing(data, 1, 3), Listing(data, 0, 3), Listing(deletes, 1, 4))
    for where in (ex.AlwaysTrue(), ex.EqualTo("small", 7), ex.IsNull("small")):
        check_plans(table, where)
    applied = [len(one.deletes) for one in table.scan().plan().files]
    assert applied == [1, 1, 0] * 3 + [0] * 9


@pytest.mark.parametrize("codec", ["null", "bzip2", "zstandard"])
def test_manifests_of_every_codec_are_read(codec: str) -> None:
    table = make_table()
    commit(table, Listing([Listed({"small": at}) for at in range(50)], 1, codec=codec))
    assert check_plans(table, ex.LessThan("small", 7)) == 7


def test_a_damaged_manifest_is_named() -> None:
    table = make_table()
    commit(table, Listing([Listed()]))
    snapshot = table.iceberg.current_snapshot()
    assert snapshot is not None
    path = snapshot.manifests(table.iceberg.io)[0].manifest_path
    file = Path(path.removeprefix("file://"))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ManifestDamaged, match=file.name):
        table.scan().plan()


def test_files_that_cannot_be_read_are_refused_if_they_matter() -> None:
    table = make_table()
    odd = Listed({"small": 7}, more={"key_metadata": b"secret"})
    commit(table, Listing([Listed({"small": 0}), odd], 1))
    assert check_plans(table, ex.EqualTo("small", 0)) == 1
    with pytest.raises(UnsupportedTable, match="encrypted"):
        table.scan().plan()
