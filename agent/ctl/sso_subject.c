/* SPDX-License-Identifier: MIT */
#include "ctl/sso_subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/agent_call.h"
#include "oidc/binding.h"
#include "records/values.h"

void sso_subject_finish(struct sso_subject *subject)
{
	provider_finish(&subject->given);
	directory_files_free(subject->files);
	json_decref(subject->answer);
	for (size_t i = 0; i < ARRAY_LEN(subject->lists); i++)
		free(subject->lists[i].items);
}

/* What a URL gives away of the kind. */
static enum idp_kind kind_of(const char *issuer)
{
	if (text_equal(issuer, "https://accounts.google.com"))
		return IDP_GOOGLE;
	if (text_equal(issuer, "https://github.com"))
		return IDP_GITHUB;
	return text_starts(issuer, "https://login.microsoftonline.com/") ? IDP_MICROSOFT : IDP_OIDC;
}

/* True: the files have it. That they do not load is another verb's to say. */
static bool find_in_files(const struct ctl *ctl, const char *id, struct sso_subject *subject)
{
	const struct directory_files_options options = {.path = ctl->file, .trust_any = true};
	const struct idp_record *idp = NULL;
	struct problem problem = {0};

	if (directory_files_new(&options, &subject->files) < 0)
		return false;
	if (directory_files_refresh(subject->files, &problem) >= 0)
		idp = directory_idp(directory_files_picture(subject->files), id);
	if (idp) {
		subject->idp = *idp;
		return true;
	}
	directory_files_free(TAKE_PTR(subject->files));
	return false;
}

static uint32_t number_of(const char *const *words, const char *word)
{
	struct value_fault fault;
	uint32_t number = 0;

	(void)value_choice(word, words, &number, &fault);
	return number;
}

static struct string_list take_list(struct string_list *keep, const json_t *provider, const char *key)
{
	const json_t *array = json_object_get(provider, key);
	size_t count = json_array_size(array);

	keep->items = calloc(count + 1, sizeof(*keep->items));
	for (size_t i = 0; keep->items && i < count; i++) {
		const char *item = json_string_value(json_array_get(array, i));

		keep->items[keep->count++] = item ? item : "";
	}
	return *keep;
}

static void take_provider(const json_t *provider, struct sso_subject *subject)
{
	subject->idp = (struct idp_record){
		.id = ctl_text(provider, "id"),
		.tenant_id = ctl_text(provider, "tenant_id"),
		.name = ctl_text(provider, "name"),
		.issuer = ctl_text(provider, "issuer"),
		.kind = (enum idp_kind)number_of(value_idp_kind_words, ctl_text(provider, "kind")),
		.client_id = ctl_text(provider, "client_id"),
		.client_auth =
			(enum idp_client_auth)number_of(value_client_auth_words, ctl_text(provider, "client_auth")),
		.client_secret = "",
		.client_key = "",
		.scopes = take_list(&subject->lists[0], provider, "scopes"),
		.acr = take_list(&subject->lists[1], provider, "acr"),
		.amr = take_list(&subject->lists[2], provider, "amr"),
		.domains = take_list(&subject->lists[3], provider, "domains"),
		.hosted_domain = ctl_text(provider, "hosted_domain"),
		.token_audience = ctl_text(provider, "token_audience"),
		.bind = (enum idp_bind)number_of(value_bind_words, ctl_text(provider, "bind")),
		.max_age_sec = (uint32_t)ctl_number(provider, "max_age"),
	};
}

/* The agent's word, without the secrets. */
static int find_at_agent(struct ctl *ctl, const char *id, struct sso_subject *subject)
{
	int64_t from = 0;

	for (;;) {
		_cleanup_(ctl_call_finish) struct ctl_call call = {0};
		const json_t *provider;
		size_t i;
		int code = ctl_call_begin(&call, ctl, "Providers", false);

		if (code >= 0)
			return code;
		if (from)
			json_put_i64(&call.writer.json, "from", from);
		code = ctl_call_end(&call);
		if (code >= 0)
			return code;
		json_array_foreach(json_object_get(call.reply.parameters, "providers"), i,
				   provider) if (text_equal(ctl_text(provider, "id"), id))
		{
			subject->answer = json_incref((json_t *)(uintptr_t)provider);
			take_provider(subject->answer, subject);
			return -1;
		}
		if (ctl_number(call.reply.parameters, "next") <= from)
			break;
		from = ctl_number(call.reply.parameters, "next");
	}
	return ctl_fail(ctl, CTL_NO, "there is no provider \"%s\"; `tenantctl sso providers` lists them", id);
}

