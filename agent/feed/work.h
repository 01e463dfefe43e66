/* SPDX-License-Identifier: MIT
 *
 * What the thread of feeds.c does: one host identity, its access token, one feed for each tenant, and what was assigned
 * or imported. All of it on one sd-event loop; nothing here knows of threads.
 */
#pragma once

#include "feed/feeds.h"

struct work;
struct work_hooks {
	void (*changed)(void *context); /* units or views, at most once for each turn of the loop */
	void (*audit)(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail);
	void (*found)(void *context, const struct feeds_found *found);
	void (*disabled)(void *context, const char *reason);
	void (*enrolled)(void *context, uint64_t tag, int result, const char *host_id, const struct problem *problem);
	void *context;
};
/* Loads what is kept. `options` are borrowed. */
int work_new(sd_event *event, const struct feeds_options *options, const struct work_hooks *hooks, struct work **ret);
void work_free(struct work *work); /* takes NULL */
void work_start(struct work *work);

void work_enroll(struct work *work, const char *url, const char *token, uint64_t tag);
void work_forget(struct work *work);
void work_retry(struct work *work);
void work_applied(struct work *work, uint64_t tag);
void work_refused(struct work *work, uint64_t tag, const char *tenant_id, const struct problem *problem);

/* A session on this host is as `line` says; NULL: it is gone. */
void work_session(struct work *work, const char *tenant_id, const char *id, const char *line);

/* The units of all feeds, with references of the caller's, when they differ from those of the last call: 1. 0: they do
 * not. `tag` is what work_applied says about them. */
int work_take_units(struct work *work, uint64_t tag, struct unit ***ret, uint32_t *ret_count);
const char *work_bearer(const struct work *work); /* the access token; NULL: none now */
uint32_t work_view(const struct work *work, struct host_view *ret_host, struct feed_view *ret, uint32_t size);
