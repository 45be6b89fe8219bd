#!/usr/bin/env python3
"""The check must be able to fail: right files pass, each error put into them is found.

Run with `python3 -m unittest` in this folder; needs nothing but Python.
"""

import contextlib
import copy
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from check_seeds import MS, BadFile, check

PROGRAM = pathlib.Path(__file__).with_name("check_seeds.py")


def entry(at, venue, stream, seq, bids, asks):
    return {"record": "entry", "at": at * MS, "socket": 0 if venue == "bybit" else 1,
            "venue": venue, "symbol": "BTCUSDT", "stream": stream, "seq": seq, "is_whole": seq == 1,
            "bids": [level.split() for level in bids], "asks": [level.split() for level in asks]}


LEDGER = [
    entry(1, "bybit", 1, 1, ["100.0 2", "99 1"], ["101 1", "102 5"]),
    entry(2, "kraken", 1, 1, ["100 0.5"], ["101.0 1", "103 1"]),
    entry(3, "bybit", 1, 2, ["100.0 3", "99 1"], ["101 1", "102 5"]),
    {"record": "heard", "at": 4 * MS, "socket": 1},
    {"record": "looked", "at": 40 * MS},
    entry(5_000, "bybit", 1, 3, ["100.5 1"], ["101 1"]),
]


def legs(bybit, kraken, of_kraken="live", of_bybit="live"):
    return [{"venue": venue, "symbol": "BTCUSDT", "epoch": 1, "seq": seq, "state": state}
            for venue, seq, state in (("bybit", bybit, of_bybit), ("kraken", kraken, of_kraken))]


def side(text):
    """"100 2 0, 99 1 0": price, quantity, leg."""
    shelves = [shelf.split() for shelf in text.split(", ")] if text else []
    return [{"price": price, "qty": qty} | ({"leg": int(leg[0])} if leg else {})
            for price, qty, *leg in shelves]


def view(at, stream, seq, of, bids, asks, **more):
    kind = "aggregated" if stream == "sum" else "consolidated"
    return {"at": at * MS, "client": "", "stream": stream, "kind": kind, "depth": 3, "seq": seq,
            "skipped": 0, "legs": of, "bids": side(bids), "asks": side(asks)} | more


VIEWS = [
    view(2, "all", 1, legs(1, 1), "100 2 0, 100 0.5 1, 99 1 0", "101 1 0, 101 1.0 1, 102 5 0"),
    view(2, "sum", 1, legs(1, 1), "100 2.5, 99 1", "101 2, 102 5, 103 1"),
    view(3, "all", 2, legs(2, 1), "100 3 0, 100 0.5 1, 99 1 0", "101 1 0, 101 1 1, 102 5 0"),
    view(3, "all", 2, legs(2, 1), "100 3 0, 100 0.5 1, 99 1 0", "101 1 0, 101 1 1, 102 5 0",
         client="slow", skipped=1),
    view(4, "sum", 2, legs(2, 1, "gap", "stale"), "", ""),
    view(90, "all", 5, legs(2, 1, "gap"), "100 3 0, 99 1 0", "101 1 0, 102 5 0", skipped=2),
    view(5_001, "all", 6, legs(3, 1, "gap"), "100.5 1 0", "101 1 0"),
]


