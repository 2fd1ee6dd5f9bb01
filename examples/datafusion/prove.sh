#!/usr/bin/env bash
# Builds the package, tests it, runs its examples and the proof: `prove.sh`, or `prove.sh speed memory` to measure, too.
set -euo pipefail
cd "$(dirname "$0")"
prove() { cargo run --locked --release --example prove -- "$@"; }
cargo test --locked --release --lib --tests
cargo run --locked --release --example score
cargo run --locked --release --example cluster
prove
for figures in "$@"; do
    prove "$figures"
done
