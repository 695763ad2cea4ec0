"""The serializers that flowkit ships, held to their contract."""

import datetime as dt
import math
import pickle
import subprocess
import sys
import zoneinfo
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.extra import pandas as hpd

from flowkit import DataFrame
from flowkit.store import Store
from flowkit.store.serializers import find_serializer, get_serializer
from flowkit.testing import MemoryStorage
from flowkit.testing.serializer_contract import SerializerContract, round_trip


def assert_equal(one, other):
    assert one == other


def assert_same_plain(one, other):
    """Equal, and of equal types all the way down; 0.0 is not -0.0."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same_plain(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_same_plain(mine, theirs)
    else:
        assert repr(one) == repr(other)


def assert_same_array(one, other):
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.tobytes() == other.tobytes()
    assert one.flags.c_contiguous or not other.flags.c_contiguous
    assert one.flags.f_contiguous or not other.flags.f_contiguous
    assert one.flags.writeable


def assert_same_arrow(one, other):
    if isinstance(one, pa.Schema):
        assert one.equals(other, check_metadata=True)
        return
    one.validate(full=True)
    assert one.equals(other)
    if isinstance(one, pa.Table | pa.RecordBatch):
        assert one.schema.equals(other.schema, check_metadata=True)
    else:
        assert one.type.equals(other.type)


def assert_same_pandas(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_freq=True, check_flags=True, rtol=0, atol=0)
        assert [repr(one[c].dtype) for c in one] == [repr(other[c].dtype) for c in other]
        assert type(one.index) is type(other.index)
        assert repr(one.columns) == repr(other.columns)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, rtol=0, atol=0)
        assert repr(one.dtype) == repr(other.dtype)
        assert type(one.index) is type(other.index)
    else:
        pd.testing.assert_index_equal(one, other, exact=True, rtol=0, atol=0)


class Plain:
    """A class that plain pickle takes by its name."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(other) is Plain and self.value == other.value

    __hash__ = None


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


class TestJson(SerializerContract):
    @pytest.fixture
    def serializer(self):
        return get_serializer("json")

    @pytest.fixture
    def same(self):
        return assert_same_plain

    @pytest.fixture
    def values(self):
        shared = "shared text is one object without harm"
        numbers = [0, -1, 1 << 63, -(1 << 63), (1 << 64) - 1, 0.0, -0.0, 1.0, 1e300, 5e-324, 0.1]
        return [
            None,
            True,
            False,
            *numbers,
            "",
            "héllo \x00 \u2028 😀",
            [],
            {},
            [shared, shared, {shared: shared}],
            {"b": 1, "a": [1, 1.0, None, True, {"": [[]]}]},
            list(range(9_999)),
        ]

    @pytest.fixture
    def refused(self):
        again = [1]
        cycle = []
        cycle.append(cycle)
        return [
            math.nan,
            math.inf,
            1 << 64,
            -(1 << 63) - 1,
            "\ud800",
            (1, 2),
            {1: 2},
            {"\ud800": 1},
            {"a": {2: 1}},
            [again, again],
            cycle,
            [b"bytes"],
            [np.float64(1.0)],
            [np.str_("text")],
            [math.nan],
            list(range(10_000)),
            nested(64),
            type("Text", (str,), {})("text"),
        ]


class TestBytes(SerializerContract):
    @pytest.fixture
    def serializer(self):
        return get_serializer("bytes")

    @pytest.fixture
    def same(self):
        return assert_equal

    @pytest.fixture
    def values(self):
        return [b"", b"\0\xff", bytes(100_000)]

    @pytest.fixture
    def refused(self):
        return [bytearray(b"x"), memoryview(b"x"), type("Raw", (bytes,), {})(b"x"), "text"]


