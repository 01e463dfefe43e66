/* SPDX-License-Identifier: MIT */
#include "session_ends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts.h"
#include "audit/session_event.h"
#include "base/log.h"
#include "base/text.h"
#include "helper_client.h"
#include "reaper/reaper.h"
#include "reaper/verdict.h"

#define PATH_SIZE 512

struct session_ends {
	const struct config *config;
	struct parts *parts;
	struct sources *sources; /* NULL like the server */
	struct server *server;   /* NULL while the agent comes and goes */
	struct session_table *table;
	struct helper_client *helper;
	struct reaper *reaper;
	bool files_unread, identity_unread;
};

static void publish(const struct session_ends *ends, const char *event, const struct session *session)
{
	if (ends->server)
		server_publish(ends->server, &(struct server_event){
						     .event = event,
						     .user = session->login,
						     .user_id = session->user_id,
						     .session = session->id,
						     .project = session->project_id,
						     .cause = session->ending ? session->ending_cause : NULL,
						     .has_uid = true,
						     .uid = session->uid,
					     });
}

/* ---- what the table tells ---------------------------------------------------------------------------------------- */

static void on_changed(void *context, const struct session *session)
{
	const struct session_ends *ends = context;

	if (ends->sources && verdict_is_named(session))
		sources_session(ends->sources, session);
}

static void on_ended(void *context, const struct session *session, const char *why)
{
	const struct session_ends *ends = context;
	struct audit_event event = session_event(AUDIT_SESSION_CLOSED, session);

	event.source = session->source;
	event.terminal = session->terminal;
	event.credential = session->credential;
	event.cause = session->ending ? session->ending_cause : NULL;
	event.detail = why;
	audit_write(ends->parts->audit, &event);
	publish(ends, "session-closed", session);
	if (ends->sources)
		sources_session_gone(ends->sources, session);
	if (ends->reaper)
		reaper_gone(ends->reaper, session);
}

static void on_warning(void *context, const struct problem *problem)
{
	log_problem(LOG_WARNING, "a session of before is lost from sight", problem);
}

static void on_answer(void *context, uint64_t tag, int result)
{
	const struct session_ends *ends = context;

	if (ends->reaper)
		reaper_answered(ends->reaper, tag, result);
}

/* ---- what the reaper asks ------------------------------------------------------------------------------------------
 */

/* A feed that is followed and brought nothing yet, or nothing that could be used, is no tenant that was taken away. */
static bool is_pending(void *context, const char *tenant_id)
{
	const struct session_ends *ends = context;
	const struct parts *parts = ends->parts;

	if (ends->files_unread || ends->identity_unread ||
	    (parts->host.state == FEED_UNENROLLED && parts->host.problem[0]))
		return true;
	for (uint32_t i = 0; i < parts->feed_count; i++) {
		const char *id = parts->feeds[i].tenant_id;

		/* Of a folder that is not in order nobody knows whose it is. */
		if (!*id || (*tenant_id && text_equal(id, tenant_id)))
			return true;
		if (!*tenant_id && parts->directory && !directory_tenant(parts->directory, id))
			return true;
	}
	return false;
}

static void on_host(void *context, const char **ret_id, bool *ret_disabled)
{
	const struct session_ends *ends = context;

	*ret_id = ends->parts->host.host_id;
	*ret_disabled = ends->parts->host.state == FEED_DISABLED;
}

static bool is_local(void *context, uint32_t uid)
{
	const struct session_ends *ends = context;

	return account_has_uid(ends->config->passwd_path, uid) != 0;
}

static void on_ending(void *context, const struct session *session, enum end_cause cause, const char *detail)
{
	publish(context, "session-ending", session);
	on_changed(context, session);
}

static void on_asked_ended(void *context, uint64_t tag, int result)
{
	const struct session_ends *ends = context;

	if (ends->server)
		server_end_session_done(ends->server, tag, result);
}

static void on_wake(void *context)
{
	const struct session_ends *ends = context;

	if (ends->server)
		server_wake_loop(ends->server);
}

/* ---- for the agent --------------------------------------------------------------------------------------------------
 */

void session_ends_set_server(struct session_ends *ends, struct server *server)
{
	ends->server = server;
}

void session_ends_set_sources(struct session_ends *ends, struct sources *sources)
{
	ends->sources = sources;
}