static int check_secret(const struct ctl *ctl, const struct idp_record *idp)
{
	if (idp->client_auth == IDP_CLIENT_NONE || *idp->client_secret || *idp->client_key)
		return -1;
	return ctl_fail(ctl, CTL_USAGE,
			"the client proves itself by %s, and what comes by a feed is shown to nobody: give %s",
			value_client_auth_words[idp->client_auth],
			idp->client_auth == IDP_CLIENT_PRIVATE_KEY_JWT ? "--key-file" : "--secret-file");
}

int sso_subject_find(struct ctl *ctl, const char *word, const char *user, struct sso_subject *subject)
{
	int code = -1;

	subject->idp = (struct idp_record){.id = "",
					   .tenant_id = "",
					   .name = "",
					   .issuer = "",
					   .client_id = "",
					   .client_secret = "",
					   .client_key = "",
					   .hosted_domain = "",
					   .token_audience = ""};
	if (strstr(word, "://")) {
		if (user)
			return ctl_fail(ctl, CTL_USAGE,
					"--user needs a provider's id, since the provider's record says who is let in");
		if (subject->given.issuer && !text_equal(subject->given.issuer, word))
			return ctl_fail(ctl, CTL_USAGE, "two issuers");
		subject->given.issuer = word;
		subject->idp.kind = kind_of(word);
		if (subject->given.client_id)
			subject->idp.tenant_id = subject->given.client_id; /* that is what it is at a control plane */
	} else if (!find_in_files(ctl, word, subject)) {
		code = find_at_agent(ctl, word, subject);
	}
	if (code < 0)
		code = provider_apply(ctl, &subject->given, &subject->idp, false);
	return code < 0 ? check_secret(ctl, &subject->idp) : code;
}

static int ask_agent(struct ctl *ctl, const struct sso_subject *subject, const char *user,
		     const struct oidc_identity *identity, struct sso_verdict *ret)
{
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int code = ctl_call_begin(&call, ctl, "ExplainIdentity", false);

	if (code >= 0)
		return code;
	json_put_string(&call.writer.json, "provider", subject->idp.id);
	json_put_string(&call.writer.json, "user", user);
	json_put_string(&call.writer.json, "subject", identity->subject);
	json_put_string(&call.writer.json, "email", identity->email);
	json_put_bool(&call.writer.json, "email_verified", identity->email_verified);
	code = ctl_call_end(&call);
	if (code >= 0)
		return code;
	snprintf(ret->word, sizeof(ret->word), "%s", ctl_text(call.reply.parameters, "binding"));
	snprintf(ret->owner, sizeof(ret->owner), "%s", ctl_text(call.reply.parameters, "owner"));
	ret->allowed = json_is_true(json_object_get(call.reply.parameters, "allowed"));
	return -1;
}

static int ask_files(struct ctl *ctl, const struct sso_subject *subject, const char *name,
		     const struct oidc_identity *identity, struct sso_verdict *ret)
{
	const struct directory *d = directory_files_picture(subject->files);
	const struct user_record *user = directory_user_by_login(d, name), *owner;
	enum binding binding;

	if (!user)
		user = directory_user(d, name);
	if (!user)
		return ctl_fail(ctl, CTL_NO, "there is no user \"%s\"", name);
	owner = directory_user_by_identity(d, subject->idp.tenant_id, identity->issuer, identity->subject);
	binding = binding_decide(&subject->idp, user, NULL, owner, identity);
	snprintf(ret->word, sizeof(ret->word), "%s", binding_word(binding));
	snprintf(ret->owner, sizeof(ret->owner), "%s", owner && owner != user ? owner->login : "");
	ret->allowed = binding == BINDING_LISTED || binding == BINDING_OWN || binding == BINDING_FIRST;
	ret->agent_away = true;
	return -1;
}

int sso_judge(struct ctl *ctl, const struct sso_subject *subject, const char *user,
	      const struct oidc_identity *identity, struct sso_verdict *ret)
{
	/* systemd's socket is there before and between runs of the agent: then asking starts it. */
	if (subject->files && access(ctl->socket, F_OK) < 0)
		return ask_files(ctl, subject, user, identity, ret);
	return ask_agent(ctl, subject, user, identity, ret);
}
