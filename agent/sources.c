/* SPDX-License-Identifier: MIT */
#include "sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "feed/feeds.h"
#include "pictures.h"
#include "proxy.h"
#include "spool/spool.h"

struct remembered {
	char tenant_id[FEED_TENANT_ID_MAX];
	enum feed_state state;
};
struct sources {
	struct parts *parts;
	struct server *server;
	struct sources_hooks hooks;
	struct spool *spool; /* NULL: there is none */
	struct feeds *feeds;
	struct pictures *pictures;
	struct freshness_entry freshness[FEEDS_MAX];
	struct remembered remembered[FEEDS_MAX];
	uint32_t remembered_count;
	uint64_t tag; /* of the units that are being joined */
};

/* ---- audit ------------------------------------------------------------------------------------------------ */

static const struct feed_view *view_of(const struct parts *parts, const char *tenant_id)
{
	for (uint32_t i = 0; i < parts->feed_count; i++)
		if (text_equal(parts->feeds[i].tenant_id, tenant_id))
			return &parts->feeds[i];
	return NULL;
}

static const char *slug_of(const struct sources *sources, const char *tenant_id)
{
	const struct tenant_record *tenant =
		sources->parts->directory ? directory_tenant(sources->parts->directory, tenant_id) : NULL;
	const struct feed_view *view = tenant ? NULL : view_of(sources->parts, tenant_id); /* at the start */

	return tenant ? tenant->slug : view && view->slug[0] ? view->slug : NULL;
}

static void write_feed_event(const struct sources *sources, enum audit_kind kind, const char *tenant_id,
			     const char *change, const char *detail)
{
	audit_write(sources->parts->audit,
		    &(struct audit_event){
			    .kind = kind,
			    .reason = kind == AUDIT_FEED_CHANGED ? REASON_ALLOWED : REASON_BROKEN,
			    .tenant = slug_of(sources, tenant_id),
			    .tenant_id = tenant_id,
			    .record_kind = "feed",
			    .record_id = tenant_id,
			    .change = change,
			    .detail = detail,
		    });
}

static void write_host_event(const struct sources *sources, enum audit_kind kind, const char *host_id,
			     const char *change, const char *detail, bool failure)
{
	audit_write(sources->parts->audit, &(struct audit_event){
						   .kind = kind,
						   .record_kind = "host",
						   .record_id = host_id,
						   .change = change,
						   .detail = detail,
						   .failure = failure,
					   });
}

static bool is_among(const struct directory_conflict *conflict, const struct directory_conflict *others, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (others[i].kind == conflict->kind && text_equal(others[i].text, conflict->text))
			return true;
	return false;
}

static void report_conflicts(const struct sources *sources, const struct directory *before,
			     const struct directory *after)
{
	uint32_t old_count = 0, count = 0;
	const struct directory_conflict *old = before ? directory_conflicts(before, &old_count) : NULL;
	const struct directory_conflict *now = after ? directory_conflicts(after, &count) : NULL;

	for (uint32_t i = 0; i < count; i++) {
		char detail[512];

		if (is_among(&now[i], old, old_count))
			continue;
		snprintf(detail, sizeof(detail), "claimed by %s and by %s", now[i].sources[0], now[i].sources[1]);
		log_error("%s '%s' is %s: neither is served", claim_kind_word(now[i].kind), now[i].text, detail);
		audit_write(sources->parts->audit, &(struct audit_event){
							   .kind = AUDIT_NAME_CONFLICT,
							   .reason = REASON_BROKEN,
							   .record_kind = claim_kind_word(now[i].kind),
							   .record_id = now[i].text,
							   .detail = detail,
						   });
	}
}

/* ---- pictures ---------------------------------------------------------------------------------------------- */

static void on_fault(void *context, const char *tenant_id, const struct problem *problem)
{
	const struct sources *sources = context;
	char text[FEED_PROBLEM_MAX];

	problem_render(problem, text, sizeof(text));
	log_error("what came for tenant %s does not fit together; the last good state stays in force: %s", tenant_id,
		  text);
	write_feed_event(sources, AUDIT_FEED_REFUSED, tenant_id, "bad-record", text);
	feeds_refused(sources->feeds, sources->tag, tenant_id, problem);
}

