/* SPDX-License-Identifier: MIT */
#include "ctl/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/parse.h"
#include "records/rules.h"
#include "records/values.h"

#define SECRET_FILE_MAX 16384U

void provider_finish(struct provider *provider)
{
	ctl_list_finish(&provider->scopes);
	ctl_list_finish(&provider->acr);
	ctl_list_finish(&provider->amr);
	ctl_list_finish(&provider->domains);
	buffer_finish(&provider->secret);
	buffer_finish(&provider->key);
}

size_t provider_options(struct provider *p, struct ctl_option out[PROVIDER_OPTIONS_MAX])
{
	const struct ctl_option all[] = {
		{"issuer", "URL", "as in the tokens' \"iss\" (Google's and GitHub's are known)", .value = &p->issuer},
		{"client-id", "ID", "what this fleet is called there", .value = &p->client_id},
		{"secret-file", "FILE", "its client secret; - reads standard input", .value = &p->secret_file},
		{"key-file", "FILE", "a private JWK to sign with instead; - reads standard input",
		 .value = &p->key_file},
		{"client-auth", "HOW", "none, client_secret_basic, client_secret_post or private_key_jwt",
		 .value = &p->client_auth},
		{"scopes", "WORDS", "what is asked for (default: what the kind needs)", .list = &p->scopes},
		{"acr", "WORDS", "the token must say one of these", .list = &p->acr},
		{"amr", "WORDS", "the token must say all of these, such as mfa", .list = &p->amr},
		{"hosted-domain", "DOMAIN", "the token's \"hd\" (Google Workspace)", .value = &p->hosted_domain},
		{"bind", "HOW", "listed (default) or verified_email", .value = &p->bind},
		{"domains", "DOMAINS", "of the tenant's own addresses, for verified_email", .list = &p->domains},
		{"token-audience", "TEXT", "its access tokens for this audience are credentials",
		 .value = &p->token_audience},
		{"max-age", "SPAN", "how long ago people may have proved themselves there, like 8h",
		 .value = &p->max_age},
		{"name", "TEXT", "what people read (default: Google, …, or the issuer's host)", .value = &p->name},
		{"preferred", NULL, "taken where the person does not choose", .flag = &p->preferred},
	};
	_Static_assert(ARRAY_LEN(all) <= PROVIDER_OPTIONS_MAX, "they fit");

	p->secret.wipe = p->key.wipe = true;
	memcpy(out, all, sizeof(all));
	return ARRAY_LEN(all);
}

static int refuse(const struct ctl *ctl, const char *option, const char *text, const struct value_fault *fault)
{
	struct problem problem = {0};

	value_refuse(&problem, option, text, text ? strlen(text) : 0, fault);
	return ctl_fail_problem(ctl, CTL_USAGE, &problem);
}

/* NULL: *ret stays. */
static int take(const struct ctl *ctl, const char *option, enum value_kind kind, const char *text, const char **ret)
{
	struct value_fault fault;

	if (!text)
		return -1;
	if (value_check(kind, text, strlen(text), &fault) < 0)
		return refuse(ctl, option, text, &fault);
	*ret = text;
	return -1;
}

static int take_list(const struct ctl *ctl, const char *option, enum value_kind kind, const struct ctl_list *list,
		     struct string_list *ret)
{
	const char *ignored;

	for (size_t i = 0; i < list->count; i++) {
		int code = take(ctl, option, kind, list->items[i], &ignored);

		if (code >= 0)
			return code;
	}
	if (list->count)
		*ret = (struct string_list){.items = list->items, .count = (uint32_t)list->count};
	return -1;
}

static int take_choice(const struct ctl *ctl, const char *option, const char *const *words, const char *text,
		       uint32_t *ret)
{
	struct value_fault fault;

	return !text || value_choice(text, words, ret, &fault) == 0 ? -1 : refuse(ctl, option, text, &fault);
}

