#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: one kernel is enough, as a TAP line is a process
# time limit: 150 s
# latency.sh with a TAP line, on kernels where auto takes an fq line.
export LINE=tap
# shellcheck source=tests/net/latency.sh
source "$(dirname "$0")/latency.sh"
