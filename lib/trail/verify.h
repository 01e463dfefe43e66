/* SPDX-License-Identifier: MIT
 *
 * Files that somebody kept of audit logs, checked against each other without asking anybody: exports, and checkpoints
 * of which a file may have several. What `tenantctl audit verify` and `tenant-control audit verify` do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/problem.h"
#include "trail/export.h"

#define VERIFY_FILES_MAX 256U

struct verify_options {
	const char *const *files; /* paths; "-" (once): standard input */
	size_t file_count;        /* 1 to VERIFY_FILES_MAX */
	const char *const *keys;  /* vkeys; none: those that the exports name */
	size_t key_count;         /* at most EXPORT_KEYS_MAX */
	const char *origin;       /* only this log; NULL: any */
};
/* What a program exits with. */
enum verify_verdict {
	VERIFY_HOLDS = 0,
	VERIFY_FALSE = 1,      /* something does not hold */
	VERIFY_UNREADABLE = 2, /* it could not be checked, and nothing that could be does not hold */
};

/* One export, or one checkpoint. */
struct verify_item {
	const char *file; /* borrowed from the options */
	bool export;
	int result;                    /* 0: it holds; -EBADMSG; else it could not be checked */
	struct problem problem;        /* why */
	struct export_summary summary; /* of a checkpoint: that, and `own_keys`. As far as it was read */
};
struct verify_report {
	struct verify_item *items; /* owned */
	size_t count;
	enum verify_verdict verdict;
};
/* 0, whatever the verdict; -EINVAL: the options make no sense, with the problem; -ENOMEM. */
int verify_files(const struct verify_options *options, struct verify_report *ret, struct problem *problem);
void verify_report_finish(struct verify_report *report);

/* For people, a line for each: what holds into `out`, what does not into `err`. */
int verify_print(const struct verify_report *report, struct buffer *out, struct buffer *err);
/* One JSON object, without a line's end. */
int verify_print_json(const struct verify_report *report, struct buffer *out);