static int read_input(struct buffer *ret)
{
	ssize_t n;

	do {
		char *room = buffer_reserve(ret, 4096);

		if (!room)
			return -ENOMEM;
		n = read(STDIN_FILENO, room, 4096);
		if (n > 0)
			ret->length += (size_t)n;
	} while ((n > 0 && ret->length <= SECRET_FILE_MAX) || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	return ret->length > SECRET_FILE_MAX ? -EFBIG : 0;
}

/* A file's content without the newline at its end. */
static int read_secret(const struct ctl *ctl, const char *path, struct buffer *ret)
{
	struct stat st = {0};
	int r = strcmp(path, "-") == 0 ? read_input(ret)
				       : file_read(AT_FDCWD, path, SECRET_FILE_MAX, FILE_TRUST_ANY, 0, ret, &st);

	if (r < 0)
		return ctl_fail(ctl, CTL_BROKEN, "%s: %s", path, strerrordesc_np(-r));
	if (st.st_mode & S_IRWXO)
		ctl_warn(ctl, "%s can be read by everybody on this machine; chmod 600 it, or delete it now", path);
	while (ret->length > 0 && (ret->data[ret->length - 1] == '\n' || ret->data[ret->length - 1] == '\r'))
		ret->length--;
	return buffer_text(ret) ? -1 : ctl_fail(ctl, CTL_BROKEN, "out of memory");
}

static int take_secret(const struct ctl *ctl, const char *option, enum value_kind kind, const char *path,
		       struct buffer *buffer, const char **ret)
{
	struct value_fault fault;
	int code;

	if (!path)
		return -1;
	code = read_secret(ctl, path, buffer);
	if (code >= 0)
		return code;
	if (memchr(buffer->data, '\0', buffer->length) || value_check(kind, buffer->data, buffer->length, &fault) < 0) {
		fault.secret = true;
		return refuse(ctl, option, NULL, &fault);
	}
	*ret = buffer->data;
	return -1;
}

/* What goes without saying about how the client proves itself. */
static int take_client(const struct ctl *ctl, struct provider *p, struct idp_record *idp)
{
	uint32_t client_auth = idp->client_auth;
	int code;

	if (p->secret_file && p->key_file)
		return ctl_fail(ctl, CTL_USAGE, "a client has either a secret or a key");
	if (p->secret_file)
		idp->client_key = "";
	if (p->key_file)
		idp->client_secret = "";
	code = take_secret(ctl, "secret-file", VALUE_CLIENT_SECRET, p->secret_file, &p->secret, &idp->client_secret);
	if (code < 0)
		code = take_secret(ctl, "key-file", VALUE_CLIENT_KEY, p->key_file, &p->key, &idp->client_key);
	if (code >= 0)
		return code;
	if (p->key_file)
		client_auth = IDP_CLIENT_PRIVATE_KEY_JWT;
	else if (p->secret_file && (client_auth == IDP_CLIENT_NONE || client_auth == IDP_CLIENT_PRIVATE_KEY_JWT))
		client_auth = idp->kind == IDP_GOOGLE || idp->kind == IDP_GITHUB ? IDP_CLIENT_SECRET_POST
										 : IDP_CLIENT_SECRET_BASIC;
	code = take_choice(ctl, "client-auth", value_client_auth_words, p->client_auth, &client_auth);
	idp->client_auth = (enum idp_client_auth)client_auth;
	if (idp->client_auth == IDP_CLIENT_NONE && p->client_auth)
		idp->client_secret = idp->client_key = "";
	return code;
}

static int take_kind(const struct ctl *ctl, const struct provider *p, struct idp_record *idp)
{
	uint32_t kind = idp->kind, bind = idp->bind;
	uint64_t seconds;
	int code = take_choice(ctl, "kind", value_idp_kind_words, p->kind, &kind);

	if (code < 0)
		code = take_choice(ctl, "bind", value_bind_words, p->bind, &bind);
	if (code >= 0)
		return code;
	idp->kind = (enum idp_kind)kind;
	idp->bind = (enum idp_bind)bind;
	if (p->max_age) {
		if (parse_duration(p->max_age, &seconds) < 0 || seconds > UINT32_MAX)
			return ctl_fail(ctl, CTL_USAGE, "--max-age \"%s\" is not a span of time such as 15min or 8h",
					p->max_age);
		idp->max_age_sec = (uint32_t)seconds;
	}
	return -1;
}

static int take_values(const struct ctl *ctl, const struct provider *p, struct idp_record *idp)
{
	int code = take(ctl, "issuer", VALUE_ISSUER, p->issuer, &idp->issuer);

	if (code < 0)
		code = take(ctl, "client-id", VALUE_CLIENT_ID, p->client_id, &idp->client_id);
	if (code < 0)
		code = take(ctl, "name", VALUE_TEXT, p->name, &idp->name);
	if (code < 0)
		code = take(ctl, "hosted-domain", VALUE_DOMAIN, p->hosted_domain, &idp->hosted_domain);
	if (code < 0)
		code = take(ctl, "token-audience", VALUE_CLAIM, p->token_audience, &idp->token_audience);
	if (code < 0)
		code = take_list(ctl, "scopes", VALUE_SCOPE, &p->scopes, &idp->scopes);
	if (code < 0)
		code = take_list(ctl, "acr", VALUE_CLAIM, &p->acr, &idp->acr);
	if (code < 0)
		code = take_list(ctl, "amr", VALUE_CLAIM, &p->amr, &idp->amr);
	return code < 0 ? take_list(ctl, "domains", VALUE_DOMAIN, &p->domains, &idp->domains) : code;
}

int provider_apply(const struct ctl *ctl, struct provider *p, struct idp_record *idp, bool strict)
{
	char usual[RULES_IDP_NAME_MAX] = "";
	struct problem problem = {0};
	int code;

	if (*idp->issuer)
		rules_idp_name(idp->kind, idp->issuer, usual);
	if (strcmp(idp->name, usual) == 0)
		idp->name = "";
	code = take_kind(ctl, p, idp);
	if (code < 0 && !*idp->issuer && !p->issuer && idp->kind == IDP_GOOGLE)
		idp->issuer = "https://accounts.google.com";
	if (code < 0 && !*idp->issuer && !p->issuer && idp->kind == IDP_GITHUB)
		idp->issuer = "https://github.com";
	if (code < 0)
		code = take_values(ctl, p, idp);
	if (code < 0 && idp->kind == IDP_TENANTD && !*idp->client_id)
		idp->client_id = idp->tenant_id;
	if (code < 0 && !*idp->issuer)
		return ctl_fail(ctl, CTL_USAGE,
				"which provider? give --issuer, the URL that its tokens name as \"iss\"");
	if (code < 0 && !*idp->client_id)
		return ctl_fail(ctl, CTL_USAGE,
				"which client? give --client-id, as the provider's console shows it (a client for "
				"\"devices\" or \"limited input\")");
	if (code < 0)
		code = take_client(ctl, p, idp);
	if (code >= 0)
		return code;
	if (!*idp->name)
		idp->name = rules_idp_name(idp->kind, idp->issuer, p->made_name);
	idp->preferred |= p->preferred;
	if (strict && rules_idp(idp, &problem) < 0)
		return ctl_fail_problem(ctl, CTL_NO, &problem);
	return -1;
}
