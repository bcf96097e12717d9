#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests from nothing, on a fresh Debian 12, as root: installs what it needs, builds twice (sanitizers for unit tests and
# simulation, release for the package, contract and lab) and runs everything. Prints the minutes each stage took.
#   tests/run.sh              install image sanitizers package contract lab
#   tests/run.sh STAGE...     one of these; or unit (debug build without sanitizers), tsan, tidy (every file), guests (every
#                             case of the drivers' suite; the lab stage runs one): the full checks
# Environment: LAB_DIR, LAB_BOX_DIR (see vagrant/README.md), MCV_CLOUD_HYPERVISOR (a real binary for the guest tests).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
jobs=$(nproc)
times=
started=$(date +%s)

stage() { # name, command...
    name=$1
    shift
    echo "=== $name"
    began=$(date +%s)
    "$@"
    took=$(($(date +%s) - began))
    times="$times$(printf '%-10s %3d min %02d s' "$name" $((took / 60)) $((took % 60)))
"
}

build() { # preset, targets...
    preset=$1
    shift
    cmake --preset "$preset" >"build-$preset.configure.log" 2>&1 || { cat "build-$preset.configure.log"; return 1; }
    ninja -C "build-$preset" -j "$jobs" "$@" | grep -v '^\[' || true
    ninja -C "build-$preset" -j "$jobs" "$@" >/dev/null
}

install_packages() { tests/install.sh; }
image() { vagrant/build-box.sh >/dev/null; }
unit() {
    build dev unit_tests
    ctest --test-dir build-dev --output-on-failure -j "$jobs" -L '^(unit|sim|lint)$'
}
sanitizers() {
    build asan unit_tests
    ctest --test-dir build-asan --output-on-failure -j "$jobs" -L '^(unit|sim|lint|tidy)$'
}
tsan() {
    build tsan unit_tests
    ctest --test-dir build-tsan --output-on-failure -j "$jobs" -L '^(unit|sim)$'
}
tidy() {
    cmake --preset dev >/dev/null
    python3 tests/lint/coroutines.py build-dev --all
    python3 tests/lint/clang_tidy.py build-dev --all
}
package() {
    build release mcvd hvctl mcv-drbd-helper contract_tests
    (cd build-release && cpack -G DEB)
}
contract() { ctest --test-dir build-release --output-on-failure -L '^contract$'; }
lab() {
    tests/lab/vagrant-validate.sh 2>/dev/null
    tests/lab/run.py tests/lab/main_job_test.py tests/lab/join_test.py tests/lab/peer_loss_test.py tests/lab/takeover_test.py tests/lab/leave_test.py
    MCV_GUEST_CASES='*RunsAGuestThroughItsLife*' tests/lab/run.py tests/lab/guest_contract_test.py
}
guests() { tests/lab/run.py tests/lab/guest_contract_test.py; }

for name in ${*:-install image sanitizers package contract lab}; do
    case $name in
        install) stage install install_packages ;;
        image | unit | sanitizers | tsan | tidy | package | contract | lab | guests) stage "$name" "$name" ;;
        *) echo "tests/run.sh: no stage is called $name (install image sanitizers package contract lab unit tsan tidy guests)" >&2; exit 2 ;;
    esac
done

total=$(($(date +%s) - started))
echo "=== minutes per stage"
printf '%s' "$times"
printf '%-10s %3d min %02d s\n' total $((total / 60)) $((total % 60))
