/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SHA-256 of a buffer as text. */
#pragma once

#include <stddef.h>

#define SHA256_HEX_SIZE 65
#define SHA256_BASE64_SIZE 45
/* In lower case. */
void sha256_hex(char out[SHA256_HEX_SIZE], const void *data, size_t size);
/* As a Content-Security-Policy names what it lets in. */
void sha256_base64(char out[SHA256_BASE64_SIZE], const void *data, size_t size);
