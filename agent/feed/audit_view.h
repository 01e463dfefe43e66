/* SPDX-License-Identifier: MIT
 *
 * How it stands with what this host sends to the audit log, and with what it sees of it. Plain values.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_PROBLEM_MAX 256U

struct audit_reports_view {
	bool connected;                           /* there is somebody to send events to */
	uint64_t next;                            /* the first for which there is no receipt */
	int64_t last_receipt;                     /* wall clock; 0: none in this process */
	uint64_t sent, receipts, refusals, forks; /* since start; sent: events */
	char problem[AUDIT_PROBLEM_MAX];          /* why it does not go on; "" */
};
struct witness_view {
	uint32_t logs, forked;           /* that are looked at; that were ever shown in a form that cannot be */
	uint64_t looks, forks, cosigned; /* since start */
	int64_t last_good; /* wall clock: the last look at which a log was in order, of that log for which it is longest
			    * ago; 0: one had none in this process */
	char problem[AUDIT_PROBLEM_MAX]; /* why one cannot be looked at, or what is wrong with it; "" */
};
