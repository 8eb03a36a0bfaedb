// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Maps only, no programs: the control block and the counters of a fault that a process carries out by fanotify. */
#include "calls.bpf.h"
