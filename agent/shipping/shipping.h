/* SPDX-License-Identifier: MIT
 *
 * From the spool to other systems (agent.yaml(5), audit.sinks; docs/audit-log.md, "Shipping"). Each sink is a consumer
 * of the spool and has a thread of its own: one that hangs holds up nobody, and no sign-in waits for any.
 *
 * At least once: a sink's place in the spool moves when its peer has what lies before. Whoever gets something twice
 * sees it by the event's id.
 */
#pragma once

#include <systemd/sd-event.h>

#include "ship/ship.h"
#include "spool/spool.h"

/* Called on the loop's thread: so many events, since the last call about this sink, will never be taken by it. */
struct shipping_hooks {
	void (*dead)(void *context, const char *sink, uint64_t count, const char *why);
	void *context;
};
struct shipping;
/* `host_name` is what the peers see. What `sinks` says is copied. Consumers of sinks that are no more are dropped, and
 * what waited for them alone is free. -EINVAL, -ENOMEM, -EMFILE …, with the problem. */
int shipping_create(sd_event *event, struct spool *spool, const struct ship_list *sinks, const char *host_name,
		    const struct shipping_hooks *hooks, struct shipping **ret, struct problem *problem);
/* Ends the threads within a moment. Takes NULL. */
void shipping_destroy(struct shipping *shipping);
DEFINE_CLEANUP(struct shipping, shipping_destroy)
/* Are these the sinks that it has? For who reads a configuration anew. */
bool shipping_is(const struct shipping *shipping, const struct ship_list *sinks);

struct shipping_state {
	char name[SHIP_NAME_MAX];
	const char *kind;    /* "otlp", "syslog" */
	uint64_t next;       /* sequence: all before it is there */
	uint64_t sent, dead; /* since the start */
	uint32_t failures;   /* in a row; 0: it goes well */
	int64_t taken_at;    /* when something was taken last, seconds; 0: not since the start */
	char problem[256];   /* of the last failure, or dead letter; "" */
};
/* At most `size` of them; how many there are. `shipping` NULL: none. */
uint32_t shipping_state(struct shipping *shipping, struct shipping_state *ret, uint32_t size);
