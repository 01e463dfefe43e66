/* SPDX-License-Identifier: MIT
 *
 * Providers, identities and sudo's proof in directory files: what is taken, what is refused and where it says so, and
 * that no edit harms them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "directory/edit.h"
#include "directory/unit.h"
#include "directory/yaml_load.h"
#include "directory_fixture.h"

#define GOOGLE "https://accounts.google.com"
#define STAFF "https://login.acme.example/realms/staff"
#define SUBJECT "110169484474386276334"

static void test_sample(void **state)
{
	struct unit *unit = load_text("f", sample_directory);
	const struct record_set *r = unit_records(unit);
	const struct idp_record *google = &r->idps[0], *staff = &r->idps[1], *beta = &r->idps[2];

	assert_int_equal(r->idp_count, 3);
	assert_string_equal(google->id, "idp_google");
	assert_string_equal(google->tenant_id, "ten_acme");
	assert_string_equal(google->name, "Google");
	assert_int_equal(google->kind, IDP_GOOGLE);
	assert_int_equal(google->client_auth, IDP_CLIENT_SECRET_POST);
	assert_string_equal(google->client_secret, "GOCSPX: a # b");
	assert_string_equal(google->client_key, "");
	assert_int_equal(google->bind, IDP_BIND_VERIFIED_EMAIL);
	assert_int_equal(google->domains.count, 2);
	assert_string_equal(google->hosted_domain, "acme.example");
	assert_true(google->preferred);
	assert_string_equal(staff->name, "Staff login");
	assert_int_equal(staff->scopes.count, 3);
	assert_string_equal(staff->acr.items[1], "urn:acme:gold");
	assert_string_equal(staff->amr.items[0], "mfa");
	assert_string_equal(staff->token_audience, "https://hosts.acme.example");
	assert_int_equal(staff->max_age_sec, 8 * 3600);
	assert_int_equal(staff->client_auth, IDP_CLIENT_NONE);
	assert_false(staff->preferred);
	assert_string_equal(beta->name, "GitHub");
	assert_int_equal(beta->bind, IDP_BIND_LISTED);
	assert_int_equal(r->tenants[0].sudo_proof, SUDO_PROOF_ALWAYS);
	assert_int_equal(r->tenants[0].sudo_within_sec, 0);
	assert_int_equal(r->tenants[1].sudo_proof, SUDO_PROOF_RECENT);
	assert_int_equal(r->tenants[1].sudo_within_sec, 300);
	assert_int_equal(r->users[0].identity_count, 0);
	assert_int_equal(r->users[1].identity_count, 2);
	assert_string_equal(r->users[1].identities[0].subject, SUBJECT);
	assert_string_equal(r->users[1].identities[1].issuer, STAFF);
	unit_unref(unit);
}

/* A private key as JWK: its numbers need not belong together here. */
#define B32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define EC_KEY                                                                                           \
	"{\\\"kty\\\":\\\"EC\\\",\\\"crv\\\":\\\"P-256\\\",\\\"x\\\":\\\"" B32 "\\\",\\\"y\\\":\\\"" B32 \
	"\\\",\\\"d\\\":\\\"" B32 "\\\"}"

#define IDP(more) \
	"providers:\n  - {id: idp_a, tenant: ten_a, kind: oidc, issuer: https://i.example, client_id: c" more "}\n"
#define OF_KIND(kind, issuer, more) \
	"providers:\n  - {id: idp_a, tenant: ten_a, kind: " kind ", issuer: \"" issuer "\", client_id: c" more "}\n"
#define ISSUER(text) "providers:\n  - {issuer: \"" text "\"}\n"
#define TENANT(more)                                                                                     \
	"tenants:\n  - {id: ten_a, slug: a, gid: 1879048192, ids: {first: 1879048192, count: 10, next: " \
	"1879048200}, " more "}\n"
#define IDENTITIES(list) "users:\n  - {id: usr_a, tenant: ten_a, login: al, uid: 1879048199, identities: [" list "]}\n"
#define AT_RECORD "f:3:5: "

