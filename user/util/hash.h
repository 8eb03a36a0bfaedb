/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SHA-256 of a buffer as lower-case hexadecimal text. */
#pragma once

#include <stddef.h>

#define SHA256_HEX_SIZE 65
void sha256_hex(char out[SHA256_HEX_SIZE], const void *data, size_t size);
