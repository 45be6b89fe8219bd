#!/usr/bin/env python3
"""Makes a result file, as `dragonfly-sim report` reads them, of what `cargo test` printed.

Exit code 0: written. 1: a filter matched no test, or a test failed: there is nothing to report.
"""

import argparse
import json
import pathlib
import re
import sys

SUMMARY = re.compile(r"^test result: (\w+)\. (\d+) passed; (\d+) failed", re.MULTILINE)
UNSAFE = re.compile(r"^(\d+ places) of unsafe code", re.MULTILINE)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=pathlib.Path, help="what cargo test printed")
    for name in ("check", "title", "promises", "command", "result"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", required=True, type=float)
    parser.add_argument("--filters", nargs="+", required=True, help="each must have matched a test")
    return parser.parse_args()


def result(options, log):
    """The object of the file; None when a filter matched no test, or a test failed."""
    summaries = SUMMARY.findall(log)
    passed = sum(int(count) for _, count, _ in summaries)
    ran = re.findall(r"^test (.*) \.\.\. ok$", log, re.MULTILINE)
    is_matched = all(any(part in name for name in ran) for part in options.filters)
    if not is_matched or any(word != "ok" for word, _, _ in summaries):
        return None
    promises = options.promises.split(",")
    figures = {f"{promise}: tests passed": str(passed) for promise in promises}
    for places in UNSAFE.findall(log):
        figures["S1: unsafe code"] = places
    return {
        "check": options.check, "title": options.title, "promises": promises,
        "command": options.command, "seconds": options.seconds, "figures": figures,
    }


def main():
    options = parse_arguments()
    made = result(options, options.log.read_text(encoding="utf-8", errors="replace"))
    if made is None:
        print(f"{options.log}: a filter matched no test, or a test failed", file=sys.stderr)
        return 1
    pathlib.Path(options.result).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(f"{options.check}: {next(iter(made['figures'].values()))} tests passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
