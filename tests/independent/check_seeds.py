#!/usr/bin/env python3
"""Judges runs of the simulator again, from the two files each of them leaves behind.

Shares no code with the simulator's own oracle, only the form of the files: decimals, dictionaries,
a sort. Of SEED.ledger.jsonl (what the venues said) and SEED.views.jsonl (what was shown) it checks:

  (a) what a view has of a Live leg is what its venue had said by then under the leg's number;
  (b) a view is the merge of exactly its Live legs: by price, then the larger quantity, then the
      name of the venue; summed by price where it is aggregated;
  (c) epoch and number of a leg never go back;
  (d) whenever the run was looked at, no leg was Live 5.1 s after the last message on its
      connection, nor 50 ms after a newer message of its own that says something else;
  (e) no Live leg shows a crossed book;
  (f) no view is left out without being counted as skipped, and what a client was shown was published.

A leg is taken for right if any of the venue's numberings fits, so this is the milder judge of the
two.

    dragonfly-sim fuzz --seeds 0..20 --out FOLDER
    tests/independent/check_seeds.py FOLDER

Exit code 0: no difference. 1: differences, or nothing to compare. 2: wrong usage, or no such files.
"""

import argparse
import bisect
import heapq
import itertools
import json
import pathlib
import sys
import time
from collections import defaultdict
from decimal import Decimal, InvalidOperation, getcontext

getcontext().prec = 200  # sums of any length stay exact
MAX_SAID = 20
MAX_WAYS = 4096
MS = 10**6
SILENCE = 5_100 * MS
LAG = 50 * MS


class BadFile(Exception):
    """A file that is not what it should be."""


def read_lines(path):
    """Each line's number and object."""
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, json.loads(line)
    except (OSError, ValueError) as error:
        raise BadFile(f"{path}: {error}") from error


def levels(pairs):
    """[(price, quantity)] as numbers."""
    return [(Decimal(price), Decimal(qty)) for price, qty in pairs]


class Said:
    """What one message said of a book."""

    def __init__(self, entry):
        self.at = entry["at"]
        self.stream = entry["stream"]
        self.seq = entry["seq"]
        self.sides = levels(entry["bids"]), levels(entry["asks"])

    def is_crossed(self):
        bids, asks = self.sides
        return bool(bids and asks) and bids[0][0] >= asks[0][0]


class Judge:
    """One run."""

    def __init__(self, name, tolerance=0):
        self.name = name
        self.silence, self.lag = SILENCE + tolerance, LAG + tolerance
        self.said = defaultdict(list)  # (venue, symbol, seq) -> [Said], oldest first
        self.arrivals = defaultdict(list)  # (venue, symbol, stream) -> [Said], as they arrived
        self.heard = {}  # socket -> time of the last message
        self.sockets = {}  # (venue, symbol) -> socket
        self.live = {}  # (stream, venue, symbol) -> [Said] a live leg may rest on
        self.entries = self.views = self.compared = self.differences = 0
        self.places = {}  # (client, stream, venue, symbol) -> (epoch, seq)
        self.sequences = {}  # (client, stream) -> seq
        self.published = {}  # (stream, seq) -> what it shows

    def differ(self, rule, where, what):
        self.differences += 1
        if self.differences <= MAX_SAID:
            print(f"{self.name}: ({rule}) {where}: {what}", file=sys.stderr)

    def learn(self, record):
        """Takes a line of the ledger."""
        kind = record["record"]
        if kind == "began":  # which wall time it was, of which nothing is judged
            return
        if kind == "looked":
            return self.look(record["at"])
        self.heard[record["socket"]] = record["at"]
        if kind != "entry":
            return
        self.entries += 1
        said = Said(record)
        book = record["venue"], record["symbol"]
        self.sockets[book] = record["socket"]
        self.arrivals[*book, said.stream].append(said)
        known = self.said[*book, said.seq]
        if not any(k.stream == said.stream for k in known):  # else it came twice
            known.append(said)

    def look(self, now):
        """Rule (d), of every leg."""
        for (stream, *book), fitting in list(self.live.items()):
            silent = now - self.heard[self.sockets[tuple(book)]]
            if silent > self.silence:
                what = f"is live after {silent // MS} ms of silence"
            elif all(self.is_overdue(said, book, now) for said in fitting):
                what = "is live and not what was said last"
            else:
                continue
            del self.live[stream, *book]  # once is enough
            self.differ("d", f"{stream} at {now // MS} ms", f"{' '.join(book)} {what}")

    def is_overdue(self, said, book, now):
        """Whether something newer was said that should have been shown by now."""
        arrivals = self.arrivals[*book, said.stream]
        place = bisect.bisect(arrivals, now - self.lag, key=lambda arrival: arrival.at)
        newest = arrivals[place - 1] if place else said
        return newest.seq > said.seq and newest.sides != said.sides

    def judge(self, view):
        """Takes a view."""
        self.views += 1
        where = f"{view['client']} {view['stream']} seq {view['seq']}".strip()
        self.judge_sequence(view, where)
        shows = view["legs"], view["bids"], view["asks"]
        if view["client"]:
            if self.published.get((view["stream"], view["seq"])) != shows:
                self.differ("f", where, "is not what was published")
            return
        self.published[view["stream"], view["seq"]] = shows
        self.judge_order(view, where)
        self.judge_levels(view, where)

    def judge_sequence(self, view, where):
        stream = view["client"], view["stream"]
        skipped = view.get("skipped", 0)
        if stream in self.sequences or skipped:
            expected = self.sequences.get(stream, 0) + 1 + skipped
            if view["seq"] != expected:
                self.differ("f", where, f"{skipped} skipped, so it should be {expected}")
        self.sequences[stream] = view["seq"]

    def judge_order(self, view, where):
        for leg in view["legs"]:
            key = view["stream"], leg["venue"], leg["symbol"]
            place = leg["epoch"], leg["seq"]
            if place < self.places.get(key, place):
                self.differ("c", where, f"{leg['venue']} {place} after {self.places[key]}")
            self.places[key] = place

    def judge_levels(self, view, where):
        sides = [[(Decimal(l["price"]), Decimal(l["qty"]), l.get("leg")) for l in view[side]]
                 for side in ("bids", "asks")]
        live = [n for n, leg in enumerate(view["legs"]) if leg["state"] == "live"]
        grounds = []
        for leg in view["legs"]:
            self.live.pop((view["stream"], leg["venue"], leg["symbol"]), None)
        for number in live:
            self.compared += 1
            leg = view["legs"][number]
            fitting = self.find(view, sides, number)
            if not fitting:
                self.differ("a", where, f"{leg['venue']} {leg['symbol']} seq {leg['seq']} "
                                        "shows what was not said")
                return
            if all(said.is_crossed() for said in fitting):
                self.differ("e", where, f"{leg['venue']} {leg['symbol']} is live and crossed")
            grounds.append(fitting)
            self.live[view["stream"], leg["venue"], leg["symbol"]] = fitting
        ways = itertools.islice(itertools.product(*grounds), MAX_WAYS)
        if not any(self.merge(view, live, way) == sides for way in ways):
            self.differ("b", where, "is not the merge of its live legs")

    def find(self, view, sides, number):
        """Every message the leg may rest on, the newest first."""
        leg = view["legs"][number]
        heard = self.said.get((leg["venue"], leg["symbol"], leg["seq"]), [])
        heard = [said for said in reversed(heard) if said.at <= view["at"]]
        if view["kind"] == "aggregated":
            return heard
        own = [[level[:2] for level in side if level[2] == number] for side in sides]
        return [said for said in heard
                if all(said.sides[i][:len(own[i])] == own[i] for i in (0, 1))]

    @staticmethod
    def merge(view, live, way):
        """What the view must be if its live legs rest on these messages."""
        merged = []
        for i, sign in enumerate((-1, 1)):
            every = []
            for number, said in zip(live, way):
                leg = view["legs"][number]
                every += [(sign * price, -qty, (leg["venue"], leg["symbol"]), number)
                          for price, qty in said.sides[i]]
            every.sort()
            side = [(sign * price, -qty, number) for price, qty, _, number in every]
            if view["kind"] == "aggregated":
                sums = defaultdict(Decimal)
                for price, qty, _ in side:
                    sums[price] += qty
                side = [(price, qty, None) for price, qty in sums.items()]
            merged.append(side[:view["depth"]])
        return merged


