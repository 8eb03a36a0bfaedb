/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The names of the guards, and the port that is protected by default. */
#pragma once

/* Always protected, unless allow: [ssh] lifts this and the protection of sshd's sockets. */
#define PROTECT_DEFAULT "tcp/22"

/* The guards that `allow` may switch off; ends with NULL. */
extern const char *const target_guards[];
#define TARGET_GUARDS_TEXT "gateway, root_fs, shared_fs, ssh, stacked"
