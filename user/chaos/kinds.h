/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One struct chaos_ops per entry of chaos_kinds.h: chaos_<name>, in user/chaos/<name>.c. */
#pragma once

#include "chaos/type.h"

#define X(id, name) extern const struct chaos_ops chaos_##name;
EVAL_CHAOS_KINDS(X)
#undef X
