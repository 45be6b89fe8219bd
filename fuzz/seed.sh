#!/bin/sh
# Fills fuzz/corpus with the recorded messages and the examples of the tests, one folder a target.
set -eu
cd "$(dirname "$0")/.."
cargo test -p dragonfly-feeds --test it write_fuzz_corpus -- --ignored
