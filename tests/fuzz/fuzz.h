/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the fuzz targets: a broken promise aborts, so that libFuzzer keeps the input. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define promise(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* Like config_load, with the text in a memory file. */
static inline int fuzz_config(struct config **out, const void *text, size_t size, FILE *problems)
{
	static int fd = -1;
	struct error err = {};
	char path[64];

	if (fd < 0) {
		fd = memfd_create("campaign.yaml", MFD_CLOEXEC);
		promise(fd >= 0 && !fchmod(fd, 0600));
	}
	promise(!ftruncate(fd, 0) && pwrite(fd, text, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return config_load(out, path, CONFIG_TO_READ, problems, &err);
}
