#!/usr/bin/env python3
"""Makes the Parquet and Arrow files of this folder, by pyarrow 26.0.1."""

import decimal
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent
SHOP = ["a", "b", "c", "d"]


def make(name, column, **options):
    pq.write_table(pa.table({"open": column, "shop": SHOP}), FOLDER / f"{name}.parquet", **options)


# Times in seconds and days in milliseconds, which Parquet stores in other units.
make("seconds", pa.array([9 * 3600, 10 * 3600, None, 40], pa.time32("s")))
make("nested_seconds", pa.array([[9 * 3600], [40], None, []], pa.list_(pa.time32("s"))))
make("days", pa.array([0, 86400000, None, 86400000 * 19782], pa.date64()))
make("coerced", pa.array([10**9, 1234 * 10**6, None, 0], pa.timestamp("ns")), coerce_timestamps="ms")
# What polars has no type for.
make("half", pa.array([0.5, None, 1, 2], pa.float16()))
make("uuid", pa.array([bytes(range(16)), None, bytes(16), bytes(16)], pa.uuid()), store_schema=False)
make("map", pa.array([[("x", 1)], None, [], [("y", 2)]], pa.map_(pa.string(), pa.int64())))
make("ordered", pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), ["x", "w"], ordered=True))
# A column without nulls; and as of a frame of pandas with an index, and of GeoParquet.
schema = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.string())])
table = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]}, schema=schema)
pq.write_table(table, FOLDER / "required.parquet")
table = pa.table({"a": [1, None], "__index_level_0__": ["x", "y"]})
about = {"pandas": '{"index_columns": ["__index_level_0__"]}', "geo": '{"version": "1.1.0"}'}
pq.write_table(table.replace_schema_metadata(about), FOLDER / "about.parquet")


def write_arrow(table, name):
    with pa.ipc.new_file(FOLDER / f"{name}.arrow", table.schema) as file:
        file.write_table(table)


# Types that polars has another type for; the last row is missing.
DAY = 86400000
number = decimal.Decimal("-9.99")
kept = {
    "string": pa.array(["a", "", "longer than twelve bytes", None], pa.string()),
    "large_string": pa.array(["a", "", "longer than twelve bytes", None], pa.large_string()),
    "string_view": pa.array(["a", "", "longer than twelve bytes", None], pa.string_view()),
    "binary": pa.array([b"a", b"", b"\xff\x00", None], pa.binary()),
    "large_binary": pa.array([b"a", b"", b"\xff\x00", None], pa.large_binary()),
    "binary_view": pa.array([b"a", b"", b"\xff\x00 and so on, and on", None], pa.binary_view()),
    "five_bytes": pa.array([b"12345", bytes(5), b"\xff" * 5, None], pa.binary(5)),
    "uuid": pa.array([bytes(range(16)), bytes(16), b"\xff" * 16, None], pa.uuid()),
    "json": pa.array(["{}", "1", "[null]", None], pa.json_()),
    "time_s": pa.array([0, 1, 86399, None], pa.time32("s")),
    "time_ms": pa.array([0, 1, 86399999, None], pa.time32("ms")),
    "time_us": pa.array([0, 1, 86399999999, None], pa.time64("us")),
    "time_ns": pa.array([0, 1, 86399999999999, None], pa.time64("ns")),
    "at_s": pa.array([0, -1, 10**10, None], pa.timestamp("s")),
    "at_ms": pa.array([0, -1, 10**13, None], pa.timestamp("ms")),
    "at_us": pa.array([0, -1, 10**16, None], pa.timestamp("us", "Europe/Berlin")),
    "at_ns": pa.array([0, -1, 10**18 + 1, None], pa.timestamp("ns", "+02:00")),
    "lasts_s": pa.array([0, -1, 10**10, None], pa.duration("s")),
    "lasts_ns": pa.array([0, -1, 10**18 + 1, None], pa.duration("ns")),
    "date32": pa.array([0, -1, 19782, None], pa.date32()),
    "date64": pa.array([0, -DAY, 19782 * DAY, None], pa.date64()),
    "half": pa.array([0.1, -0.0, 65504, None], pa.float16()),
    "decimal32": pa.array([number, 0, 1, None], pa.decimal32(5, 2)),
    "decimal64": pa.array([number, 0, 1, None], pa.decimal64(12, 2)),
    "decimal128": pa.array([number, 0, 10**35, None], pa.decimal128(38, 2)),
    "list": pa.array([["a"], [], ["b", None], None], pa.list_(pa.string())),
    "large_list": pa.array([[1], [], [2, None], None], pa.large_list(pa.int8())),
    "two": pa.array([[1, 2], [3, None], [5, 6], None], pa.list_(pa.time64("us"), 2)),
    "fields": pa.array(
        [{"t": 1, "h": 0.5}, {"t": None, "h": None}, {"t": 0, "h": -2}, None],
        pa.struct([("t", pa.time32("ms")), ("h", pa.float16())]),
    ),
    "id": pa.array([1, 2, 3, 4]),
}
schema = [pa.field(name, values.type, nullable=name != "id") for name, values in kept.items()]
schema[0] = schema[0].with_metadata({"unit": "none"})
kept = pa.table(kept, schema=pa.schema(schema))
pq.write_table(kept, FOLDER / "kept.parquet")
write_arrow(kept, "kept")
# What cannot be read, or would not stay.
ends = pa.array([1, 2], pa.int32())
view = pa.array([["a"], None], pa.list_view(pa.string()))
odd = {
    "runs": pa.RunEndEncodedArray.from_arrays(ends, ["a", "b"]),
    "view": view,
    "in_list": pa.array([[["a"]], None], pa.list_(pa.large_list_view(pa.string()))),
    "tens": pa.array([decimal.Decimal(1200), None], pa.decimal128(5, -2)),
    "wide": pa.array([number, None], pa.decimal256(20, 2)),
    "months": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "union": pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]),
    "moment": pa.array([1, None], pa.date64()),
}
for name, values in odd.items():
    write_arrow(pa.table({"shop": ["a", "b"], "open": values}), name)
# A file that says nothing of the types of Arrow.
plain = {
    "half": pa.array([0.5, float("nan"), None], pa.float16()),
    "uuid": pa.array([bytes(range(16))] * 3, pa.uuid()),
    "json": pa.array(["{}"] * 3, pa.json_()),
    "list": pa.array([["a"]] * 3, pa.list_(pa.string())),
    "at": pa.array([1] * 3, pa.timestamp("us", "Europe/Berlin")),
}
pq.write_table(pa.table(plain), FOLDER / "plain.parquet", store_schema=False)
short = pa.table({"open": pa.array(["a", "b"], pa.string_view())})
with pa.ipc.new_file(FOLDER / "short.arrow", short.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
    file.write_table(short)
pq.write_table(pa.table({"open": view}), FOLDER / "view.parquet")
pq.write_table(pa.table({"open": pa.array([number], pa.decimal256(60, 2))}), FOLDER / "digits.parquet")
pq.write_table(pa.table({"open": pa.array([[b"12"]], pa.list_(pa.binary(2)))}), FOLDER / "pair.parquet")
