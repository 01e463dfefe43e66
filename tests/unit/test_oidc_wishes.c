/* SPDX-License-Identifier: MIT
 *
 * ID tokens: what tenants ask for beside who it is, what each kind of provider says of its own, and which addresses
 * count as verified.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "oidc_fixture.h"

static void wants_acr(void **state)
{
	static const char *const wanted[] = {"urn:example:mfa", "phr"};
	struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);

	id_expect("nothing asked, nothing said", &rules, oidc_claims(&idp), TOKEN_FINE);
	id_expect("nothing asked", &rules, oidc_with(oidc_claims(&idp), "acr", json_string("0")), TOKEN_FINE);
	idp.acr = (struct string_list){(const char **)(uintptr_t)wanted, 2};
	id_expect("one of them", &rules, oidc_with(oidc_claims(&idp), "acr", json_string("phr")), TOKEN_FINE);
	id_expect("none", &rules, oidc_claims(&idp), TOKEN_ACR);
	id_expect("another", &rules, oidc_with(oidc_claims(&idp), "acr", json_string("0")), TOKEN_ACR);
	id_expect("case", &rules, oidc_with(oidc_claims(&idp), "acr", json_string("PHR")), TOKEN_ACR);
	id_expect("both in one", &rules, oidc_with(oidc_claims(&idp), "acr", json_string("phr urn:example:mfa")),
		  TOKEN_ACR);
	id_expect("a list", &rules, oidc_with(oidc_claims(&idp), "acr", json_pack("[s]", "phr")), TOKEN_ACR);
	id_expect("a number", &rules, oidc_with(oidc_claims(&idp), "acr", json_integer(1)), TOKEN_ACR);
	id_expect("empty", &rules, oidc_with(oidc_claims(&idp), "acr", json_string("")), TOKEN_ACR);
	id_expect("null", &rules, oidc_with(oidc_claims(&idp), "acr", json_null()), TOKEN_ACR);
}

static void wants_amr(void **state)
{
	static const char *const wanted[] = {"hwk", "user"};
	struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);

	id_expect("nothing asked", &rules, oidc_with(oidc_claims(&idp), "amr", json_string("pwd")), TOKEN_FINE);
	idp.amr = (struct string_list){(const char **)(uintptr_t)wanted, 2};
	id_expect("both", &rules, oidc_with(oidc_claims(&idp), "amr", json_pack("[s,s,s]", "user", "pwd", "hwk")),
		  TOKEN_FINE);
	id_expect("one", &rules, oidc_with(oidc_claims(&idp), "amr", json_pack("[s,s]", "pwd", "hwk")), TOKEN_AMR);
	id_expect("none", &rules, oidc_claims(&idp), TOKEN_AMR);
	id_expect("empty", &rules, oidc_with(oidc_claims(&idp), "amr", json_array()), TOKEN_AMR);
	id_expect("case", &rules, oidc_with(oidc_claims(&idp), "amr", json_pack("[s,s]", "USER", "hwk")), TOKEN_AMR);
	id_expect("a text", &rules, oidc_with(oidc_claims(&idp), "amr", json_string("hwk user")), TOKEN_AMR);
	id_expect("an object", &rules, oidc_with(oidc_claims(&idp), "amr", json_pack("{s:b,s:b}", "hwk", 1, "user", 1)),
		  TOKEN_AMR);
	id_expect("a number in it", &rules, oidc_with(oidc_claims(&idp), "amr", json_pack("[s,s,i]", "user", "hwk", 1)),
		  TOKEN_AMR);
	id_expect("a list in it", &rules, oidc_with(oidc_claims(&idp), "amr", json_pack("[[s,s]]", "user", "hwk")),
		  TOKEN_AMR);
	id_expect("null", &rules, oidc_with(oidc_claims(&idp), "amr", json_null()), TOKEN_AMR);
}

static void wants_a_hosted_domain(void **state)
{
	struct idp_record idp = oidc_idp_of(IDP_GOOGLE);
	const struct id_token_rules rules = oidc_rules(&idp);

	id_expect("nothing asked", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("evil.example")), TOKEN_FINE);
	idp.hosted_domain = "acme.example";
	id_expect("the same", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("acme.example")), TOKEN_FINE);
	id_expect("case", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("Acme.Example")), TOKEN_FINE);
	id_expect("none: a private account", &rules, oidc_claims(&idp), TOKEN_HOSTED_DOMAIN);
	/* What the e-mail says is not what counts. */
	id_expect("none, with a fitting address", &rules,
		  oidc_with(oidc_with(oidc_claims(&idp), "email", json_string("alice@acme.example")), "email_verified",
			    json_true()),
		  TOKEN_HOSTED_DOMAIN);
	id_expect("another", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("evil.example")),
		  TOKEN_HOSTED_DOMAIN);
	id_expect("below it", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("sub.acme.example")),
		  TOKEN_HOSTED_DOMAIN);
	id_expect("above it", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("example")), TOKEN_HOSTED_DOMAIN);
	id_expect("ends alike", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("notacme.example")),
		  TOKEN_HOSTED_DOMAIN);
	id_expect("looks alike", &rules,
		  oidc_with(oidc_claims(&idp), "hd",
			    json_string("\xd0\xb0"
					"cme.example")),
		  TOKEN_HOSTED_DOMAIN);
	id_expect("a dot behind", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("acme.example.")),
		  TOKEN_HOSTED_DOMAIN);
	id_expect("a list", &rules, oidc_with(oidc_claims(&idp), "hd", json_pack("[s]", "acme.example")),
		  TOKEN_HOSTED_DOMAIN);
	id_expect("true", &rules, oidc_with(oidc_claims(&idp), "hd", json_true()), TOKEN_HOSTED_DOMAIN);
	id_expect("empty", &rules, oidc_with(oidc_claims(&idp), "hd", json_string("")), TOKEN_HOSTED_DOMAIN);
}

