"""Every landing record, as received, once per version of its file.

A file is identified by name, time and size. A file that changed is read again as a whole, and
Silver keeps each of its events once. What cannot be read as a record is kept too, with the reason.
"""

import bz2
import csv
import gzip
import io
import json
import re
import struct
import sys
import zlib
from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from pyspark.sql import functions as F

# The supported files: the kind and, at the end of the name, the compression.
ENDING = re.compile(r"[.](json|jsonl|ndjson|csv)([.](?:gz|bz2))?\Z", re.IGNORECASE)

# A JSON, CSV or compressed file is read as a whole, and Java holds its bytes several times. A
# larger file would not fit into a driver with 2 GB, and neither would several large files at once.
LARGEST_WHOLE_FILE = 128 * 1024 * 1024
LARGEST_SIDE_BY_SIDE = 16 * 1024 * 1024

# For JSON text. A string that is never closed extends to the end of the text.
STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.?[^"\\]*)*"?|[{}\[\]]', re.DOTALL)
BLANK = re.compile("[\\s\ufeff]*")

# The first bytes of a text that is not UTF-8: its byte order mark or, without one, the zeros next
# to its first two characters, which are ASCII in JSON and in a CSV header.
ENCODINGS = {
    "utf-32-le": re.compile(rb"\xff\xfe\0\0|(?:[\t\n\r -~]\0\0\0){2}"),
    "utf-32-be": re.compile(rb"\0\0\xfe\xff|(?:\0\0\0[\t\n\r -~]){2}"),
    "utf-16-le": re.compile(rb"\xff\xfe|(?:[\t\n\r -~]\0){2}"),
    "utf-16-be": re.compile(rb"\xfe\xff|(?:\0[\t\n\r -~]){2}"),
}

# Replaces an invalid byte. No text that can be stored contains one.
HALF_CHARACTER = re.compile("[\ud800-\udfff]+")
NOT_UTF_8 = "not UTF-8 (shown as Latin-1, a character a byte): save the file as UTF-8"
NOT_UTF_16 = "not {} (what is no character is shown as its number): save the file as UTF-8"

# The file of a line, in the form of binaryFile. Spark returns it percent-encoded, with `+`
# unchanged, and a local file as file:///. Athena's Spark has neither url_decode nor _metadata.
ENCODED = "replace(replace(input_file_name(), '+', '%2B'), 'file:///', 'file:/')"
DECODED_PATH = f"java_method('java.net.URLDecoder', 'decode', {ENCODED}, 'UTF-8')"
PATH = f"if(instr({ENCODED}, '%') > 0, {DECODED_PATH}, {ENCODED}) as path"

# Whether a line is UTF-8. What is not is decoded as U+FFFD, which may also be in the text itself.
TEXT = "decode(cast(value as binary), 'UTF-8')"
IS_UTF_8 = f"if({TEXT} like '%\ufffd%', encode({TEXT}, 'UTF-8') = cast(value as binary), true)"

FILE_VERSION = ["source_file", "file_modified_at", "file_size_bytes"]
RECORDS = (
    "path string, record_number bigint, raw_record string, csv_as_json string, read_error string"
)

# Python sees a time as a number of microseconds. As a timestamp, pyspark would convert it through
# the local time zone, where one hour a year is ambiguous.
File = namedtuple("File", "path source_file modified_micros size")
FILES = "path string, source_file string, modified_micros bigint, file_size_bytes bigint"


def model(dbt, spark):
    files = dbt.source("landing", "car_events").selectExpr(
        "path", "relative_path", "unix_micros(modificationTime)", "length"
    )
    started_at = datetime.fromisoformat(dbt.config.get("run_started_at"))
    ingested_micros = (started_at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(
        microseconds=1
    )
    # Athena's Spark has no notes.
    notes = getattr(dbt, "notes", None)
    note = notes.recall() if notes and dbt.is_incremental else None
    known, last = read_note(note) if note else known_of(spark, dbt)
    # Each build has its own time, even if the clock stands still or goes back.
    ingested_micros = max(ingested_micros, last + 1)

    new_files = [File(*row) for row in sorted(files.collect()) if tuple(row)[1:] not in known]
    tell_what_is_left_alone(new_files, getattr(dbt, "say", print))
    new_files = [file for file in new_files if ENDING.search(file.path)]
    if notes and (new_files or not note):
        known |= {tuple(file)[1:] for file in new_files}
        notes.keep(json.dumps([ingested_micros, sorted(known, key=str)]))
    versions = spark.createDataFrame(new_files, FILES).selectExpr(
        "path",
        "source_file",
        "timestamp_micros(modified_micros) as file_modified_at",
        "file_size_bytes",
    )
    of_its_file = read_records(spark, new_files).join(F.broadcast(versions), "path", "left")
    record_id = F.sha2(F.concat_ws("|", *FILE_VERSION, "record_number"), 256)
    rows = of_its_file.select(
        never_null(record_id).alias("record_id"),
        # A record without a file would otherwise be lost silently.
        never_null("source_file").alias("source_file"),
        "file_modified_at",
        "file_size_bytes",
        "record_number",
        never_null("raw_record").alias("raw_record"),
        "csv_as_json",
        "read_error",
        F.expr(f"timestamp_micros({ingested_micros}L)").alias("ingested_at"),
    )
    # So that Spark knows without a job that there is nothing to write.
    return rows if new_files else rows.limit(0)


def known_of(spark, dbt):
    """Return the file versions in Bronze and its newest time in microseconds. Reads Bronze."""
    if not dbt.is_incremental:
        return set(), 0
    bronze = spark.table(str(dbt.this))
    versions = bronze.selectExpr(
        "source_file", "unix_micros(file_modified_at)", "file_size_bytes"
    ).distinct()
    (last,) = bronze.selectExpr("unix_micros(max(ingested_at))").first()
    return {tuple(row) for row in versions.collect()}, last or 0


def read_note(note):
    """Return the same from the last build's note about the rows in Bronze. Reads no rows."""
    last, versions = json.loads(note)
    return {tuple(version) for version in versions}, last


def never_null(column):
    """Return a text column without nulls. A null stops the build.

    The last text is never reached, but proves to Spark that no null is left.
    """
    stop = F.expr("raise_error(concat('a record of no file: ', path))")
    return F.coalesce(column, stop, F.lit(""))


def tell_what_is_left_alone(files, say):
    """Print one line about the files that are not read, by file extension."""
    names = [file.path.rpartition("/")[2] for file in files if not ENDING.search(file.path)]
    endings = Counter(name[name.rfind(".") :] if "." in name else "no ending" for name in names)
    if endings:
        told = [f"{ending} ({number})" for ending, number in sorted(endings.items())]
        kinds = ", ".join(told[:5] + (["…"] if len(told) > 5 else []))
        files_are = "file is" if len(names) == 1 else "files are"
        say(f"{len(names)} {files_are} left alone, of no kind that is read: {kinds}")


def read_records(spark, files):
    """Return the records of `files`, one per row, with the columns of RECORDS."""
    whole, one_by_one, by_line, unread = [], [], [], []
    lines = [file.path for file in files if file.size and is_by_line(file.path)]
    with ThreadPoolExecutor(32) as pool:  # an object store takes a while per file
        starts = dict(zip(lines, pool.map(partial(start_of, spark), lines)))
    for file in files:
        if file.size == 0:
            unread.append((file.path, 1, "", None, "the file is empty"))
        elif file.path in starts and not encoding_of(starts[file.path]):
            by_line.append(file.path)
        elif file.size <= LARGEST_SIDE_BY_SIDE:
            whole.append(file.path)
        elif file.size <= LARGEST_WHOLE_FILE:
            one_by_one.append(file.path)
        else:
            unread.append((file.path, 1, "", None, too_large()))

    records = spark.createDataFrame(unread, RECORDS)
    contents = [
        reader.format("binaryFile").load(paths) for reader, paths in literally(spark, whole)
    ]
    for reader, paths in literally(spark, one_by_one):
        contents.append(reader.format("binaryFile").load(paths).coalesce(1))
    for files_of_bytes in contents:
        split = files_of_bytes.select("path", "content").rdd.flatMap(
            lambda file: [(file.path, *record) for record in split_file(file.path, file.content)]
        )
        records = records.union(spark.createDataFrame(split, RECORDS, verifySchema=False))
    for reader, paths in literally(spark, by_line):
        # Spark itself splits files into lines, in parallel even within a file, so the size does not
        # matter. A line that is not UTF-8 is read byte by byte as Latin-1, so that nothing is lost.
        texts = reader.text(paths).selectExpr(
            PATH,
            "monotonically_increasing_id() as record_number",
            "value",
            f"{IS_UTF_8} as is_utf_8",
        )
        texts = texts.selectExpr(
            "path",
            "record_number",
            """if(is_utf_8, trim(leading '\ufeff' from value),
                  decode(cast(value as binary), 'ISO-8859-1')) as raw_record""",
            "cast(null as string) as csv_as_json",
            f"if(is_utf_8, null, '{NOT_UTF_8}') as read_error",
        )
        records = records.union(texts.where(r"raw_record rlike '\\S'"))
    return records


def is_by_line(path):
    """Return whether it is an uncompressed file with one JSON value per line."""
    kind, packing = ENDING.search(path).groups()
    return kind.lower() in ("jsonl", "ndjson") and not packing


def too_large():
    """Return why a file is not read, in words."""
    return f"larger than {LARGEST_WHOLE_FILE >> 20} MiB: split the file, or use .jsonl"


def encoding_of(start):
    """Return the encoding of a text that begins with these bytes: UTF-16, UTF-32 or None."""
    return next((name for name, begins in ENCODINGS.items() if begins.match(start)), None)


def start_of(spark, path):
    """Return the first eight bytes of a file."""
    if path.startswith("file:/"):
        with Path(path[len("file:") :]).open("rb") as file:
            return file.read(8)
    place = spark._jvm.org.apache.hadoop.fs.Path(path)
    stream = place.getFileSystem(spark._jsc.hadoopConfiguration()).open(place)
    try:
        start = [stream.read() for _ in range(8)]
    finally:
        stream.close()
    return bytes(byte for byte in start if byte >= 0)


def literally(spark, paths):
    """Return pairs of a reader and paths. Spark treats a path with any of `*?[]{}` as a pattern."""
    escaped, apart = [], []
    for path in paths:
        literal = re.sub(r"([\\*?\[\]{}])", r"\\\1", path)
        # Hadoop cannot list a name with a colon. The option to skip listing takes one path at a
        # time.
        has_colon = ":" in path.partition(":/")[2]
        (apart if has_colon and literal != path else escaped).append((path, literal))
    if escaped:
        yield spark.read, [literal for _, literal in escaped]
    for path, _ in apart:
        yield spark.read.option("__globPaths__", "false"), [path]


def split_file(path, content):
    """Return the records of a file: (record_number, raw_record, csv_as_json, read_error)."""
    kind, packing = ENDING.search(path.lower()).groups()
    content = bytes(content)
    if packing:
        try:
            content = unpack(content, packing)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            return [(1, content.decode("latin-1"), None, f"not {packing[1:]}: {error}")]
        if content is None:
            return [(1, "", None, f"unpacked, {too_large()}")]
    text, invalid = decode(content)
    if not BLANK.sub("", text, count=1):
        return [(1, text, None, "the file is empty")]
    split = {"json": split_json, "csv": split_csv}.get(kind, split_lines)
    records = split(text)
    if invalid:
        records = [legible(invalid, *record) for record in records]
    return [(number, *record) for number, record in enumerate(records, start=1)]


def unpack(content, packing):
    """Return the decompressed bytes of a file, or None if they are too many."""
    limit = LARGEST_WHOLE_FILE + 1
    if packing == ".gz":
        with gzip.open(io.BytesIO(content)) as stream:
            unpacked = stream.read(limit)
    else:
        unpacked = b""
        # Python's own reader silently ignores invalid data after the last stream.
        while content and len(unpacked) < limit:
            stream = bz2.BZ2Decompressor()
            unpacked += stream.decompress(content, limit - len(unpacked))
            if not stream.eof and len(unpacked) < limit:
                raise EOFError("it ends in the middle")
            content = stream.unused_data
    return unpacked if len(unpacked) < limit else None


def decode(content):
    """Decode UTF-8, UTF-16 or UTF-32. Return (text, None), or its encoding if bytes are invalid.

    An invalid byte becomes half of a surrogate pair, so that its neighbours stay intact.
    """
    encoding = encoding_of(content[:8])
    if encoding and encoding.startswith("utf-16"):
        whole = len(content) // 2 * 2
        text = content[:whole].decode(encoding, "surrogatepass") + as_halves(content[whole:])
    elif encoding:
        text = decode_utf_32(content, encoding)
    else:
        try:
            return content.decode("utf-8-sig"), None
        except UnicodeDecodeError:
            return content.decode("utf-8-sig", "surrogateescape"), "UTF-8"
    text = text[text.startswith("\ufeff") :]
    return text, encoding[:6].upper() if HALF_CHARACTER.search(text) else None


def decode_utf_32(content, encoding):
    """Decode UTF-32. Each byte of an invalid number becomes half of a surrogate pair."""
    try:
        return content.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        order = encoding[-2:].replace("le", "<").replace("be", ">")
        whole = len(content) // 4 * 4
        units = struct.iter_unpack(f"{order}I", content[:whole])
        text = [
            chr(unit) if unit <= sys.maxunicode else as_halves(struct.pack(f"{order}I", unit))
            for (unit,) in units
        ]
        return "".join(text) + as_halves(content[whole:])


def as_halves(content):
    """Return invalid bytes as halves of surrogate pairs, which show their numbers."""
    return "".join(chr(0xDC00 + byte) for byte in content)


def legible(invalid, raw_record, csv_as_json, read_error):
    """Return a record of a text with invalid bytes. If it has some of them, it is rejected."""
    if not HALF_CHARACTER.search(raw_record + (read_error or "") + (csv_as_json or "")):
        return raw_record, csv_as_json, read_error
    if invalid == "UTF-8":
        return raw_record.encode("utf-8", "surrogateescape").decode("latin-1"), None, NOT_UTF_8
    shown = raw_record.encode("utf-8", "backslashreplace").decode("utf-8")
    return shown, None, NOT_UTF_16.format(invalid)


def split_lines(text):
    """Return the lines of a JSON lines file that Spark cannot split."""
    lines = (line.lstrip("\ufeff") for line in re.split("\r\n?|\n", text))
    return [(line, None, None) for line in lines if re.search(r"\S", line, re.ASCII)]


class JsonText(str):
    """A text in which errors of Python's parser do not look for their line.

    For each unreadable value, the parser would go through all the text before it.
    """

    def count(self, *_):
        return 0

    rfind = count


def split_json(text):
    """Return the values of a JSON file as written: one, the elements of an array, or several.

    Text after the last readable value becomes a record too, for Silver to reject.
    """
    text = JsonText(text)
    records = []
    position = skip(text, 0)
    while position < len(text):
        if text[position] == "[":
            elements, end = split_array(text, position)
            array = text[position:end].strip()
            # Of an array that has no end, Silver says that it is no JSON.
            empty = "the file holds an empty array" if array.endswith("]") else None
            records += elements or [(array, None, empty)]
        else:
            end = end_of_value(text, position)
            records.append((text[position:end].strip(), None, None))
        position = skip(text, end)
    return records


def split_array(text, start):
    """Return the elements of the array that begins at `start`, and its end."""
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
    """Return the first position from `position` on that is not white space."""
    return BLANK.match(text, position).end()


def end_of_value(text, position):
    """Return the end of the JSON value at `position`, which may be unreadable.

    Then an object or array ends with its brackets, a run of invalid bytes with the last one, and
    anything else with the text.
    """
    try:
        # Keep numbers as text: Python refuses to parse very long ones.
        return json.JSONDecoder(parse_int=str).raw_decode(text, position)[1]
    except (ValueError, RecursionError):
        invalid = HALF_CHARACTER.match(text, position)
        return invalid.end() if invalid else end_of_brackets(text, position)


def end_of_brackets(text, position):
    """Return the position after the closing bracket, or the end of the text without one."""
    if text[position] in "{[":
        depth = 0
        for token in STRING_OR_BRACKET.finditer(text, position):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.group(), 0)
            if depth == 0:
                return token.end()
    return len(text)


def split_csv(text):
    """Return the rows of a CSV file, as written and as JSON objects by the header's paths."""
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
            reason = f"not CSV: {error}"
            if header is None:  # else the next row would be taken for it
                header = []
                reason = fault = f"the header is {reason}"
            records.append(("".join(consumed).strip("\r\n"), None, reason))
            continue
        if row is None:
            break
        raw = "".join(consumed).strip("\r\n")
        if not row:
            continue
        if header is None:
            header = [".".join(map(bare, name.split("."))) for name in row]
            fault = fault_of(header)
        elif fault:
            records.append((raw, None, fault))
        elif len(row) != len(header):
            records.append((raw, None, f"{len(row)} fields, and the header has {len(header)}"))
        else:
            records.append((raw, json.dumps(nest(header, row), ensure_ascii=False), None))
    return records or [(text.strip(), None, "the file has a header and no rows")]


def bare(name):
    """Return a name without surrounding invisible characters."""
    return re.sub("^[\\s\ufeff\u200b]+|[\\s\ufeff\u200b]+$", "", name)


def fault_of(header):
    """Return why the rows below a header cannot be read without loss, or None."""
    if any(map(HALF_CHARACTER.search, header)):
        return "the header has invalid bytes: save the file as UTF-8"
    separator = re.search(r"[;\t|]", header[0])
    if len(header) == 1 and separator:
        name = {"\t": "a tab"}.get(separator.group(), f"`{separator.group()}`")
        return f"the header is separated by {name}: separate columns by commas"
    # Excel leaves columns without a name, and with values
    names = [name for name in header if name]
    spelled = {}
    for name in names:
        spelled.setdefault(name.casefold(), []).append(name)
    for same in spelled.values():
        if len({*same}) > 1:
            different = " and ".join(dict.fromkeys(same))
            return f"the header names {different}, which differ in case only"
        if len(same) > 1:
            often = "twice" if len(same) == 2 else f"{len(same)} times"
            return f"the header names {same[0]} {often}"
    for name in names:
        parents = name.split(".")[:-1]
        for outer in {".".join(parents[: depth + 1]) for depth in range(len(parents))} & {*names}:
            return f"the header names {outer} and, inside of it, {name}"
    return None


def nest(header, row):
    """Return a CSV row as an object: the header `a.b` is b of a. Empty cells are left out."""
    event = {}
    for path, value in zip(header, row):
        *parents, name = path.split(".")
        if path and value != "":
            place = event
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = value
    return event
