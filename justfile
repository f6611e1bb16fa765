# Development recipes; `just` lists them.

# List the recipes
default:
    @just --list --unsorted

# Check that everything compiles, tests included
check:
    cargo check --workspace --all-targets

# Run all tests
test *ARGS:
    cargo test --workspace {{ARGS}}

# Refuse what the formatter, the lints or the search for paths of a machine find
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    bash .ci/machine-paths.sh

# Format the code
fmt:
    cargo fmt --all

# Build the built-in plugins as components, into plugins/built
plugins:
    plugins/build.sh build

# Refuse built-in plugins that are not what their sources say; test them natively and build them again
plugins-check:
    bash .ci/plugins.sh

# Write docs/tools.md and docs/hostler.schema.json anew, from the types
reference:
    cargo build
    target/debug/hostler reference > docs/tools.md
    target/debug/hostler schema > docs/hostler.schema.json

# Write docs/agents.md anew, from a real run through a client by others
agents:
    cargo build --release
    HOSTLER_TEST_WRITE=1 bash tests/clients/run.sh target/release/hostler day

# Accept what tools, resources and prompts say of themselves now; review the difference before it is committed
snapshots: reference
    INSTA_UPDATE=always cargo test -p e2e --test tools reviewed

# Measure: bench targets and the programs in tests/bench; with --strict it fails when a target is missed
bench *ARGS:
    bash .ci/bench.sh {{ARGS}}

# Measure the log engine: the store alone, then from the pipe to the answer, with other supervisors beside it
bench-logs *ARGS:
    cargo bench -p hostler-store
    cargo build --release -p hostler
    bash tests/peers/install.sh
    python3 tests/bench/logs.py --hostler target/release/hostler {{ARGS}}

# Measure plugins against their targets: parsers beside the same code natively, border, loads, memory, start of a daemon
bench-plugins:
    cargo bench -p hostler-plugin-host --features native --bench targets
    cargo build --release -p hostler
    python3 tests/bench/plugins.py

# Make plugins as authors do, in Rust, with cargo-component and in Python, and load them
plugins-examples:
    bash .ci/cargo-component.sh
    cargo build -p hostler
    bash .ci/plugins-examples.sh target/debug/hostler

# Kill daemons and shims at random for ten minutes (or so many seconds), and look whether anything is lost
chaos SECONDS="600" SEED="1":
    cargo build --release -p hostler -p e2e
    HOSTLER_CHAOS_SECONDS={{SECONDS}} HOSTLER_CHAOS_SEED={{SEED}} cargo test --release -p e2e --test chaos nothing -- --nocapture

# Do to other supervisors what hostler's tests do to it, and print a table
peers *ARGS:
    cargo build --release -p hostler
    bash tests/peers/install.sh
    python3 tests/peers/compare.py --hostler target/release/hostler {{ARGS}}

# Print how well real errors are grouped; `python3 tests/corpus/errors/generate.py` makes the corpus anew
score-errors:
    cargo test -p hostler errors::corpus -- --nocapture

# See it work: a tour with real programs
demo:
    cargo run --release -- demo

# Drive a release build with MCP clients by others (all, or the named ones)
clients *CLIENTS:
    cargo build --release
    bash tests/clients/run.sh target/release/hostler {{CLIENTS}}

# Let eight MCP clients by others work at once for ten minutes (or so many seconds), and look whether the daemon grows
soak SECONDS="600":
    cargo build --release
    HOSTLER_SOAK_SECONDS={{SECONDS}} bash tests/clients/run.sh target/release/hostler soak

# Check licences, sources and known vulnerabilities of the dependencies
deny:
    bash .ci/deny.sh

# Everything that CI does
ci:
    bash .ci/run
