/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>

#include "util/error.h"

int options_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	argp_err_exit_status = EXIT_USAGE;
	return argp_parse(argp, argc, argv, 0, NULL, input) ? EXIT_USAGE : EXIT_OK;
}

bool options_take_read(int key, const char *arg, struct read_options *asked)
{
	if (key == OPTION_DB)
		asked->db = arg;
	else if (key == OPTION_JSON)
		asked->json = true;
	else
		return false;
	return true;
}

unsigned int options_whole_number(const struct argp_state *state, const char *name, const char *arg, unsigned int most)
{
	char *end;
	long number = strtol(arg, &end, 10);

	if (end == arg || *end || number < 1 || number > (long)most)
		argp_error(state, "%s: '%s' is not a whole number from 1 to %u", name, arg, most);
	return (unsigned int)number;
}

int options_load_config(struct config **out, const char *path, enum config_use use)
{
	struct error err = {};
	int ret = config_load(out, path, use, stderr, &err);

	/* -EINVAL: config_load has printed the problems. */
	if (ret && ret != -EINVAL)
		log_error("%s", err.text);
	return ret ? EXIT_USAGE : EXIT_OK;
}
