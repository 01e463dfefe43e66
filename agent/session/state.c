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
#include <systemd/sd-id128.h>

#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "session/scope.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define STATE_BYTES_MAX 16384U
#define STATE_TEXT_MAX 1024U

struct state_record {
	const char *user_id, *login, *tenant, *project, *role, *service, *source, *terminal, *credential;
	uint32_t uid, leader;
	uint64_t leader_start;
	int64_t opened;
	json_t *sign_in, *proofs;
	/* Not in files of an agent that did not know them. */
	const char *tenant_id, *project_id, *provider, *grant_id, *operator, * grant_reason, *scope, *ending_cause,
		*boot;
	uint64_t scope_inode, ending, opened_usec;
	int64_t valid_from, orders_known;
	uint32_t terminal_device;
	bool left_behind, hung_up, warned;
};

struct proof_record {
	uint32_t terminal, owner;
	uint64_t owner_start, at;
	int64_t valid_from;
	const char *credential;
};

static const struct json_field proof_fields[] = {
	{"terminal", JSON_FIELD_U32, offsetof(struct proof_record, terminal), JSON_FIELD_REQUIRED},
	{"owner", JSON_FIELD_U32, offsetof(struct proof_record, owner), JSON_FIELD_REQUIRED},
	{"owner_start", JSON_FIELD_U64, offsetof(struct proof_record, owner_start), JSON_FIELD_REQUIRED},
	{"at", JSON_FIELD_U64, offsetof(struct proof_record, at), JSON_FIELD_REQUIRED},
	{"valid_from", JSON_FIELD_I64, offsetof(struct proof_record, valid_from), JSON_FIELD_REQUIRED},
	{"credential", JSON_FIELD_STRING, offsetof(struct proof_record, credential), JSON_FIELD_REQUIRED},
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
	FIELD(sign_in, JSON_FIELD_OBJECT, 0), /* not of sessions that an older agent opened */
	FIELD(proofs, JSON_FIELD_ARRAY, 0),
	FIELD(tenant_id, JSON_FIELD_STRING, 0),
	FIELD(project_id, JSON_FIELD_STRING, 0),
	FIELD(provider, JSON_FIELD_STRING, 0),
	FIELD(grant_id, JSON_FIELD_STRING, 0),
	FIELD(operator, JSON_FIELD_STRING, 0),
	FIELD(grant_reason, JSON_FIELD_STRING, 0),
	FIELD(opened_usec, JSON_FIELD_U64, 0),
	FIELD(valid_from, JSON_FIELD_I64, 0),
	FIELD(orders_known, JSON_FIELD_I64, 0),
	FIELD(scope, JSON_FIELD_STRING, 0),
	FIELD(scope_inode, JSON_FIELD_U64, 0),
	FIELD(terminal_device, JSON_FIELD_U32, 0),
	FIELD(left_behind, JSON_FIELD_BOOL, 0),
	FIELD(ending, JSON_FIELD_U64, 0),
	FIELD(ending_cause, JSON_FIELD_STRING, 0),
	FIELD(hung_up, JSON_FIELD_BOOL, 0),
	FIELD(warned, JSON_FIELD_BOOL, 0),
	FIELD(boot, JSON_FIELD_STRING, 0),
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

static void put_proof(struct json_writer *w, const char *key, const struct session_proof *proof)
{
	json_begin(w, key, '{');
	json_put_u64(w, "terminal", proof->terminal.device);
	json_put_u64(w, "owner", (uint64_t)proof->terminal.owner);
	json_put_u64(w, "owner_start", proof->terminal.owner_start);
	json_put_u64(w, "at", proof->at);
	json_put_i64(w, "valid_from", proof->valid_from);
	json_put_string(w, "credential", proof->credential);
	json_end(w, '}');
}

/* "" where nobody says: then pids and their start times alone must tell. */
static const char *this_boot(void)
{
	static char text[SD_ID128_STRING_MAX];
	sd_id128_t boot;

	if (!text[0] && sd_id128_get_boot(&boot) >= 0)
		sd_id128_to_string(boot, text);
	return text;
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
	json_put_u64(&w, "opened_usec", session->opened_usec);
	json_put_string(&w, "tenant_id", session->tenant_id);
	json_put_string(&w, "project_id", session->project_id);
	json_put_string(&w, "provider", session->provider);
	json_put_string(&w, "grant_id", session->grant_id);
	json_put_string(&w, "operator", session->operator);
	json_put_string(&w, "grant_reason", session->grant_reason);
	json_put_i64(&w, "valid_from", session->valid_from);
	json_put_i64(&w, "orders_known", session->orders_known);
	json_put_string(&w, "scope", session->scope);
	json_put_u64(&w, "scope_inode", session->scope_inode);
	json_put_u64(&w, "terminal_device", session->terminal_device);
	json_put_bool(&w, "left_behind", session->left_behind);
	json_put_u64(&w, "ending", session->ending);
	json_put_string(&w, "ending_cause", session->ending_cause);
	json_put_bool(&w, "hung_up", session->hung_up);
	json_put_bool(&w, "warned", session->warned);
	json_put_string(&w, "boot", this_boot());
	if (session->sign_in.at)
		put_proof(&w, "sign_in", &session->sign_in);
	json_begin(&w, "proofs", '[');
	for (unsigned i = 0; i < SESSION_PROOFS_MAX; i++)
		if (session->proofs[i].at)
			put_proof(&w, NULL, &session->proofs[i]);
	json_end(&w, ']');
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
	from = from ? from : "";
	if (strlen(from) > STATE_TEXT_MAX || !text_is_printable(from, strlen(from)))
		return -EINVAL;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

static int take_proof(json_t *object, struct session_proof *ret, struct problem *problem)
{
	struct proof_record record = {0};
	const char *field;
	int r = json_fields(object, proof_fields, ARRAY_LEN(proof_fields), &record, &field, problem);

	if (r < 0)
		return r;
	if (record.owner > INT_MAX || strlen(record.credential) >= sizeof(ret->credential) ||
	    !text_is_printable(record.credential, strlen(record.credential)))
		return problem_set(problem, EINVAL, "a proof that cannot be");
	*ret = (struct session_proof){
		.terminal = {.device = record.terminal,
			     .owner = (pid_t)record.owner,
			     .owner_start = record.owner_start},
		.at = record.at,
		.valid_from = record.valid_from,
	};
	(void)snprintf(ret->credential, sizeof(ret->credential), "%s", record.credential);
	return 0;
}

static int take_proofs(const struct state_record *record, struct session *session, struct problem *problem)
{
	int r = record->sign_in ? take_proof(record->sign_in, &session->sign_in, problem) : 0;

	if (r == 0 && json_array_size(record->proofs) > SESSION_PROOFS_MAX)
		r = problem_set(problem, EINVAL, "more proofs than can be");
	for (size_t i = 0; r == 0 && i < json_array_size(record->proofs); i++)
		r = take_proof(json_array_get(record->proofs, i), &session->proofs[i], problem);
	return r;
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
	free(session->tenant_id);
	free(session->project_id);
	free(session->provider);
	free(session->grant_id);
	free(session->operator);
	free(session->grant_reason);
}

/* What is of this boot only: scope, terminal, how far its end is. */
static int take_progress(const struct state_record *record, struct session *session, struct problem *problem)
{
	const char *scope = record->scope ? record->scope : "",
		   *cause = record->ending_cause ? record->ending_cause : "";

	if (*scope && (!scope_name_is_valid(scope) || !record->scope_inode))
		return problem_set(problem, EINVAL, "a scope that cannot be");
	if (strlen(cause) >= sizeof(session->ending_cause) || !text_is_printable(cause, strlen(cause)))
		return problem_set(problem, EINVAL, "a cause that cannot be");
	(void)snprintf(session->scope, sizeof(session->scope), "%s", scope);
	(void)snprintf(session->ending_cause, sizeof(session->ending_cause), "%s", cause);
	session->scope_inode = *scope ? record->scope_inode : 0;
	session->terminal_device = record->terminal_device;
	session->left_behind = record->left_behind;
	session->ending = record->ending;
	session->hung_up = record->hung_up;
	session->warned = record->warned;
	return 0;
}

int session_state_read(int dirfd, const char *id, struct session *ret, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *object = NULL;
	struct state_record record = {.valid_from = -1};
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
	session.opened_usec = record.opened_usec;
	session.valid_from = record.valid_from;
	session.orders_known = record.orders_known;
	/* Pids and start times count from the boot: those of another one say nothing, however well they fit. */
	if (record.boot && *record.boot && *this_boot() && strcmp(record.boot, this_boot()) != 0)
		return -ESTALE;
	r = take_progress(&record, &session, problem);
	r = r < 0 ? r : take_proofs(&record, &session, problem);
	if (r < 0)
		return r;
	r = take_text(record.user_id, &session.user_id);
	r = r < 0 ? r : take_text(record.login, &session.login);
	r = r < 0 ? r : take_text(record.tenant, &session.tenant);
	r = r < 0 ? r : take_text(record.project, &session.project);
	r = r < 0 ? r : take_text(record.role, &session.role);
	r = r < 0 ? r : take_text(record.service, &session.service);
	r = r < 0 ? r : take_text(record.source, &session.source);
	r = r < 0 ? r : take_text(record.terminal, &session.terminal);
	r = r < 0 ? r : take_text(record.credential, &session.credential);
	r = r < 0 ? r : take_text(record.tenant_id, &session.tenant_id);
	r = r < 0 ? r : take_text(record.project_id, &session.project_id);
	r = r < 0 ? r : take_text(record.provider, &session.provider);
	r = r < 0 ? r : take_text(record.grant_id, &session.grant_id);
	r = r < 0 ? r : take_text(record.operator, & session.operator);
	r = r < 0 ? r : take_text(record.grant_reason, &session.grant_reason);
	if (r < 0) {
		session_free_strings(&session);
		return problem_set(problem, -r, "the session file %s has text that cannot be", name);
	}
	*ret = session;
	return 0;
}