static void microsoft_directories(void **state)
{
	struct idp_record idp = oidc_idp_of(IDP_MICROSOFT);
	const struct id_token_rules rules = oidc_rules(&idp);

	id_expect("the same", &rules, oidc_claims(&idp), TOKEN_FINE);
	id_expect("none", &rules, oidc_with(oidc_claims(&idp), "tid", NULL), TOKEN_DIRECTORY);
	id_expect("another", &rules,
		  oidc_with(oidc_claims(&idp), "tid", json_string("9188040d-6c67-4c5b-b112-36a304b66dad")),
		  TOKEN_DIRECTORY);
	id_expect("cut", &rules, oidc_with(oidc_claims(&idp), "tid", json_string("72f988bf")), TOKEN_DIRECTORY);
	id_expect("longer", &rules, oidc_with(oidc_claims(&idp), "tid", json_string(MICROSOFT_TID "0")),
		  TOKEN_DIRECTORY);
	id_expect("with more", &rules, oidc_with(oidc_claims(&idp), "tid", json_string(MICROSOFT_TID "/v2.0")),
		  TOKEN_DIRECTORY);
	id_expect("empty", &rules, oidc_with(oidc_claims(&idp), "tid", json_string("")), TOKEN_DIRECTORY);
	id_expect("a list", &rules, oidc_with(oidc_claims(&idp), "tid", json_pack("[s]", MICROSOFT_TID)),
		  TOKEN_DIRECTORY);
	/* Another directory's issuer, of version 1.0, and the one for all. */
	id_expect("other issuer", &rules,
		  oidc_with(oidc_claims(&idp), "iss",
			    json_string("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")),
		  TOKEN_OTHER_ISSUER);
	id_expect("version 1.0", &rules,
		  oidc_with(oidc_claims(&idp), "iss", json_string("https://sts.windows.net/" MICROSOFT_TID "/")),
		  TOKEN_OTHER_ISSUER);
	id_expect("the template", &rules,
		  oidc_with(oidc_claims(&idp), "iss", json_string("https://login.microsoftonline.com/{tenantid}/v2.0")),
		  TOKEN_OTHER_ISSUER);
	/* A record that should not be: every directory's people would be taken. */
	idp.issuer = "https://login.microsoftonline.com/common/v2.0";
	id_expect("common", &rules, oidc_with(oidc_claims(&idp), "tid", json_string("common")), TOKEN_DIRECTORY);
	idp.issuer = "https://login.microsoftonline.com/" MICROSOFT_TID "/v2.0/";
	id_expect("a slash behind", &rules, oidc_claims(&idp), TOKEN_DIRECTORY);
}