/* NULL: it loads. */
static const struct {
	const char *text, *problem;
} files[] = {
	{IDP(""), NULL},
	{"provider: []\n", "f:2:1: unknown key \"provider\" (did you mean \"providers\"?)"},
	{"providers: {}\n", "f:2:12: \"providers\" must be a list"},
	{"providers:\n  - {id: idp_a, tenant: ten_a, issuer: https://i.example, client_id: c}\n",
	 AT_RECORD "a provider needs \"kind\" (add it)"},
	{"providers:\n  - {id: idp_a, tenant: ten_a, kind: oidc, client_id: c}\n",
	 AT_RECORD "a provider needs \"issuer\""},
	{"providers:\n  - {id: idp_a, tenant: ten_a, kind: oidc, issuer: https://i.example}\n",
	 AT_RECORD "a provider needs \"client_id\""},
	{"providers:\n  - {kind: okta}\n", "f:3:12: \"kind\" is none of the words it may be: \"okta\" (write "
					   "\"oidc\" or \"google\" or \"microsoft\" or \"github\" or \"tenantd\")"},
	{"providers:\n  - {kind: gogle}\n", "f:3:12: \"kind\" is none of the words it may be: \"gogle\" (did you mean "
					    "\"google\"?)"},
	{"providers:\n  - {client_secrets: x}\n",
	 "f:3:6: unknown key \"client_secrets\" in a provider (did you mean \"client_secret\"?)"},

	/* issuers */
	{ISSUER("i.example"),
	 "f:3:14: \"issuer\" is not an https URL: \"i.example\" (write it as the provider's tokens"},
	{ISSUER("ftp://i.example"), "f:3:14: \"issuer\" is not an https URL"},
	{ISSUER("http://i.example"), "f:3:14: \"issuer\" is not an https URL: \"http://i.example\" (http:// is for a "
				     "provider on this machine only)"},
	{ISSUER("http://127.0.0.1.evil.example"), "f:3:14: \"issuer\" is not an https URL"},
	{ISSUER("http://localhost:99@evil.example"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https:///path"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://user@i.example"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://user:pass@i.example"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://i.example:port"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://i.example:443443"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://[::1"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://i.example?x=1"), "f:3:14: \"issuer\" is not the URL of a host"},
	{ISSUER("https://i.example/?x=1"), "f:3:14: \"issuer\" is a URL with a query"},
	{ISSUER("https://i.example/#x"), "f:3:14: \"issuer\" is a URL with a query"},
	{ISSUER("https://i.example/a b"), "f:3:14: \"issuer\" is not an https URL"},
	{ISSUER("https://i.example/\\u00e9"), "f:3:14: \"issuer\" is not an https URL"},
	{ISSUER("https://i.example/\\n"), "f:3:14: \"issuer\" is not an https URL: \"https://i.example/\\x0a\""},
	{OF_KIND("oidc", "https://[2001:db8::1]:8443/a/", ""), NULL},
	{OF_KIND("oidc", "http://127.0.0.1:8080", ""), NULL},
	{OF_KIND("oidc", "http://[::1]:8080/x", ""), NULL},

	/* values */
	{"providers:\n  - {client_id: \"a\\tb\"}\n", "f:3:17: \"client_id\" is not a client id"},
	{"providers:\n  - {scopes: [\"a b\"]}\n",
	 "f:3:15: \"scopes\" is not a scope: \"a b\" (one word each, like openid)"},
	{"providers:\n  - {scopes: openid}\n", "f:3:14: \"scopes\" must be a list"},
	{"providers:\n  - {acr: [\"\"]}\n", "f:3:12: \"acr\" is not a value that a token may have"},
	{"providers:\n  - {domains: [Acme.example]}\n",
	 "f:3:16: \"domains\" is not a domain: \"Acme.example\" (write it in small letters, like example.com)"},
	{"providers:\n  - {domains: [acme]}\n", "f:3:16: \"domains\" is not a domain"},
	{"providers:\n  - {domains: [\".acme.example\"]}\n", "f:3:16: \"domains\" is not a domain"},
	{"providers:\n  - {domains: [\"acme.example.\"]}\n", "f:3:16: \"domains\" is not a domain"},
	{"providers:\n  - {domains: [\"-a.example\"]}\n", "f:3:16: \"domains\" is not a domain"},
	{"providers:\n  - {domains: [\"a-.example\"]}\n", "f:3:16: \"domains\" is not a domain"},
	{"providers:\n  - {domains: [\"*.example\"]}\n", "f:3:16: \"domains\" is not a domain"},
	{"providers:\n  - {hosted_domain: \"a@b.example\"}\n", "f:3:21: \"hosted_domain\" is not a domain"},
	{"providers:\n  - {preferred: yes}\n", "f:3:17: \"preferred\" is neither true nor false"},
	{"providers:\n  - {preferred: \"true\"}\n", "f:3:17: \"preferred\" is neither true nor false"},
	{"providers:\n  - {max_age: 8}\n", "f:3:15: \"max_age\" is not a span of time: \"8\" (write it like 15min, 8h"},
	{"providers:\n  - {max_age: 0s}\n", "f:3:15: \"max_age\" is not a span of time"},
	{"providers:\n  - {name: \"a\\eb\"}\n", "f:3:12: \"name\" is too long, or has invisible characters in it"},

	/* how the client proves itself */
	{IDP(", client_auth: client_secret_basic, client_secret: s"), NULL},
	{IDP(", client_auth: private_key_jwt, client_key: \"" EC_KEY "\""), NULL},
	{IDP(", client_secret: s"),
	 AT_RECORD "there is a client_secret, but \"client_auth\" does not say how it is sent (set it to "
		   "client_secret_basic or client_secret_post)"},
	{IDP(", client_key: \"" EC_KEY "\""), AT_RECORD "there is a client_key, but \"client_auth\" does not say"},
	{IDP(", client_auth: client_secret_post"),
	 AT_RECORD "this \"client_auth\" needs a client_secret and no client_key (add client_secret"},
	{IDP(", client_auth: client_secret_post, client_secret: s, client_key: \"" EC_KEY "\""),
	 AT_RECORD "this \"client_auth\" needs a client_secret and no client_key"},
	{IDP(", client_auth: private_key_jwt, client_secret: s"),
	 AT_RECORD "\"client_auth\" private_key_jwt needs a client_key and no client_secret"},
	{IDP(", client_auth: private_key_jwt, client_secret: s, client_key: \"" EC_KEY "\""),
	 AT_RECORD "\"client_auth\" private_key_jwt needs a client_key and no client_secret"},
	{IDP(", client_auth: tls_client_auth"), "f:3:98: \"client_auth\" is none of the words it may be"},
	{"providers:\n  - {client_secret: \"\"}\n", "f:3:21: \"client_secret\" is not a client secret (copy it"},
	{"providers:\n  - {client_secret: \"a\\nb\"}\n", "f:3:21: \"client_secret\" is not a client secret (copy it"},
	{"providers:\n  - {client_key: hunter2}\n",
	 "f:3:18: \"client_key\" is not a private key as JWK (a JSON object"},
	{"providers:\n  - {client_key: {kty: EC}}\n", "f:3:18: \"client_key\" must be a single value, not a mapping"},
	{"providers:\n  - {client_key: \"{\\\"kty\\\":\\\"oct\\\",\\\"k\\\":\\\"" B32 "\\\"}\"}\n",
	 "f:3:18: \"client_key\" is not a private key as JWK"},
	{"providers:\n  - {client_key: \"{\\\"kty\\\":\\\"EC\\\",\\\"crv\\\":\\\"P-256\\\",\\\"x\\\":\\\"" B32
	 "\\\",\\\"y\\\":\\\"" B32 "\\\"}\"}\n",
	 "f:3:18: \"client_key\" is not a private key as JWK"},
	{"providers:\n  - {client_key: \"{\\\"kty\\\":\\\"RSA\\\",\\\"n\\\":\\\"" B32
	 "\\\",\\\"e\\\":\\\"AQAB\\\",\\\"d\\\":\\\"" B32 "\\\"}\"}\n",
	 "f:3:18: \"client_key\" is not a private key as JWK"},

	/* what fits together */
	{IDP(", scopes: [profile]"), AT_RECORD "without the scope openid there is no ID token (add it, or leave scopes "
					       "out)"},
	{IDP(", bind: verified_email"), AT_RECORD "\"bind\" verified_email needs \"domains\""},
	{IDP(", bind: verified_email, domains: []"), AT_RECORD "\"bind\" verified_email needs \"domains\""},
	{IDP(", bind: verified_email, domains: [a.example]"), NULL},
	{IDP(", bind: email"), "f:3:91: \"bind\" is none of the words it may be"},
	{IDP(", token_audience: c"), AT_RECORD "token_audience is the client id"},
	{IDP(", max_age: 367d"), AT_RECORD "max_age is longer than a year"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/common/v2.0", ""),
	 AT_RECORD "the issuer is not that of one directory, by its id (write "
		   "https://login.microsoftonline.com/<id of the directory>/v2.0)"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/organizations/v2.0", ""),
	 AT_RECORD "the issuer is not that of one directory"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/consumers", ""),
	 AT_RECORD "the issuer is not that of one directory"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com", ""), AT_RECORD "the issuer is not that of one"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/", ""), AT_RECORD "the issuer is not that of one"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/acme.example/v2.0", ""),
	 AT_RECORD "the issuer is not that of one directory"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/0A1B2C3D-0000-4000-8000-00000000000F/v2.0", ""),
	 AT_RECORD "the issuer is not that of one directory"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/0a1b2c3d-0000-4000-8000-00000000000f", ""),
	 AT_RECORD "the issuer is not that of one directory"},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/0a1b2c3d-0000-4000-8000-00000000000f/v2.0", ""), NULL},
	{OF_KIND("microsoft", "https://login.microsoftonline.com/0a1b2c3d-0000-4000-8000-00000000000f/v2.0",
		 ", hosted_domain: a.example"),
	 AT_RECORD "only Google and plain OpenID providers have a hosted_domain (take it out)"},
	{OF_KIND("github", "https://github.com", ", acr: [phr]"), AT_RECORD "GitHub cannot tell acr, amr"},
	{OF_KIND("github", "https://github.com", ", amr: [mfa]"), AT_RECORD "GitHub cannot tell"},
	{OF_KIND("github", "https://github.com", ", hosted_domain: a.example"), AT_RECORD "GitHub cannot tell"},
	{OF_KIND("github", "https://github.com", ", token_audience: a"), AT_RECORD "GitHub cannot tell"},
	{OF_KIND("github", "https://github.com", ", max_age: 1h"), AT_RECORD "GitHub cannot tell"},
	{OF_KIND("github", "https://github.com", ", client_auth: private_key_jwt, client_key: \"" EC_KEY "\""),
	 AT_RECORD "GitHub does not take private_key_jwt"},
	{OF_KIND("github", "https://github.com",
		 ", scopes: [\"read:user\"], bind: verified_email, domains: [a.example]"),
	 AT_RECORD "without the scope user:email GitHub does not say which addresses are verified, so none can bind "
		   "(add it, or leave scopes out)"},
	{OF_KIND("github", "https://github.com",
		 ", scopes: [\"user:email\"], bind: verified_email, domains: [a.example]"),
	 NULL},
	{OF_KIND("github", "https://github.com", ", scopes: [\"read:user\"]"), NULL},
	{OF_KIND("tenantd", "https://c.example:8443", ""),
	 AT_RECORD "the client id at a control plane is the tenant's id "
		   "(write the tenant's id)"},
	{"providers:\n  - {id: idp_a, tenant: ten_a, kind: tenantd, issuer: https://c.example, client_id: ten_a, bind: "
	 "verified_email, domains: [a.example]}\n",
	 AT_RECORD "a control plane names the user itself"},

	/* identities */
	{IDENTITIES("{issuer: https://i.example, subject: \"1\"}"), NULL},
	{IDENTITIES("{issuer: https://i.example, subject: \"1\"}, {issuer: https://i.example, subject: \"2\"}"), NULL},
	{IDENTITIES("{issuer: https://i.example}"), "f:3:73: an identity needs \"subject\""},
	{IDENTITIES("{subject: x}"), "f:3:73: an identity needs \"issuer\""},
	{IDENTITIES("x"), "f:3:73: \"identities\" must be a list of mappings"},
	{IDENTITIES("{issuer: https://i.example, subject: \"\"}"), "f:3:110: \"subject\" is not a subject"},
	{IDENTITIES("{issuer: https://i.example, subject: \"\xc3\xa9\"}"), "f:3:110: \"subject\" is not a subject"},
	{IDENTITIES("{issuer: https://i.example, subject: \"a\\nb\"}"), "f:3:110: \"subject\" is not a subject"},
	{IDENTITIES("{issuer: https://i.example, subject: \"1\"}, {issuer: https://i.example, subject: \"1\"}"),
	 AT_RECORD "an identity is listed twice (keep one of the two)"},

	/* sudo */
	{TENANT("sudo: {proof: none}"), NULL},
	{TENANT("sudo: {proof: recent}"), NULL},
	{TENANT("sudo: {proof: recent, within: 1d}"), NULL},
	{TENANT("sudo: {}"), "f:3:104: sudo needs \"proof\""},
	{TENANT("sudo: none"), "f:3:104: \"sudo\" must be a mapping"},
	{TENANT("sudo: {proof: never}"), "f:3:112: \"proof\" is none of the words it may be"},
	{TENANT("sudo: {proof: recent, within: 2d}"), "f:3:104: \"within\" of sudo is no time, or longer than a day"},
	{TENANT("sudo: {proof: recent, within: 0s}"), "f:3:128: \"within\" is not a span of time"},
	{TENANT("sudo: {proof: always, within: 5min}"),
	 "f:3:104: \"within\" of sudo means something with \"proof\" recent only (take it out"},
	{TENANT("sudo: {proof: none, within: 5min}"), "f:3:104: \"within\" of sudo means something"},
};

static void test_files(void **state)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_(freep) char *whole = NULL;
		struct problem problem = {0};
		struct unit *unit = NULL;
		char line[1400] = "";
		int r;

		if (asprintf(&whole, "version: 1\n%s", files[i].text) < 0)
			fail();
		r = directory_yaml_load_text("f", whole, strlen(whole), &unit, &problem);
		assert_true(r == 0 || r == -EINVAL);
		if (r < 0)
			problem_render(&problem, line, sizeof(line));
		if (files[i].problem ? r == 0 || strncmp(line, files[i].problem, strlen(files[i].problem)) != 0
				     : r < 0) {
			print_error("file %zu:\n%s\n  is:     %s\n  wanted: %s\n", i, whole, line,
				    files[i].problem ? files[i].problem : "(none)");
			wrong++;
		}
		unit_unref(unit);
	}
	assert_int_equal(wrong, 0);
}

