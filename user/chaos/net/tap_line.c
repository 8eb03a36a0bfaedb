/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The TAP line: a thread reads the packets that the tc programs redirect to the TAP, holds them in the order of
 * departure and writes them back. The programs put the departure time in front of each frame (struct
 * eval_line_header), so that the thread's own lateness does not add to the delay. tun orphans what it queues: held
 * packets do not count against their socket's small queue, and TCP goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>

#include "chaos/net/line.h"
#include "eval_net.h"
#include "net/device.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/heap.h"
#include "util/thread.h"

/* The queue between the tc program and the thread; an entry may be a 64 KiB GSO packet. */
#define TAP_QUEUE_PACKETS 8192
#define FRAME_BYTES_MAX (64 * 1024 + 256)
/* Packets read before the due packets are delivered again. */
#define READ_BATCH 32
#define LINE_NICE (-20)
#define MALLOC_OVERHEAD 16

enum line_command { LINE_RUN, LINE_DRAIN, LINE_STOP };

struct held_packet {
	struct heap_item item; /* due at its departure */
	struct virtio_net_hdr offload;
	uint32_t size;
	uint8_t frame[];
};

struct tap_line {
	struct line line; /* first: see line.h */
	int tap_fd, wake_fd, drained_fd;
	pthread_t thread;
	bool running;
	bool device_gone;
	int command;          /* enum line_command, atomic */
	uint64_t queue_drops; /* of the TAP's queue, already counted */
	struct eval_line *counters;
	struct heap heap;
	uint64_t frame_bytes; /* of the packets held */
	uint8_t buffer[sizeof(struct virtio_net_hdr) + sizeof(struct eval_line_header) + FRAME_BYTES_MAX];
};