class TestNumpy(SerializerContract):
    @pytest.fixture
    def serializer(self):
        return get_serializer("numpy")

    @pytest.fixture
    def same(self):
        return assert_same_array

    @pytest.fixture
    def values(self):
        cube = np.arange(24, dtype=">i4").reshape(2, 3, 4)
        return [
            np.array(5.0),
            np.zeros((0, 3)),
            np.zeros((3, 0), order="F"),
            np.arange(10, dtype=np.uint8),
            np.array([True, False]),
            np.array([1 + 2j]),
            np.array([np.nan, -0.0, np.inf], np.float16),
            np.array(["2020-01-01", "NaT"], "M8[us]"),
            np.array([1, 2], "m8[ns]"),
            np.array(["ä", "text"]),
            np.array([b"x", b"long"]),
            np.array([(1, 2.0), (3, 4.0)], [("a", "<i2"), ("b", "<f8")]),
            np.zeros(2, [("outer", [("inner", "<f4", (2, 3)), ("flag", "?")])]),
            np.zeros(
                2, np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 8]})
            ),
            cube,
            np.asfortranarray(cube),
            cube[:, ::2],
            cube[..., 0].T,
            np.broadcast_to(np.arange(3), (4, 3)),
        ]

    @pytest.fixture
    def refused(self):
        return [
            np.array([object()], dtype=object),
            np.array(["a"], dtype=np.dtypes.StringDType()),
            np.zeros(3, []),
            np.zeros(2, np.dtype([("a", "u1"), ("b", "f8")], align=True)),
            np.zeros(2, np.dtype("f8", metadata={"unit": "m"})),
            np.ma.masked_array([1, 2], [True, False]),
            np.array([1, 2]).view(type("Mine", (np.ndarray,), {})),
            np.float64(1.0),
        ]

    @given(
        hnp.arrays(
            hnp.scalar_dtypes() | hnp.array_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)
        )
    )
    def test_any_array_comes_back_or_is_refused(self, array):
        serializer = get_serializer("numpy")
        if serializer.accepts(array):
            assert_same_array(
                round_trip(serializer, array), np.ascontiguousarray(array).reshape(array.shape)
            )

    def test_an_array_is_not_copied(self):
        array = np.arange(1000)
        _, (view,) = get_serializer("numpy").dump(array)
        assert np.shares_memory(np.frombuffer(view, np.uint8), array)


def arrow_values():
    table = pa.table(
        {
            "i": pa.chunked_array([[1, None], [3]]),
            "s": pa.chunked_array([["a", "b"], [None]]),
            "d": pa.array([Decimal("1.5"), None, Decimal("-2.25")]),
            "l": pa.array([[1], [], None]),
            "n": pa.array([{"x": 1, "y": ["z"]}, None, {"x": None, "y": None}]),
            "c": pa.array(["u", "v", "u"]).dictionary_encode(),
            "t": pa.array([dt.datetime(2020, 1, 1), None, None], pa.timestamp("us", "Europe/Rome")),
        }
    )
    return [
        table,
        table.replace_schema_metadata({"who": "ünicode", b"\xff": b"\0"}),
        table.slice(1, 2),
        table.slice(0, 0),
        pa.table({}),
        pa.schema([]).empty_table(),
        pa.table([[1], [2]], names=["same", "same"]),
        pa.record_batch({"a": [1, 2, 3], "b": ["x", None, "z"]}),
        pa.record_batch({"a": [1, 2, 3]}).slice(2),
        pa.array([1.5, None]),
        pa.array([], pa.string()),
        pa.array(["a", "b", "c"]).slice(1),
        pa.array([True, False, None] * 7).slice(3),
        pa.array(["x", "y", "x"]).dictionary_encode(),
        pa.nulls(3),
        pa.chunked_array([[1], [2, 3]]),
        pa.chunked_array([], pa.int8()),
        pa.chunked_array(
            [pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]
        ),
        pa.schema([pa.field("a", pa.int8(), nullable=False, metadata={"k": "v"})], {"m": "n"}),
    ]


class TestArrow(SerializerContract):
    @pytest.fixture
    def serializer(self):
        return get_serializer("arrow")

    @pytest.fixture
    def same(self):
        def check(one, other):
            # Arrays of one type have classes of their own; the contract compares those.
            assert_same_arrow(one, other)

        return check

    @pytest.fixture
    def values(self):
        return arrow_values()

    @pytest.fixture
    def refused(self):
        return [
            pa.table({"a": [1, 2]}).select([]),
            pa.scalar(1),
            pa.int8(),
            pa.field("a", pa.int8()),
        ]

    def test_columns_are_not_copied(self):
        numbers = np.random.default_rng(1).random(10_000)
        _, (pieces,) = get_serializer("arrow").dump(
            pa.table({"x": numbers, "y": numbers[::-1].copy()})
        )
        assert any(np.shares_memory(np.frombuffer(one, np.uint8), numbers) for one in pieces)

    def test_loaded_columns_lie_in_the_buffer(self):
        serializer = get_serializer("arrow")
        head, (pieces,) = serializer.dump(pa.table({"x": np.arange(1000)}))
        memory = memoryview(bytearray(b"".join(pieces)))
        loaded = serializer.load(head, [memory])
        assert np.shares_memory(loaded["x"].chunk(0).to_numpy(), np.frombuffer(memory, np.uint8))


def frame(**columns):
    return pd.DataFrame(columns)


