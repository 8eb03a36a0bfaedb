/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A fault's evidence as JSON, see fault_evidence(): sums, and the two keys that every type fills. */
#pragma once

#include <jansson.h>

/* Adds the plain counters of a part's evidence (seen, hit, bytes) to a total's. */
void evidence_add(json_t *total, const json_t *part);
/* Appends {"count", "text"} to "losses": what the fault did beyond what was asked. */
void evidence_add_loss(json_t *evidence, json_int_t count, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Totals of all devices and directions. dropped: by a full line; failed: matched but passed untouched. */
struct line_losses {
	json_int_t dropped, failed;
};
/* Adds the counters of a delay line's fault. */
void evidence_count_line_losses(struct line_losses *sum, const json_t *evidence);
/* Appends what is not 0 to "losses". */
void evidence_add_line_losses(json_t *evidence, const struct line_losses *losses);
/* Appends a text to "notes": why the fault did less than asked, or did it another way. */
void evidence_add_note(json_t *evidence, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends {"about", "text"} to the "notes" of a live fault in chaos/inventory.h. about: at most 9 characters. */
void evidence_add_note_about(json_t *fault, const char *about, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * For a fault on devices that hit nothing: writes what passed instead, and the usual causes: "no packet passed eth0: is
 * it another device or namespace?". "" for other faults, and if something was hit.
 */
void evidence_explain_nothing(char *out, size_t size, const json_t *evidence);
