/* SPDX-License-Identifier: MIT
 *
 * What local services ask: VerifyCredential, CheckAccess, WhoAmI, SshKeys.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "audit/user_event.h"
#include "base/text.h"
#include "records/lists.h"
#include "records/matrix.h"
#include "server/call.h"
#include "server/internal.h"

struct verify_request {
	const char *credential, *project, *action, *service, *source;
};

static const struct json_field verify_fields[] = {
	{"credential", JSON_FIELD_STRING, offsetof(struct verify_request, credential), JSON_FIELD_REQUIRED},
	{"project", JSON_FIELD_STRING, offsetof(struct verify_request, project), JSON_FIELD_NULLABLE},
	{"action", JSON_FIELD_STRING, offsetof(struct verify_request, action), JSON_FIELD_NULLABLE},
	{"service", JSON_FIELD_STRING, offsetof(struct verify_request, service), JSON_FIELD_NULLABLE},
	{"source", JSON_FIELD_STRING, offsetof(struct verify_request, source), JSON_FIELD_NULLABLE},
};

/* What the credential may do in the project by role and scope; what a host decides is asked there. */
static void put_actions(struct json_writer *w, const struct directory *d, const struct credential_verdict *v)
{
	const char *role = directory_role(d, v->user->id, v->project->id), *action;
	struct matrix_walk walk = matrix_walk_project(v->tenant, role);
	const struct string_list none = {0}, *scope = v->key ? &v->key->actions : &none;

	json_begin(w, "actions", '[');
	while ((action = matrix_walk_next(&walk)))
		if (list_lets(scope, action))
			json_put_string(w, NULL, action);
	walk = matrix_walk_tenant(v->tenant, directory_role(d, v->user->id, ""));
	while ((action = matrix_walk_next(&walk)))
		if (list_lets(scope, action) && (!role || matrix_project_role(v->tenant, role, action) != MATRIX_YES))
			json_put_string(w, NULL, action);
	json_end(w, ']');
}

int m_verify_credential(struct call *call)
{
	struct verify_request p = {.project = "", .action = "", .service = "", .source = ""};
	struct credential_verdict verdict = {.reason = REASON_BROKEN};
	const struct directory *d = call->parts->directory;
	struct json_writer *w;

	if (call_parameters(call, verify_fields, ARRAY_LEN(verify_fields), &p) < 0)
		return 0;
	if (d)
		credential_verify(call->parts->logins, d,
				  &(struct credential_check){
					  .credential = p.credential,
					  .length = strlen(p.credential),
					  .project = p.project,
					  .action = p.action,
					  .service = p.service,
					  .source = p.source,
					  .caller_uid = call_uid(call),
					  .trusted = call->trusted,
				  },
				  call->now_usec, call->realtime, &verdict);
	/* Others may ask about what is theirs only. A slip of the pen, or what nobody looked at, tells nobody anything.
	 */
	if (!call->trusted && d && (!verdict.user || verdict.user->uid != call_uid(call)) && !verdict.message &&
	    verdict.reason != REASON_KEY_MALFORMED && verdict.reason != REASON_TOO_MANY_ATTEMPTS &&
	    !reason_is_broken(verdict.reason))
		return call_refuse(call, "the credential is not the caller's own");

	w = call_reply(call);
	put_decision(w, "decision", verdict.reason, verdict.message);
	if (verdict.user) {
		put_principal(w, "principal", d, verdict.user, verdict.project, verdict.role);
		if (verdict.key)
			json_put_string(w, "key_id", verdict.key->id);
	}
	if (verdict.reason == REASON_ALLOWED) {
		if (verdict.project && verdict.role && verdict.tenant)
			put_actions(w, d, &verdict);
		json_put_string_if(w, "warning", verdict.warning);
	}
	return call_reply_end(call, false);
}

struct check_request {
	uint32_t uid;
	const char *user, *project, *action;
};

static const struct json_field check_fields[] = {
	{"uid", JSON_FIELD_U32, offsetof(struct check_request, uid), JSON_FIELD_NULLABLE},
	{"user", JSON_FIELD_STRING, offsetof(struct check_request, user), JSON_FIELD_NULLABLE},
	{"project", JSON_FIELD_STRING, offsetof(struct check_request, project), JSON_FIELD_REQUIRED},
	{"action", JSON_FIELD_STRING, offsetof(struct check_request, action), JSON_FIELD_REQUIRED},
};