void session_ends_start(struct session_ends *ends)
{
	const struct session *session;
	uint32_t restored = 0, cursor = 0;
	int result = session_table_restore(ends->table, on_warning, NULL, &restored);

	if (result < 0)
		log_warning("cannot find the sessions of before: %s", strerror(-result));
	else if (restored > 0)
		log_info("%u sessions of before go on", restored);
	while ((session = session_next(ends->table, &cursor)))
		on_changed(ends, session);
	reaper_start(ends->reaper);
}

void session_ends_configure(struct session_ends *ends, const struct config *config)
{
	ends->config = config;
	ends->parts->limits = &config->limits;
	login_book_set_hours(ends->parts->logins, &config->limits.hours);
	reaper_set_limits(ends->reaper, &config->limits);
}

void session_ends_take_picture(struct session_ends *ends, const struct directory *before, const struct directory *after)
{
	reaper_take_picture(ends->reaper, before, after);
}

void session_ends_set_unread(struct session_ends *ends, bool files)
{
	bool less = ends->files_unread && !files;

	ends->files_unread = files;
	if (less)
		reaper_look_again(ends->reaper);
}

void session_ends_set_identity_unread(struct session_ends *ends)
{
	ends->identity_unread = true;
}

void session_ends_sources_changed(struct session_ends *ends)
{
	reaper_look_again(ends->reaper);
}

void session_ends_credentials_changed(struct session_ends *ends)
{
	reaper_credentials_changed(ends->reaper);
}

int session_ends_end(struct session_ends *ends, const struct session *session, enum end_cause cause, const char *detail,
		     uint64_t tag)
{
	return reaper_end(ends->reaper, session, cause, detail, tag);
}

void session_ends_forget_tag(struct session_ends *ends, uint64_t tag)
{
	reaper_forget_tag(ends->reaper, tag);
}

void session_ends_opened(struct session_ends *ends, const struct session *session)
{
	reaper_opened(ends->reaper, session);
	on_changed(ends, session);
}

bool session_ends_is_ending(const struct session_ends *ends, uint32_t uid)
{
	return reaper_user_is_ending(ends->reaper, uid);
}

static int path_of(char *out, size_t size, const char *run_dir, const char *name, struct problem *problem)
{
	if ((size_t)snprintf(out, size, "%s/%s", run_dir, name) >= size)
		return problem_set(problem, ENAMETOOLONG, "paths.run is too long");
	return 0;
}

int session_ends_create(sd_event *event, const struct config *config, struct parts *parts, struct problem *problem,
			struct session_ends **ret)
{
	const struct reaper_hooks hooks = {
		.tenant_pending = is_pending,
		.host = on_host,
		.is_local = is_local,
		.ending = on_ending,
		.ended = on_asked_ended,
		.wake = on_wake,
	};
	struct session_ends *ends = calloc(1, sizeof(*ends));
	struct reaper_hooks own = hooks;
	char sessions[PATH_SIZE], ending[PATH_SIZE];
	int result;

	if (!ends)
		return -ENOMEM;
	own.context = ends;
	ends->config = config;
	ends->parts = parts;
	result = path_of(sessions, sizeof(sessions), config->run_dir, "sessions", problem);
	if (result >= 0)
		result = path_of(ending, sizeof(ending), config->run_dir, "ending", problem);
	if (result >= 0)
		result = session_table_create(
			event, sessions,
			&(struct session_hooks){
				.left_behind = on_changed, .goes_on = on_changed, .ended = on_ended, .context = ends},
			&ends->table);
	if (result >= 0)
		result = helper_client_create(event, on_answer, ends, &ends->helper);
	if (result >= 0)
		result = reaper_create(event, ends->table, ends->helper, parts->audit, parts->logins, ending, &own,
				       &ends->reaper);
	if (result < 0) {
		session_ends_destroy(ends);
		return result;
	}
	parts->sessions = ends->table;
	session_ends_configure(ends, config);
	*ret = ends;
	return 0;
}

void session_ends_destroy(struct session_ends *ends)
{
	if (!ends)
		return;
	helper_client_destroy(ends->helper);
	reaper_destroy(ends->reaper);
	ends->reaper = NULL;
	session_table_destroy(ends->table);
	free(ends);
}
