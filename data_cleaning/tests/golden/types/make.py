#!/usr/bin/env python3
"""Makes the Parquet files of this folder, by pyarrow 26.0.1."""

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
make("uuid", pa.array([bytes(range(16)), None, bytes(16), bytes(16)], pa.uuid()), store_schema=False)
make("map", pa.array([[("x", 1)], None, [], [("y", 2)]], pa.map_(pa.string(), pa.int64())))
make("ordered", pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), ["x", "w"], ordered=True))
make("half", pa.array([0.5, None, 1, 2], pa.float16()))
# A column without nulls; and as of a frame of pandas with an index, and of GeoParquet.
schema = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.string())])
table = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]}, schema=schema)
pq.write_table(table, FOLDER / "required.parquet")
table = pa.table({"a": [1, None], "__index_level_0__": ["x", "y"]})
about = {"pandas": '{"index_columns": ["__index_level_0__"]}', "geo": '{"version": "1.1.0"}'}
pq.write_table(table.replace_schema_metadata(about), FOLDER / "about.parquet")
