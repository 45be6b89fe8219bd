#!/usr/bin/env python3
"""Says whether enough was tried: the results of model, worlds and drill against the bars of R1.

    tests/reliability/enough.py T0.json T1.json T2.json

Exit code 0: enough. 1: too little, or a result has violations. 2: no such results.
"""

import json
import pathlib
import sys

TOGETHER = {"seeds": 2_000, "updates": 20_000_000, "faults": 50_000}
SEEDS = {"t1": 500, "t2": 10}  # of one check alone


def count(result, what):
    value = result.get(what, 0)
    return sum(value.values()) if isinstance(value, dict) else value


def shortfalls(results):
    """What is missing, in a line each."""
    found = []
    for what, bar in TOGETHER.items():
        total = sum(count(result, what) for result in results)
        if total < bar:
            found.append(f"{total} {what}, {bar} are wanted")
    for result in results:
        bar = SEEDS.get(result["check"], 1)
        if result.get("seeds", 0) < bar:
            found.append(f"{result['check']}: {result.get('seeds', 0)} seeds, {bar} are wanted")
        if result.get("violations"):
            found.append(f"{result['check']}: {result['violations']} violations")
    return found


def main():
    try:
        results = [json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:]]
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    totals = ", ".join(f"{sum(count(result, what) for result in results):,} {what}" for what in TOGETHER)
    print(f"together: {totals}")
    missing = shortfalls(results)
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
