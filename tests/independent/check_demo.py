#!/usr/bin/env python3
"""Checks every message of the demo's consolidated book against the recordings it is made of.

Shares no code with the server: the books are rebuilt from the recordings with plain dictionaries
of decimals, and the merge is a sort. Each leg of a message says how far its venue's book had come
(its epoch and sequence); the message's levels must be exactly the best of the books of the Live
legs at those points, its flags must agree, nothing may be skipped, and of each loop of a recording
that was seen from its beginning to its end no update may be missing.

    pip install grpcio grpcio-tools zstandard
    dragonflybot-grpc-server --demo &
    tests/independent/check_demo.py

Exit code 0: no difference. 1: differences, or fewer messages than expected. 2: wrong usage.
"""

import argparse
import heapq
import importlib
import json
import pathlib
import sys
import tempfile
import time
from calendar import timegm
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "dragonfly-grpc/proto/dragonfly/v1/market_data.proto"
RECORDINGS = {
    "bybit": ROOT / "dragonfly-sim/recordings/bybit_20260809_spot_btcusdt.jsonl.zst",
    "coinbase-advanced": ROOT / "dragonfly-sim/recordings/coinbase_20260809_btcusd.jsonl.zst",
}
DEPTH = 10
MAX_SAID = 20
LIVE = 3  # LegState.LEG_STATE_LIVE


