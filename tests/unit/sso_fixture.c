/* SPDX-License-Identifier: MIT */
#include "sso_fixture.h"

#include <stdio.h>
#include <string.h>

#include "directory_fixture.h"
#include "unit.h"

struct sso_fake fake;
struct login_sso sso;
static char *yaml;

static const char providers[] =
	"providers:\n"
	"  - {id: idp_staff, tenant: ten_acme, name: Staff, kind: oidc, issuer: https://staff.example, client_id: "
	"hosts, bind: verified_email, domains: [acme.example]}\n"
	"  - {id: idp_other, tenant: ten_beta, name: Another, kind: oidc, issuer: https://other.example, client_id: "
	"hosts}\n"
	"  - {id: idp_beta, tenant: ten_beta, name: Beta login, kind: oidc, issuer: https://beta.example, client_id: "
	"hosts, preferred: true}\n";

static int start_flow(void *context, uint64_t flow, const struct idp_record *idp)
{
	assert_ptr_equal(context, &fake);
	fake.started++;
	fake.flow = flow;
	snprintf(fake.idp, sizeof(fake.idp), "%s", idp->id);
	return fake.start_result;
}

static void cancel_flow(void *context, uint64_t flow)
{
	fake.cancelled++;
	fake.cancelled_flow = flow;
}

static const char *remembered(void *context, const char *user_id, const char *issuer)
{
	for (unsigned i = 0; i < fake.remembered_count; i++)
		if (strcmp(fake.bound[i].user, user_id) == 0 && strcmp(fake.bound[i].issuer, issuer) == 0)
			return fake.bound[i].subject;
	return NULL;
}

static const char *owner(void *context, const char *tenant_id, const char *issuer, const char *subject)
{
	for (unsigned i = 0; i < fake.remembered_count; i++)
		if (strcmp(fake.bound[i].subject, subject) == 0 && strcmp(fake.bound[i].issuer, issuer) == 0)
			return fake.bound[i].user;
	return NULL;
}

static int remember(void *context, const char *tenant_id, const char *user_id, const char *issuer, const char *subject)
{
	if (fake.remember_result < 0)
		return fake.remember_result;
	assert_true(fake.remembered_count < ARRAY_LEN(fake.bound));
	snprintf(fake.bound[fake.remembered_count].user, sizeof(fake.bound[0].user), "%s", user_id);
	snprintf(fake.bound[fake.remembered_count].issuer, sizeof(fake.bound[0].issuer), "%s", issuer);
	snprintf(fake.bound[fake.remembered_count++].subject, sizeof(fake.bound[0].subject), "%s", subject);
	return 0;
}

static void change(const char *from, const char *to)
{
	char *text = replaced(yaml, from, to);

	free(yaml);
	yaml = text;
}

static void load_yaml(void)
{
	directory_unref(d);
	d = fixture_load("gpu-1", yaml);
}

int sso_setup(void **state)
{
	assert_int_equal(setup(state), 0);
	free(yaml);
	assert_true(asprintf(&yaml, "%s%skeys:\n%s%s", fixture_yaml, providers, alices.yaml, ediths.yaml) > 0);
	change("    uid: 1879048210\n", "    uid: 1879048210\n    email: alice@acme.example\n    identities: [{issuer: "
					"https://staff.example, subject: sub-alice}]\n");
	change("login: edith,", "login: edith, email: edith@acme.example,");
	change("login: mallory,", "login: mallory, email: mallory@acme.example,");
	change("login: ann,", "login: ann, email: ann@elsewhere.example,");
	change("login: gone,", "login: gone, email: gone@acme.example,");
	change("email: bert@beta.example", "email: bert@beta.example, identities: [{issuer: https://beta.example, "
					   "subject: \"7\"}]");
	load_yaml();
	fake = (struct sso_fake){0};
	sso = (struct login_sso){.start = start_flow,
				 .cancel = cancel_flow,
				 .remembered = remembered,
				 .owner = owner,
				 .remember = remember,
				 .context = &fake};
	login_book_set_sso(book, &sso);
	return 0;
}

void sso_reload(const char *from, const char *to)
{
	change(from, to);
	load_yaml();
}

void sso_no_directory(void)
{
	directory_unref(d);
	d = NULL;
}

struct login_reply sso_begin(const char *user)
{
	struct login_origin origin = from_ssh(user);
	struct login_reply reply = start(&origin);

	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_false(reply.echo);
	assert_string_equal(reply.text, "API key (Enter for single sign-on): ");
	return answer(reply.token, "");
}

bool sso_code(struct login_reply *ret)
{
	struct device_answer device = {.device_code = "secret",
				       .user_code = "WDJB-MJHT",
				       .uri = "https://staff.example/device",
				       .uri_complete = "https://staff.example/device?user_code=WDJB-MJHT",
				       .expires_in = 600,
				       .interval = 5};
	uint64_t whose = 0;
	bool waited = login_flow_prompt(book, d, fake.flow, &device, now, ret, &whose);

	if (waited)
		assert_int_equal(whose, OWNER);
	return waited;
}

bool sso_done(const struct flow_result *result, struct login_reply *ret)
{
	uint64_t whose = 0;
	bool waited = login_flow_done(book, d, fake.flow, result, now, today, ret, &whose);

	if (waited)
		assert_int_equal(whose, OWNER);
	return waited;
}

bool sso_tick(struct login_reply *ret)
{
	uint64_t whose = 0;
	bool waited = login_flow_tick(book, d, now, ret, &whose);

	if (waited) {
		assert_int_equal(whose, OWNER);
		assert_false(login_flow_tick(book, d, now, &(struct login_reply){0}, &whose)); /* one alone waits */
	}
	return waited;
}

struct flow_result sso_proven(const char *issuer, const char *subject, const char *email)
{
	struct flow_result result = {.end = FLOW_PROVEN};

	snprintf(result.identity.issuer, sizeof(result.identity.issuer), "%s", issuer);
	snprintf(result.identity.subject, sizeof(result.identity.subject), "%s", subject);
	snprintf(result.identity.email, sizeof(result.identity.email), "%s", email);
	result.identity.email_verified = *email != '\0';
	return result;
}

struct flow_result sso_ended(enum flow_end end, const char *detail)
{
	struct flow_result result = {.end = end};

	snprintf(result.detail, sizeof(result.detail), "%s", detail);
	return result;
}

void sso_to_code(const char *user, char token[LOGIN_TOKEN_CHARS + 1])
{
	struct login_reply reply = sso_begin(user);

	assert_int_equal(reply.step, LOGIN_PENDING);
	assert_true(sso_code(&reply));
	assert_int_equal(reply.step, LOGIN_PROMPT);
	assert_true(reply.echo);
	memcpy(token, reply.token, LOGIN_TOKEN_CHARS + 1);
}

enum reason sso_account(const char *user, const char *token)
{
	struct login_origin origin = from_ssh(user);

	return authorize(&origin, token, "").reason;
}
