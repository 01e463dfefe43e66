/* SPDX-License-Identifier: MIT
 *
 * The directory file's tables about single sign-on, and about what sudo wants to see.
 */
#include <errno.h>
#include <string.h>

#include "directory/yaml_schema.h"
#include "records/rules.h"
#include "records/values.h"

#define AT(type, member) offsetof(struct type, member)

static const struct field sudo_fields[] = {
	{.name = "proof",
	 .type = FIELD_CHOICE,
	 .choices = value_sudo_words,
	 .required = true,
	 .offset = AT(tenant_record, sudo_proof)},
	{.name = "within", .type = FIELD_SECONDS, .offset = AT(tenant_record, sudo_within_sec)},
};

static int finish_sudo(struct loader *loader, void *record, yaml_mark_t start)
{
	struct tenant_record *tenant = record;
	struct problem problem = {0};

	if (tenant->sudo_proof == SUDO_PROOF_RECENT && tenant->sudo_within_sec == 0)
		tenant->sudo_within_sec = RULES_SUDO_WITHIN_SEC;
	return rules_sudo(tenant, &problem) < 0 ? schema_refuse_at(loader, start, &problem) : 0;
}

const struct schema schema_of_sudo = {
	.what = "sudo", .fields = sudo_fields, .count = ARRAY_LEN(sudo_fields), .finish = finish_sudo};

static const struct field identity_fields[] = {
	{.name = "issuer", .type = FIELD_ISSUER, .required = true, .offset = AT(identity_record, issuer)},
	{.name = "subject", .type = FIELD_SUBJECT, .required = true, .offset = AT(identity_record, subject)},
};
const struct schema schema_of_identity = {.what = "an identity",
					  .fields = identity_fields,
					  .count = ARRAY_LEN(identity_fields),
					  .size = sizeof(struct identity_record)};

static const struct field idp_fields[] = {
	{.name = "id", .type = FIELD_ID, .required = true, .offset = AT(idp_record, id)},
	{.name = "tenant", .type = FIELD_ID, .required = true, .offset = AT(idp_record, tenant_id)},
	{.name = "name", .type = FIELD_TEXT, .offset = AT(idp_record, name)},
	{.name = "kind",
	 .type = FIELD_CHOICE,
	 .choices = value_idp_kind_words,
	 .required = true,
	 .offset = AT(idp_record, kind)},
	{.name = "issuer", .type = FIELD_ISSUER, .required = true, .offset = AT(idp_record, issuer)},
	{.name = "client_id", .type = FIELD_CLIENT_ID, .required = true, .offset = AT(idp_record, client_id)},
	{.name = "client_auth",
	 .type = FIELD_CHOICE,
	 .choices = value_client_auth_words,
	 .offset = AT(idp_record, client_auth)},
	{.name = "client_secret", .type = FIELD_CLIENT_SECRET, .offset = AT(idp_record, client_secret)},
	{.name = "client_key", .type = FIELD_CLIENT_KEY, .offset = AT(idp_record, client_key)},
	{.name = "scopes", .type = FIELD_SCOPES, .offset = AT(idp_record, scopes)},
	{.name = "acr", .type = FIELD_CLAIMS, .offset = AT(idp_record, acr)},
	{.name = "amr", .type = FIELD_CLAIMS, .offset = AT(idp_record, amr)},
	{.name = "domains", .type = FIELD_DOMAINS, .offset = AT(idp_record, domains)},
	{.name = "hosted_domain", .type = FIELD_DOMAIN, .offset = AT(idp_record, hosted_domain)},
	{.name = "token_audience", .type = FIELD_CLAIM, .offset = AT(idp_record, token_audience)},
	{.name = "bind", .type = FIELD_CHOICE, .choices = value_bind_words, .offset = AT(idp_record, bind)},
	{.name = "max_age", .type = FIELD_SECONDS, .offset = AT(idp_record, max_age_sec)},
	{.name = "preferred", .type = FIELD_BOOL, .offset = AT(idp_record, preferred)},
};

static void default_idp(struct loader *loader, void *record)
{
	struct idp_record *idp = record;

	idp->name = idp->client_secret = idp->client_key = idp->hosted_domain = idp->token_audience = "";
}

static int finish_idp(struct loader *loader, void *record, yaml_mark_t start)
{
	struct idp_record *idp = record;
	struct problem problem = {0};
	char usual[RULES_IDP_NAME_MAX];

	if (rules_idp(idp, &problem) < 0)
		return schema_refuse_at(loader, start, &problem);
	if (*idp->name)
		return 0;
	rules_idp_name(idp->kind, idp->issuer, usual);
	return schema_intern(loader, usual, strlen(usual), &idp->name);
}

const struct schema schema_of_idp = {.what = "a provider",
				     .fields = idp_fields,
				     .count = ARRAY_LEN(idp_fields),
				     .size = sizeof(struct idp_record),
				     .defaults = default_idp,
				     .finish = finish_idp};
