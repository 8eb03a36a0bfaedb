/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* No program: the maps of a fault that only needs a control block, for its lease and for `eval bpf-status`. */
#include "disk/state.bpf.h"
