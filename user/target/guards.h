/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The names of the guards, and what is protected by default. */
#pragma once

/* Protected whatever else is, unless allow: [ssh] lifts it together with what sshd serves. */
#define PROTECT_DEFAULT "tcp/22"

/* What `allow` may switch off, ends with NULL. */
extern const char *const target_guards[];
#define TARGET_GUARDS_TEXT "gateway, root_fs, shared_fs, ssh, stacked"