static void count_add(__u64 *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void counters_publish(struct tap_line *tap)
{
	__atomic_store_n(&tap->counters->held_packets, (__s64)tap->heap.count, __ATOMIC_RELAXED);
	__atomic_store_n(&tap->counters->held_bytes, (__s64)tap->frame_bytes, __ATOMIC_RELAXED);
}

static void deliver(struct tap_line *tap, struct held_packet *packet)
{
	const struct iovec parts[] = {
		{.iov_base = &packet->offload, .iov_len = sizeof(packet->offload)},
		{.iov_base = packet->frame, .iov_len = packet->size},
	};
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t late_ns = now_ns > packet->item.due_ns ? now_ns - packet->item.due_ns : 0;

	if (writev(tap->tap_fd, parts, ARRAY_SIZE(parts)) < 0) {
		count_add(&tap->counters->dropped, 1);
	} else {
		count_add(&tap->counters->late_sum_ns, late_ns);
		if (late_ns > tap->counters->late_max_ns)
			__atomic_store_n(&tap->counters->late_max_ns, late_ns, __ATOMIC_RELAXED);
	}
	tap->frame_bytes -= packet->size;
	free(packet);
}

/* In the offsets, the kernel counted the line's header as part of the frame. */
static void offload_shift(struct virtio_net_hdr *offload)
{
	const uint16_t shift = sizeof(struct eval_line_header);

	if (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		offload->csum_start -= shift;
	if (offload->hdr_len >= shift)
		offload->hdr_len -= shift;
}

/* The memory of the held packets: frames, structs, the heap's array and malloc's overhead. */
static size_t held_bytes(const struct tap_line *tap)
{
	return tap->frame_bytes + tap->heap.count * (sizeof(struct held_packet) + sizeof(void *) + MALLOC_OVERHEAD);
}

static void hold(struct tap_line *tap, size_t size)
{
	struct eval_line_header header;
	struct held_packet *packet;
	size_t overhead = sizeof(packet->offload) + sizeof(header);

	if (size < overhead)
		return;
	/* A frame that fills the buffer may be truncated, so it is dropped; TCP builds none this long by default. */
	if (size == sizeof(tap->buffer)) {
		count_add(&tap->counters->dropped, 1);
		return;
	}
	memcpy(&header, tap->buffer + sizeof(packet->offload), sizeof(header));
	/* Not one of our frames: the kernel itself sent it on the TAP. */
	if (header.magic != EVAL_MAGIC)
		return;
	size -= overhead;
	packet = held_bytes(tap) + size > EVAL_LINE_BYTES_MAX ? NULL : malloc(sizeof(*packet) + size);
	if (!packet) {
		count_add(&tap->counters->dropped, 1);
		return;
	}
	memcpy(&packet->offload, tap->buffer, sizeof(packet->offload));
	offload_shift(&packet->offload);
	packet->item.due_ns = header.departure_ns;
	packet->size = (uint32_t)size;
	memcpy(packet->frame, tap->buffer + overhead, size);
	if (heap_push(&tap->heap, &packet->item)) {
		count_add(&tap->counters->dropped, 1);
		free(packet);
		return;
	}
	tap->frame_bytes += size;
}

/* Returns how many packets it read. */
static unsigned int read_batch(struct tap_line *tap)
{
	unsigned int n;

	for (n = 0; n < READ_BATCH; n++) {
		ssize_t size = read(tap->tap_fd, tap->buffer, sizeof(tap->buffer));

		if (size < 0) {
			/* Somebody removed the device: polling it would spin. */
			tap->device_gone = errno == EBADFD;
			break;
		}
		hold(tap, (size_t)size);
	}
	return n;
}

static void deliver_due(struct tap_line *tap, uint64_t until_ns)
{
	const struct heap_item *first;

	while ((first = heap_first(&tap->heap)) && first->due_ns <= until_ns)
		deliver(tap, (struct held_packet *)heap_pop(&tap->heap));
}

static void drain_now(struct tap_line *tap)
{
	while (read_batch(tap))
		deliver_due(tap, UINT64_MAX);
	deliver_due(tap, UINT64_MAX);
	counters_publish(tap);
}

static void wait_for_work(struct tap_line *tap)
{
	struct pollfd fds[] = {
		{.fd = tap->device_gone ? -1 : tap->tap_fd, .events = POLLIN},
		{.fd = tap->wake_fd, .events = POLLIN},
	};
	const struct heap_item *first = heap_first(&tap->heap);
	struct timespec timeout = {};
	uint64_t wakes;

	if (first) {
		uint64_t now_ns = clock_monotonic_ns();
		uint64_t left_ns = first->due_ns > now_ns ? first->due_ns - now_ns : 0;

		timeout.tv_sec = (time_t)(left_ns / NSEC_PER_SEC);
		timeout.tv_nsec = (long)(left_ns % NSEC_PER_SEC);
	}
	if (ppoll(fds, ARRAY_SIZE(fds), first ? &timeout : NULL, NULL) > 0 && fds[1].revents &&
	    read(tap->wake_fd, &wakes, sizeof(wakes)) < 0)
		return;
}

static void *line_thread(void *data)
{
	struct tap_line *tap = data;
	int command;

	/* Both are per thread. The default timer slack makes departures up to 50 µs late. */
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, LINE_NICE);
	while ((command = __atomic_load_n(&tap->command, __ATOMIC_ACQUIRE)) != LINE_STOP) {
		unsigned int came_in;

		if (command == LINE_DRAIN) {
			uint64_t one = 1;

			drain_now(tap);
			__atomic_store_n(&tap->command, LINE_RUN, __ATOMIC_RELEASE);
			if (write(tap->drained_fd, &one, sizeof(one)) < 0)
				break;
			continue;
		}
		came_in = read_batch(tap);
		deliver_due(tap, clock_monotonic_ns());
		counters_publish(tap);
		if (came_in < READ_BATCH)
			wait_for_work(tap);
	}
	return NULL;
}

static int tap_create(struct tap_line *tap, struct error *err)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, .ifr_name = LINE_DEVICE_PREFIX "%d"};
	/* UDP segmentation (USO) is new in 6.2; older kernels refuse the whole set with it. */
	unsigned int offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	unsigned int with_uso = offloads | 0x20 | 0x40;

	tap->tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->tap_fd < 0 && (errno == ENOENT || errno == ENODEV))
		return error_set(
			err, -ENOPKG,
			"there is no /dev/net/tun here (CONFIG_TUN), which line: tap needs: use line: fq or auto");
	if (tap->tap_fd < 0)
		return error_set_errno(err, -errno, "cannot open /dev/net/tun, which the delay line needs");
	if (ioctl(tap->tap_fd, TUNSETIFF, &ifr))
		return error_set_errno(err, -errno, "cannot create the delay line's TAP device");
	snprintf(tap->line.device, sizeof(tap->line.device), "%s", ifr.ifr_name);
	tap->line.ifindex = if_nametoindex(ifr.ifr_name);
	if (ioctl(tap->tap_fd, TUNSETOFFLOAD, with_uso) && ioctl(tap->tap_fd, TUNSETOFFLOAD, offloads))
		return error_set_errno(err, -errno, "cannot set the offloads of %s", ifr.ifr_name);
	return device_set_up(ifr.ifr_name, TAP_QUEUE_PACKETS, err);
}

