/* SPDX-License-Identifier: MIT */
#include "server/m_audit.h"

#include <stddef.h>

#include "server/internal.h"
#include "shipping/shipping.h"
#include "spool/spool.h"

static const char *const durability_words[] = {
	[SPOOL_GROUP] = "group", [SPOOL_EACH] = "each", [SPOOL_RELAXED] = "relaxed"};
static const char *const when_full_words[] = {[SPOOL_DROP] = "drop", [SPOOL_REFUSE] = "refuse"};

#define SINKS_MAX SPOOL_CONSUMERS_MAX

static void put_sinks(struct json_writer *w, struct shipping *shipping)
{
	struct shipping_state states[SINKS_MAX];
	uint32_t count = shipping_state(shipping, states, SINKS_MAX);

	json_begin(w, "sinks", '[');
	for (uint32_t i = 0; i < MIN_OF(count, SINKS_MAX); i++) {
		json_begin(w, NULL, '{');
		json_put_string(w, "name", states[i].name);
		json_put_string(w, "kind", states[i].kind);
		json_put_u64(w, "sent", states[i].sent);
		json_put_u64(w, "dead", states[i].dead);
		json_put_u64(w, "failures", states[i].failures);
		if (states[i].taken_at)
			json_put_i64(w, "taken_at", states[i].taken_at);
		json_put_string_if(w, "problem", states[i].problem);
		json_end(w, '}');
	}
	json_end(w, ']');
}

static void put_delivery(struct json_writer *w, const struct host_view *host)
{
	const struct audit_reports_view *reports = &host->reports;
	const struct witness_view *witness = &host->witness;

	json_begin(w, "delivery", '{');
	json_put_u64(w, "sent", reports->sent);
	json_put_u64(w, "receipts", reports->receipts);
	if (reports->last_receipt)
		json_put_i64(w, "last_receipt", reports->last_receipt);
	json_put_string_if(w, "problem", reports->problem);
	json_end(w, '}');
	json_begin(w, "witness", '{');
	json_put_u64(w, "logs", witness->logs);
	json_put_u64(w, "forked", witness->forked);
	json_put_u64(w, "cosigned", witness->cosigned);
	if (witness->last_good)
		json_put_i64(w, "last_good", witness->last_good);
	json_put_string_if(w, "problem", witness->problem);
	json_end(w, '}');
}

void put_audit(struct json_writer *w, const struct server *server)
{
	const struct parts *parts = server->parts;
	const struct config_audit *config = &parts->config->audit;
	struct spool_state state;

	json_begin(w, "audit", '{');
	json_put_bool(w, "spool", parts->spool != NULL);
	json_put_string(w, "durability", durability_words[config->durability]);
	json_put_string(w, "when_full", when_full_words[config->when_full]);
	if (parts->spool) {
		spool_state(parts->spool, &state);
		json_put_string(w, "chain", state.chain);
		json_put_u64(w, "last", state.last);
		json_put_u64(w, "durable", state.durable);
		json_put_u64(w, "oldest", state.oldest);
		json_put_u64(w, "bytes", state.bytes);
		json_put_u64(w, "max_bytes", state.max_bytes);
		json_put_u64(w, "dropped", state.dropped);
		json_put_bool(w, "stuck", server->audit.stuck);
		json_put_string_if(w, "problem", state.problem);
		json_begin(w, "consumers", '[');
		for (uint32_t i = 0; i < state.consumers; i++) {
			json_begin(w, NULL, '{');
			json_put_string(w, "name", state.consumer[i].name);
			json_put_u64(w, "waiting", state.consumer[i].waiting);
			json_end(w, '}');
		}
		json_end(w, ']');
		put_sinks(w, parts->shipping);
		if (parts->host.reports.connected)
			put_delivery(w, &parts->host);
	}
	json_end(w, '}');
}

static void number(struct buffer *out, const char *name, const char *help, uint64_t value)
{
	buffer_printf(out, "# TYPE tenantd_audit_%s gauge\n# HELP tenantd_audit_%s %s\ntenantd_audit_%s %llu\n", name,
		      name, help, name, (unsigned long long)value);
}

static void count(struct buffer *out, const char *name, const char *help, uint64_t value)
{
	buffer_printf(out, "# TYPE tenantd_audit_%s counter\n# HELP tenantd_audit_%s %s\ntenantd_audit_%s_total %llu\n",
		      name, name, help, name, (unsigned long long)value);
}