/* Whatever is wrong about a record with a secret, the secret is not repeated. */
static void test_no_secret_in_problem(void **state)
{
	static const char *const texts[] = {
		IDP(", client_secret: hunter2"),
		IDP(", client_auth: none, client_secret: hunter2"),
		IDP(", client_auth: client_secret_post, client_secret: \"hunter2\\n\""),
		IDP(", client_auth: client_secret_post, client_secret: hunter2\xc3\xa9"),
		IDP(", client_auth: private_key_jwt, client_key: hunter2"),
		IDP(", client_auth: private_key_jwt, client_key: "
		    "\"{\\\"kty\\\":\\\"EC\\\",\\\"d\\\":\\\"hunter2\\\"}\""),
		IDP(", client_auth: client_secret_post, client_secret: hunter2, bind: verified_email"),
		IDP(", client_auth: client_secret_post, client_secret: hunter2, client_secret: hunter2"),
		IDP(", client_auth: client_secret_post, client_secret: [hunter2]"),
		IDP(", client_auth: client_secret_post, client_secret: {hunter2: x}"),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(freep) char *whole = NULL;
		struct problem problem = {0};
		struct unit *unit = NULL;
		char line[1400];

		if (asprintf(&whole, "version: 1\n%s", texts[i]) < 0)
			fail();
		assert_result(directory_yaml_load_text("f", whole, strlen(whole), &unit, &problem), -EINVAL);
		if (strstr(problem_render(&problem, line, sizeof(line)), "hunter2"))
			fail_msg("%zu: %s", i, line);
	}
}