static int join(struct sources *sources, pictures_fault_fn fault, struct directory **ret)
{
	int r = pictures_join(sources->pictures, sources->parts->directory, fault, sources, ret);

	if (r < 0)
		log_error("cannot put files and feeds together: %s", strerror(-r));
	else
		report_conflicts(sources, sources->parts->directory, *ret);
	return r;
}

static void on_units(void *context, struct unit *const *units, uint32_t count, uint64_t tag)
{
	_cleanup_(directory_unrefp) struct directory *picture = NULL;
	struct sources *sources = context;
	int r = pictures_set_feeds(sources->pictures, units, count);

	sources->tag = tag;
	if (r == 0)
		r = join(sources, on_fault, &picture);
	if (r < 0)
		return;
	sources->hooks.picture(sources->hooks.context, picture);
	feeds_applied(sources->feeds, tag);
}

int sources_set_files(struct sources *sources, struct directory *files, struct directory **ret)
{
	pictures_set_files(sources->pictures, files);
	return join(sources, NULL, ret);
}

/* ---- how feeds are -------------------------------------------------------------------------------------------- */

/* The tenant was taken away from this host, its folder was removed, or the host left. */
static void note_removed(const struct sources *sources)
{
	for (uint32_t i = 0; i < sources->remembered_count; i++)
		if (!view_of(sources->parts, sources->remembered[i].tenant_id))
			write_feed_event(sources, AUDIT_FEED_CHANGED, sources->remembered[i].tenant_id, "removed",
					 "this host serves this tenant no more; its people cannot sign in here");
}

static void note_states(struct sources *sources)
{
	const struct parts *parts = sources->parts;
	struct remembered now[FEEDS_MAX] = {0};
	uint32_t count = 0;

	note_removed(sources);
	for (uint32_t i = 0; i < parts->feed_count && count < FEEDS_MAX; i++) {
		const struct feed_view *view = &parts->feeds[i];
		bool same = false;

		if (!view->tenant_id[0])
			continue;
		for (uint32_t k = 0; k < sources->remembered_count && !same; k++)
			same = text_equal(sources->remembered[k].tenant_id, view->tenant_id) &&
			       sources->remembered[k].state == view->state;
		if (!same) {
			log_notice("feed of tenant %s: %s%s%s", view->tenant_id, feed_state_word(view->state),
				   view->problem[0] ? ": " : "", view->problem);
			write_feed_event(sources, AUDIT_FEED_CHANGED, view->tenant_id, feed_state_word(view->state),
					 view->problem[0] ? view->problem : feed_state_sentence(view->state));
		}
		snprintf(now[count].tenant_id, sizeof(now[count].tenant_id), "%s", view->tenant_id);
		now[count++].state = view->state;
	}
	memcpy(sources->remembered, now, count * sizeof(*now));
	sources->remembered_count = count;
}

/* Decisions see the change at once. Records whose feed has gone from here count for nothing, also when the picture
 * without them cannot be made. */
static void take_views(struct sources *sources)
{
	struct parts *parts = sources->parts;

	parts->feed_count = feeds_view(sources->feeds, &parts->host, &parts->feeds);
	for (uint32_t i = 0; i < parts->feed_count; i++)
		sources->freshness[i] =
			(struct freshness_entry){parts->feeds[i].tenant_id, parts->feeds[i].fresh_until};
	parts->freshness = (struct freshness){.entries = sources->freshness, .count = parts->feed_count};
	login_book_set_freshness(parts->logins, &parts->freshness);
	if (parts->audit && audit_set_host_id(parts->audit, parts->host.host_id) < 0)
		log_error("this host's id is none: events do not say it");
}

static void on_view(void *context)
{
	struct sources *sources = context;

	take_views(sources);
	note_states(sources);
	sources->hooks.state(sources->hooks.context);
}

