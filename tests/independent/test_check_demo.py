#!/usr/bin/env python3
"""The check must be able to fail: a right stream passes, each planted error is found.

Run with `python3 -m unittest` in this folder; needs what check_demo.py needs.
"""

import contextlib
import io
import unittest

from check_demo import DEPTH, LIVE, PROTO, RECORDINGS, Checker, VenueRecord, compile_proto, read_recording

MESSAGES, _ = compile_proto(PROTO)
RECORDS = {name: VenueRecord(name, read_recording(path)) for name, path in RECORDINGS.items()}
SYNCING, DOWN = 2, 8


def state_of(venue, epoch, index, state=LIVE):
    record = RECORDS[venue]
    time = {position: ts for ts, position in record.by_time.items()}[index]
    seq = {position: seq for seq, position in record.by_seq.items()}.get(index, index + 2 + index // 20)
    return {"venue": venue, "epoch": epoch, "index": index, "state": state, "seq": seq, "time": time}


def right_stream():
    """Both venues one whole loop and the beginning of the next, as a right server shows it."""
    legs = {}
    order = sorted(
        [(position / len(record.tops), venue, position) for venue, record in RECORDS.items()
         for position in range(len(record.tops))]
    )
    steps = [(venue, state_of(venue, 1, position)) for _, venue, position in order]
    steps += [(venue, state_of(venue, 1, 0, DOWN)) for venue in RECORDS]
    steps += [(venue, state_of(venue, 2, 0)) for venue in RECORDS]
    for seq, (venue, state) in enumerate(steps, start=1):
        legs[venue] = state
        yield message(seq, list(legs.values()))


def message(seq, legs):
    book = MESSAGES.Book(symbol="BTC-USD", seq=seq)
    for leg in legs:
        book.legs.add(venue=leg["venue"], state=leg["state"], epoch=leg["epoch"], seq=leg["seq"],
                      ts_venue_ns=leg["time"])
    live = [(number, leg) for number, leg in enumerate(legs) if leg["state"] == LIVE]
    book.live_legs = len(live)
    tops = []
    for side, levels, sign in ((0, book.bids, -1), (1, book.asks, 1)):
        merged = [(sign * price, -qty, leg["venue"], number)
                  for number, leg in live for price, qty in RECORDS[leg["venue"]].tops[leg["index"]][side]]
        merged.sort()
        for price, qty, _, number in merged[:DEPTH]:
            levels.add(price=f"{sign * price:f}", qty=f"{-qty:f}", leg=number)
        tops += [sign * price for price, *_ in merged[:1]]
    if len(tops) == 2:
        book.crossed, book.locked = tops[0] > tops[1], tops[0] == tops[1]
    return book


def judge(stream, **options):
    checker = Checker(RECORDS, **options)
    with contextlib.redirect_stderr(io.StringIO()):
        for book in stream:
            checker.check(book)
    return checker


class PlantedErrors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.right = list(right_stream())

    def planted(self, change, at=500):
        book = MESSAGES.Book()
        book.CopyFrom(self.right[at])
        change(book)
        return judge([*self.right[:at], book, *self.right[at + 1:]])

    def test_a_right_stream_passes(self):
        checker = judge(self.right)
        self.assertEqual(checker.differences, 0)
        self.assertEqual(checker.complete, {"bybit": 1, "coinbase-advanced": 1})
        self.assertGreater(checker.with_all_live, 600)

    def test_each_planted_error_is_found(self):
        def swap_sides(book):
            bids, asks = list(book.bids), list(book.asks)
            del book.bids[:], book.asks[:]
            book.bids.extend(asks), book.asks.extend(bids)

        def swap_two_levels(book):
            first = MESSAGES.Level()
            first.CopyFrom(book.bids[3])
            book.bids[3].CopyFrom(book.bids[4])
            book.bids[4].CopyFrom(first)

        def keep_a_dead_leg(book):
            book.legs[0].state = DOWN

        planted = {
            "last digit": lambda book: setattr(book.asks[9], "qty", book.asks[9].qty + "1"),
            "a level missing": lambda book: book.bids.pop(),
            "wrong venue": lambda book: setattr(book.bids[0], "leg", 1 - book.bids[0].leg),
            "sides swapped": swap_sides,
            "order": swap_two_levels,
            "levels of a dead leg": keep_a_dead_leg,
            "skipped": lambda book: setattr(book, "skipped", 1),
            "flag": lambda book: setattr(book, "crossed", not book.crossed),
            "count": lambda book: setattr(book, "live_legs", 1),
            "old state under a new sequence": lambda book: book.CopyFrom(
                MESSAGES.Book(**{**fields(self.right[498]), "seq": book.seq})),
        }
        for name, change in planted.items():
            with self.subTest(name):
                self.assertGreater(self.planted(change).differences, 0)

    def without(self, unwanted):
        """The right stream without some messages, numbered as if there had never been more."""
        kept = [book for book in self.right if not unwanted(book)]
        for seq, book in enumerate(kept, start=1):
            copy = MESSAGES.Book()
            copy.CopyFrom(book)
            copy.seq = seq
            yield copy

    def test_a_missed_update_is_found(self):
        # Whether it changed a best level decides if it had to be shown.
        tops = RECORDS["bybit"].tops
        changed = [index for index in range(1, len(tops)) if tops[index] != tops[index - 1]]
        unchanged = [index for index in range(1, len(tops)) if tops[index] == tops[index - 1]]
        for index, strict, differs in ((changed[50], False, True), (unchanged[5], False, False),
                                       (unchanged[5], True, True)):
            time = {position: ts for ts, position in RECORDS["bybit"].by_time.items()}[index]
            gone = lambda book: any(leg.ts_venue_ns == time for leg in book.legs)
            checker = judge(self.without(gone), strict=strict)
            missed = [what for what in checker.said if f"bybit: message {index} " in what]
            self.assertEqual(bool(missed), differs)

    def test_a_missed_message_is_a_hole_in_the_stream(self):
        self.assertGreater(judge(self.right[:300] + self.right[301:]).differences, 0)


def fields(book):
    return {field.name: value for field, value in book.ListFields()}


if __name__ == "__main__":
    unittest.main()
