/* SPDX-License-Identifier: MIT
 *
 * The control plane's own events: which class of OCSF each kind is of, and what may be said for ever
 * (docs/audit-events.md has the list for people).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OCSF_VERSION "1.3.0"

enum ocsf_class {
	OCSF_ACCOUNT_CHANGE = 3001,
	OCSF_AUTHENTICATION = 3002,
	OCSF_ENTITY_MANAGEMENT = 3004,
	OCSF_USER_ACCESS = 3005,
	OCSF_API_ACTIVITY = 6003,
};
enum severity { SEVERITY_INFO = 1, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };

struct event_kind {
	const char *word;
	enum ocsf_class class_uid;
	unsigned activity;
	enum severity severity; /* of what succeeded; refusals are SEVERITY_LOW at least */
	const char *entity;     /* what the target is: "user", "api-key", … */
	bool plain;             /* its data say nothing about people, whatever they are called; reasons do */
};
/* Never NULL: a word that is not in the table is an API Activity of its own. */
const struct event_kind *event_kind_find(const char *word);
const struct event_kind *event_kind_at(size_t index); /* in their order; NULL: past the last */
const char *ocsf_class_name(enum ocsf_class class_uid);
const char *ocsf_category_name(enum ocsf_class class_uid);
const char *ocsf_activity_name(const struct event_kind *kind);