static void on_audit(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail)
{
	const struct sources *sources = context;
	enum audit_kind kind = critical ? AUDIT_FEED_QUARANTINED : AUDIT_FEED_REFUSED;

	if (tenant_id[0]) {
		log_line(critical ? LOG_CRIT : LOG_ERR, "feed of tenant %s (%s): %s", tenant_id, fault, detail);
		write_feed_event(sources, kind, tenant_id, fault, detail);
	} else { /* about what the host serves */
		log_line(critical ? LOG_CRIT : LOG_ERR, "control plane (%s): %s", fault, detail);
		write_host_event(sources, kind, sources->parts->host.host_id, fault, detail, true);
	}
}

static void begin_chain(const struct sources *sources, const struct feeds_found *found)
{
	int r = sources->spool ? spool_begin_chain(sources->spool, found->detail) : -ENOENT;

	log_line(LOG_CRIT, "audit chain %s: %s; another one begins", found->record, found->detail);
	if (r < 0)
		log_error("another audit chain cannot begin: %s", strerror(-r));
}

static void on_found(void *context, const struct feeds_found *found)
{
	const struct sources *sources = context;
	const bool is_chain = found->what == FEEDS_CHAIN_FORKED;
	struct audit_event event = {
		.kind = is_chain                          ? AUDIT_CHAIN_FORKED
			: found->what == FEEDS_LOG_FORKED ? AUDIT_LOG_FORKED
							  : AUDIT_CHECKPOINT_SEEN,
		.tenant_id = found->tenant_id[0] ? found->tenant_id : NULL,
		.tenant = found->tenant_id[0] ? slug_of(sources, found->tenant_id) : NULL,
		.record_kind = is_chain ? "audit-chain" : "audit-log",
		.record_id = found->record,
		.change = found->change[0] ? found->change : NULL,
		.detail = found->detail,
		.data_json = found->data[0] ? found->data : NULL,
		.failure = found->what != FEEDS_LOG_SEEN,
	};

	if (found->what == FEEDS_CHAIN_ENDS) {
		begin_chain(sources, found);
		return;
	}
	if (found->what == FEEDS_LOG_FORKED)
		log_line(LOG_CRIT, "audit log %s: %s", found->record, found->detail);
	audit_write(sources->parts->audit, &event);
}

static void on_disabled(void *context, const char *reason)
{
	const struct sources *sources = context;

	log_line(LOG_CRIT, "this host was taken out of service (%s); everything that it knew of tenants was wiped",
		 reason);
	write_host_event(sources, AUDIT_HOST_DISABLED, sources->parts->host.host_id, NULL, reason, false);
}

static void on_enrolled(void *context, uint64_t tag, int result, const char *host_id, const struct problem *problem)
{
	const struct sources *sources = context;
	char text[FEED_PROBLEM_MAX] = "";

	if (problem)
		problem_render(problem, text, sizeof(text));
	else if (result < 0)
		snprintf(text, sizeof(text), "%s", strerror(-result));
	if (result < 0)
		log_error("this host was not enrolled: %s", text);
	write_host_event(sources, AUDIT_HOST_ENROLLED, host_id, result < 0 ? "refused" : "enrolled", text, result < 0);
	if (sources->server)
		server_enroll_done(sources->server, tag, host_id, result < 0 ? text : NULL);
}

static void on_looked(void *context)
{
	const struct sources *sources = context;

	sources->hooks.looked(sources->hooks.context);
}

bool sources_has_feeds(const struct sources *sources)
{
	return sources->parts->host.state != FEED_UNENROLLED || sources->parts->feed_count > 0;
}

void sources_folder_problem(const struct sources *sources, char *out, size_t size)
{
	const struct parts *parts = sources->parts;

	out[0] = '\0';
	for (uint32_t i = 0; i < parts->feed_count && !out[0]; i++)
		if (parts->feeds[i].from_file)
			snprintf(out, size, "%s", parts->feeds[i].problem);
}

