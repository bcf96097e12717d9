#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job, shown: builds the package, builds the image of the lab nodes, boots two of them and runs init, join, VM
# creation, start, migration and verify on them. As root on Debian 12; leaves the lab up. End it: vagrant/demo.sh down
set -eu
cd "$(dirname "$0")/.."
LAB_DIR=${LAB_DIR:-/tmp/mcv-demo}
export LAB_DIR
if [ "${1:-}" = down ]; then exec vagrant/qemu-lab.sh down; fi
tests/run.sh install image package
exec python3 tests/lab/main_job.py
