#!/usr/bin/env python3
"""Cleans tables of random types, written in random ways by pyarrow, and compares what is left.

    data_cleaning/tests/random_tables.py BINARY [--seed N] [--rounds N] [--keep FOLDER]

Each round has a seed of its own, told when something differs: `--seed N --rounds 1` repeats it, and
`--keep` leaves its files. The right rows, values and types are made here, of what the table was made of,
and pyarrow reads the output. A type that cannot stay has to be refused by column, and without an output.
"""

import argparse
import collections
import csv
import datetime
import decimal
import json
import math
import os
import random
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86400000
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
TEXTS = [
    "", "a", "NA", "null", "exactly 12 b", "longer than twelve bytes, and on", "\u00e4\u20ac\U0001f600",
    'a "quote"', "a,b", "line\nend", "\r\n", " blank ", "\x00", "007", "-0.0",
]
REALS = [0.0, -0.0, 0.1, 1.5, -2.25, 65504.0, math.inf, -math.inf, math.nan]

# A type, what makes a value of it, and whether a table of it is refused.
Kind = collections.namedtuple("Kind", ["type", "value", "refused"], defaults=[False])


def whole(rng, low, high):
    """A whole number, often one of the ends or near nothing."""
    if rng.random() < 0.6:
        return rng.randint(max(low, -1000), min(high, 1000))
    return rng.choice([low, high, max(low, -1), 0, rng.randint(low, high)])


def integer(rng):
    bits, sign = rng.choice([8, 16, 32, 64]), rng.random() < 0.5
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign else (0, 2**bits - 1)
    kind = getattr(pa, f"{'' if sign else 'u'}int{bits}")()
    return Kind(kind, lambda: whole(rng, low, high))


def real(rng):
    return Kind(rng.choice([pa.float16(), pa.float32(), pa.float64()]), lambda: rng.choice(REALS))


def text(rng):
    index = rng.choice([pa.int8(), pa.int32(), pa.uint16()])
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(index, pa.string())]
    return Kind(rng.choice(kinds), lambda: rng.choice(TEXTS))


def octets(rng):
    size = rng.choice([1, 5, 16])
    return rng.choice([
        Kind(rng.choice([pa.binary(), pa.large_binary(), pa.binary_view()]),
             lambda: rng.randbytes(rng.choice([0, 1, 12, 13, 40]))),
        Kind(pa.binary(size), lambda: rng.randbytes(size)),
    ])


def extension(rng):
    return rng.choice([
        Kind(pa.uuid(), lambda: rng.randbytes(16)),
        Kind(pa.json_(), lambda: rng.choice(["{}", "1", "[null]"])),
    ])


def moment(rng):
    unit = rng.choice(list(PER_SECOND))
    zone = rng.choice([None, None, "UTC", "Europe/Berlin", "+02:00"])
    seconds = 2**62 // 10**9
    value = lambda: whole(rng, -seconds, seconds) * PER_SECOND[unit] + rng.choice([0, PER_SECOND[unit] - 1])
    return Kind(rng.choice([pa.timestamp(unit, zone), pa.duration(unit)]), value)


def time(rng):
    unit = rng.choice(list(PER_SECOND))
    kind = pa.time32(unit) if unit in ["s", "ms"] else pa.time64(unit)
    return Kind(kind, lambda: whole(rng, 0, 86400 * PER_SECOND[unit] - 1))


def date(rng):
    days = lambda: whole(rng, -700000, 2900000)
    return rng.choice([Kind(pa.date32(), days), Kind(pa.date64(), lambda: days() * DAY)])


def fraction(rng):
    makers = {9: pa.decimal32, 18: pa.decimal64, 38: pa.decimal128, 76: pa.decimal256}
    most = rng.choice(list(makers))
    digits = rng.randint(1, most)
    scale = rng.randint(0, digits)
    exact = decimal.Context(prec=100)
    value = lambda: exact.scaleb(decimal.Decimal(whole(rng, 1 - 10**digits, 10**digits - 1)), -scale)
    # Those of 256 bits are read from Parquet, which stores few digits in few bytes.
    refused = {"parquet", "arrow"} if digits > 38 else {"arrow"} if most == 76 else False
    return Kind(makers[most](digits, scale), value, refused)


