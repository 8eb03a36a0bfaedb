/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fuzzes a worker's messages, one datagram per line: they are received, recorded, read again and reported. */
#include "fuzz.h"

#include <sys/socket.h>

#include "campaign/internal.h"
#include "report/progress.h"
#include "report/report.h"
#include "store/store.h"
#include "util/cleanup.h"

/* Starts a new database after so many inputs, because it would grow without end. */
#define INPUTS_A_STORE 50

static const char campaign_file[] = "subjects:\n"
				    "  - name: lab\n"
				    "    reset: none\n"
				    "    nodes: [{name: n1, address: 10.0.0.1}, {name: n2, address: 10.0.0.2}]\n"
				    "chaos_types: [network_partition]\n";

static char folder[] = "/dev/shm/eval-fuzz.XXXXXX", path[64], buffer[TRIAL_MESSAGE_MAX];
static FILE *nowhere;
static struct config *config;
static struct plan *plan;
static struct entry entry;

static void remove_store(void)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char name[80];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static void remove_folder(void)
{
	remove_store();
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const uint64_t seed = 7;

	nowhere = fopen("/dev/null", "w");
	promise(mkdtemp(folder) && !atexit(remove_folder));
	snprintf(path, sizeof(path), "%s/eval.db", folder);
	promise(!fuzz_config(&config, campaign_file, strlen(campaign_file), stderr));
	promise(!plan_new(&plan, config, 1700000000000000000ULL, &seed, NULL));
	entry = (struct entry){.plan = &plan->trials[0], .state = ENTRY_RUNNING, .attempt = 1};
	return 0;
}

static struct store *store_now(void)
{
	static struct store *store;
	static unsigned int inputs;

	if (inputs++ % INPUTS_A_STORE == 0) {
		_cleanup_json_ json_t *row = json_pack("{s:s}", "status", "running");
		struct error err = {};

		store_close(store);
		store = NULL;
		remove_store();
		promise(!store_open(&store, path, STORE_WRITE, &err));
		promise(!store_campaign_create(store, plan, row, &err));
	}
	return store;
}

static void receive(struct campaign *campaign, struct lane *lane, const uint8_t *data, size_t size)
{
	int ends[2];

	promise(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	lane->socket_fd = ends[0];
	while (size) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;

		/* Skips empty lines, which would mean the end; receives at once, so that the buffer never fills. */
		if (length && send(ends[1], data, length, MSG_NOSIGNAL) > 0)
			lane_receive(campaign, lane);
		data += length + !!newline;
		size -= length + !!newline;
	}
	close(ends[1]);
	lane_receive(campaign, lane);
}

static void report(struct store *store)
{
	_cleanup_json_ json_t *trials = store_trials(store, plan->campaign_id, NULL);
	_cleanup_json_ json_t *trial = store_trial(store, plan->campaign_id, entry.plan->id, NULL);
	_cleanup_json_ json_t *attempts = store_attempts(store, plan->campaign_id, entry.plan->id, NULL);
	_cleanup_json_ json_t *events = store_events(store, plan->campaign_id, entry.plan->id, NULL);

	promise(trials && trial && attempts && events);
	report_trial(nowhere, trial, attempts, events);
	report_table(nowhere, -1, trials);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lane lane = {
		.entry = &entry,
		.pidfd = -1,
		.columns = json_object(),
		.commands = json_array(),
		.events = json_array(),
		.samples = json_array(),
		.metrics = json_array(),
	};
	struct campaign campaign = {
		.config = config,
		.plan = plan,
		.store = store_now(),
		.lanes = &lane,
		.lane_count = 1,
		.buffer = buffer,
	};

	campaign.records_end = &campaign.records;
	record_watch_file(&campaign);
	promise(!progress_new(&campaign.progress, size % 2 ? PROGRESS_JSON : PROGRESS_LINES, nowhere, 1, 1));
	progress_trial_start(campaign.progress, 0, entry.plan, 1, 0);
	record_trial_start(&campaign, &lane);
	receive(&campaign, &lane, data, size);
	progress_tick(campaign.progress);
	progress_trial_end(campaign.progress, 0, lane.columns);
	record_trial_end(&campaign, &lane);
	record_settle(&campaign);
	report(campaign.store);
	record_forget(&campaign);
	progress_free(campaign.progress);
	lane_clear(&lane);
	return 0;
}
