/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For clang-tidy alone: error_set returns its code, which is negative; it cannot see that across files. */
#pragma once

#include "util/error.h"

#define same_code_(call, err, code, ...) \
	({ \
		int code_ = (code); \
		call(err, code_, __VA_ARGS__); \
		if (code_ >= 0) \
			__builtin_unreachable(); \
		code_; \
	})
#define error_set(...) same_code_(error_set, __VA_ARGS__)
#define error_set_errno(...) same_code_(error_set_errno, __VA_ARGS__)