void sources_problem(const struct sources *sources, char *out, size_t size)
{
	const struct parts *parts = sources->parts;
	uint32_t conflicts = 0;

	out[0] = '\0';
	if (parts->host.state == FEED_DISABLED) {
		snprintf(out, size, "%s (%s)", feed_state_sentence(FEED_DISABLED), parts->host.problem);
		return;
	}
	for (uint32_t i = 0; i < parts->feed_count; i++) {
		const struct feed_view *view = &parts->feeds[i];
		bool fine = view->state == FEED_LIVE || view->state == FEED_RECONNECT || view->state == FEED_RESYNC;

		if (fine && !view->unsaved && !(view->from_file && view->problem[0]))
			continue;
		snprintf(out, size, "feed of tenant %s: %s%s%s",
			 view->slug[0]        ? view->slug
			 : view->tenant_id[0] ? view->tenant_id
					      : "?",
			 feed_state_sentence(view->state), view->problem[0] ? ": " : "", view->problem);
		return;
	}
	if (parts->directory)
		(void)directory_conflicts(parts->directory, &conflicts);
	if (conflicts > 0)
		snprintf(out, size, "%u names or ids are claimed by two sources and served by neither", conflicts);
	else if (parts->host.problem[0])
		snprintf(out, size, "%s", parts->host.problem);
}

/* ---- wishes ----------------------------------------------------------------------------------------------------- */

void sources_reload(struct sources *sources)
{
	feeds_retry(sources->feeds);
}

void sources_enroll(struct sources *sources, const char *url, const char *token, uint64_t tag)
{
	feeds_enroll(sources->feeds, url, token, tag);
}

void sources_unenroll(struct sources *sources)
{
	if (sources->parts->host.state != FEED_UNENROLLED)
		write_host_event(sources, AUDIT_HOST_ENROLLED, sources->parts->host.host_id, "left", NULL, false);
	feeds_forget(sources->feeds);
}

void sources_session(struct sources *sources, const struct session *session)
{
	feeds_session(sources->feeds, session);
}

void sources_session_gone(struct sources *sources, const struct session *session)
{
	feeds_session_gone(sources->feeds, session);
}

int sources_create(sd_event *event, const struct config *config, const struct seal_key *seal_key, struct spool *spool,
		   struct parts *parts, const struct sources_hooks *hooks, struct sources **ret)
{
	const struct feeds_options options = {
		.state_dir = config->state_dir,
		.import_dir = config->import_dir,
		.max_records = config->max_records,
		.seal_key = seal_key,
		.host_name = config->host_name,
		.ca_file = config->ca_file,
		.pin = config->pin,
		.proxy = config->proxy ? config->proxy : proxy_of_environment(),
		.host_token = parts->host_token,
		.spool = spool,
		.witness_usec = config->audit.witness_sec * USEC_PER_SEC,
	};
	struct sources *sources = calloc(1, sizeof(*sources));
	const struct feeds_hooks feed_hooks = {on_units,    on_view,     on_audit,  on_found,
					       on_disabled, on_enrolled, on_looked, sources};
	struct unit *const *units;
	uint32_t count;
	int r;

	if (!sources)
		return -ENOMEM;
	sources->parts = parts;
	sources->spool = spool;
	sources->hooks = *hooks;
	r = pictures_create(config->host_name, &sources->pictures);
	if (r >= 0)
		r = feeds_create(event, &options, &feed_hooks, &sources->feeds);
	if (r >= 0) {
		take_views(sources);
		note_states(sources);
		feeds_units(sources->feeds, &units, &count);
		r = pictures_set_feeds(sources->pictures, units, count);
	}
	if (r < 0) {
		sources_destroy(sources);
		return r;
	}
	*ret = sources;
	return 0;
}

void sources_set_server(struct sources *sources, struct server *server)
{
	sources->server = server;
}

void sources_destroy(struct sources *sources)
{
	if (!sources)
		return;
	feeds_destroy(sources->feeds);
	pictures_destroy(sources->pictures);
	login_book_set_freshness(sources->parts->logins, NULL);
	sources->parts->freshness = (struct freshness){0};
	sources->parts->feeds = NULL;
	sources->parts->feed_count = 0;
	free(sources);
}