/* The sample with one change; what it loads as is compared by edit_finish itself. */
static char *edited(enum record_kind kind, uint32_t index, const void *record)
{
	struct unit *unit = load_text("f", sample_directory), *after = NULL;
	struct problem problem = {0};
	struct edit *edit = NULL;
	char line[1400], *text;
	int r;

	assert_result(edit_open_text("f", sample_directory, strlen(sample_directory), unit, &edit), 0);
	if (!record)
		r = edit_remove(edit, kind, index, &problem);
	else if (index == UINT32_MAX)
		r = edit_append(edit, kind, record, &problem);
	else
		r = edit_update(edit, kind, index, record, &problem);
	if (r == 0)
		r = edit_finish(edit, &after, &problem);
	if (r < 0)
		fail_msg("%s of %u: %s", record_kind_name(kind), index, problem_render(&problem, line, sizeof(line)));
	text = strdup(edit_text(edit));
	edit_free(edit);
	unit_unref(unit);
	unit_unref(after);
	return text;
}

static void check_edit(enum record_kind kind, uint32_t index, const void *record, const char *has)
{
	_cleanup_(freep) char *text = edited(kind, index, record);

	if (!strstr(text, has))
		fail_msg("\"%s\" is not in:\n%s", has, text);
	assert_non_null(strstr(text, "  # with a secret\n"));
}