def run(ledger=LEDGER, views=VIEWS):
    """What is found in these lines, and what is said of it."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(said):
        paths = [pathlib.Path(folder, name) for name in ("ledger", "views")]
        for path, lines in zip(paths, (ledger, views)):
            path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return check(*paths, "7"), said.getvalue()


class CheckSeeds(unittest.TestCase):
    def finds(self, rule, change):
        """The change is found, by this rule first."""
        ledger, views = copy.deepcopy(LEDGER), copy.deepcopy(VIEWS)
        change(ledger, views)
        judge, said = run(ledger, views)
        self.assertGreater(judge.differences, 0)
        self.assertTrue(said.startswith(f"7: ({rule}) "), said)

    def test_right_files_pass_and_are_compared(self):
        judge, said = run()
        self.assertEqual((judge.differences, said), (0, ""))
        self.assertEqual((judge.entries, judge.views, judge.compared), (4, 7, 8))

    def test_a_price_a_quantity_and_a_number_are_held_to_what_was_said(self):
        self.finds("a", lambda _, views: views[0]["bids"][0].update(price="100.1"))
        self.finds("a", lambda _, views: views[0]["asks"][2].update(qty="5.00000000000000000001"))
        self.finds("a", lambda _, views: views[0]["legs"][1].update(seq=2))
        self.finds("a", lambda _, views: views[0]["legs"][0].update(symbol="ETHUSDT"))

    def test_what_had_not_arrived_cannot_be_shown(self):
        self.finds("a", lambda ledger, _: ledger[1].update(at=3 * MS))

    def test_exchanged_sides_are_found(self):
        def swap(_, views):
            views[0]["bids"], views[0]["asks"] = views[0]["asks"], views[0]["bids"]
        self.finds("a", swap)

    def test_the_order_of_ties_is_larger_quantity_then_name(self):
        def swap(side):
            def change(_, views):
                shelves = views[0][side]
                shelves[0], shelves[1] = shelves[1], shelves[0]
            return change
        self.finds("b", swap("bids"))
        self.finds("b", swap("asks"))

    def test_a_level_too_few_and_a_level_too_many_are_found(self):
        self.finds("b", lambda _, views: views[0]["bids"].pop())
        self.finds("b", lambda _, views: views[0]["asks"].append(side("103 1 1")[0]))
        self.finds("b", lambda _, views: views[1]["bids"][0].update(qty="2.4"))

    def test_a_leg_that_is_not_live_has_no_levels_and_one_that_is_has(self):
        self.finds("b", lambda _, views: views[0]["legs"][1].update(state="gap"))
        self.finds("b", lambda _, views: views[5]["legs"][1].update(state="live"))

    def test_epoch_and_number_do_not_go_back(self):
        def back(_, views):
            views[2]["legs"][1].update(epoch=0)
        self.finds("c", back)
        self.finds("c", lambda _, views: views[5]["legs"][0].update(seq=1))

    def test_silence_and_what_is_late_are_found(self):
        def silent(ledger, views):
            ledger.append({"record": "looked", "at": 10_102 * MS})
        self.finds("d", silent)

        def late(ledger, views):
            ledger.append({"record": "looked", "at": 5_051 * MS})
            views.pop()
        self.finds("d", late)

    def test_what_is_in_time_is_not_found(self):
        looks = [{"record": "looked", "at": at * MS} for at in (5_050, 10_100)]
        self.assertEqual(run(LEDGER + looks)[0].differences, 0)

    def test_a_crossed_book_is_found(self):
        def cross(ledger, views):
            ledger[5].update(bids=[["101", "1"]])
            views[6]["bids"][0].update(price="101")
        self.finds("e", cross)

    def test_what_is_skipped_adds_up(self):
        self.finds("f", lambda _, views: views[5].update(skipped=1))
        self.finds("f", lambda _, views: views.pop(2))
        self.finds("f", lambda _, views: views[6].update(seq=7))

    def test_a_client_is_shown_what_was_published(self):
        self.finds("f", lambda _, views: views[3]["bids"][0].update(qty="4"))
        self.finds("f", lambda _, views: views[3].update(seq=3, skipped=2))

    def test_a_ledger_may_begin_with_the_wall_time(self):
        judge, _ = run([{"record": "began", "at": 7, "utc": 1_790_000_000 * 10**9}, *LEDGER])
        self.assertEqual((judge.differences, judge.compared), (0, run(LEDGER)[0].compared))

    def test_a_bad_file_is_named(self):
        for change in (lambda ledger: ledger.append({"at": 9_000 * MS}),
                       lambda ledger: ledger[0].update(bids=[["1e", "1"]]),
                       lambda ledger: ledger.append(3)):
            ledger = copy.deepcopy(LEDGER)
            change(ledger)
            with self.assertRaisesRegex(BadFile, "ledger, line"):
                run(ledger)

    def test_the_program_says_what_it_found(self):
        with tempfile.TemporaryDirectory() as folder:
            def program(*more):
                command = [sys.executable, PROGRAM, folder, *more]
                return subprocess.run(command, capture_output=True, text=True, check=False)

            self.assertEqual(program().returncode, 2)
            ledger, views, result = (pathlib.Path(folder, name) for name in
                                     ("7.ledger.jsonl", "7.views.jsonl", "result.json"))
            ledger.write_text("".join(json.dumps(line) + "\n" for line in LEDGER))
            views.write_text("")
            self.assertEqual(program().returncode, 1)
            views.write_text("".join(json.dumps(line) + "\n" for line in VIEWS))
            done = program("--result", str(result))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("1 runs, 7 views, 8 live legs compared, 0 differences", done.stdout)
            by_name = [sys.executable, PROGRAM, str(ledger), str(views)]
            self.assertEqual(subprocess.run(by_name, capture_output=True, check=False).returncode, 0)
            found = json.loads(result.read_text())
            self.assertEqual((found["seeds"], found["compared"], found["violations"]), (1, 8, 0))


if __name__ == "__main__":
    unittest.main()
