#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs crafted packets through the matcher of every network program, without a device; the table is in tests/tools/match.c.
[[ $EUID == 0 ]] || { echo "Bail out! needs root"; exit 1; }
exec "$(dirname "$0")/../../build/tools/match"