static void own_control_plane(void **state)
{
	struct idp_record idp = oidc_idp_of(IDP_TENANTD);
	const struct id_token_rules rules = oidc_rules(&idp);

	id_expect("the same", &rules, oidc_claims(&idp), TOKEN_FINE);
	id_expect("none", &rules, oidc_with(oidc_claims(&idp), "tenant", NULL), TOKEN_TENANT);
	id_expect("another", &rules, oidc_with(oidc_claims(&idp), "tenant", json_string("ten_b")), TOKEN_TENANT);
	id_expect("empty", &rules, oidc_with(oidc_claims(&idp), "tenant", json_string("")), TOKEN_TENANT);
	id_expect("a list", &rules, oidc_with(oidc_claims(&idp), "tenant", json_pack("[s]", "ten_a")), TOKEN_TENANT);
	/* Another tenant's token has another audience, too. */
	id_expect("another's", &rules, oidc_with(oidc_claims(&idp), "aud", json_string("ten_b")), TOKEN_OTHER_AUDIENCE);
	idp.tenant_id = "";
	id_expect("a record of no tenant", &rules, oidc_with(oidc_claims(&idp), "tenant", json_string("")),
		  TOKEN_TENANT);
}

/* ---- addresses --------------------------------------------------------------------------------- */
static json_t *addressed(const struct idp_record *idp, const char *email)
{
	return oidc_with(oidc_claims(idp), "email", json_string(email));
}

/* Who comes out has the address ("" for none), verified or not. */
static void email_is(const struct idp_record *idp, json_t *claims, const char *email, bool verified)
{
	const struct id_token_rules rules = oidc_rules(idp);
	struct oidc_identity who = id_identity(&rules, claims);

	assert_string_equal(who.email, email);
	if (who.email_verified != verified)
		fail_msg("%s of kind %d counts as %sverified", email, (int)idp->kind, verified ? "not " : "");
}

static void verified_by_true_alone(void **state)
{
	const struct idp_record idp = oidc_idp();
	json_t *const values[] = {json_string("true"), json_string("1"), json_integer(1),         json_false(),
				  json_null(),         json_array(),     json_string("verified"), json_pack("[b]", 1)};

	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "email_verified", json_true()),
		 "alice@acme.example", true);
	email_is(&idp, addressed(&idp, "alice@acme.example"), "alice@acme.example", false);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "email_verified", values[i]),
			 "alice@acme.example", false);
	/* Other kinds' words mean nothing here. */
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "xms_edov", json_true()), "alice@acme.example",
		 false);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "verified", json_true()), "alice@acme.example",
		 false);
	/* Verified, but what? */
	email_is(&idp, oidc_with(oidc_claims(&idp), "email_verified", json_true()), "", false);
}

static void microsoft_addresses(void **state)
{
	const struct idp_record idp = oidc_idp_of(IDP_MICROSOFT);

	/* Anybody can write any address into their own account there. */
	email_is(&idp, addressed(&idp, "alice@acme.example"), "alice@acme.example", false);
	email_is(&idp,
		 oidc_with(addressed(&idp, "alice@acme.example"), "preferred_username",
			   json_string("alice@acme.example")),
		 "alice@acme.example", false);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "xms_edov", json_true()), "alice@acme.example",
		 true);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "xms_edov", json_string("1")),
		 "alice@acme.example", true);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "xms_edov", json_string("0")),
		 "alice@acme.example", false);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "xms_edov", json_integer(1)),
		 "alice@acme.example", false);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "xms_edov", json_string("true")),
		 "alice@acme.example", false);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "xms_edov", json_false()), "alice@acme.example",
		 false);
	email_is(&idp, oidc_with(oidc_claims(&idp), "xms_edov", json_true()), "", false);
}

static void google_addresses(void **state)
{
	const struct idp_record idp = oidc_idp_of(IDP_GOOGLE);

	/* A private account that was made with an address at work, by whoever had it then. */
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "email_verified", json_true()),
		 "alice@acme.example", false);
	email_is(&idp,
		 oidc_with(oidc_with(addressed(&idp, "alice@acme.example"), "email_verified", json_true()), "hd",
			   json_string("acme.example")),
		 "alice@acme.example", true);
	email_is(&idp,
		 oidc_with(oidc_with(addressed(&idp, "alice@acme.example"), "email_verified", json_true()), "hd",
			   json_string("")),
		 "alice@acme.example", false);
	email_is(&idp,
		 oidc_with(oidc_with(addressed(&idp, "alice@acme.example"), "email_verified", json_true()), "hd",
			   json_true()),
		 "alice@acme.example", false);
	email_is(&idp, oidc_with(addressed(&idp, "alice@acme.example"), "hd", json_string("acme.example")),
		 "alice@acme.example", false);
	email_is(&idp, oidc_with(addressed(&idp, "alice@gmail.com"), "email_verified", json_true()), "alice@gmail.com",
		 true);
	email_is(&idp, oidc_with(addressed(&idp, "alice@evilgmail.com"), "email_verified", json_true()),
		 "alice@evilgmail.com", false);
}

