"""A result is made of tests that ran and passed, and of nothing else; what is too little is named."""

import types
import unittest

import enough
import tests_result

OPTIONS = types.SimpleNamespace(check="tls", title="TLS", promises="S1,S3", command="cargo test", seconds=2.0,
                                filters=["tls::", "old"])
PASSED = "test a::tls::x ... ok\ntest a::old ... ok\ntest result: ok. 3 passed; 0 failed; 0 ignored\n41 places of unsafe code, of 41\n"


class Results(unittest.TestCase):
    def test_tests_of_all_packages_are_counted_for_each_promise(self):
        made = tests_result.result(OPTIONS, PASSED + PASSED)
        self.assertEqual(made["promises"], ["S1", "S3"])
        self.assertEqual(made["figures"]["S3: tests passed"], "6")
        self.assertEqual(made["figures"]["S1: unsafe code"], "41 places")

    def test_a_filter_that_matches_nothing_shows_nothing(self):
        self.assertIsNone(tests_result.result(OPTIONS, PASSED.replace("old", "new")))
        self.assertIsNone(tests_result.result(OPTIONS, ""))

    def test_a_failure_shows_nothing(self):
        self.assertIsNone(tests_result.result(OPTIONS, PASSED + "test result: FAILED. 1 passed; 1 failed\n"))


class Enough(unittest.TestCase):
    RESULTS = ({"check": "t0", "seeds": 9_000, "updates": 16_000_000, "faults": {"gap": 40_000}},
               {"check": "t1", "seeds": 500, "updates": 4_000_000, "faults": {"gap": 1, "cut": 9_999}},
               {"check": "t2", "seeds": 10, "updates": 0, "faults": {}})

    def test_what_reaches_every_bar_is_enough(self):
        self.assertEqual(enough.shortfalls(self.RESULTS), [])

    def test_each_bar_is_held(self):
        for at, spoilt in ((0, {"updates": 15_999_999}), (0, {"faults": {}}), (1, {"seeds": 499}),
                           (2, {"seeds": 9}), (1, {"violations": 1})):
            results = [{**result, **(spoilt if at == n else {})} for n, result in enumerate(self.RESULTS)]
            self.assertEqual(len(enough.shortfalls(results)), 1, spoilt)


if __name__ == "__main__":
    unittest.main()