static void tap_line_free(struct line *line)
{
	struct tap_line *tap = (struct tap_line *)line;
	uint64_t one = 1;

	if (!tap)
		return;
	if (tap->running) {
		__atomic_store_n(&tap->command, LINE_STOP, __ATOMIC_RELEASE);
		if (write(tap->wake_fd, &one, sizeof(one)) == sizeof(one))
			pthread_join(tap->thread, NULL);
	}
	heap_clear(&tap->heap);
	fd_close(tap->tap_fd);
	fd_close(tap->wake_fd);
	fd_close(tap->drained_fd);
	free(tap);
}

static int tap_line_open(struct line **out, struct eval_latency_config *config, struct error *err)
{
	struct tap_line *tap = calloc(1, sizeof(*tap));
	int ret;

	if (!tap)
		return error_set(err, -ENOMEM, "out of memory");
	tap->line.ops = &tap_line_ops;
	tap->tap_fd = -1;
	tap->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	tap->drained_fd = eventfd(0, EFD_CLOEXEC);
	if (tap->wake_fd < 0 || tap->drained_fd < 0)
		ret = error_set_errno(err, -errno, "cannot create the delay line's events");
	else
		ret = tap_create(tap, err);
	if (ret) {
		tap_line_free(&tap->line);
		return ret;
	}
	*out = &tap->line;
	return 0;
}

static int tap_line_start(struct line *line, struct bpf_object *obj, struct session *session,
			  struct eval_line *counters, struct error *err)
{
	struct tap_line *tap = (struct tap_line *)line;
	int ret;

	tap->counters = counters;
	ret = thread_start(&tap->thread, line_thread, tap);
	if (ret)
		return error_set_errno(err, ret, "cannot start the delay line's thread");
	tap->running = true;
	return 0;
}

/* Counts the packets that did not fit the TAP's queue. */
static void tap_line_renew(struct line *line)
{
	struct tap_line *tap = (struct tap_line *)line;

	if (tap->running)
		count_add(&tap->counters->dropped, device_tx_dropped(line->device, &tap->queue_drops));
}

static void tap_line_drain(struct line *line)
{
	struct tap_line *tap = (struct tap_line *)line;
	uint64_t count = 1;

	if (!tap->running)
		return;
	__atomic_store_n(&tap->command, LINE_DRAIN, __ATOMIC_RELEASE);
	if (write(tap->wake_fd, &count, sizeof(count)) == sizeof(count) &&
	    read(tap->drained_fd, &count, sizeof(count)) < 0)
		return;
	tap_line_renew(line);
}

const struct line_ops tap_line_ops = {
	.engine = "tap",
	.open = tap_line_open,
	.start = tap_line_start,
	.renew = tap_line_renew,
	.drain = tap_line_drain,
	.free = tap_line_free,
};