static void audit_denied(struct call *call, const struct check_request *p, const struct user_record *user,
			 const struct policy_decision *decision)
{
	const struct directory *d = call->parts->directory;
	struct audit_event event = {
		.kind = AUDIT_ACCESS_CHECKED,
		.reason = decision->reason,
		.project = p->project,
		.role = decision->role,
		.user = p->user,
		.action = p->action,
		.directory_generation = directory_generation(d),
	};

	if (!callers_report(&call->server->callers, &call->connection->caller->denied, call->now_usec, &event.count))
		return;
	config_may(call->parts->config, call_uid(call), &event.service);
	call_audit_caller(call, &event);
	audit_about_user(&event, d, user);
	if (decision->project)
		event.project_id = decision->project->id;
	event.tenant = decision->tenant ? decision->tenant->slug : NULL;
	if (decision->tenant)
		event.tenant_id = decision->tenant->id;
	audit_write(call->parts->audit, &event);
}

int m_check_access(struct call *call)
{
	struct check_request p = {.uid = CONFIG_UID_NONE};
	const struct directory *d = call->parts->directory;
	struct policy_decision decision = {.reason = REASON_BROKEN};
	const struct user_record *user = NULL;
	struct json_writer *w;

	if (call_parameters(call, check_fields, ARRAY_LEN(check_fields), &p) < 0)
		return 0;
	if (p.user && p.uid != CONFIG_UID_NONE)
		return call_invalid(call, "user");
	if (!p.user && p.uid == CONFIG_UID_NONE)
		p.uid = call_uid(call);
	if (d)
		user = p.user ? directory_user_by_login(d, p.user) : directory_user_by_uid(d, p.uid);
	/* Whether somebody else exists is not told either. */
	if (!call->trusted && (p.user ? !user || user->uid != call_uid(call) : p.uid != call_uid(call)))
		return call_refuse(call, "asked about somebody else");

	if (d && !user) {
		decision.reason = REASON_UNKNOWN_USER;
	} else if (d) {
		struct policy_request request = {
			.user = user,
			.project = directory_project_by_name(d, p.project),
			.action = p.action,
			.local = true,
			.now = call->realtime,
			.freshness = &call->parts->freshness,
			.boot_now = call->now_usec,
		};

		if (request.project)
			policy_decide(d, &request, &decision);
		else
			decision.reason = REASON_UNKNOWN_PROJECT;
	}
	if (decision.reason != REASON_ALLOWED && d)
		audit_denied(call, &p, user, &decision);
	w = call_reply(call);
	put_decision(w, "decision", decision.reason, NULL);
	if (user)
		put_principal(w, "principal", d, user, decision.project, decision.role);
	return call_reply_end(call, false);
}

int m_who_am_i(struct call *call)
{
	const struct directory *d = call->parts->directory;
	const struct member_record *member;
	const struct user_record *user;
	struct json_writer *w;
	uint32_t cursor = 0;

	if (call_parameters(call, NULL, 0, NULL) < 0)
		return 0;
	if (!d)
		return call_broken(call, NULL);
	user = directory_user_by_uid(d, call_uid(call));
	if (!user)
		return call_error(call, AGENT_ERROR_NOT_FOUND, "what", "user");
	w = call_reply(call);
	put_principal(w, "principal", d, user, NULL, NULL);
	json_begin(w, "memberships", '[');
	while ((member = directory_user_members(d, user->id, &cursor))) {
		const struct project_record *project =
			member->project_id[0] ? directory_project(d, member->project_id) : NULL;
		const struct tenant_record *tenant =
			directory_tenant(d, project ? project->tenant_id : user->tenant_id);

		json_begin(w, NULL, '{');
		json_put_string(w, "tenant", tenant ? tenant->slug : "");
		if (project) {
			json_put_string(w, "project", project->slug);
			json_put_string(w, "project_id", project->id);
		}
		json_put_string(w, "role", member->role);
		json_end(w, '}');
	}
	json_end(w, ']');
	return call_reply_end(call, false);
}

int m_ssh_keys(struct call *call)
{
	static const struct json_field fields[] = {{"user", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED}};
	const struct directory *d = call->parts->directory;
	const struct tenant_record *tenant;
	const struct user_record *user;
	const char *name = NULL;
	struct json_writer *w;
	bool may = call->trusted || call_uid(call) == call->parts->config->keys_uid;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &name) < 0)
		return 0;
	if (!d)
		return may ? call_broken(call, NULL) : call_refuse(call, "asked for somebody else's keys");
	user = directory_user_by_login(d, name);
	if (!may && (!user || user->uid != call_uid(call)))
		return call_refuse(call, "asked for somebody else's keys");
	tenant = user ? directory_tenant(d, user->tenant_id) : NULL;
	w = call_reply(call);
	json_begin(w, "keys", '[');
	/* A suspended person's keys are none; account would refuse them anyway, but later. */
	if (tenant && !tenant->suspended && user->status == USER_ACTIVE)
		for (uint32_t i = 0; i < user->ssh_keys.count; i++)
			json_put_string(w, NULL, user->ssh_keys.items[i]);
	json_end(w, ']');
	return call_reply_end(call, false);
}
