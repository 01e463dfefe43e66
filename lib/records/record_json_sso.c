/* SPDX-License-Identifier: MIT
 *
 * Identity providers, identities, and what sudo wants to see.
 */
#include <errno.h>
#include <string.h>

#include "records/record_readers.h"
#include "records/rules.h"

struct idp_body {
	const char *name, *kind, *issuer, *client_id, *client_auth, *client_secret, *client_key, *hosted_domain,
		*token_audience, *bind;
	json_t *scopes, *acr, *amr, *domains;
	uint32_t max_age;
	bool preferred;
};
static const struct json_field idp_fields[] = {
	FIELD(idp_body, name, STRING, 0),           FIELD(idp_body, kind, STRING, NEEDED),
	FIELD(idp_body, issuer, STRING, NEEDED),    FIELD(idp_body, client_id, STRING, NEEDED),
	FIELD(idp_body, client_auth, STRING, 0),    FIELD(idp_body, client_secret, STRING, 0),
	FIELD(idp_body, client_key, STRING, 0),     FIELD(idp_body, scopes, STRINGS, 0),
	FIELD(idp_body, acr, STRINGS, 0),           FIELD(idp_body, amr, STRINGS, 0),
	FIELD(idp_body, domains, STRINGS, 0),       FIELD(idp_body, hosted_domain, STRING, 0),
	FIELD(idp_body, token_audience, STRING, 0), FIELD(idp_body, bind, STRING, 0),
	FIELD(idp_body, max_age, U32, 0),           FIELD(idp_body, preferred, BOOL, 0),
};

static int read_choices(const struct reading *in, const struct idp_body *body, struct idp_record *idp)
{
	uint32_t kind = IDP_OIDC, client_auth = IDP_CLIENT_NONE, bind = IDP_BIND_LISTED;
	int r = body_choice(in, "kind", value_idp_kind_words, body->kind, &kind);

	if (r == 0)
		r = body_choice(in, "client_auth", value_client_auth_words, body->client_auth, &client_auth);
	if (r == 0)
		r = body_choice(in, "bind", value_bind_words, body->bind, &bind);
	idp->kind = (enum idp_kind)kind;
	idp->client_auth = (enum idp_client_auth)client_auth;
	idp->bind = (enum idp_bind)bind;
	return r;
}

static int read_client(const struct reading *in, const struct idp_body *body, struct idp_record *idp)
{
	int r = body_text(in, "issuer", VALUE_ISSUER, body->issuer, &idp->issuer);

	if (r == 0)
		r = body_text(in, "client_id", VALUE_CLIENT_ID, body->client_id, &idp->client_id);
	if (r == 0)
		r = body_secret(in, "client_secret", VALUE_CLIENT_SECRET, body->client_secret, &idp->client_secret);
	return r < 0 ? r : body_secret(in, "client_key", VALUE_CLIENT_KEY, body->client_key, &idp->client_key);
}

static int read_name(const struct reading *in, const struct idp_body *body, struct idp_record *idp)
{
	char usual[RULES_IDP_NAME_MAX];
	const char *name = body->name && *body->name ? body->name : rules_idp_name(idp->kind, idp->issuer, usual);

	return body_text(in, "name", VALUE_TEXT, name, &idp->name);
}

int record_read_idp(const struct reading *in, void *record)
{
	struct idp_record *idp = record;
	struct idp_body body = {0};
	int r = body_fields(in, in->body, idp_fields, ARRAY_LEN(idp_fields), &body);

	if (r == 0)
		r = body_keep(in, in->id, &idp->id);
	if (r == 0)
		r = body_keep(in, in->tenant_id, &idp->tenant_id);
	if (r == 0)
		r = read_choices(in, &body, idp);
	if (r == 0)
		r = read_client(in, &body, idp);
	if (r == 0)
		r = read_name(in, &body, idp);
	if (r == 0)
		r = body_texts(in, "scopes", VALUE_SCOPE, body.scopes, &idp->scopes);
	if (r == 0)
		r = body_texts(in, "acr", VALUE_CLAIM, body.acr, &idp->acr);
	if (r == 0)
		r = body_texts(in, "amr", VALUE_CLAIM, body.amr, &idp->amr);
	if (r == 0)
		r = body_texts(in, "domains", VALUE_DOMAIN, body.domains, &idp->domains);
	if (r == 0)
		r = body_text(in, "hosted_domain", VALUE_DOMAIN, body.hosted_domain, &idp->hosted_domain);
	if (r == 0)
		r = body_text(in, "token_audience", VALUE_CLAIM, body.token_audience, &idp->token_audience);
	if (r < 0)
		return r;
	idp->max_age_sec = body.max_age;
	idp->preferred = body.preferred;
	return rules_idp(idp, in->problem);
}

struct identity_body {
	const char *issuer, *subject;
};
static const struct json_field identity_fields[] = {
	FIELD(identity_body, issuer, STRING, NEEDED),
	FIELD(identity_body, subject, STRING, NEEDED),
};

int record_read_identities(const struct reading *in, json_t *array, struct user_record *user)
{
	size_t count = json_array_size(array);
	int r = body_room(in, "identities", count, sizeof(*user->identities), &user->identities);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct identity_body body = {0};

		r = body_fields(in, json_view(json_array_get(array, i)), identity_fields, ARRAY_LEN(identity_fields),
				&body);
		if (r == 0)
			r = body_text(in, "issuer", VALUE_ISSUER, body.issuer, &user->identities[i].issuer);
		if (r == 0)
			r = body_text(in, "subject", VALUE_SUBJECT, body.subject, &user->identities[i].subject);
	}
	if (r < 0)
		return r;
	user->identity_count = (uint32_t)count;
	return rules_identities(user, in->problem);
}

#define WITHIN_LEFT_OUT UINT32_MAX
struct sudo_body {
	const char *proof;
	uint32_t within;
};
static const struct json_field sudo_fields[] = {
	FIELD(sudo_body, proof, STRING, NEEDED),
	FIELD(sudo_body, within, U32, 0),
};

int record_read_sudo(const struct reading *in, json_t *object, struct tenant_record *tenant)
{
	struct sudo_body body = {.within = WITHIN_LEFT_OUT};
	uint32_t proof = SUDO_PROOF_ALWAYS;
	int r = object ? body_fields(in, json_view(object), sudo_fields, ARRAY_LEN(sudo_fields), &body) : 0;

	if (r == 0)
		r = body_choice(in, "proof", value_sudo_words, body.proof, &proof);
	if (r < 0)
		return r;
	if (body.within == 0)
		return body_wrong(in, "within", "no time", "from one second to a day, in seconds");
	tenant->sudo_proof = (enum sudo_proof)proof;
	if (body.within != WITHIN_LEFT_OUT)
		tenant->sudo_within_sec = body.within;
	else if (tenant->sudo_proof == SUDO_PROOF_RECENT)
		tenant->sudo_within_sec = RULES_SUDO_WITHIN_SEC;
	return rules_sudo(tenant, in->problem);
}
