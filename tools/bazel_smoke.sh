#!/bin/sh
# Runs and tests through Bazel, offline. Says so and succeeds where Bazel cannot be had.
set -eu
cd "$(dirname "$0")/.."

PACKAGES="bazel-bootstrap bazel-rules-java bazel-rules-proto bazel-platforms"

if ! command -v bazel >/dev/null && [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then
  echo "installing Bazel: $PACKAGES"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq $PACKAGES; } >.cache/apt.log 2>&1 || tail -3 .cache/apt.log
fi
if ! command -v bazel >/dev/null; then
  echo "SKIPPED: the Bazel smoke test, because bazel is not installed (apt-get install $PACKAGES)"
  exit 0
fi

run() {
  echo "\$ bazel $*"
  bazel "$@"
}

# Every target of every package is analysed: a circle or an undeclared module fails here.
run build //...
run run //fed_pretrain:doctor -- --norounds
run run //fed_pretrain:train -- --help >.cache/bazel_help.txt
grep -q -- --workdir .cache/bazel_help.txt
run test //tests:smoke
bazel shutdown
