/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps only, no programs: for a fault that needs just a control block, for its lease and for `eval bpf-status`. */
#include "disk/state.bpf.h"