def pandas_values():
    numbers = np.array([1.5, np.nan, -0.0, np.inf])
    times = pd.to_datetime(["2020-01-01", None, "2021-06-01", "1999-12-31"])
    everything = frame(
        f8=numbers,
        f4=numbers.astype("f4"),
        f2=numbers.astype("f2"),
        i1=np.array([1, 2, 3, 4], "i1"),
        u8=np.array([1, 2, 3, (1 << 64) - 1], "u8"),
        flag=[True, False, True, False],
        ns=times.as_unit("ns"),
        s=times.as_unit("s"),
        utc=times.tz_localize("UTC"),
        rome=times.tz_localize("Europe/Rome"),
        span=pd.to_timedelta([1, None, 3, 4], unit="s"),
        text=["a", None, "ü", ""],
        nullable_text=pd.array(["a", None, "ü", ""], dtype="string"),
        nullable_int=pd.array([1, None, 3, 4], dtype="Int64"),
        nullable_float=pd.array([1.5, None, 3, 4], dtype="Float64"),
        nullable_flag=pd.array([True, None, False, True], dtype="boolean"),
        colour=pd.Categorical(["r", "g", None, "r"], categories=["r", "g", "b"]),
        ordered=pd.Categorical([3, 1, 2, 1], categories=[3, 2, 1], ordered=True),
    )
    return [
        everything,
        *[everything[[name]] for name in everything],
        everything.iloc[:0].drop(columns=["colour", "ordered"]),
        everything.iloc[1:3],
        everything.iloc[::-1],
        everything.set_index("text"),
        everything.set_index("i1"),
        everything.set_index("rome"),
        everything.rename_axis(columns="what"),
        frame(a=[1, 2]).rename_axis("rows"),
        pd.DataFrame({"a": [1, 2, 3]}, index=pd.RangeIndex(10, 16, 2)),
        pd.DataFrame({"a": [1, 2]}, index=[7, 7]),
        pd.DataFrame(np.arange(12.0).reshape(3, 4), columns=list("abcd")),
        pd.DataFrame({"o": pd.Series(["x", "y"], dtype=object)}),
        pd.Series([1, 2, 3]),
        pd.Series([1.5, np.nan], name="named", index=["a", "b"]),
        pd.Series(["x", None], name="value"),
        pd.Series(pd.Categorical(["a", "b"]), name="index"),
        pd.Index([3, 1, 2]),
        pd.Index(["a", "b"], name="letters"),
        pd.DatetimeIndex(["2020-01-01", "2020-01-03"], name="days"),
    ]


def pandas_refused():
    with_attrs = frame(a=[1])
    with_attrs.attrs["unit"] = "m"
    strict = frame(a=[1]).set_flags(allows_duplicate_labels=False)
    return [
        with_attrs,
        strict,
        frame(a=["x", 1]),
        frame(a=pd.Series(["x", None], dtype=object)),
        frame(a=pd.Series(["x", "\ud800"], dtype=object)),
        frame(a=pd.Series(["x", "\ud800"], dtype=pd.StringDtype("python"))),
        frame(a=[{"nested": 1}]),
        frame(a=[dt.date(2020, 1, 1)]),
        frame(a=[Decimal(1)]),
        frame(a=[1j]),
        frame(a=pd.Categorical(["x"])).iloc[:0],
        frame(a=pd.period_range("2020", periods=2, freq="M")),
        frame(a=pd.interval_range(0, 2)),
        frame(a=pd.arrays.SparseArray([0, 1])),
        pd.DataFrame({0: [1]}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({("a", "b"): [1]}),
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame({"__index_level_0__": [1]}),
        pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])),
        pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2020", periods=2)),
        pd.DataFrame({"a": [1]}, index=pd.Index([2], name="a")),
        pd.DataFrame({"a": [1]}, index=pd.Index([2], name=("x", 1))),
        pd.Series([1], name=5),
        pd.Series([object()]),
        pd.date_range("2020", periods=3),
        pd.RangeIndex(5),
        pd.MultiIndex.from_tuples([("x", 1)]),
        pd.Timestamp("2020-01-01"),
    ]


class TestFrame(SerializerContract):
    @pytest.fixture
    def serializer(self):
        return get_serializer("frame")

    @pytest.fixture
    def same(self):
        return lambda one, other: assert_same_arrow(one.to_arrow(), other.to_arrow())

    @pytest.fixture
    def values(self):
        tables = [one for one in arrow_values() if isinstance(one, pa.Table)]
        # A frame has no name twice.
        return [
            DataFrame(one) for one in tables if len({*one.column_names}) == len(one.column_names)
        ]

    @pytest.fixture
    def refused(self):
        return [pa.table({"a": [1]}), DataFrame(pa.table({"a": [1, 2]}).select([])), 7]