/* One family: a line for each sink. */
static void by_sink(struct buffer *out, const struct shipping_state *states, uint32_t count, const char *name,
		    const char *type, const char *help, size_t offset)
{
	buffer_printf(out, "# TYPE tenantd_audit_sink_%s %s\n# HELP tenantd_audit_sink_%s %s\n", name, type, name,
		      help);
	for (uint32_t i = 0; i < count; i++) {
		const void *at = (const char *)&states[i] + offset;

		buffer_printf(out, "tenantd_audit_sink_%s%s{sink=\"%s\"} %llu\n", name, type[0] == 'c' ? "_total" : "",
			      states[i].name, (unsigned long long)*(const uint64_t *)at);
	}
}

static void gauge_delivery(struct buffer *out, const struct host_view *host)
{
	count(out, "sent", "Events that went to the control plane.", host->reports.sent);
	count(out, "receipts", "Receipts of the control plane.", host->reports.receipts);
	number(out, "last_receipt_seconds", "When the last receipt came; 0: none since the start.",
	       (uint64_t)MAX_OF(host->reports.last_receipt, (int64_t)0));
	count(out, "chain_forks", "How often the control plane had another history of this host.", host->reports.forks);
	number(out, "log_forked", "Audit logs that were rewritten, cut short or shown in two forms.",
	       host->witness.forked);
	number(out, "log_checked_seconds", "When the log that was not looked at for longest was in order.",
	       (uint64_t)MAX_OF(host->witness.last_good, (int64_t)0));
	count(out, "log_cosigned", "Checkpoints of audit logs that this host signed.", host->witness.cosigned);
}

static void gauge_sinks(struct buffer *out, struct shipping *shipping)
{
	struct shipping_state states[SINKS_MAX];
	uint32_t count = MIN_OF(shipping_state(shipping, states, SINKS_MAX), SINKS_MAX);

	if (count == 0)
		return;
	by_sink(out, states, count, "sent", "counter", "Events that the sink took.",
		offsetof(struct shipping_state, sent));
	by_sink(out, states, count, "dead", "counter", "Events that the sink will never take.",
		offsetof(struct shipping_state, dead));
	buffer_add_text(out, "# TYPE tenantd_audit_sink_ready gauge\n# HELP tenantd_audit_sink_ready 0 while it takes "
			     "nothing.\n");
	for (uint32_t i = 0; i < count; i++)
		buffer_printf(out, "tenantd_audit_sink_ready{sink=\"%s\"} %d\n", states[i].name,
			      states[i].failures == 0);
}

void gauge_audit(struct buffer *out, const struct server *server)
{
	struct spool_state state = {0};

	if (server->parts->spool)
		spool_state(server->parts->spool, &state);
	number(out, "spool_ready", "1 when events are kept in a spool that can be written.",
	       server->parts->spool && !state.problem[0] && !server->audit.stuck);
	if (!server->parts->spool)
		return;
	number(out, "sequence", "The newest event of this host's chain.", state.last);
	number(out, "durable", "The newest event that is on disk.", state.durable);
	number(out, "spool_bytes", "Bytes in the spool.", state.bytes);
	number(out, "spool_max_bytes", "Bytes that the spool may take.", state.max_bytes);
	number(out, "spool_segments", "Files in the spool.", state.segments);
	count(out, "groups", "Groups of events that were written.", state.groups);
	count(out, "syncs", "Writes to disk that were waited for.", state.syncs);
	buffer_printf(out,
		      "# TYPE tenantd_audit_sync_seconds counter\n# UNIT tenantd_audit_sync_seconds seconds\n"
		      "# HELP tenantd_audit_sync_seconds Time that the disk took for them.\n"
		      "tenantd_audit_sync_seconds_total %llu.%06llu\n",
		      (unsigned long long)(state.sync_usec / USEC_PER_SEC),
		      (unsigned long long)(state.sync_usec % USEC_PER_SEC));
	count(out, "dropped", "Events that the spool could not keep.", state.dropped);
	count(out, "answers_held", "Answers that waited for the disk.", server->audit.held);
	count(out, "answers_late", "Answers that did not wait for it any more.", server->audit.late);
	buffer_add_text(out,
			"# TYPE tenantd_audit_waiting gauge\n# HELP tenantd_audit_waiting Events that somebody has not "
			"fetched yet.\n");
	for (uint32_t i = 0; i < state.consumers; i++)
		buffer_printf(out, "tenantd_audit_waiting{consumer=\"%s\"} %llu\n", state.consumer[i].name,
			      (unsigned long long)state.consumer[i].waiting);
	gauge_delivery(out, &server->parts->host);
	gauge_sinks(out, server->parts->shipping);
}
