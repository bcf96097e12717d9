#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests from nothing, on a fresh Debian 12, as root: installs what it needs, builds twice (sanitizers for unit tests and
# simulation, release for the package, contract and lab) and runs everything. Prints the minutes each stage took.
#   tests/run.sh              install image sanitizers package simulation contract lab
#   tests/run.sh STAGE...     one of these; or unit (debug build without sanitizers), tsan, tidy (every file), lab-all (every lab
#                             test; the lab stage runs the main job and a sample chosen by the commit), guests (every case of
#                             the drivers' suite; the lab stage runs one), lab-steps (crashes at every step of creating and moving
#                             a VM), mutations (deliberate bugs that the simulation must find): the full checks
#   MCV_FUZZ_SECONDS=600 tests/run.sh fuzz [TARGET...]   libFuzzer on every parser of text from outside, or on those named
# Environment: LAB_DIR, LAB_BOX_DIR (see vagrant/README.md), MCV_CLOUD_HYPERVISOR (a real binary for the guest tests).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
jobs=$(nproc)
times=
running=
started=$(date +%s)

stage() { # name, command...
    running=$1
    shift
    echo "=== $running"
    began=$(date +%s)
    "$@"
    note
    running=
}

note() { # how it ended
    took=$(($(date +%s) - began))
    times="$times$(printf '%-10s %3d min %02d s%s' "$running" $((took / 60)) $((took % 60)) "${1:+  $1}")
"
}

# Also when a stage failed, or the run was broken off.
table() {
    [ -z "$running" ] || note "NOT DONE"
    [ -n "$times" ] || return 0
    total=$(($(date +%s) - started))
    echo "=== minutes per stage"
    printf '%s' "$times"
    printf '%-10s %3d min %02d s\n' total $((total / 60)) $((total % 60))
}
trap table EXIT
trap 'exit 130' INT TERM

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
    python3 tests/lint/compile_db.py build-asan | sed 's/^/tidy looks at /'
    # Undefined behaviour that is only printed is seen by nobody.
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    ctest --test-dir build-asan --output-on-failure -j "$jobs" -L '^(unit|sim|lint|tidy)$'
}
tsan() {
    build tsan unit_tests
    ctest --test-dir build-tsan --output-on-failure -j "$jobs" -L '^(unit|sim)$'
}
tidy() {
    cmake --preset lint >/dev/null
    python3 tests/lint/coroutines.py build-lint --all
    python3 tests/lint/clang_tidy.py build-lint --all
}
package() {
    build release mcvd hvctl mcv-drbd-helper contract_tests
    (cd build-release && cpack -G DEB)
}
# Two processes side by side, seeds apart. What they print of coverage is in build-release/simulation-*.log.
simulation() {
    build release mcv_sim
    half=5000
    pids=
    for part in 0 1; do
        build-release/tests/sim/mcv_sim --seed $((1 + part * half)) --schedules $half >"build-release/simulation-$part.log" 2>&1 &
        pids="$pids $!"
    done
    failed=0
    for pid in $pids; do wait "$pid" || failed=1; done
    if [ $failed != 0 ]; then
        grep -h -E -A 60 '^(FAILED|CRASHED)' build-release/simulation-*.log | head -300
        echo "the traces are in build-release/simulation-*.log" >&2
    fi
    tail -q -n 2 build-release/simulation-*.log
    return $failed
}
contract() { ctest --test-dir build-release --output-on-failure -L '^contract$'; }
# Beside the main job, these take turns: one in each run of the lab stage, so that it stays within a quarter of an hour.
lab_tests="join_test peer_loss_test partition_test takeover_test leave_test lost_for_good_test run_alone_test run_alone_links_test run_alone_leave_test full_disk_test full_pool_test remove_test step_crash_test formats_test repair_test verify_test volume_life_test"
lab() {
    vagrant_blocks
    first=$(($(printf '%d' "0x$(git rev-parse --short=6 HEAD 2>/dev/null || echo 0)") % $(echo "$lab_tests" | wc -w)))
    # shellcheck disable=SC2086  # words
    sample=$(printf '%s\n' $lab_tests | sed -n "$((first + 1))p")
    echo "the sample of this commit: $sample (all of them: tests/run.sh lab-all)"
    lab_run main_job_test "$sample"
    MCV_GUEST_CASES='*RunsAGuestThroughItsLife*' lab_run guest_contract_test
}
lab_all() {
    vagrant_blocks
    # shellcheck disable=SC2086
    lab_run selfcheck main_job_test $lab_tests
    guests
}
vagrant_blocks() { tests/lab/vagrant-validate.sh 2>/dev/null; }
lab_run() {
    for test in "$@"; do tests/lab/run.py "tests/lab/$test.py"; done
}
guests() { lab_run guest_contract_test; }
lab_steps() { LAB_STEPS=all lab_run step_crash_test; }
mutations() { tests/sim/mutations.py; }
# Inputs that are found go into the corpus, findings into build-fuzz/findings: make a corpus file of each, with a test of the cause.
fuzz() {
    apt-get install -y --no-install-recommends libclang-rt-14-dev >/dev/null
    build fuzz mcv_fuzz
    mkdir -p build-fuzz/findings
    for target in ${fuzz_only:-$(build-fuzz/tests/fuzz/mcv_fuzz)}; do
        echo "--- $target, ${MCV_FUZZ_SECONDS:-60} s"
        mkdir -p "build-fuzz/corpus/$target"
        seeds=
        [ ! -d "tests/fuzz/corpus/$target" ] || seeds=tests/fuzz/corpus/$target
        for file in $(MCV_FUZZ_RECORDED=$target build-fuzz/tests/fuzz/mcv_fuzz); do
            cp "tests/data/$file" "build-fuzz/corpus/$target/recorded-$(basename "$file")"
        done
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 MCV_FUZZ_TARGET=$target \
            build-fuzz/tests/fuzz/mcv_fuzz -max_total_time="${MCV_FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
            -print_final_stats=1 -artifact_prefix="build-fuzz/findings/$target-" "build-fuzz/corpus/$target" ${seeds:+"$seeds"} 2>"build-fuzz/$target.log" ||
            { tail -30 "build-fuzz/$target.log"; return 1; }
        grep -E 'number_of_executed_units|new_units_added|peak_rss' "build-fuzz/$target.log"
    done
}

fuzz_only=
if [ "${1:-}" = fuzz ]; then
    shift
    fuzz_only=$*
    set -- fuzz
fi
for name in ${*:-install image sanitizers package simulation contract lab}; do
    case $name in
        install) stage install install_packages ;;
        image | unit | sanitizers | tsan | tidy | package | simulation | contract | lab | guests | mutations | fuzz) stage "$name" "$name" ;;
        lab-all) stage lab-all lab_all ;;
        lab-steps) stage lab-steps lab_steps ;;
        *) echo "tests/run.sh: no stage is called $name (install image sanitizers package simulation contract lab unit tsan tidy lab-all lab-steps guests mutations fuzz)" >&2; exit 2 ;;
    esac
done
