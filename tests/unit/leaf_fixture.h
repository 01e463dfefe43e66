/* SPDX-License-Identifier: MIT
 *
 * An audit with a store in memory, and the check that what it kept is in order in all of its forms.
 */
#pragma once

#include <jansson.h>

#include "audit/audit.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "tlog/tlog.h"
#include "trail/leaf.h"

#define MINUTE (60 * USEC_PER_SEC)
#define KEPT_MAX 64U

/* The store: it can be full. */
struct kept {
	struct buffer leaf[KEPT_MAX], personal[KEPT_MAX];
	uint64_t count, told, told_times;
	struct tlog_hash head;
	bool full, no_memory;
};
extern struct kept kept;
extern struct audit *kept_audit;
extern struct buffer kept_journal;  /* the last entry for the journal … */
extern unsigned kept_journal_count; /* … and how many there were */
extern uint64_t kept_now;
extern json_t *kept_schema;

int kept_setup(void **state);
int kept_teardown(void **state);
void kept_forget(void); /* the events; the chain goes on */
/* An event with everything set; what is somebody's begins with "secret". */
struct audit_event kept_full_event(enum audit_kind kind);
json_t *kept_journal_object(void); /* the OCSF object of the last entry; a new reference */
/* The last event is in order in all of its forms: the leaf by itself, its personal data, the two merged, the journal.
 */
struct leaf kept_check_last(struct personal_list *ret_personal);