/* What is no plain address is none: two that look alike must never be the same. */
static void odd_addresses(void **state)
{
	static const char *const odd[] = {
		"",
		"alice",
		"@acme.example",
		"alice@",
		"alice@acme@example",
		"alice@evil.example@acme.example",
		"alice@acme.example\n",
		"alice@acme.example ",
		" alice@acme.example",
		"al ice@acme.example",
		"alice\x1b[2J@acme.example",
		"\"alice\"@acme.example",
		"\"a@evil.example\"@acme.example",
		"alice(comment)@acme.example",
		"<alice@acme.example>",
		"alice@[192.0.2.1]",
		"alice@acme.example,eve@evil.example",
		"alice@acme.example;eve@evil.example",
		"al\\ice@acme.example",
		"\xd0\xb0lice@acme.example", /* a Cyrillic a */
		("al\xc4\xb1"
		 "ce@acme.example"), /* a dotless i, whose upper case is I */
		("alice@\xe2\x84\xaa"
		 "acme.example"), /* the Kelvin sign, whose lower case is k */
		("alice@\xef\xbd\x81"
		 "cme.example"), /* a wide a, which IDNA folds */
		("alice@acme\xe3\x80\x82"
		 "example"),                      /* an ideographic full stop, which IDNA reads as a dot */
		"alice@acme.example\xe2\x80\x8b", /* no space to be seen */
		"alice@acme%2eexample",
		"alice@acme_example",
	};
	const struct idp_record idp = oidc_idp();
	char longest[300];

	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		email_is(&idp, oidc_with(addressed(&idp, odd[i]), "email_verified", json_true()), "", false);
	memset(longest, 'a', sizeof(longest));
	strcpy(longest + 255 - 13, "@acme.example");
	email_is(&idp, oidc_with(addressed(&idp, longest), "email_verified", json_true()), "", false);
	email_is(&idp, oidc_with(addressed(&idp, longest + 1), "email_verified", json_true()), longest + 1, true);
	email_is(&idp, oidc_with(oidc_claims(&idp), "email", json_pack("[s]", "alice@acme.example")), "", false);
	email_is(&idp, oidc_with(oidc_claims(&idp), "email", json_null()), "", false);
	/* Odd and allowed; case stays as it came. */
	email_is(&idp, oidc_with(addressed(&idp, "Alice+ssh.x_y@ACME.example"), "email_verified", json_true()),
		 "Alice+ssh.x_y@ACME.example", true);
}

static void names_for_people(void **state)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	char longest[300];
	struct oidc_identity who;

	who = id_identity(&rules, oidc_with(oidc_claims(&idp), "name", json_string("a\nb")));
	assert_string_equal(who.name, "");
	who = id_identity(&rules, oidc_with(oidc_claims(&idp), "name",
					    json_string("\xe2\x80\xae"
							"ecila")));
	assert_string_equal(who.name, "");
	who = id_identity(&rules, oidc_with(oidc_claims(&idp), "name", json_integer(1)));
	assert_string_equal(who.name, "");
	/* Cut between characters. */
	for (size_t i = 0; i < 200; i += 2)
		memcpy(longest + i, "\xc3\xa9", 3);
	who = id_identity(&rules, oidc_with(oidc_claims(&idp), "name", json_string(longest)));
	assert_int_equal(strlen(who.name), 126);
	assert_memory_equal(who.name, longest, 126);
	/* Nothing hangs on the id of an ID token. */
	memset(longest, 'x', 128);
	longest[128] = '\0';
	who = id_identity(&rules, oidc_with(oidc_claims(&idp), "jti", json_string(longest)));
	assert_string_equal(who.token_id, "");
	who = id_identity(&rules, oidc_with(oidc_claims(&idp), "jti", json_string(longest + 1)));
	assert_string_equal(who.token_id, longest + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wants_acr),
		cmocka_unit_test(wants_amr),
		cmocka_unit_test(wants_a_hosted_domain),
		cmocka_unit_test(microsoft_directories),
		cmocka_unit_test(own_control_plane),
		cmocka_unit_test(verified_by_true_alone),
		cmocka_unit_test(microsoft_addresses),
		cmocka_unit_test(google_addresses),
		cmocka_unit_test(odd_addresses),
		cmocka_unit_test(names_for_people),
	};

	return cmocka_run_group_tests(tests, oidc_set_up, oidc_tear_down);
}
