/* SPDX-License-Identifier: MIT
 *
 * Identity providers of the tenants that this host knows, without their secrets: Providers; and whether an identity
 * there would be let in as a user, by the same decision as at a prompt: ExplainIdentity.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "oidc/binding.h"
#include "records/values.h"
#include "server/call.h"
#include "server/methods.h"
#include "sso/bindings.h"

#define PAGE 100U /* of one reply */

static void put_strings_if(struct json_writer *w, const char *key, const struct string_list *list)
{
	if (!list->count)
		return;
	json_begin(w, key, '[');
	for (uint32_t i = 0; i < list->count; i++)
		json_put_string(w, NULL, list->items[i]);
	json_end(w, ']');
}

static void put_provider(const struct directory *d, struct json_writer *w, const struct idp_record *idp)
{
	const struct tenant_record *tenant = directory_tenant(d, idp->tenant_id);

	json_begin(w, NULL, '{');
	json_put_string(w, "id", idp->id);
	json_put_string_if(w, "tenant", tenant ? tenant->slug : NULL);
	json_put_string(w, "tenant_id", idp->tenant_id);
	json_put_string(w, "name", idp->name);
	json_put_string(w, "kind", value_idp_kind_words[idp->kind]);
	json_put_string(w, "issuer", idp->issuer);
	json_put_string(w, "client_id", idp->client_id);
	json_put_string(w, "client_auth", value_client_auth_words[idp->client_auth]);
	json_put_string(w, "bind", value_bind_words[idp->bind]);
	put_strings_if(w, "scopes", &idp->scopes);
	put_strings_if(w, "acr", &idp->acr);
	put_strings_if(w, "amr", &idp->amr);
	put_strings_if(w, "domains", &idp->domains);
	json_put_string_if(w, "hosted_domain", idp->hosted_domain);
	json_put_string_if(w, "token_audience", idp->token_audience);
	if (idp->max_age_sec)
		json_put_u64(w, "max_age", idp->max_age_sec);
	json_put_bool(w, "preferred", idp->preferred);
	json_put_bool(w, "from_feed", directory_from_feed(d, idp->tenant_id));
	json_end(w, '}');
}

int m_providers(struct call *call)
{
	struct {
		uint32_t from;
	} p = {0};
	static const struct json_field fields[] = {
		{"from", JSON_FIELD_U32, 0, JSON_FIELD_NULLABLE},
	};
	const struct directory *d = call->parts->directory;
	const struct idp_record *idp = NULL;
	struct json_writer *w;
	uint32_t count = 0;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &p) < 0)
		return 0;
	if (!d)
		return call_broken(call, NULL);
	w = call_reply(call);
	json_begin(w, "providers", '[');
	for (; count < PAGE && (idp = directory_next_idp(d, &p.from)); count++)
		put_provider(d, w, idp);
	json_end(w, ']');
	if (idp)
		json_put_u64(w, "next", p.from);
	return call_reply_end(call, false);
}

struct explain {
	const char *provider, *user, *subject, *email;
	bool email_verified;
};

static bool is_allowed(enum binding binding)
{
	return binding == BINDING_LISTED || binding == BINDING_OWN || binding == BINDING_FIRST;
}

/* Who else of the tenant is known by the identity: the directory's word stands before what was remembered. */
static const struct user_record *owner_of(const struct call *call, const struct idp_record *idp, const char *subject)
{
	const struct directory *d = call->parts->directory;
	const struct user_record *owner = directory_user_by_identity(d, idp->tenant_id, idp->issuer, subject);
	const char *id = owner || !call->parts->bindings
				 ? NULL
				 : bindings_user(call->parts->bindings, idp->tenant_id, idp->issuer, subject);

	return id ? directory_user(d, id) : owner;
}

int m_explain_identity(struct call *call)
{
	static const struct json_field fields[] = {
		{"provider", JSON_FIELD_STRING, offsetof(struct explain, provider), JSON_FIELD_REQUIRED},
		{"user", JSON_FIELD_STRING, offsetof(struct explain, user), JSON_FIELD_REQUIRED},
		{"subject", JSON_FIELD_STRING, offsetof(struct explain, subject), JSON_FIELD_REQUIRED},
		{"email", JSON_FIELD_STRING, offsetof(struct explain, email), JSON_FIELD_NULLABLE},
		{"email_verified", JSON_FIELD_BOOL, offsetof(struct explain, email_verified), JSON_FIELD_NULLABLE},
	};
	struct explain p = {.email = ""};
	const struct directory *d = call->parts->directory;
	const struct user_record *user, *owner;
	const struct idp_record *idp;
	struct oidc_identity identity = {0};
	const char *remembered = NULL;
	struct json_writer *w;
	enum binding binding;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &p) < 0)
		return 0;
	if (!d)
		return call_broken(call, NULL);
	if (!*p.subject || strlen(p.subject) >= sizeof(identity.subject))
		return call_invalid(call, "subject");
	if (strlen(p.email) >= sizeof(identity.email))
		return call_invalid(call, "email");
	idp = directory_idp(d, p.provider);
	user = directory_user_by_login(d, p.user);
	if (!user)
		user = directory_user(d, p.user);
	if (!idp || !user)
		return call_error(call, AGENT_ERROR_NOT_FOUND, "what", idp ? "user" : "provider");
	snprintf(identity.issuer, sizeof(identity.issuer), "%s", idp->issuer);
	snprintf(identity.subject, sizeof(identity.subject), "%s", p.subject);
	snprintf(identity.email, sizeof(identity.email), "%s", p.email);
	identity.email_verified = p.email_verified;
	if (call->parts->bindings)
		remembered = bindings_subject(call->parts->bindings, user->id, idp->issuer);
	owner = owner_of(call, idp, p.subject);
	binding = binding_decide(idp, user, remembered, owner, &identity);
	w = call_reply(call);
	json_put_bool(w, "allowed", is_allowed(binding));
	json_put_string(w, "binding", binding_word(binding));
	if (owner && owner != user)
		json_put_string(w, "owner", owner->login);
	return call_reply_end(call, false);
}