def other(rng):
    return rng.choice([
        Kind(pa.bool_(), lambda: rng.random() < 0.5),
        Kind(pa.null(), lambda: None),
        Kind(pa.map_(pa.string(), pa.int8()), lambda: [(rng.choice(TEXTS), 1)], {"parquet", "arrow"}),
        Kind(pa.list_view(pa.int8()), lambda: [1], {"parquet", "arrow"}),
        Kind(pa.dictionary(pa.int8(), pa.string(), ordered=True), lambda: "a", {"parquet", "arrow"}),
    ])


def flat(rng):
    makers = [integer, real, text, text, octets, extension, moment, moment, time, date, fraction, other]
    return rng.choice(makers)(rng)


def within(rng, depth):
    """A type within a list or a struct."""
    while True:
        inner = kind(rng, depth + 1)
        # Categories there are of an index of their own, NaN is equal to nothing, and all else of
        # views, bytes and types of somebody's own is said in the README.
        if not inner.refused and not is_any(
            inner.type,
            lambda t: pa.types.is_dictionary(t) or pa.types.is_null(t) or "view" in str(t)
            or pa.types.is_fixed_size_binary(t) or isinstance(t, pa.BaseExtensionType),
        ):
            break

    def value():
        made = None if rng.random() < 0.2 else inner.value()
        return None if isinstance(made, float) and math.isnan(made) else made

    return inner.type, value


def kind(rng, depth=0):
    if depth == 2 or rng.random() < (0.75 if depth == 0 else 0.6):
        return flat(rng)
    inner, value = within(rng, depth)
    several = lambda: [value() for _ in range(rng.choice([0, 1, 2, 5]))]
    size = rng.choice([1, 3])
    second, other_value = within(rng, depth)
    return rng.choice([
        Kind(pa.list_(inner), several),
        Kind(pa.large_list(inner), several),
        Kind(pa.list_(inner, size), lambda: [value() for _ in range(size)]),
        Kind(pa.struct([("f", inner), ("g", second)]), lambda: {"f": value(), "g": other_value()}),
    ])


def is_any(kind, check):
    """Whether that goes for the type or one within it."""
    if check(kind):
        return True
    if isinstance(kind, pa.BaseExtensionType):
        return is_any(kind.storage_type, check)
    return any(is_any(kind.field(n).type, check) for n in range(getattr(kind, "num_fields", 0)))


