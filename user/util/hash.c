/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/hash.h"

#include <netinet/in.h>
#include <resolv.h>
#include <sys/types.h>

#include <sha2.h>
#include <stdint.h>
#include <stdio.h>

static void digest_of(uint8_t digest[SHA256_DIGEST_LENGTH], const void *data, size_t size)
{
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, data, size);
	SHA256Final(digest, &context);
}

void sha256_hex(char out[SHA256_HEX_SIZE], const void *data, size_t size)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	digest_of(digest, data, size);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void sha256_base64(char out[SHA256_BASE64_SIZE], const void *data, size_t size)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	digest_of(digest, data, size);
	b64_ntop(digest, sizeof(digest), out, SHA256_BASE64_SIZE);
}
