/* SPDX-License-Identifier: MIT
 *
 * Whose is this credential, and may they do that? For hosts (of the tenants that they serve) and for service accounts
 * whose role gives "token.introspect" (of their own tenant). In the manner of RFC 7662: what is not good, not known or
 * not theirs to know is {"active": false} and nothing more.
 *
 * One round trip to the database for the credential, no write.
 */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/app.h"
#include "control_plane/auth/decide.h"
#include "json/json_read.h"

struct introspection {
	const char *token, *project, *action, *service, *source;
};

static int inactive(struct request *request)
{
	return respond_json(request, 200, json_pack("{s:b}", "active", 0));
}

/* May the caller know of this credential? */
static bool may_know(struct request *request, const struct credential *credential)
{
	if (credential->principal.kind != PRINCIPAL_USER)
		return false; /* operators' and hosts' own are nobody's business */
	if (request->principal.kind == PRINCIPAL_HOST)
		return credential->served;
	return text_equal(request->principal.tenant_id, credential->principal.tenant_id);
}

static int answer(struct request *request, const struct credential *credential, const struct decide_question *question,
		  const char *reason)
{
	const struct principal *subject = &credential->principal;
	bool asked = question->project || question->action || question->service || question->source;
	json_t *body = json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s}", "active", 1, "sub", subject->id, "username",
				 subject->name, "tenant", subject->tenant_id, "kind",
				 credential->service ? "service" : "person", "credential", subject->credential, "iss",
				 request->app->config->url);

	if (body && credential->expires > 0)
		json_object_set_new(body, "exp", json_integer(credential->expires));
	if (body && *subject->tenant_role)
		json_object_set_new(body, "tenant_role", json_string(subject->tenant_role));
	if (body && credential->project_id) {
		json_object_set_new(body, "project", json_string(credential->project_id));
		if (*credential->project_role)
			json_object_set_new(body, "role", json_string(credential->project_role));
	}
	if (body && asked) {
		json_object_set_new(body, "decision", json_string(strcmp(reason, "allowed") == 0 ? "allow" : "deny"));
		json_object_set_new(body, "reason", json_string(reason));
	}
	return respond_json(request, 200, body);
}

static int handle_introspect(struct request *request)
{
	static const struct json_field fields[] = {
		{"token", JSON_FIELD_STRING, offsetof(struct introspection, token), JSON_FIELD_REQUIRED},
		{"project", JSON_FIELD_STRING, offsetof(struct introspection, project), 0},
		{"action", JSON_FIELD_STRING, offsetof(struct introspection, action), 0},
		{"service", JSON_FIELD_STRING, offsetof(struct introspection, service), 0},
		{"source", JSON_FIELD_STRING, offsetof(struct introspection, source), 0},
	};
	struct introspection form = {0};
	struct credential_question asked;
	struct decide_question question;
	struct credential credential;
	enum credential_state state;
	struct in6_addr source;
	const char *reason;
	int r;

	if (request_fields(request, fields, ARRAY_LEN(fields), &form))
		return 0;
	if (form.action && !text_is_word(form.action))
		return respond_invalid(request, "action", "not an action's name");
	if (form.source && parse_address(form.source, &source) < 0)
		return respond_invalid(request, "source", "not an IP address");
	respond_header(request, "Cache-Control", "no-store");
	asked = (struct credential_question){
		.project = form.project,
		.host_id = request->principal.kind == PRINCIPAL_HOST ? request->principal.id : NULL,
	};
	r = credential_read(request, form.token, strlen(form.token), &asked, &credential, &state);
	if (r < 0)
		return r;
	if (state != CREDENTIAL_GOOD || !may_know(request, &credential))
		return inactive(request);
	question = (struct decide_question){
		.project = form.project,
		.action = form.action,
		.service = form.service,
		.source = form.source ? &source : NULL,
	};
	reason = decide(&credential, state, &question);
	if (strcmp(reason, "tenant-suspended") == 0)
		return inactive(request);
	return answer(request, &credential, &question, reason);
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/introspect", ROUTE_SERVICE, "token.introspect", ROUTE_NO_TX, handle_introspect),
};
const struct route_table introspect_routes = {routes, ARRAY_LEN(routes)};
