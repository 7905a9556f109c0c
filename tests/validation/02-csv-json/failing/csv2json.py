#!/usr/bin/env python3
"""Convert CSV to JSON, one row at a time."""
import argparse
import csv
import io
import json
import re
import sys

INT = re.compile(r"-?(0|[1-9]\d*)$")
FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$")


def guess(value):
    """The value as a number, a bool or None where it looks like one."""
    if value == "":
        return None
    low = value.lower()
    if low in ("true", "false"):
        return low == "true"
    if INT.match(value):
        return int(value)
    if FLOAT.match(value):
        return float(value)
    return value


def rows(src, delimiter=",", types=False):
    reader = csv.DictReader(src, delimiter=delimiter, strict=True)
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num}: expected {len(reader.fieldnames)} fields")
        yield {k: guess(v) for k, v in row.items()} if types else row


def convert(src, dst, ndjson=False, types=False, delimiter=","):
    """Write the rows of src to dst; returns how many there were."""
    count = 0
    for row in rows(src, delimiter, types):
        if not ndjson:
            dst.write("[\n" if count == 0 else ",\n")
        dst.write(json.dumps(row, ensure_ascii=False))
        if ndjson:
            dst.write("\n")
        count += 1
    if not ndjson:
        dst.write("\n]\n")
    return count


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", nargs="?", default="-", help="CSV file, - for stdin")
    parser.add_argument("output", nargs="?", default="-", help="JSON file, - for stdout")
    parser.add_argument("--ndjson", action="store_true", help="one object per line")
    parser.add_argument("--types", action="store_true", help="guess numbers, booleans and null")
    parser.add_argument("--delimiter", default=",")
    parser.add_argument("--encoding", default="utf-8-sig")
    args = parser.parse_args(argv)

    if args.input == "-":
        src = io.TextIOWrapper(sys.stdin.buffer, encoding=args.encoding, newline="")
    else:
        src = open(args.input, encoding=args.encoding, newline="")
    dst = sys.stdout if args.output == "-" else open(args.output, "w", encoding="utf-8")
    try:
        convert(src, dst, args.ndjson, args.types, args.delimiter)
    except (ValueError, csv.Error) as e:
        print(f"csv2json: {e}", file=sys.stderr)
        return 1
    finally:
        dst.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