static void test_edits(void **state)
{
	struct unit *unit = load_text("f", sample_directory);
	const struct record_set *r = unit_records(unit);
	struct idp_record idp = r->idps[0];
	struct user_record user = r->users[0];
	struct tenant_record tenant = r->tenants[0];
	struct identity_record identities[] = {{"https://i.example", "x: {y}"}, {GOOGLE, "8"}};

	idp.id = "idp_new";
	idp.preferred = false;
	idp.client_secret = "with \" and \\ and # in it";
	idp.name = "Other";
	idp.max_age_sec = 90;
	check_edit(RECORD_IDP, UINT32_MAX, &idp,
		   "\n  - {id: idp_new, tenant: ten_acme, name: Other, kind: google, issuer: ");
	check_edit(RECORD_IDP, UINT32_MAX, &idp, "client_secret: \"with \\\" and \\\\ and # in it\", ");
	check_edit(RECORD_IDP, UINT32_MAX, &idp, "max_age: 90s}\n");
	idp = r->idps[0];
	idp.client_secret = "next";
	idp.preferred = false;
	check_edit(RECORD_IDP, 0, &idp, "client_secret: next, bind: verified_email");
	idp = r->idps[1];
	idp.max_age_sec = 0;
	idp.acr = (struct string_list){0};
	idp.token_audience = "";
	check_edit(RECORD_IDP, 1, &idp, "    scopes: [openid, profile, email]\n    amr: [mfa]\n  - {id: idp_beta");
	check_edit(RECORD_IDP, 2, NULL, "max_age: 8h\n");
	user.identities = identities;
	user.identity_count = 2;
	check_edit(RECORD_USER, 0, &user,
		   "    identities: [{issuer: \"https://i.example\", subject: \"x: {y}\"}, {issuer: "
		   "\"https://accounts.google.com\", subject: \"8\"}]\n");
	user = r->users[1];
	user.identity_count = 1;
	check_edit(RECORD_USER, 1, &user, "subject: \"110169484474386276334\"}]}\n");
	user.identity_count = 0;
	check_edit(RECORD_USER, 1, &user, "shell: /bin/sh}\n");
	tenant.sudo_proof = SUDO_PROOF_NONE;
	check_edit(RECORD_TENANT, 0, &tenant, "\n    sudo: {proof: none}\n");
	tenant.sudo_proof = SUDO_PROOF_RECENT;
	tenant.sudo_within_sec = 5400;
	check_edit(RECORD_TENANT, 0, &tenant, "\n    sudo: {proof: recent, within: 90min}\n");
	tenant = r->tenants[1];
	tenant.sudo_proof = SUDO_PROOF_ALWAYS;
	tenant.sudo_within_sec = 0;
	check_edit(RECORD_TENANT, 1, &tenant, "next: 1879113800}");
	unit_unref(unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_no_secret_in_problem),
		cmocka_unit_test(test_edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
