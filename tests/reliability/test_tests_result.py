"""A result is made of tests that ran and passed, and of nothing else."""

import types
import unittest

import tests_result

OPTIONS = types.SimpleNamespace(check="tls", title="TLS", promises="S1,S3", command="cargo test", seconds=2.0)
PASSED = "test result: ok. 3 passed; 0 failed; 0 ignored\n41 places of unsafe code, of 41\n"


class Results(unittest.TestCase):
    def test_tests_of_all_packages_are_counted_for_each_promise(self):
        made = tests_result.result(OPTIONS, PASSED + PASSED)
        self.assertEqual(made["promises"], ["S1", "S3"])
        self.assertEqual(made["figures"]["S3: tests passed"], "6")
        self.assertEqual(made["figures"]["S1: unsafe code"], "41 places")

    def test_a_filter_that_matches_nothing_shows_nothing(self):
        self.assertIsNone(tests_result.result(OPTIONS, "test result: ok. 0 passed; 0 failed\n"))
        self.assertIsNone(tests_result.result(OPTIONS, ""))

    def test_a_failure_shows_nothing(self):
        self.assertIsNone(tests_result.result(OPTIONS, PASSED + "test result: FAILED. 1 passed; 1 failed\n"))


if __name__ == "__main__":
    unittest.main()
