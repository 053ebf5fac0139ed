"""Every landing record, as received, once per file and version of it.

A file is known by its name, time and size: one that changed later is read again, whole, and
Silver keeps each of its events once. What cannot be read as a record of its file is kept too, with
the reason.
"""

import csv
import io
import json
import re
import sys

from pyspark.sql import functions as F

# A JSON or CSV file is read whole; a larger one would not fit into a worker's memory.
LARGEST_WHOLE_FILE = 256 * 1024 * 1024

# In JSON text; a string that is never closed goes on to the text's end.
STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.?[^"\\]*)*"?|[{}\[\]]', re.DOTALL)

# The file that a line is of, as binaryFile has it. Spark gives it percent-encoded, where `+` is
# only itself, and a local one as file:///. Athena's Spark has neither url_decode nor _metadata.
ENCODED = "replace(replace(input_file_name(), '+', '%2B'), 'file:///', 'file:/')"
PATH = f"java_method('java.net.URLDecoder', 'decode', {ENCODED}, 'UTF-8') as path"

FILE_VERSION = ["source_file", "file_modified_at", "file_size_bytes"]
RECORDS = (
    "path string, record_number bigint, raw_record string, csv_as_json string, read_error string"
)


def model(dbt, spark):
    files = dbt.source("landing", "car_events").selectExpr(
        "path",
        "relative_path as source_file",
        "modificationTime as file_modified_at",
        "length as file_size_bytes",
        "lower(regexp_extract(path, '[.]([^./]*)$', 1)) as extension",
    )
    files = files.where(F.col("extension").isin("json", "jsonl", "ndjson", "csv"))
    ingested_at = F.lit(dbt.config.get("run_started_at")).cast("timestamp")
    if dbt.is_incremental:
        known = spark.table(str(dbt.this))
        versions = known.select(FILE_VERSION).distinct()
        # Null-safe: an empty file has no time.
        is_known = [files[column].eqNullSafe(versions[column]) for column in FILE_VERSION]
        files = files.join(versions, is_known, "left_anti")
        # Silver asks for what came after what it has, so time must not stand still or go back.
        last = known.selectExpr("cast(max(ingested_at) + interval 1 microsecond as string)").first()
        ingested_at = F.greatest(ingested_at, F.lit(last[0]).cast("timestamp"))

    new_files = files.collect()
    return (
        read_records(spark, new_files)
        .join(F.broadcast(spark.createDataFrame(new_files, files.schema)), "path")
        .select(
            F.sha2(F.concat_ws("|", *FILE_VERSION, "record_number"), 256).alias("record_id"),
            "source_file",
            "file_modified_at",
            "file_size_bytes",
            "record_number",
            "raw_record",
            "csv_as_json",
            "read_error",
            ingested_at.alias("ingested_at"),
        )
        .where("record_id is not null and source_file is not null")
        .where("raw_record is not null and ingested_at is not null")
    )


def read_records(spark, files):
    """The records of `files`, one a row, with the columns of RECORDS."""
    whole, by_line, unread = [], [], []
    for file in files:
        if file.file_size_bytes == 0:
            unread.append((file.path, 1, "", None, "the file is empty"))
        elif file.extension in ("jsonl", "ndjson"):
            by_line.append(file.path)
        elif file.file_size_bytes <= LARGEST_WHOLE_FILE:
            whole.append(file.path)
        else:
            reason = f"larger than {LARGEST_WHOLE_FILE >> 20} MiB: split the file, or use .jsonl"
            unread.append((file.path, 1, "", None, reason))

    records = spark.createDataFrame(unread, RECORDS)
    for reader, paths in literally(spark, whole):
        contents = reader.format("binaryFile").load(paths)
        split = contents.select("path", "content").rdd.flatMap(
            lambda file: [(file.path, *record) for record in split_file(file.path, file.content)]
        )
        records = records.union(spark.createDataFrame(split, RECORDS, verifySchema=False))
    for reader, paths in literally(spark, by_line):
        # Spark itself splits into lines, in parallel also within a file: it may be of any size.
        # A line that is not UTF-8 is taken byte for byte, as Latin-1, so that none of it is lost.
        lines = reader.text(paths).selectExpr(
            PATH,
            "monotonically_increasing_id() as record_number",
            """if(encode(decode(cast(value as binary), 'UTF-8'), 'UTF-8') = cast(value as binary),
                  trim(leading '\ufeff' from value),
                  decode(cast(value as binary), 'ISO-8859-1')) as raw_record""",
            "cast(null as string) as csv_as_json",
            "cast(null as string) as read_error",
        )
        records = records.union(lines.where(r"raw_record rlike '\\S'"))
    return records


def literally(spark, paths):
    """(a reader, paths for it) for all `paths`: to Spark, one with any of `*?[]{}` is a pattern."""
    escaped, apart = [], []
    for path in paths:
        literal = re.sub(r"([\\*?\[\]{}])", r"\\\1", path)
        # Hadoop cannot look for a name with a colon; to look for none is for one path at a time.
        has_colon = ":" in path.partition(":/")[2]
        (apart if has_colon and literal != path else escaped).append((path, literal))
    if escaped:
        yield spark.read, [literal for _, literal in escaped]
    for path, _ in apart:
        yield spark.read.option("__globPaths__", "false"), [path]


def split_file(path, content):
    """The records of one file: (record_number, raw_record, csv_as_json, read_error) of each."""
    text = decode(bytes(content))
    if not text.strip():
        return [(1, text, None, "the file is empty")]
    split = split_csv if path.lower().endswith(".csv") else split_json
    return [(number, *record) for number, record in enumerate(split(text), start=1)]


def decode(content):
    """Text of bytes: UTF-8 or, with its mark, UTF-16; else Latin-1, so that no byte is lost."""
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def split_json(text):
    """The values of a JSON file, as written: one, the elements of one array, or one after another.

    What follows the last readable value is a record too, for Silver to reject.
    """
    records = []
    position = skip(text, 0)
    while position < len(text):
        if text[position] == "[":
            elements, position = split_array(text, position)
            records += elements or [(text.strip(), None, "the file holds an empty array")]
        else:
            end = end_of_value(text, position)
            records.append((text[position:end].strip(), None, None))
            position = end
        position = skip(text, position)
    return records


def split_array(text, start):
    """The elements of the array that begins at `start`, and where it ends."""
    elements = []
    position = skip(text, start + 1)
    while position < len(text) and text[position] != "]":
        end = end_of_value(text, position)
        elements.append((text[position:end].strip(), None, None))
        position = skip(text, end)
        if position < len(text) and text[position] == ",":
            position = skip(text, position + 1)
    return elements, position + 1


def skip(text, position):
    """The first position from `position` on that is not white space."""
    return re.compile(r"\s*").match(text, position).end()


def end_of_value(text, position):
    """Where the JSON value at `position` ends; one that cannot be read ends with its brackets."""
    try:
        # Numbers stay text: Python refuses to read very long ones.
        return json.JSONDecoder(parse_int=str).raw_decode(text, position)[1]
    except (ValueError, RecursionError):
        return end_of_brackets(text, position)


def end_of_brackets(text, position):
    """Where the bracket at `position` is closed; the text's end, if it is not one or never is."""
    if text[position] in "{[":
        depth = 0
        for token in STRING_OR_BRACKET.finditer(text, position):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.group(), 0)
            if depth == 0:
                return token.end()
    return len(text)


