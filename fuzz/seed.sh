#!/bin/sh
# Fills fuzz/corpus with the recorded messages and the examples of the tests, one folder a target.
set -eu
cd "$(dirname "$0")/.."
DRAGONFLY_FUZZ_CORPUS="$PWD/fuzz/corpus" cargo test -p dragonfly-feeds --test it every_fuzz_target_has_seeds