def array(values, kind):
    """Values of that type, as pyarrow cannot make all of them of Python's."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    if pa.types.is_dictionary(kind):
        indices = pa.array(values, kind.value_type).dictionary_encode()
        indices = pa.DictionaryArray.from_arrays(
            indices.indices.cast(kind.index_type), indices.dictionary, ordered=kind.ordered
        )
        return indices
    return pa.array(values, kind)


def make(rng):
    """The columns with what they were made of, and the table."""
    rows = rng.choice([0, 1, 7, 100, 3000])
    columns = {}
    for number in range(rng.choice([1, 1, 2, 3, 6])):
        made = kind(rng)
        nulls = rng.choice([0, 0, 0.1, 0.5, 1])
        values = [None if rng.random() < nulls else made.value() for _ in range(rows)]
        columns[f"c{number}"] = (made, values)
    fields, arrays = [], []
    for name, (made, values) in columns.items():
        may_be_null = None in values or pa.types.is_null(made.type) or rng.random() < 0.7
        metadata = {"about": "this", "PARQUET:field_id": str(len(fields) + 1)} if rng.random() < 0.2 else None
        fields.append(pa.field(name, made.type, may_be_null, metadata))
        arrays.append(array(values, made.type))
    metadata = {"who": "me"} if rng.random() < 0.3 else None
    return columns, pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata))


def write(rng, table, path, form):
    """Writes the table, and tells the columns that may be refused for the way it was written."""
    if form == "arrow":
        packing = rng.choice([None, "lz4", "zstd"])
        options = pa.ipc.IpcWriteOptions(compression=packing)
        with pa.ipc.new_file(path, table.schema, options=options) as file:
            # One dictionary for all batches, as the format has it.
            file.write_table(table.unify_dictionaries(), max_chunksize=rng.choice([10, 10000]))
        return [field.name for field in table.schema if packing and str(field.type).endswith("view")]
    pq.write_table(
        table, path,
        compression=rng.choice(["none", "snappy", "gzip", "zstd", "lz4", "brotli"]),
        use_dictionary=rng.random() < 0.5,
        row_group_size=rng.choice([10, 500, 10000]),
        data_page_size=rng.choice([100, 1 << 20]),
        data_page_version=rng.choice(["1.0", "2.0"]),
        # The first has no whole numbers of 32 bits without a sign.
        version=rng.choice(["1.0", "2.4", "2.6"][is_any(pa.struct(table.schema), pa.types.is_uint32) :]),
        write_statistics=rng.random() < 0.5,
        store_schema=rng.random() < 0.8,
        write_page_checksum=rng.random() < 0.2,
    )
    return []


def read(path, form):
    return pq.read_table(path) if form == "parquet" else pa.ipc.open_file(path).read_all()


def is_null(value):
    return value is None or isinstance(value, float) and math.isnan(value)


def kept_rows(rng, columns):
    """Options, and the rows that they leave."""
    names = rng.sample(list(columns), rng.randint(1, len(columns)))
    options = ["--columns", ",".join(names)]
    counted = [[is_null(value) for value in columns[name][1]] for name in names]
    rows = range(len(counted[0]))
    how = rng.choice(["any", "all", "min"])
    if how == "min":
        least = rng.randint(0, len(names))
        options += ["--min_valid", str(least)]
        keeps = lambda row: sum(not column[row] for column in counted) >= least
    else:
        options += ["--how", how]
        keeps = lambda row: not {"any": any, "all": all}[how](column[row] for column in counted)
    return options, [row for row in rows if keeps(row)]


def bits(values, kind):
    """The array with numbers as their bits, as NaN is equal to nothing, and 0 equal to -0."""
    if pa.types.is_floating(kind):
        # What stands behind a null is anything.
        return values.view(pa.uint64() if kind == pa.float64() else f"uint{kind.bit_width}")
    return values


def same(found, expected):
    """Whether two arrays, of types of the same meaning, hold the same."""
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    if isinstance(found, pa.ChunkedArray):
        found = found.chunk(0) if found.num_chunks else pa.array([], found.type)
    if isinstance(found.type, pa.BaseExtensionType):
        found, expected = found.storage, expected.storage
    for _ in range(2):
        if pa.types.is_dictionary(found.type):
            found = found.dictionary_decode()
        found, expected = expected, found
    if found.type != expected.type:
        # Times of another unit and text of another kind; what does not fit is an error.
        found = found.cast(expected.type)
    return bits(found, found.type).equals(bits(expected, expected.type))


def expected_schema(raw, source, target):
    """The types that pyarrow should find in the output."""
    seconds = lambda t: "s" if source == target == "arrow" else "ms"

    def converted(kind):
        if pa.types.is_dictionary(kind) and target == "arrow":
            # Of Parquet all text of categories is large.
            return pa.large_string()
        if source == "arrow" and target == "parquet":
            if kind == pa.time32("s"):
                return pa.time32("ms")
            if pa.types.is_timestamp(kind) and kind.unit == "s":
                return pa.timestamp("ms", kind.tz)
            if kind == pa.date64():
                return pa.date32()
        if target == "arrow" and pa.types.is_decimal256(kind):
            return pa.decimal128(kind.precision, kind.scale)
        if pa.types.is_struct(kind):
            return pa.struct([(f.name, converted(f.type)) for f in kind])
        if pa.types.is_fixed_size_list(kind):
            return pa.list_(converted(kind.value_type), kind.list_size)
        if pa.types.is_large_list(kind):
            return pa.large_list(converted(kind.value_type))
        if pa.types.is_list(kind):
            return pa.list_(converted(kind.value_type))
        return kind

    return [(field.name, converted(field.type), field.nullable) for field in raw]


def plain(kind):
    """The type with the usual names for what is in a list, which differ between the formats."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(plain(kind.value_type))
    if pa.types.is_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, plain(field.type)) for field in kind])
    return kind


