/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fuzzes a command's output. The first byte gives the result, the stream and how often the rest is written. */
#include "fuzz.h"

#include <fcntl.h>

#include "trial/trial.h"
/* Included for its static reader, which needs no process per input. */
#include "process/proc.c" // NOLINT(bugprone-suspicious-include)

static void feed(struct capture *capture, const char *bytes, size_t size, unsigned int times)
{
	int ends[2];

	promise(!pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	capture->fd = ends[0];
	for (unsigned int i = 0; i < times; i++) {
		promise(write(ends[1], bytes, size) <= (ssize_t)size);
		if (i % 3 == 0)
			capture_read(capture);
	}
	close(ends[1]);
	while (capture->fd >= 0)
		capture_read(capture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc proc = {.pidfd = -1, .ended = true, .out.fd = -1, .err.fd = -1};
	_cleanup_json_ json_t *output = NULL, *line = NULL;
	_cleanup_free_ char *text = NULL;
	char why[224];

	if (size < 2)
		return 0;
	proc.result = (struct proc_result){.timed_out = data[0] & 1, .exit_code = data[0] & 2 ? 3 : 0};
	proc.result.signal = data[0] & 4 ? 9 : 0;
	feed(data[0] & 8 ? &proc.err : &proc.out, (const char *)data + 1, size - 1, 1U + (data[0] >> 4) * 40U);
	proc_describe(&proc, why, sizeof(why));
	line = json_text(why, strlen(why));
	output = data[0] & 8 ? proc_error_output(&proc) : proc_output(&proc);
	promise(json_is_string(line) && json_is_string(output));
	/* The record of a command must fit into a datagram. */
	text = json_dumps(output, JSON_COMPACT | JSON_ENCODE_ANY);
	promise(text && strlen(text) < TRIAL_MESSAGE_MAX / 2);
	capture_free(&proc.out);
	capture_free(&proc.err);
	return 0;
}
