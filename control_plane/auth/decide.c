/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/decide.h"

#include <string.h>

#include "base/text.h"
#include "records/lists.h"
#include "records/matrix.h"

#define ALLOWED "allowed"

/* Is it in force? The words are those of its kind. */
static const char *decide_state(const struct credential *credential, enum credential_state state)
{
	bool key = credential->principal.key != NULL;

	switch (state) {
	case CREDENTIAL_GOOD:
		return credential->tenant_suspended ? "tenant-suspended" : ALLOWED;
	case CREDENTIAL_NOT_YET:
		return key ? "key-not-yet" : "token-not-yet";
	case CREDENTIAL_EXPIRED:
		return key ? "key-expired" : "token-expired";
	case CREDENTIAL_REVOKED:
		return key ? "key-revoked" : "token-revoked";
	case CREDENTIAL_SUSPENDED:
		return "user-suspended";
	case CREDENTIAL_MALFORMED:
	case CREDENTIAL_UNKNOWN:
		break;
	}
	return "credential-unknown";
}

static const char *decide_scope(const struct credential *credential, const struct decide_question *question)
{
	const struct key_record *key = credential->principal.key;

	if (key) {
		if (question->action && !list_lets(&key->actions, question->action))
			return "key-scope-action";
		if (!list_lets(&key->services, question->service))
			return "key-scope-service";
		if (!blocks_let(&key->from, question->source))
			return "key-scope-source";
	}
	return blocks_let(&credential->own.allow_from, question->source) ? ALLOWED : "source-not-allowed";
}

static bool tenant_role_gives(const struct credential *credential, const char *action)
{
	return matrix_tenant_role(&credential->own, credential->principal.tenant_role, action) == MATRIX_YES;
}

static const char *decide_limits(const struct credential *credential, const struct decide_question *question)
{
	const struct key_record *key = credential->principal.key;

	if (!blocks_let(&credential->project_from, question->source))
		return "source-not-allowed";
	return !key || list_lets(&key->projects, credential->project_id) ? ALLOWED : "key-scope-project";
}

static const char *decide_project(const struct credential *credential, const struct decide_question *question)
{
	const char *action = question->action ? question->action : "project.view", *role = credential->project_role;
	bool member = *role != '\0';

	if (!credential->project_id)
		return "unknown-project";
	/* With no action asked, holding a role in the project is the whole question. */
	if (member && (!question->action || matrix_project_role(&credential->own, role, action) == MATRIX_YES))
		return decide_limits(credential, question);
	if (!member && *credential->principal.tenant_role == '\0')
		return "not-a-member";
	if (tenant_role_gives(credential, action))
		return decide_limits(credential, question);
	return member || question->action ? "role-too-low" : "not-a-member";
}

static const char *decide_tenant(const struct credential *credential, const struct decide_question *question)
{
	const struct key_record *key = credential->principal.key;

	if (*credential->principal.tenant_role == '\0')
		return "not-a-member";
	if (!tenant_role_gives(credential, question->action))
		return "role-too-low";
	return key && key->projects.count > 0 ? "key-scope-project" : ALLOWED;
}

const char *decide(const struct credential *credential, enum credential_state state,
		   const struct decide_question *question)
{
	const char *reason = decide_state(credential, state);

	if (strcmp(reason, ALLOWED) != 0)
		return reason;
	if (question->project && !credential->project_id)
		return "unknown-project"; /* first of all, as on a host */
	reason = decide_scope(credential, question);
	if (strcmp(reason, ALLOWED) != 0)
		return reason;
	if (question->action && matrix_action_is_host(question->action))
		return "not-permitted";
	if (question->project)
		return decide_project(credential, question);
	return question->action ? decide_tenant(credential, question) : ALLOWED;
}