def split_csv(text):
    """The rows of a CSV file, as written, and as a JSON object by the header's dotted paths."""
    csv.field_size_limit(sys.maxsize)
    consumed = []

    def lines():
        for line in io.StringIO(text, newline=""):
            consumed.append(line)
            yield line

    records = []
    header = None
    rows = csv.reader(lines(), strict=True)
    while True:
        consumed.clear()
        try:
            row = next(rows, None)
        except csv.Error as error:
            records.append(("".join(consumed).strip("\r\n"), None, f"not CSV: {error}"))
            continue
        if row is None:
            break
        raw = "".join(consumed).strip("\r\n")
        if not row:
            continue
        if header is None:
            header = [name.strip() for name in row]
        elif len(row) != len(header):
            records.append((raw, None, f"{len(row)} fields, and the header has {len(header)}"))
        else:
            records.append((raw, json.dumps(nest(header, row), ensure_ascii=False), None))
    return records or [(text.strip(), None, "the file has a header and no rows")]


def nest(header, row):
    """A CSV row as an object: `a.b` of the header is b of a. An empty cell is no value."""
    event = {}
    for path, value in zip(header, row):
        *parents, name = path.split(".")
        if value != "":
            place = event
            for parent in parents:
                if not isinstance(place.get(parent), dict):
                    place[parent] = {}
                place = place[parent]
            place[name] = value
    return event
