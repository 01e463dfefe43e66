/* SPDX-License-Identifier: MIT */
#include "server/session_filter.h"

#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "session/terminal.h"

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* The project that the text names today, or the names that the session was opened under: of a project that is gone
 * nothing else is left. */
static bool fits_project(const char *text, const struct directory *d, const struct session *session)
{
	const struct project_record *project = d ? directory_project_by_name(d, text) : NULL;
	const char *slash = strchr(text, '/'), *id = or_empty(session->project_id);

	if (*id && (text_equal(text, id) || (project && text_equal(project->id, id))))
		return true;
	if (project && *id)
		return false;
	return slash && strlen(or_empty(session->tenant)) == (size_t)(slash - text) &&
	       strncmp(text, or_empty(session->tenant), (size_t)(slash - text)) == 0 && slash[1] &&
	       text_equal(slash + 1, or_empty(session->project));
}

static bool fits_tenant(const char *text, const struct directory *d, const struct session *session)
{
	const struct tenant_record *tenant = d ? directory_tenant_by_slug(d, text) : NULL;
	const char *id = or_empty(session->tenant_id);

	if (*id && (text_equal(text, id) || (tenant && text_equal(tenant->id, id))))
		return true;
	if (tenant && *id)
		return false;
	return *text && text_equal(text, or_empty(session->tenant));
}

struct session_targets session_filter_targets(const struct session_filter *filter, const struct directory *d)
{
	struct session_targets t = {0};

	if (d && filter->user) {
		t.user = directory_user_by_login(d, filter->user);
		if (!t.user)
			t.user = directory_user(d, filter->user);
	}
	if (d && filter->tenant) {
		t.tenant = directory_tenant_by_slug(d, filter->tenant);
		if (!t.tenant)
			t.tenant = directory_tenant(d, filter->tenant);
	}
	if (d && filter->project)
		t.project = directory_project_by_name(d, filter->project);
	return t;
}

bool session_fits(const struct session_filter *filter, const struct directory *d, const struct session *session)
{
	if (filter->session && !text_equal(filter->session, session->id))
		return false;
	if (filter->user && !text_equal(filter->user, session->login) && !text_equal(filter->user, session->user_id))
		return false;
	if (filter->tenant && !fits_tenant(filter->tenant, d, session))
		return false;
	return !filter->project || fits_project(filter->project, d, session);
}

const char *session_state_word(const struct session *session)
{
	if (session->ending)
		return "ending";
	return session->left_behind ? "left-behind" : "open";
}

static void put_idle(struct json_writer *w, const struct session *session, int64_t now)
{
	uint32_t device = session_main_terminal(session);
	char name[TERMINAL_NAME_SIZE];
	int64_t key;

	if (!device || terminal_last_key(device, session->uid, &key) < 0 || !terminal_name(device, name))
		return;
	json_put_string(w, "tty", name);
	json_put_i64(w, "idle", MAX_OF(now - key, (int64_t)0));
}

void put_session(struct json_writer *w, const char *key, const struct session *session, int64_t idle_now)
{
	json_begin(w, key, '{');
	json_put_string(w, "session", session->id);
	json_put_string(w, "state", session_state_word(session));
	if (session->ending)
		json_put_string_if(w, "cause", session->ending_cause);
	json_put_string(w, "user", session->login);
	json_put_string(w, "user_id", session->user_id);
	json_put_u64(w, "uid", session->uid);
	json_put_string(w, "tenant", or_empty(session->tenant));
	json_put_string_if(w, "tenant_id", session->tenant_id);
	json_put_string_if(w, "project", session->project);
	json_put_string_if(w, "project_id", session->project_id);
	json_put_string_if(w, "role", session->role);
	json_put_string(w, "service", or_empty(session->service));
	json_put_string_if(w, "source", session->source);
	json_put_string_if(w, "terminal", session->terminal);
	json_put_string_if(w, "credential", session->credential);
	json_put_string_if(w, "provider", session->provider);
	json_put_string_if(w, "operator", session->operator);
	json_put_string_if(w, "grant", session->grant_id);
	json_put_string_if(w, "grant_reason", session->grant_reason);
	json_put_string_if(w, "scope", session->scope);
	json_put_i64(w, "leader", session->left_behind ? 0 : session->leader);
	json_put_i64(w, "opened", session->opened);
	if (idle_now)
		put_idle(w, session, idle_now);
	json_end(w, '}');
}
