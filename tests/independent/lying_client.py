#!/usr/bin/env python3
"""The client program, but for one lie: what a wrong product would show.

Stands in for dragonflybot-grpc-client in `dragonfly-sim drill`, to see that the drill finds what is
wrong; see drill_lies.py. DRAGONFLY_CLIENT names the real program, DRAGONFLY_LIE the lie.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys

BEGIN = 100  # lines that are left as they are


def price(view, _):
    """A price is off by one digit."""
    for level in view["bids"][:1]:
        level["price"] = ("2" if level["price"][0] == "1" else "1") + level["price"][1:]
    return view


def sides(view, _):
    """Bids and asks are exchanged."""
    view["bids"], view["asks"] = view["asks"], view["bids"]
    return view


def missing_level(view, _):
    """The last bid is left out."""
    del view["bids"][-1:]
    return view


def gone_back(view, last):
    """The views come in another order: an older one comes again."""
    return view if view["seq"] % 50 else {**last, "seq": view["seq"], "skipped": view["skipped"]}


def uncounted(view, _):
    """Views are left out and not counted."""
    return view if view["seq"] % 50 else None


def never_down(view, last):
    """What is shown of a book that is not live is what it was."""
    if any(leg["state"] != "live" for leg in view["legs"]) and last:
        return {**last, "seq": view["seq"], "skipped": view["skipped"]}
    return view


def no_loss(view, _):
    """The end of the stream is not told."""
    return None if "disconnected" in view else view


def none(view, _):
    """The truth."""
    return view


LIES = {lie.__name__: lie for lie in (none, price, sides, missing_level, gone_back, uncounted, never_down,
                                      no_loss)}


def die_with_parent():
    """So that no client is left behind when this program is killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main():
    lie = LIES[os.environ["DRAGONFLY_LIE"]]
    command = [os.environ["DRAGONFLY_CLIENT"], *sys.argv[1:]]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    last = None
    older = []
    for number, line in enumerate(client.stdout):
        view = json.loads(line)
        if number >= BEGIN and ("disconnected" not in view or lie is no_loss):
            told = lie(dict(view), older[0] if lie is gone_back else last)
        else:
            told = view
        if all(leg["state"] == "live" for leg in view["legs"]) and view["legs"]:
            last = view
        older = [*older[-40:], view]
        if told is not None:
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
