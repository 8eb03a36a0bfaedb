/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "util/cleanup.h"

#define REPLACEMENT "\xef\xbf\xbd"

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Length of the valid character (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF), 0: not valid. */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	if (s[0] && s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return size >= 2 && is_continuation(s[1]) ? 2 : 0;
	if (s[0] >= 0xe0 && s[0] <= 0xef) {
		if (size < 3 || !is_continuation(s[1]) || !is_continuation(s[2]))
			return 0;
		return (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ? 0 : 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		if (size < 4 || !is_continuation(s[1]) || !is_continuation(s[2]) || !is_continuation(s[3]))
			return 0;
		return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ? 0 : 4;
	}
	return 0;
}

json_t *json_text(const char *bytes, size_t size)
{
	_cleanup_free_ char *text = malloc(size * strlen(REPLACEMENT) + 1);
	size_t used = 0;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size;) {
		size_t length = utf8_length((const unsigned char *)bytes + i, size - i);

		memcpy(text + used, length ? bytes + i : REPLACEMENT, length ? length : strlen(REPLACEMENT));
		used += length ? length : strlen(REPLACEMENT);
		i += length ? length : 1;
	}
	return json_stringn(text, used);
}
