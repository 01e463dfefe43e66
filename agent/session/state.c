/* SPDX-License-Identifier: MIT
 *
 * State files of sessions. The directory is the agent's own (0700), but what is read back is checked as if
 * it were not: a restarted agent must not trust what a full disk or another version left.
 */
#include "session/state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define STATE_BYTES_MAX 16384U
#define STATE_TEXT_MAX 1024U

struct state_record {
	const char *user_id, *login, *tenant, *project, *role, *service, *source, *terminal, *credential;
	uint32_t uid, leader;
	uint64_t leader_start;
	int64_t opened;
};

#define FIELD(member, type, flags)                                          \
	{                                                                   \
#member, type, offsetof(struct state_record, member), flags \
	}
#define FIELD_TEXT(member) FIELD(member, JSON_FIELD_STRING, JSON_FIELD_REQUIRED)
static const struct json_field state_fields[] = {
	FIELD_TEXT(user_id),
	FIELD_TEXT(login),
	FIELD_TEXT(tenant),
	FIELD_TEXT(project),
	FIELD_TEXT(role),
	FIELD_TEXT(service),
	FIELD_TEXT(source),
	FIELD_TEXT(terminal),
	FIELD_TEXT(credential),
	FIELD(uid, JSON_FIELD_U32, JSON_FIELD_REQUIRED),
	FIELD(leader, JSON_FIELD_U32, JSON_FIELD_REQUIRED),
	FIELD(leader_start, JSON_FIELD_U64, JSON_FIELD_REQUIRED),
	FIELD(opened, JSON_FIELD_I64, JSON_FIELD_REQUIRED),
};

bool session_id_is_valid(const char *id, size_t length)
{
	if (length != SESSION_ID_CHARS)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'A' && id[i] <= 'Z') ||
		      (id[i] >= 'a' && id[i] <= 'z')))
			return false;
	return true;
}

static void file_name(const char *id, char out[SESSION_ID_CHARS + 8])
{
	snprintf(out, SESSION_ID_CHARS + 8, "%.*s.json", SESSION_ID_CHARS, id);
}

int session_state_write(int dirfd, const struct session *session)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct json_writer w = json_writer(&text);
	char name[SESSION_ID_CHARS + 8];

	json_begin(&w, NULL, '{');
	json_put_string(&w, "user_id", session->user_id);
	json_put_string(&w, "login", session->login);
	json_put_string(&w, "tenant", session->tenant);
	json_put_string(&w, "project", session->project);
	json_put_string(&w, "role", session->role);
	json_put_string(&w, "service", session->service);
	json_put_string(&w, "source", session->source);
	json_put_string(&w, "terminal", session->terminal);
	json_put_string(&w, "credential", session->credential);
	json_put_u64(&w, "uid", session->uid);
	json_put_u64(&w, "leader", (uint64_t)session->leader);
	json_put_u64(&w, "leader_start", session->leader_start);
	json_put_i64(&w, "opened", session->opened);
	json_end(&w, '}');
	if (text.failed)
		return -ENOMEM;
	file_name(session->id, name);
	return file_replace(dirfd, name, text.data, text.length, 0600, NULL);
}

int session_state_remove(int dirfd, const char *id)
{
	char name[SESSION_ID_CHARS + 8];

	file_name(id, name);
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

static int take_text(const char *from, char **to)
{
	if (strlen(from) > STATE_TEXT_MAX || !text_is_printable(from, strlen(from)))
		return -EINVAL;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

void session_free_strings(struct session *session)
{
	free(session->user_id);
	free(session->login);
	free(session->tenant);
	free(session->project);
	free(session->role);
	free(session->service);
	free(session->source);
	free(session->terminal);
	free(session->credential);
}

int session_state_read(int dirfd, const char *id, struct session *ret, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *object = NULL;
	struct state_record record = {0};
	struct session session = {0};
	char name[SESSION_ID_CHARS + 8];
	const char *field;
	struct stat st;
	int r;

	file_name(id, name);
	r = file_read(dirfd, name, STATE_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &text, &st);
	if (r < 0)
		return problem_set(problem, -r, "the session file %s cannot be read: %s", name, strerror(-r));
	r = json_read(text.data ? text.data : "", text.length, &object, problem);
	if (r == 0)
		r = json_fields(object, state_fields, ARRAY_LEN(state_fields), &record, &field, problem);
	if (r < 0)
		return r;
	if (record.leader <= 1 || record.leader > INT_MAX || record.leader_start == 0)
		return problem_set(problem, EINVAL, "the session file %s names no process", name);
	memcpy(session.id, id, SESSION_ID_CHARS);
	session.uid = record.uid;
	session.leader = (pid_t)record.leader;
	session.leader_start = record.leader_start;
	session.opened = record.opened;
	r = take_text(record.user_id, &session.user_id);
	r = r < 0 ? r : take_text(record.login, &session.login);
	r = r < 0 ? r : take_text(record.tenant, &session.tenant);
	r = r < 0 ? r : take_text(record.project, &session.project);
	r = r < 0 ? r : take_text(record.role, &session.role);
	r = r < 0 ? r : take_text(record.service, &session.service);
	r = r < 0 ? r : take_text(record.source, &session.source);
	r = r < 0 ? r : take_text(record.terminal, &session.terminal);
	r = r < 0 ? r : take_text(record.credential, &session.credential);
	if (r < 0) {
		session_free_strings(&session);
		return problem_set(problem, -r, "the session file %s has text that cannot be", name);
	}
	*ret = session;
	return 0;
}