def compile_proto(path):
    """The generated messages and stubs of a .proto file, compiled here and now."""
    from grpc_tools import protoc

    path = pathlib.Path(path)
    out = tempfile.mkdtemp(prefix="check_demo")
    arguments = ["protoc", f"-I{path.parent}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main([*arguments, str(path)]) != 0:
        sys.exit(f"{path}: cannot be compiled")
    sys.path.insert(0, out)
    module = path.stem + "_pb2"
    return importlib.import_module(module), importlib.import_module(module + "_grpc")


def read_recording(path):
    """The texts a venue sent over its socket, in order."""
    raw = pathlib.Path(path).read_bytes()
    if str(path).endswith(".zst"):
        import zstandard

        raw = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj().decompress(raw)
    lines = (json.loads(line) for line in raw.decode().splitlines() if line.strip())
    return [line["msg"] for line in lines if line["dir"] == "in" and line["url"].startswith("ws")]


def nanoseconds(text):
    """2026-08-09T21:05:48.483587501Z as nanoseconds since 1970."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 10**9 + int((fraction + "0" * 9)[:9])


def bybit_updates(texts):
    """(is a snapshot, venue time, sequence, [(side, price, quantity)]) of each book message."""
    for text in texts:
        message = json.loads(text)
        if message.get("topic", "").startswith("orderbook."):
            data = message["data"]
            levels = [("bid", *level) for level in data["b"]] + [("ask", *level) for level in data["a"]]
            yield message["type"] == "snapshot", message["cts"] * 10**6, data["u"], levels


def coinbase_updates(texts):
    """The same of Coinbase, whose sequence is the connection's and so not in the recording."""
    for text in texts:
        message = json.loads(text)
        if message["channel"] == "l2_data":
            [event] = message["events"]
            names = {"bid": "bid", "offer": "ask"}
            levels = [(names[u["side"]], u["price_level"], u["new_quantity"]) for u in event["updates"]]
            yield event["type"] == "snapshot", nanoseconds(message["timestamp"]), None, levels


UPDATES = {"bybit": bybit_updates, "coinbase-advanced": coinbase_updates}


def describe(levels, place):
    """One level as text."""
    if place >= len(levels):
        return "nothing"
    price, qty, venue = levels[place]
    return f"{qty} at {price} of {venue}"


class VenueRecord:
    """The best levels of one venue's book after each message of its recording."""

    def __init__(self, name, texts):
        self.name = name
        self.tops = []  # per message: ([(price, qty)] bids, [(price, qty)] asks)
        self.changes = 0  # messages after which the best levels differ from before
        self.by_time = {}
        self.by_seq = {}
        book = {"bid": {}, "ask": {}}
        for snapshot, ts, seq, levels in UPDATES[name](texts):
            if snapshot:
                book = {"bid": {}, "ask": {}}
            for side, price, qty in levels:
                price, qty = Decimal(price), Decimal(qty)
                if qty == 0:
                    book[side].pop(price, None)
                else:
                    book[side][price] = qty
            if ts in self.by_time:
                sys.exit(f"{name}: two messages of the recording have the time {ts}")
            self.by_time[ts] = len(self.tops)
            if seq is not None:
                self.by_seq[seq] = len(self.tops)
            bids = heapq.nlargest(DEPTH, book["bid"].items())
            asks = heapq.nsmallest(DEPTH, book["ask"].items())
            self.changes += not self.tops or self.tops[-1] != (bids, asks)
            self.tops.append((bids, asks))
        if not self.tops:
            sys.exit(f"{name}: the recording holds no book")


class Loop:
    """What was seen of one epoch of one leg."""

    def __init__(self):
        self.index_of = {}  # sequence -> message of the recording
        self.last_index = -1
        self.seen = set()
        self.others = None  # messages of the connection that are no book messages, so far


class Checker:
    """Judges the messages of one subscription, in order."""

    def __init__(self, records, strict=False):
        self.records = records
        self.strict = strict
        self.loops = {}  # (venue, epoch) -> Loop
        self.newest = {}  # venue -> epoch
        self.complete = dict.fromkeys(records, 0)
        self.with_all_live = 0
        self.seq = None
        self.checked = 0
        self.differences = 0
        self.said = []

    def differ(self, book, what):
        self.differences += 1
        if len(self.said) < MAX_SAID:
            self.said.append(what)
            print(f"difference at seq {book.seq}: {what}", file=sys.stderr)

    def check(self, book):
        """Checks one message."""
        self.checked += 1
        if book.skipped:
            self.differ(book, f"skipped = {book.skipped}")
        if self.seq is not None and book.seq != self.seq + 1 + book.skipped:
            self.differ(book, f"follows seq {self.seq} with skipped = {book.skipped}")
        self.seq = book.seq
        live = {}
        for number, leg in enumerate(book.legs):
            if leg.venue not in self.records:
                self.differ(book, f"unknown venue {leg.venue}")
                continue
            self.follow_epoch(book, leg)
            if leg.state == LIVE:
                index = self.locate(book, leg)
                if index is not None:
                    live[number] = self.records[leg.venue].tops[index]
        self.with_all_live += len(live) == len(self.records)
        self.compare(book, live)

    def follow_epoch(self, book, leg):
        """Epochs never go back; when a new one begins, the one before is over and judged."""
        before = self.newest.get(leg.venue, leg.epoch)
        if leg.epoch < before:
            self.differ(book, f"{leg.venue}: epoch {leg.epoch} after {before}")
        elif leg.epoch > before:
            self.judge_loop(book, leg.venue, before)
        self.newest[leg.venue] = max(before, leg.epoch)

    def locate(self, book, leg):
        """Which message of the recording the leg stands at."""
        record = self.records[leg.venue]
        loop = self.loops.setdefault((leg.venue, leg.epoch), Loop())
        index = record.by_time.get(leg.ts_venue_ns)
        if index is None:
            return self.differ(book, f"{leg.venue}: nothing was recorded at {leg.ts_venue_ns}")
        if record.by_seq and record.by_seq.get(leg.seq) != index:
            return self.differ(book, f"{leg.venue}: seq {leg.seq} is not message {index}")
        if index < loop.last_index or loop.index_of.setdefault(leg.seq, index) != index:
            return self.differ(book, f"{leg.venue}: seq {leg.seq} went back to message {index}")
        if not record.by_seq:
            # A connection's sequence counts the other messages too: ever more of them.
            others = leg.seq - index
            if others < (loop.others or 0):
                return self.differ(book, f"{leg.venue}: seq {leg.seq} for message {index}")
            loop.others = others
        loop.last_index = index
        loop.seen.add(index)
        return index

    def judge_loop(self, book, venue, epoch):
        """Counts a loop that was seen from its beginning, and names what it missed."""
        loop = self.loops.pop((venue, epoch), None)
        if loop is None or 0 not in loop.seen:
            return  # joined in the middle
        tops = self.records[venue].tops
        shown = tops[0]
        for index, top in enumerate(tops):
            if index in loop.seen:
                shown = top
            elif self.strict or top != shown:
                self.differ(book, f"{venue}: message {index} of epoch {epoch} was missed")
        self.complete[venue] += 1

    def compare(self, book, live):
        """Compares the levels with a brute-force merge of the live legs."""
        sides = []
        for side, sign in ((0, -1), (1, 1)):
            merged = []
            for number, tops in live.items():
                venue = book.legs[number].venue
                merged += [(sign * price, -qty, venue) for price, qty in tops[side]]
            merged.sort()
            sides.append([(sign * price, -qty, venue) for price, qty, venue in merged[:DEPTH]])
        for name, expected, levels in zip(("bids", "asks"), sides, (book.bids, book.asks)):
            got = [(Decimal(l.price), Decimal(l.qty), book.legs[l.leg].venue) for l in levels]
            if got != expected:
                place = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b),
                             min(len(got), len(expected)))
                self.differ(book, f"{name}, level {place}: {describe(got, place)}, "
                                  f"should be {describe(expected, place)}")
        states = sum(leg.state == LIVE for leg in book.legs)
        if book.live_legs != states:
            self.differ(book, f"live_legs is {book.live_legs}, should be {states}")
        bids, asks = sides
        both = bool(bids and asks)
        for name, expected in (
            ("crossed", both and bids[0][0] > asks[0][0]),
            ("locked", both and bids[0][0] == asks[0][0]),
        ):
            if getattr(book, name) != expected:
                self.differ(book, f"{name} should be {expected}")

    def done(self, loops):
        return all(count >= loops for count in self.complete.values())


