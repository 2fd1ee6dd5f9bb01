#!/usr/bin/env bash
# Builds the package and proves what README.md claims; `prove.sh speed` measures, too. Needs Rust 1.94 and a C compiler.
set -euo pipefail
cd "$(dirname "$0")"
cargo test --locked --release
cargo run --locked --release --example score
cargo run --locked --release --example cluster
cargo run --locked --release --example prove -- "$@"
