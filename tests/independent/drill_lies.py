#!/usr/bin/env python3
"""Shows that `dragonfly-sim drill` can fail: each lie of lying_client.py is found, by its rule, and the
truth passes in the same way.

    tests/independent/drill_lies.py --sim target/release/dragonfly-sim \\
        --server target/release/dragonflybot-grpc-server --client target/release/dragonflybot-grpc-client

Exit code 0: every lie was found. 1: one was not, or by another rule only, or the truth was.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

LIAR = pathlib.Path(__file__).with_name("lying_client.py")
CUTS, STALL = 4, 0  # seeds: nothing but cuts, and one with a connection that stalls
LIES = {  # the rule that finds it, and in which seed; the truth passes
    "none": ("passes", CUTS),
    "price": ("(a) truth", CUTS), "sides": ("(a) truth", CUTS), "missing_level": ("(b) merge", CUTS),
    "gone_back": ("(c) order", CUTS), "uncounted": ("(f) subsequence", CUTS),
    "never_down": ("(d) freshness", STALL), "no_loss": ("failure", CUTS),
}


def run(options, lie):
    """What a drill of the lying client says."""
    seed = LIES[lie][1]
    with tempfile.TemporaryDirectory() as folder:
        command = [options.sim, "drill", "--server", options.server, "--client", LIAR,
                   "--seed", str(seed), "--out", folder]
        environment = os.environ | {"DRAGONFLY_CLIENT": str(options.client), "DRAGONFLY_LIE": lie}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        judged = subprocess.run([options.sim, "check", "--real-time", "--ledger",
                                 f"{folder}/{seed}.ledger.jsonl", "--views", f"{folder}/{seed}.views.jsonl"],
                                capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr + judged.stdout


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("sim", "server", "client"):
        parser.add_argument(f"--{name}", required=True, metavar="FILE", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--result", metavar="FILE", help="write what was found, as JSON")
    return parser.parse_args()


def main():
    options = parse_arguments()
    began = time.monotonic()
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for lie, (code, said) in zip(LIES, pool.map(lambda lie: run(options, lie), LIES)):
            rule = LIES[lie][0]
            is_right = code == 0 if lie == "none" else code == 1 and rule in said
            missed += not is_right
            print(f"{lie:14} {rule:16} {'as it should be' if is_right else 'WRONG'}", flush=True)
            if not is_right:
                print(said[-3000:], file=sys.stderr)
    if options.result:
        result = {"check": "t2-plants", "title": "A client that lies, over loopback", "promises": ["H1"],
                  "command": "tests/independent/drill_lies.py", "seconds": round(time.monotonic() - began, 1),
                  "seeds": len(LIES), "violations": missed,
                  "figures": {"H1: lies found, and the truth passed": f"{len(LIES) - missed} of {len(LIES)}"}}
        pathlib.Path(options.result).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
