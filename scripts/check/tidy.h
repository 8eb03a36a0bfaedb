/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For clang-tidy alone: what error_set returns is negative, which it cannot see across files. */
#pragma once

#include "util/error.h"

#define negative_(call) \
	({ \
		int code_ = (call); \
		if (code_ >= 0) \
			__builtin_unreachable(); \
		code_; \
	})
#define error_set(...) negative_(error_set(__VA_ARGS__))
#define error_set_errno(...) negative_(error_set_errno(__VA_ARGS__))
