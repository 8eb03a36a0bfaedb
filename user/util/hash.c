/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/hash.h"

#include <sys/types.h>

#include <sha2.h>
#include <stdio.h>

void sha256_hex(char out[SHA256_HEX_SIZE], const void *data, size_t size)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, data, size);
	SHA256Final(digest, &context);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
