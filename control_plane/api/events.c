/* SPDX-License-Identifier: MIT */
#include "control_plane/api/events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/audit_view.h"
#include "control_plane/api/record.h"
#include "control_plane/app.h"
#include "control_plane/audit/event.h"

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static const char *actor_of(const struct request *request)
{
	return request->principal.kind == PRINCIPAL_LOCAL ? "local" : request->principal.id;
}

/* `actor` NULL: the principal, whose name is known, too. */
static int put_as(struct request *request, struct db_tx *tx, const char *log_id, const char *actor, const char *kind,
		  bool failure, const char *target, const json_t *data)
{
	const struct control_event event = {
		.log_id = or_empty(log_id),
		.kind = kind,
		.failure = failure,
		.actor = actor ? actor : or_empty(actor_of(request)),
		.actor_name = actor ? NULL : request->principal.name,
		.credential = request->principal.credential,
		.source = request->source_text,
		.request_id = request->id,
		.target = target,
		.project_id = request->project_id,
		.data = data,
	};

	return failure ? control_event_put_late(request->app, tx, &event) : control_event_put(request->app, tx, &event);
}

int events_put(struct request *request, struct db_tx *tx, const char *log_id, const char *kind, const char *target,
	       const json_t *data)
{
	int r = put_as(request, tx, log_id, NULL, kind, false, target, data);

	/* The tenant went after the gate had seen it: once more from there. */
	return r == -ENOENT ? -EAGAIN : r;
}

int event_write(struct request *request, const char *kind, const char *target, json_t *data)
{
	_cleanup_(json_decrefp) json_t *own = data;

	return events_put(request, request->tx, request->tenant_id, kind, target, own);
}

void event_failure(struct request *request, const char *tenant_id, const char *actor, const char *kind,
		   const char *target, json_t *data)
{
	const struct db_scope scope = {.tenant_id = tenant_id, .platform = true};
	_cleanup_(json_decrefp) json_t *own = data;
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(request->app->db, &scope, &tx);

	if (r == 0)
		r = put_as(request, tx, tenant_id, actor, kind, true, target, own);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		log_warning("event %s about %s could not be written", kind, or_empty(target));
	else
		audit_log_wake(request->app, or_empty(tenant_id));
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

/* Entries have up to 80 KiB with their personal data. A page of the largest ones ends early, and is read in parts. */
#define PAGE_BYTES (4U << 20)
#define ENTRIES_AT_ONCE 64U

struct listing {
	json_t *items;
	uint32_t limit, seen;
	size_t bytes;
	uint64_t last;
	bool more;
};

static int add(void *context, const struct audit_row *row)
{
	struct listing *listing = context;
	json_t *view;

	listing->seen++;
	if (json_array_size(listing->items) == listing->limit || listing->bytes > PAGE_BYTES) {
		listing->more = true;
		return 0;
	}
	listing->bytes += strlen(row->leaf);
	for (uint32_t i = 0; i < row->personal.count; i++)
		listing->bytes += strlen(row->personal.items[i].patch);
	view = audit_view_entry(row);
	listing->last = row->index;
	return json_array_append_new(listing->items, view) < 0 ? -ENOMEM : 0;
}

/* The newest first, unless ?order=oldest; the cursor is the index of the last one of the page before. 1: a problem. */
static int read_page(struct request *request, struct audit_filter *filter, struct listing *listing)
{
	const char *order = request_query(request, "order");
	struct page page;
	uint64_t last;

	if (request_page(request, &page) != 0 || audit_view_filter(request, filter) != 0)
		return 1;
	if (order && strcmp(order, "oldest") != 0 && strcmp(order, "newest") != 0)
		return respond_invalid(request, "order", "newest or oldest"), 1;
	filter->newest_first = !order || strcmp(order, "newest") == 0;
	listing->limit = page.limit;
	if (*page.after && (parse_u64(page.after, &last) < 0 || last >= TLOG_SIZE_MAX))
		return respond_invalid(request, "cursor", "give what `next` said in the page before"), 1;
	if (*page.after && filter->newest_first && last == 0)
		listing->limit = 0; /* nothing stands before the first one */
	else if (*page.after && filter->newest_first)
		filter->to = last;
	else if (*page.after)
		filter->from = last + 1;
	return 0;
}

/* Up to one that has no place any more. */
static int read_entries(struct request *request, const char *log_id, struct audit_filter *filter,
			struct listing *listing)
{
	uint32_t wanted = listing->limit + 1;
	int r = 0;

	while (r == 0 && !listing->more && listing->seen < wanted) {
		uint32_t before = listing->seen, count = MIN_OF(wanted - before, ENTRIES_AT_ONCE);

		r = audit_read(request->app, request->tx, log_id, filter, count, add, listing);
		if (listing->seen - before < count || (filter->newest_first && listing->last == 0))
			break;
		if (filter->newest_first)
			filter->to = listing->last;
		else
			filter->from = listing->last + 1;
	}
	return r;
}

static int list_of(struct request *request, const char *log_id)
{
	_cleanup_(json_decrefp) json_t *items = json_array();
	struct listing listing = {.items = items};
	struct audit_filter filter;
	char last[24];
	int r;

	if (read_page(request, &filter, &listing) != 0)
		return 0;
	r = items ? audit_view_refresh(request, log_id) : -ENOMEM;
	if (r == 0 && listing.limit > 0)
		r = read_entries(request, log_id, &filter, &listing);
	if (r == 0)
		r = audit_view_tell(request, log_id, "audit.view");
	if (r < 0)
		return respond_db(request, r, "events");
	(void)snprintf(last, sizeof(last), "%llu", (unsigned long long)listing.last);
	return respond_page(request, TAKE_PTR(items), listing.more ? last : NULL);
}

static int list_tenant(struct request *request)
{
	return list_of(request, request->tenant_id);
}

static int list_platform(struct request *request)
{
	return list_of(request, "");
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/events", ROUTE_TENANT, "audit.view", 0, list_tenant),
	ROUTE(HTTP_GET, "/v1/events", ROUTE_OPERATOR, "event.view", 0, list_platform),
};
const struct route_table events_routes = {routes, ARRAY_LEN(routes)};