class TestPandas(SerializerContract):
    @pytest.fixture
    def serializer(self):
        return get_serializer("pandas")

    @pytest.fixture
    def same(self):
        return assert_same_pandas

    @pytest.fixture
    def values(self):
        return pandas_values()

    @pytest.fixture
    def refused(self):
        return pandas_refused()

    def test_a_loaded_frame_may_be_changed_in_place(self, serializer):
        for value in pandas_values():
            if isinstance(value, pd.DataFrame) and len(value) and {"i1", "f8"} <= {*value}:
                loaded = round_trip(serializer, value)
                loaded.iloc[0, loaded.columns.get_loc("i1")] = 77
                loaded["f8"] += 1
                assert loaded["i1"].iloc[0] == 77

    @given(
        hpd.data_frames(
            [
                hpd.column("f", dtype="f8"),
                hpd.column("h", dtype="f4"),
                hpd.column("i", dtype="i8"),
                hpd.column("flag", dtype=bool),
                hpd.column("when", dtype="M8[us]"),
                hpd.column("span", dtype="m8[ns]"),
                hpd.column("o", dtype=object, elements=st.text() | st.none()),
            ],
            index=hpd.range_indexes() | hpd.indexes(dtype="i8") | hpd.indexes(dtype="f8"),
        )
    )
    def test_any_frame_comes_back_or_is_refused(self, value):
        serializer = get_serializer("pandas")
        for part in (value, value.drop(columns=["o"]), value["o"], value["when"], value.index):
            if serializer.accepts(part):
                assert_same_pandas(round_trip(serializer, part), part)
        assert serializer.accepts(value.drop(columns=["o"]))

    @given(st.data())
    def test_any_time_zone_comes_back_or_is_refused(self, data):
        zone = data.draw(
            st.sampled_from(sorted(zoneinfo.available_timezones())).map(zoneinfo.ZoneInfo)
            | st.integers(-1439, 1439).map(
                lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))
            )
            | st.just(dt.UTC)
        )
        value = frame(
            t=pd.to_datetime(["2020-01-01", "2020-07-01"]).tz_localize("UTC").tz_convert(zone)
        )
        serializer = get_serializer("pandas")
        if serializer.accepts(value):
            assert_same_pandas(round_trip(serializer, value), value)


class TestPickle(SerializerContract):
    @pytest.fixture
    def serializer(self):
        return get_serializer("pickle")

    @pytest.fixture
    def same(self):
        def check(one, other):
            if isinstance(other, pd.DataFrame):
                pd.testing.assert_frame_equal(one, other)
            else:
                assert one == other

        return check

    @pytest.fixture
    def values(self):
        return [
            (1, 2),
            {1, 2},
            1 << 100,
            Plain([1, {"a": Plain(2)}]),
            dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
            bytearray(b"x" * 10_000),
            Path("a/b"),
            *[value for value in pandas_refused() if isinstance(value, pd.DataFrame)],
        ]

    @pytest.fixture
    def refused(self):
        return []

    def test_large_buffers_stay_beside_the_pickle(self, serializer):
        array = np.arange(10_000)
        head, buffers = serializer.dump({"big": array, "small": np.arange(3)})
        assert len(head) < 1000
        assert [memoryview(one).nbytes for one in buffers] == [array.nbytes]

    def test_functions_and_local_classes_go_by_value(self, serializer):
        class Local:
            def double(self, number):
                return number * 2

        assert round_trip(serializer, lambda number: number + 1)(2) == 3
        assert round_trip(serializer, Local())  # its class comes with it
        assert round_trip(serializer, Local()).double(4) == 8

    def test_sharing_survives(self, serializer):
        inner = [1]
        first, second = round_trip(serializer, [inner, inner])
        assert first is second


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
trees = st.recursive(
    scalars,
    lambda below: (
        st.lists(below) | st.dictionaries(st.text() | st.integers(), below) | st.tuples(below)
    ),
)


@given(trees)
def test_any_plain_value_comes_back_from_a_store(value):
    store = Store(MemoryStorage())
    writer = store.write_manifest()
    writer.add("x", value)
    entry = store.manifest(writer.commit()).artifacts["x"]
    assert repr(store.load(entry)) == repr(value)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (1, "json"),
        (b"", "bytes"),
        ((1,), "pickle"),
        (np.arange(3), "numpy"),
        (np.float64(1), "pickle"),
        (pa.table({"a": [1]}), "arrow"),
        (pa.scalar(1), "pickle"),
        (frame(a=[1]), "pandas"),
        (frame(a=[object()]), "pickle"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_each_value_goes_to_its_serializer(value, tag):
    assert find_serializer(value).tag == tag


def test_choosing_a_serializer_imports_no_library():
    code = """
import sys
from flowkit.store.serializers import find_serializer
class Mine: pass
for value in (1, b"x", [1, {"a": None}], (1, 2), Mine(), {1}, len):
    find_serializer(value).dump(value)
heavy = {"numpy", "pandas", "pyarrow", "cloudpickle", "importlib.metadata"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pickles_are_read_by_pickle_alone():
    head, buffers = get_serializer("pickle").dump({"a": np.arange(5000)})
    loaded = pickle.loads(head, buffers=buffers)
    assert loaded["a"].sum() == np.arange(5000).sum()
