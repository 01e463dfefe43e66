/* SPDX-License-Identifier: MIT
 *
 * Is this identity this user? Every way in which somebody could become somebody else.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "oidc/binding.h"
#include "oidc/email.h"
#include "unit.h"

#define ISSUER "https://id.example"

static const char *domain_items[] = {"acme.example", "Acme-Robotics.example"};

static struct idp_record provider(enum idp_bind bind)
{
	return (struct idp_record){
		.id = "idp_1",
		.tenant_id = "ten_a",
		.issuer = ISSUER,
		.kind = IDP_OIDC,
		.bind = bind,
		.domains = {domain_items, 2},
	};
}

static struct user_record person(const char *id, struct identity_record *identities, uint32_t count)
{
	return (struct user_record){
		.id = id,
		.tenant_id = "ten_a",
		.login = "alice",
		.email = "alice@acme.example",
		.kind = USER_PERSON,
		.identities = identities,
		.identity_count = count,
	};
}

static struct oidc_identity somebody(const char *subject, const char *email, bool verified)
{
	struct oidc_identity identity = {.issuer = ISSUER, .email_verified = verified};

	snprintf(identity.subject, sizeof(identity.subject), "%s", subject);
	snprintf(identity.email, sizeof(identity.email), "%s", email);
	return identity;
}

static void is(enum binding got, enum binding wanted)
{
	if (got != wanted)
		fail_msg("%s, not %s", binding_word(got), binding_word(wanted));
}

/* ---- by list ----------------------------------------------------------------------------------- */
static void listed(void **state)
{
	struct identity_record own[] = {{"https://other.example", "s-9"}, {ISSUER, "s-1"}, {ISSUER, "s-2"}};
	const struct idp_record idp = provider(IDP_BIND_LISTED), mail = provider(IDP_BIND_VERIFIED_EMAIL);
	const struct user_record user = person("usr_1", own, ARRAY_LEN(own));
	struct oidc_identity who = somebody("s-1", "", false);

	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_LISTED);
	is(binding_decide(&mail, &user, NULL, NULL, &who), BINDING_LISTED);
	who = somebody("s-2", "eve@evil.example", true);
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_LISTED);
	/* The user themself is no other owner. */
	is(binding_decide(&idp, &user, "s-2", &user, &who), BINDING_LISTED);
	/* Another subject, another's, one that begins alike, in another case. */
	who = somebody("s-3", "alice@acme.example", true);
	is(binding_decide(&mail, &user, NULL, NULL, &who), BINDING_TAKEN);
	who = somebody("s-", "alice@acme.example", true);
	is(binding_decide(&mail, &user, NULL, NULL, &who), BINDING_TAKEN);
	who = somebody("S-1", "alice@acme.example", true);
	is(binding_decide(&mail, &user, NULL, NULL, &who), BINDING_TAKEN);
	who = somebody("s-1 ", "alice@acme.example", true);
	is(binding_decide(&mail, &user, NULL, NULL, &who), BINDING_TAKEN);
	/* The subject that the user has at another issuer. */
	who = somebody("s-9", "alice@acme.example", true);
	is(binding_decide(&mail, &user, NULL, NULL, &who), BINDING_TAKEN);
	who = somebody("", "alice@acme.example", true);
	is(binding_decide(&mail, &user, NULL, NULL, &who), BINDING_OTHER);
}

/* The same subject or the same address at another issuer is another person. */
static void other_issuer(void **state)
{
	struct identity_record own[] = {{ISSUER, "s-1"}};
	const struct idp_record idp = provider(IDP_BIND_VERIFIED_EMAIL);
	const struct user_record user = person("usr_1", own, 1), fresh = person("usr_1", NULL, 0);
	static const char *const others[] = {"https://evil.example", "https://id.example/", "https://ID.example", ""};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct oidc_identity who = somebody("s-1", "alice@acme.example", true);

		snprintf(who.issuer, sizeof(who.issuer), "%s", others[i]);
		is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER);
		is(binding_decide(&idp, &user, "s-1", NULL, &who), BINDING_OTHER);
		is(binding_decide(&idp, &fresh, NULL, NULL, &who), BINDING_OTHER);
	}
}

static void other_tenant(void **state)
{
	struct identity_record own[] = {{ISSUER, "s-1"}};
	const struct idp_record idp = provider(IDP_BIND_VERIFIED_EMAIL);
	struct user_record user = person("usr_1", own, 1);
	const struct oidc_identity who = somebody("s-1", "alice@acme.example", true);

	user.tenant_id = "ten_b";
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER);
	is(binding_decide(&idp, &user, "s-1", NULL, &who), BINDING_OTHER);
}