def stream(options, messages, stubs):
    """The server's messages until the deadline."""
    import grpc

    channel = grpc.insecure_channel(options.server)
    try:
        grpc.channel_ready_future(channel).result(timeout=options.timeout)
    except grpc.FutureTimeoutError:
        sys.exit(f"{options.server}: no server within {options.timeout} s")
    request = messages.StreamBookRequest(
        symbol=options.symbol, depth=DEPTH, every_update=messages.EveryUpdate()
    )
    try:
        yield from stubs.MarketDataStub(channel).StreamBook(request, timeout=options.timeout)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
            print(f"the stream ended: {error.code().name}: {error.details()}", file=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="127.0.0.1:50051", metavar="HOST:PORT")
    parser.add_argument("--proto", default=PROTO, metavar="FILE")
    parser.add_argument("--symbol", default="", help="default: the server's first book")
    parser.add_argument("--recording", action="append", default=[], metavar="VENUE=FILE",
                        help=f"instead of the demo's; venues: {', '.join(UPDATES)}")
    parser.add_argument("--loops", type=int, default=1, help="whole loops to see of each recording")
    parser.add_argument("--timeout", type=float, default=180, help="seconds")
    parser.add_argument("--strict", action="store_true",
                        help="updates that leave a venue's best levels as they are must be shown too")
    options = parser.parse_args()
    recordings = dict(pair.partition("=")[::2] for pair in options.recording) or RECORDINGS
    if unknown := sorted(set(recordings) - set(UPDATES)):
        parser.error(f"unknown venue {', '.join(unknown)}; known are {', '.join(UPDATES)}")
    return options, recordings


def main():
    options, recordings = parse_arguments()
    messages, stubs = compile_proto(options.proto)
    records = {name: VenueRecord(name, read_recording(path)) for name, path in recordings.items()}
    checker = Checker(records, options.strict)
    for book in stream(options, messages, stubs):
        checker.check(book)
        if checker.done(options.loops):
            break
    loops = ", ".join(f"{venue} {count}" for venue, count in checker.complete.items())
    print(f"checked {checker.checked} messages, {checker.differences} differences; "
          f"all legs live in {checker.with_all_live}; whole loops: {loops}")
    expected = options.loops * max(record.changes for record in records.values())
    enough = checker.done(options.loops) and checker.checked >= expected and checker.with_all_live
    if not enough:
        print(f"too little was seen: expected {options.loops} whole loops of each recording, "
              "with all legs live for some of the time", file=sys.stderr)
    sys.exit(0 if enough and not checker.differences else 1)


if __name__ == "__main__":
    main()
