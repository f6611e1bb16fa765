#!/usr/bin/env bash
# The plugins: checks and tests their code, then builds every component again from its sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../plugins"

bash ../.ci/plugins-native.sh
./build.sh build