/* ---- whose it is already ----------------------------------------------------------------------- */
static void somebody_elses(void **state)
{
	struct identity_record of_user[] = {{ISSUER, "s-1"}}, of_other[] = {{ISSUER, "s-2"}},
			       both[] = {{ISSUER, "s-1"}};
	const struct idp_record idp = provider(IDP_BIND_VERIFIED_EMAIL);
	const struct user_record user = person("usr_1", of_user, 1), fresh = person("usr_1", NULL, 0),
				 other = person("usr_2", of_other, 1), remembered = person("usr_2", NULL, 0),
				 twin = person("usr_2", both, 1);
	struct oidc_identity who = somebody("s-2", "alice@acme.example", true);

	is(binding_decide(&idp, &user, NULL, &other, &who), BINDING_OTHER);
	is(binding_decide(&idp, &fresh, NULL, &other, &who), BINDING_OTHER);
	is(binding_decide(&idp, &fresh, NULL, &remembered, &who), BINDING_OTHER);
	/* What the directory lists stands before what was remembered: of this user … */
	who = somebody("s-1", "", false);
	is(binding_decide(&idp, &user, "s-7", &remembered, &who), BINDING_LISTED);
	who = somebody("s-7", "alice@acme.example", true);
	is(binding_decide(&idp, &user, "s-7", NULL, &who), BINDING_TAKEN);
	/* … and of another, who has it listed by now. */
	who = somebody("s-2", "alice@acme.example", true);
	is(binding_decide(&idp, &fresh, "s-2", &other, &who), BINDING_OTHER);
	is(binding_decide(&idp, &fresh, "s-2", &remembered, &who), BINDING_OTHER);
	/* Two who list the same: neither. */
	who = somebody("s-1", "alice@acme.example", true);
	is(binding_decide(&idp, &user, NULL, &twin, &who), BINDING_OTHER);
}

static void remembered(void **state)
{
	const struct idp_record idp = provider(IDP_BIND_VERIFIED_EMAIL), list = provider(IDP_BIND_LISTED);
	const struct user_record user = person("usr_1", NULL, 0);
	struct oidc_identity who = somebody("s-1", "", false);

	/* The address has done its part: it may have gone, or be another by now. */
	is(binding_decide(&idp, &user, "s-1", NULL, &who), BINDING_LISTED);
	is(binding_decide(&list, &user, "s-1", NULL, &who), BINDING_LISTED);
	/* The address is given to somebody else: they are not this user. */
	who = somebody("s-2", "alice@acme.example", true);
	is(binding_decide(&idp, &user, "s-1", NULL, &who), BINDING_TAKEN);
	is(binding_decide(&list, &user, "s-1", NULL, &who), BINDING_TAKEN);
	is(binding_decide(&idp, &user, "", NULL, &who), BINDING_TAKEN);
}

/* ---- the first time ---------------------------------------------------------------------------- */
static void first(const char *email, bool verified, enum binding wanted)
{
	const struct idp_record idp = provider(IDP_BIND_VERIFIED_EMAIL), list = provider(IDP_BIND_LISTED);
	const struct user_record user = person("usr_1", NULL, 0);
	const struct oidc_identity who = somebody("s-1", email, verified);
	enum binding got = binding_decide(&idp, &user, NULL, NULL, &who);

	if (got != wanted)
		fail_msg("%s: %s, not %s", email, binding_word(got), binding_word(wanted));
	is(binding_decide(&list, &user, NULL, NULL, &who), BINDING_NOT_ALLOWED);
}

static void first_sign_in(void **state)
{
	static const char *const others[] = {
		"bob@acme.example",
		"alice@evil.example",
		"alice@acme.example.evil.example",
		"alice@sub.acme.example",
		"alice@notacme.example",
		"alice+eve@acme.example",
		"al.ice@acme.example",
		"alicea@acme.example",
		"lice@acme.example",
		"alice@acme.exampl",
		"alice@acme.example.",
		"alice@evil.example@acme.example",
		"alice@acme.example@evil.example",
		"alice@acme.example\n",
		"alice@acme.example ",
		" alice@acme.example",
		"\xd0\xb0lice@acme.example", /* Cyrillic a */
		("al\xc4\xb1"
		 "ce@acme.example"), /* dotless i */
		("alice@acme.e\xe2\x84\xaa"
		 "ample"),
		"alice",
		"@",
		"@acme.example",
	};

	first("alice@acme.example", true, BINDING_FIRST);
	/* The letters A to Z in either case, and nothing beyond. */
	first("Alice@ACME.Example", true, BINDING_FIRST);
	first("alice@acme.example", false, BINDING_NOT_VERIFIED);
	first("", true, BINDING_NOT_VERIFIED);
	first("", false, BINDING_NOT_VERIFIED);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		first(others[i], true, BINDING_OTHER_ADDRESS);
}

