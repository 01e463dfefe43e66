/* SPDX-License-Identifier: MIT
 *
 * The control plane: Enroll, Unenroll, and what Status says of it.
 */
#include "server/m_feeds.h"

#include <stddef.h>

#include "server/call.h"
#include "server/internal.h"

struct enroll_request {
	const char *url, *token;
};
static const struct json_field enroll_fields[] = {
	{"url", JSON_FIELD_STRING, offsetof(struct enroll_request, url), JSON_FIELD_REQUIRED},
	{"token", JSON_FIELD_STRING, offsetof(struct enroll_request, token), JSON_FIELD_REQUIRED},
};

int m_enroll(struct call *call)
{
	struct enroll_request p = {0};

	if (call_parameters(call, enroll_fields, ARRAY_LEN(enroll_fields), &p) < 0)
		return 0;
	if (!call->oneway) {
		call->connection->hold = HOLD_ENROLL;
		call->connection->hold_until = call->now_usec + ENROLL_USEC;
	}
	call->parts->enroll(call->parts->context, p.url, p.token, call->connection->id);
	return 0;
}

int m_unenroll(struct call *call)
{
	if (call_parameters(call, NULL, 0, NULL) < 0)
		return 0;
	call->parts->unenroll(call->parts->context);
	return call_reply_empty(call);
}

static bool is_stale(const struct feed_view *view, uint64_t now_usec)
{
	return view->fresh_until <= now_usec;
}

static void put_feed(struct json_writer *w, const struct feed_view *view, uint64_t now_usec, int64_t realtime)
{
	json_begin(w, NULL, '{');
	json_put_string_if(w, "tenant", view->tenant_id);
	json_put_string_if(w, "slug", view->slug);
	json_put_string(w, "state", feed_state_word(view->state));
	json_put_bool(w, "from_file", view->from_file);
	json_put_u64(w, "epoch", view->epoch);
	json_put_u64(w, "revision", view->revision);
	if (view->head_issued)
		json_put_i64(w, "age", MAX_OF(realtime - view->head_issued, (int64_t)0));
	json_put_bool(w, "stale", is_stale(view, now_usec));
	json_put_string_if(w, "fault", view->fault);
	json_put_string_if(w, "problem", view->problem);
	json_end(w, '}');
}

static void put_conflicts(struct json_writer *w, const struct directory *d)
{
	uint32_t count = 0;
	const struct directory_conflict *conflicts = d ? directory_conflicts(d, &count) : NULL;

	json_begin(w, "conflicts", '[');
	for (uint32_t i = 0; i < count; i++) {
		json_begin(w, NULL, '{');
		json_put_string(w, "kind", claim_kind_word(conflicts[i].kind));
		json_put_string(w, "claim", conflicts[i].text);
		json_begin(w, "sources", '[');
		json_put_string(w, NULL, conflicts[i].sources[0]);
		json_put_string(w, NULL, conflicts[i].sources[1]);
		json_end(w, ']');
		json_end(w, '}');
	}
	json_end(w, ']');
}

bool any_feed_is_stale(const struct parts *parts, uint64_t now_usec)
{
	for (uint32_t i = 0; i < parts->feed_count; i++)
		if (is_stale(&parts->feeds[i], now_usec))
			return true;
	return false;
}

void put_feeds(struct json_writer *w, const struct parts *parts, uint64_t now_usec, int64_t realtime)
{
	json_begin(w, "enrolment", '{');
	json_put_string(w, "state", feed_state_word(parts->host.state));
	json_put_string_if(w, "url", parts->host.url);
	json_put_string_if(w, "host", parts->host.host_id);
	json_put_string_if(w, "problem", parts->host.problem);
	json_end(w, '}');
	json_begin(w, "feeds", '[');
	for (uint32_t i = 0; i < parts->feed_count; i++)
		put_feed(w, &parts->feeds[i], now_usec, realtime);
	json_end(w, ']');
	put_conflicts(w, parts->directory);
}

void gauge_feeds(struct buffer *out, const struct parts *parts, uint64_t now_usec)
{
	buffer_add_text(out, "# TYPE tenantd_feed_revision gauge\n# HELP tenantd_feed_revision Revision in force.\n");
	for (uint32_t i = 0; i < parts->feed_count; i++)
		if (parts->feeds[i].tenant_id[0])
			buffer_printf(out, "tenantd_feed_revision{tenant=\"%s\"} %llu\n", parts->feeds[i].tenant_id,
				      (unsigned long long)parts->feeds[i].revision);
	buffer_add_text(out, "# TYPE tenantd_feed_stale gauge\n# HELP tenantd_feed_stale 1 when not heard of for too "
			     "long.\n");
	for (uint32_t i = 0; i < parts->feed_count; i++)
		if (parts->feeds[i].tenant_id[0])
			buffer_printf(out, "tenantd_feed_stale{tenant=\"%s\"} %d\n", parts->feeds[i].tenant_id,
				      is_stale(&parts->feeds[i], now_usec));
}