def check_table(columns, rows, raw, out, source, target):
    if out.num_rows != len(rows):
        return f"{out.num_rows} rows, expected {len(rows)}"
    wanted = expected_schema(raw.schema, source, target)
    found = [(field.name, field.type, field.nullable) for field in out.schema]
    for (name, kind, nullable), (found_name, found_kind, found_nullable) in zip(wanted, found, strict=True):
        if (name, plain(kind), nullable) != (found_name, plain(found_kind), found_nullable):
            return f"{found_name}: {found_kind}, {found_nullable}; expected {name}: {kind}, {nullable}"
    for field, out_field in zip(raw.schema, out.schema):
        missing = set((field.metadata or {}).items()) - set((out_field.metadata or {}).items())
        if missing:
            return f"{field.name}: said no more: {missing}"
    if (raw.schema.metadata or {}).get(b"who") != (out.schema.metadata or {}).get(b"who"):
        return "the metadata differ"
    for name, (made, values) in columns.items():
        # Of a file without the types of Arrow it is an ordinary list.
        kind = pa.list_(pa.int8()) if str(made.type).startswith("list_view") else made.type
        if not same(out[name], array([values[row] for row in rows], kind)):
            return f"{name}: the values differ"
    return None


def check_csv(columns, rows, path):
    with open(path, newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    written = {True: "true", False: "false", None: ""}

    def shown(value, kind):
        if pa.types.is_date32(kind) and value is not None:
            return (datetime.date(1970, 1, 1) + datetime.timedelta(value)).isoformat()
        if isinstance(value, bool) or value is None:
            return written[value]
        return str(value)

    expected = [[shown(values[row], made.type) for made, values in columns.values()] for row in rows]
    return None if found == [list(columns), *expected] else "the CSV differs"


def check_ndjson(columns, rows, path):
    with open(path, encoding="utf-8", newline="\n") as file:
        found = [json.loads(line) for line in file]
    expected = [{name: values[row] for name, (_, values) in columns.items()} for row in rows]
    return None if found == expected else "the NDJSON differs"


def is_plain_text(kind):
    """Types whose text in CSV is told here; those of NDJSON are the same without dates."""
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return text or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_dictionary(kind)


def one(seed, binary, folder, tally):
    """What is wrong with one round, if anything is."""
    rng = random.Random(seed)
    columns, table = make(rng)
    source, target = rng.choice(["parquet", "arrow"]), rng.choice(["parquet", "arrow"])
    kinds = [made.type for made, _ in columns.values()]
    if all(map(is_plain_text, kinds)) and rng.random() < 0.7:
        target = rng.choice(["csv", "ndjson"])
    elif target == "parquet" and all(is_plain_text(kind) or kind == pa.date32() for kind in kinds):
        target = "csv"
    raw, out = os.path.join(folder, f"raw.{source}"), os.path.join(folder, f"out.{target}")
    for path in (raw, out):
        if os.path.exists(path):
            os.unlink(path)
    try:
        views = write(rng, table, raw, source)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        tally[f"pyarrow cannot write it: {str(error)[:50]}"] += 1
        return None
    options, rows = kept_rows(rng, columns)
    command = [binary, "--input", raw, "--output", out, *options]
    run = subprocess.run(command, capture_output=True, text=True)
    refused = [name for name, (made, _) in columns.items() if made.refused and source in made.refused] + views
    if run.returncode == 1 and refused:
        tally["refused"] += 1
        told = any(f"the column `{name}` is of type " in run.stderr for name in refused)
        if not told or os.path.exists(out):
            return f"{command}\n{table.schema}\nrefused, but not as it should be: {run.stderr}"
        return None
    if run.returncode != 0 or run.stdout:
        return f"{command}\n{table.schema}\nexit code {run.returncode}: {run.stderr}"
    tally[f"{source} to {target}"] += 1
    tally["rows"] += len(table)
    if target == "csv":
        wrong = check_csv(columns, rows, out)
    elif target == "ndjson":
        wrong = check_ndjson(columns, rows, out)
    else:
        wrong = check_table(columns, rows, read(raw, source), read(out, target), source, target)
    return wrong and f"{' '.join(command)}\n{table.schema}\n{wrong}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--keep")
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.rounds)
    print(f"pyarrow {pa.__version__}, seeds {seeds[0]} to {seeds[-1]}")
    tally, wrong = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as temporary:
        for seed in seeds:
            found = one(seed, asked.binary, asked.keep or temporary, tally)
            if found:
                wrong += 1
                print(f"seed {seed}: {found}\n", file=sys.stderr)
    print(", ".join(f"{what}: {count}" for what, count in sorted(tally.items())))
    if wrong:
        sys.exit(f"{wrong} of {asked.rounds} rounds went wrong")


if __name__ == "__main__":
    main()