static void first_sign_in_elsewhere(void **state)
{
	struct idp_record idp = provider(IDP_BIND_VERIFIED_EMAIL);
	struct user_record user = person("usr_1", NULL, 0);
	struct oidc_identity who = somebody("s-1", "alice@private.example", true);
	const char *empty[] = {""}, *dot[] = {".acme.example", "*", "*.acme.example", "@acme.example"};

	/* The directory's address is right, but not the tenant's own. */
	user.email = "alice@private.example";
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER_DOMAIN);
	user.email = "alice@sub.acme.example";
	who = somebody("s-1", "alice@sub.acme.example", true);
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER_DOMAIN);
	user.email = "alice@acme-robotics.example";
	who = somebody("s-1", "alice@acme-robotics.example", true);
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_FIRST);
	/* Lists of nothing, and such as look like patterns. */
	idp.domains = (struct string_list){0};
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER_DOMAIN);
	idp.domains = (struct string_list){empty, 1};
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER_DOMAIN);
	user = person("usr_1", NULL, 0);
	who = somebody("s-1", "alice@acme.example", true);
	idp.domains = (struct string_list){dot, 4};
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER_DOMAIN);
	/* A user without an address is nobody's by one. */
	idp = provider(IDP_BIND_VERIFIED_EMAIL);
	user.email = "";
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER_ADDRESS);
	who = somebody("s-1", "", true);
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_NOT_VERIFIED);
	/* Neither is a service account. */
	user = person("usr_1", NULL, 0);
	user.kind = USER_SERVICE;
	who = somebody("s-1", "alice@acme.example", true);
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_NOT_ALLOWED);
}

/* ---- our own control plane --------------------------------------------------------------------- */
static void own_control_plane(void **state)
{
	struct identity_record own[] = {{ISSUER, "usr_2"}};
	struct idp_record idp = provider(IDP_BIND_VERIFIED_EMAIL);
	const struct user_record user = person("usr_1", own, 1), other = person("usr_2", NULL, 0);
	struct oidc_identity who = somebody("usr_1", "", false);

	idp.kind = IDP_TENANTD;
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OWN);
	is(binding_decide(&idp, &other, NULL, NULL, &who), BINDING_OTHER);
	/* Neither lists nor addresses make one user another there. */
	who = somebody("usr_2", "alice@acme.example", true);
	is(binding_decide(&idp, &user, NULL, NULL, &who), BINDING_OTHER);
	is(binding_decide(&idp, &user, "usr_2", NULL, &who), BINDING_OTHER);
	who = somebody("usr_3", "alice@acme.example", true);
	is(binding_decide(&idp, &other, NULL, NULL, &who), BINDING_OTHER);
}

static void addresses(void **state)
{
	assert_true(oidc_email_equal("a@b.c", "A@B.C"));
	assert_false(oidc_email_equal("a@b.c", "a@b.cd"));
	assert_false(oidc_email_equal("a@b.cd", "a@b.c"));
	assert_false(oidc_email_equal("", ""));
	assert_false(oidc_email_equal("a", "a"));
	/* '[' and '{' are 0x20 apart, as letters' cases are; so are '@' and '`'. */
	assert_false(oidc_domain_equal("a[", "a{"));
	assert_false(oidc_email_equal("`@b.c", "@@b.c"));
	assert_false(oidc_domain_equal("a\xc3\x89", "a\xc3\xa9"));
	assert_true(oidc_email_is_in("a@b.c", "B.C"));
	assert_false(oidc_email_is_in("a@b.c", ""));
	assert_false(oidc_email_is_in("a@b.c", "c"));
	assert_false(oidc_email_is_in("a@x@b.c", "b.c"));
}

/* Every byte on either side of the '@', and every form that lacks something. */
static void plain_addresses(void **state)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char *const bad[] = {"", "@", "a", "a@", "@b", "a@@b", "a@b@", "@a@b", "a@b@c"};
	char text[OIDC_EMAIL_MAX + 2];

	for (int byte = 1; byte < 256; byte++) {
		bool letter = strchr(letters, byte);

		snprintf(text, sizeof(text), "a%cb@acme.example", byte);
		assert_int_equal(oidc_email_is_plain(text), letter || strchr("!#$%&'*+-/=?^_`{|}~.", byte));
		snprintf(text, sizeof(text), "ab@ac%cme.example", byte);
		assert_int_equal(oidc_email_is_plain(text), letter || byte == '-' || byte == '.');
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(oidc_email_is_plain(bad[i]));
	assert_true(oidc_email_is_plain("a@b"));
	memset(text, 'a', sizeof(text));
	text[1] = '@';
	text[OIDC_EMAIL_MAX] = '\0';
	assert_false(oidc_email_is_plain(text));
	text[OIDC_EMAIL_MAX - 1] = '\0';
	assert_true(oidc_email_is_plain(text));
}

static void words(void **state)
{
	for (int i = 0; i < BINDING_COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(binding_word((enum binding)i), binding_word((enum binding)j));
	assert_string_equal(binding_word(BINDING_COUNT), "unknown");
	assert_string_equal(binding_word((enum binding) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listed),
		cmocka_unit_test(other_issuer),
		cmocka_unit_test(other_tenant),
		cmocka_unit_test(somebody_elses),
		cmocka_unit_test(remembered),
		cmocka_unit_test(first_sign_in),
		cmocka_unit_test(first_sign_in_elsewhere),
		cmocka_unit_test(own_control_plane),
		cmocka_unit_test(addresses),
		cmocka_unit_test(plain_addresses),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