def in_order(items, place):
    """Each item with its time and its place among those of one moment."""
    for number, item in items:
        looked = item.get("record") == "looked"
        yield item["at"], 2 if looked else place, number, item


def check(ledger, views, name, tolerance=0):
    """The judge of a run, after all of it."""
    judge = Judge(name, tolerance)
    path, number = ledger, 0
    try:
        # Of one moment what was said comes first, then what was shown, and then the look around.
        files = in_order(read_lines(ledger), 0), in_order(read_lines(views), 1)
        for _, place, number, item in heapq.merge(*files, key=lambda line: line[:2]):
            if place == 1:
                path = views
                judge.judge(item)
            else:
                path = ledger
                judge.learn(item)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, InvalidOperation) as error:
        raise BadFile(f"{path}, line {number} or the next: {error!r}") from error
    return judge


def write_result(path, judges, seconds):
    """The result, of which `dragonfly-sim report` makes a page."""
    total = lambda name: sum(getattr(judge, name) for judge in judges)
    result = {
        "check": "seeds-python", "title": "Seeds judged again, in Python", "promises": ["R1"],
        "command": "tests/independent/check_seeds.py FOLDER", "seconds": round(seconds, 1),
        "seeds": len(judges), "updates": total("entries"), "compared": total("compared"),
        "violations": total("differences"),
    }
    pathlib.Path(path).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", metavar="PATH", type=pathlib.Path, nargs="+",
                        help="a folder with the files of runs, or a file SEED.ledger.jsonl")
    parser.add_argument("--tolerance", type=int, default=0, metavar="MS",
                        help="how much later than in a simulated world things may happen")
    parser.add_argument("--result", metavar="FILE", help="write what was found, as JSON")
    return parser.parse_args()


def find_ledgers(paths):
    """Every ledger among files and in folders; the views are beside it."""
    for path in paths:
        found = sorted(path.glob("*.ledger.jsonl")) if path.is_dir() else [path]
        yield from (ledger for ledger in found if ledger.name.endswith(".ledger.jsonl"))


def main():
    options = parse_arguments()
    began = time.monotonic()
    judges = []
    try:
        for ledger in find_ledgers(options.paths):
            name = ledger.name.removesuffix(".ledger.jsonl")
            judges.append(check(ledger, ledger.with_name(f"{name}.views.jsonl"), name,
                                options.tolerance * MS))
    except BadFile as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    if not judges:
        print("no file SEED.ledger.jsonl is there", file=sys.stderr)
        sys.exit(2)
    compared = sum(judge.compared for judge in judges)
    differences = sum(judge.differences for judge in judges)
    failed = [judge.name for judge in judges if judge.differences]
    print(f"{len(judges)} runs, {sum(j.views for j in judges)} views, {compared} live legs compared, "
          f"{differences} differences{': ' if failed else ''}{', '.join(failed)}")
    if not compared:
        print("nothing was live, so nothing is shown", file=sys.stderr)
    if options.result:
        write_result(options.result, judges, time.monotonic() - began)
    sys.exit(0 if compared and not differences else 1)


if __name__ == "__main__":
    main()
