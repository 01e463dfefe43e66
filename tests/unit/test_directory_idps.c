/* SPDX-License-Identifier: MIT
 *
 * Providers and identities in pictures: what does not fit together, how they are found, how they change, and who loses
 * them to whom.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "directory/unit.h"
#include "directory/yaml_load.h"
#include "directory_fixture.h"
#include "picture_feed.h"

#define GOOGLE "https://accounts.google.com"
#define STAFF "https://login.acme.example/realms/staff"
#define SUBJECT "110169484474386276334"

#define TENANTS                                                                                 \
	"version: 1\ntenants:\n"                                                                \
	"  - {id: ten_a, slug: a, gid: 1879048192, ids: {first: 1879048192, count: 100, next: " \
	"1879048290}}\n"                                                                        \
	"  - {id: ten_b, slug: b, gid: 1879048300, ids: {first: 1879048300, count: 100, next: " \
	"1879048390}}\n"
#define USER(id, tenant, login, uid, identity) \
	"  - {id: " id ", tenant: " tenant ", login: " login ", uid: " uid ", identities: [" identity "]}\n"
#define ONE "{issuer: https://i.example, subject: one}"
#define ANN "  - {id: usr_ann, tenant: ten_a, login: ann, uid: 1879048200, identities: [" ONE "]}\n"

#define IDP_LINE(id, tenant, more) \
	"  - {id: " id ", tenant: " tenant ", kind: oidc, issuer: https://i.example, client_id: c" more "}\n"

static void test_pictures_refused(void **state)
{
	_cleanup_(buffer_finish) struct buffer many = BUFFER_INIT;

	assert_string_equal(problem_of(TENANTS "providers:\n" IDP_LINE("idp_a", "ten_c", ""), NULL),
			    "f:6:5: there is no tenant \"ten_c\" (did you mean \"ten_a\"?)");
	assert_string_equal(
		problem_of(TENANTS "providers:\n" IDP_LINE("idp_a", "ten_a", "") IDP_LINE("idp_a", "ten_b", ""), NULL),
		"f:7:5: provider id \"idp_a\" is taken already (f:6) (give each record an id of its own)");
	assert_string_equal(problem_of(TENANTS "providers:\n" IDP_LINE("idp_a", "ten_a", ", preferred: true")
					       IDP_LINE("idp_b", "ten_b", ", preferred: true"),
				       NULL),
			    "(no problem)");
	assert_non_null(strstr(problem_of(TENANTS "providers:\n" IDP_LINE("idp_a", "ten_a", ", preferred: true"),
					  "version: 1\nproviders:\n" IDP_LINE("idp_b", "ten_a", ", preferred: true")),
			       "of tenant \"a\" is preferred already (take \"preferred\" from one of the two)"));
	buffer_add_text(&many, TENANTS "providers:\n");
	for (unsigned i = 0; i < IDP_PER_TENANT_MAX; i++)
		buffer_printf(&many,
			      "  - {id: idp_%u, tenant: ten_a, kind: oidc, issuer: https://i.example, client_id: c}\n",
			      i);
	assert_string_equal(problem_of(buffer_text(&many), NULL), "(no problem)");
	buffer_add_text(&many, IDP_LINE("idp_more", "ten_a", ""));
	assert_string_equal(problem_of(buffer_text(&many), NULL),
			    "f:6:5: tenant \"a\" has more than 16 providers (remove those that nobody uses)");

	/* An identity is one person's within a tenant, whichever files say so; another tenant's people are others. */
	assert_string_equal(
		problem_of(TENANTS "users:\n" ANN USER("usr_ben", "ten_a", "ben", "1879048201", ONE), NULL),
		"f:7:5: identity \"one\" of https://i.example is user \"ann\"'s already (f:6) (an identity is one "
		"person's: take it from one of the two)");
	assert_string_equal(
		problem_of(TENANTS "users:\n" ANN,
			   "version: 1\nusers:\n" USER("usr_ben", "ten_a", "ben", "1879048201", ONE)),
		"g:3:5: identity \"one\" of https://i.example is user \"ann\"'s already (f:6) (an identity is "
		"one person's: take it from one of the two)");
	assert_string_equal(problem_of(TENANTS "users:\n" ANN USER("usr_ben", "ten_b", "ben", "1879048310", ONE), NULL),
			    "(no problem)");
}

static void test_too_many_identities(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct problem problem = {0};
	struct unit *unit = NULL;

	buffer_add_text(&text,
			TENANTS "users:\n  - {id: usr_a, tenant: ten_a, login: al, uid: 1879048199, identities: [");
	for (unsigned i = 0; i <= USER_IDENTITIES_MAX; i++)
		buffer_printf(&text, "%s{issuer: https://i.example, subject: s%u}", i ? ", " : "", i);
	buffer_add_text(&text, "]}\n");
	assert_result(directory_yaml_load_text("f", text.data, text.length, &unit, &problem), -EINVAL);
	assert_string_equal(problem.text, "more than 16 identities of one user");
}

static void test_lookups(void **state)
{
	struct directory *d = build_text(sample_directory);
	const struct idp_record *idp;
	uint32_t cursor = 0, count = 0;

	assert_string_equal(directory_idp(d, "idp_google")->name, "Google");
	assert_null(directory_idp(d, "idp_googl"));
	assert_null(directory_idp(d, ""));
	while ((idp = directory_idps(d, "ten_acme", &cursor))) {
		assert_string_equal(idp->tenant_id, "ten_acme");
		count++;
	}
	assert_int_equal(count, 2);
	cursor = 0;
	assert_string_equal(directory_idps(d, "ten_beta", &cursor)->id, "idp_beta");
	assert_null(directory_idps(d, "ten_beta", &cursor));
	cursor = 0;
	assert_null(directory_idps(d, "ten_none", &cursor));
	for (count = cursor = 0; directory_next_idp(d, &cursor);)
		count++;
	assert_int_equal(count, 3);

	assert_string_equal(directory_user_by_identity(d, "ten_acme", GOOGLE, SUBJECT)->login, "bob");
	assert_string_equal(directory_user_by_identity(d, "ten_acme", STAFF, "a3f1")->login, "bob");
	/* All three count, each to its last byte, and none lends a byte to the next. */
	assert_null(directory_user_by_identity(d, "ten_beta", GOOGLE, SUBJECT));
	assert_null(directory_user_by_identity(d, "ten_acme", GOOGLE, "a3f1"));
	assert_null(directory_user_by_identity(d, "ten_acme", STAFF, SUBJECT));
	assert_null(directory_user_by_identity(d, "ten_acme", GOOGLE "/", SUBJECT));
	assert_null(directory_user_by_identity(d, "ten_acme", "https://Accounts.google.com", SUBJECT));
	assert_null(directory_user_by_identity(d, "ten_acme", "https://accounts.google.co", "m" SUBJECT));
	assert_null(directory_user_by_identity(d, "ten_acme", GOOGLE, "11016948447438627633"));
	assert_null(directory_user_by_identity(d, "ten_acme", GOOGLE, SUBJECT "0"));
	assert_null(directory_user_by_identity(d, "ten_acme", GOOGLE, ""));
	assert_null(directory_user_by_identity(d, "ten_acme", STAFF, "A3F1"));
	directory_unref(d);
}

#define BEN(identity) "version: 1\nusers:\n" USER("usr_ben", "ten_a", "ben", "1879048201", identity)

static void count_change(void *context, enum record_kind kind, enum change_kind change, const void *old_record,
			 const void *new_record)
{
	unsigned *counts = context;

	counts[kind * 3 + change]++;
}

/* A picture that is derived from another finds what it says, and no more; who holds the one before keeps it. */
static void test_changes(void **state)
{
	struct unit *base = load_text("f", TENANTS "users:\n" ANN "providers:\n" IDP_LINE("idp_a", "ten_a", "")),
		    *ben = load_text("g", BEN("{issuer: https://i.example, subject: two}")), *next;
	struct directory *first = build_units((struct unit *[]){base, ben}, 2, NULL), *second;
	unsigned counts[3 * RECORD_KIND_COUNT] = {0};
	uint32_t cursor = 0;

	assert_string_equal(directory_user_by_identity(first, "ten_a", "https://i.example", "two")->login, "ben");
	next = load_text("g", BEN("{issuer: https://i.example, subject: three}, {issuer: https://j.example, subject: "
				  "two}") "providers:\n" IDP_LINE("idp_b", "ten_a", ", preferred: true"));
	second = build_units((struct unit *[]){base, next}, 2, first);
	assert_null(directory_user_by_identity(second, "ten_a", "https://i.example", "two"));
	assert_string_equal(directory_user_by_identity(second, "ten_a", "https://j.example", "two")->login, "ben");
	assert_string_equal(directory_user_by_identity(second, "ten_a", "https://i.example", "three")->login, "ben");
	assert_string_equal(directory_user_by_identity(second, "ten_a", "https://i.example", "one")->login, "ann");
	assert_string_equal(directory_user_by_identity(first, "ten_a", "https://i.example", "two")->login, "ben");
	assert_null(directory_idp(first, "idp_b"));
	assert_true(directory_idp(second, "idp_b")->preferred);
	assert_non_null(directory_idps(second, "ten_a", &cursor));
	assert_non_null(directory_idps(second, "ten_a", &cursor));
	assert_null(directory_idps(second, "ten_a", &cursor));
	assert_result(directory_diff(first, second, count_change, counts), 0);
	assert_int_equal(counts[RECORD_USER * 3 + CHANGE_UPDATED], 1);
	assert_int_equal(counts[RECORD_IDP * 3 + CHANGE_ADDED], 1);
	directory_unref(first);
	unit_unref(ben);

	/* Only the one that came is asked whether it may. */
	ben = load_text("g", BEN(ONE));
	assert_non_null(strstr(build_problem((struct unit *[]){base, ben}, 2, second), "is user \"ann\"'s already"));
	unit_unref(ben);
	ben = load_text("g", BEN("") "providers:\n" IDP_LINE("idp_b", "ten_a", ", max_age: 1h"));
	first = build_units((struct unit *[]){base, ben}, 2, second);
	assert_int_equal(directory_idp(first, "idp_b")->max_age_sec, 3600);
	assert_null(directory_user_by_identity(first, "ten_a", "https://i.example", "three"));
	memset(counts, 0, sizeof(counts));
	assert_result(directory_diff(second, first, count_change, counts), 0);
	assert_int_equal(counts[RECORD_IDP * 3 + CHANGE_UPDATED], 1);
	directory_unref(first);
	directory_unref(second);
	unit_unref(base);
	unit_unref(next);
	unit_unref(ben);
}

/* An id that a feed claims, too, is nobody's until one of them lets go. */
static void test_claimed_twice(void **state)
{
	static const char body[] = "{\"kind\":\"oidc\",\"issuer\":\"https://j.example\",\"client_id\":\"d\"}\n";
	struct unit *file = load_text("f", TENANTS "users:\n" ANN "providers:\n" IDP_LINE("idp_a", "ten_a", ""));
	struct feed_picture *feed = feed_of("ten_c", "gamma", 4, "cleo");
	struct unit *all[64] = {file}, *const * units;
	const struct directory_conflict *conflicts;
	struct problem problem = {0};
	struct directory *d, *next;
	uint32_t count, cursor = 0, conflict_count;
	char line[256];

	snprintf(line, sizeof(line), "put idp idp_a 1 %sput idp idp_c 1 %s", body, body);
	assert_result(feed_lines(feed, false, line, &problem), 0);
	feed_picture_units(feed, &units, &count);
	memcpy(&all[1], units, count * sizeof(struct unit *));
	d = build_units(all, count + 1, NULL);
	assert_null(directory_idp(d, "idp_a"));
	assert_string_equal(directory_idp(d, "idp_c")->tenant_id, "ten_c");
	assert_null(directory_idps(d, "ten_a", &cursor));
	cursor = 0;
	assert_string_equal(directory_idps(d, "ten_c", &cursor)->id, "idp_c");
	assert_null(directory_idps(d, "ten_c", &cursor));
	conflicts = directory_conflicts(d, &conflict_count);
	assert_int_equal(conflict_count, 1);
	assert_string_equal(claim_kind_word(conflicts[0].kind), "provider-id");
	assert_string_equal(conflicts[0].text, "idp_a");
	assert_non_null(directory_user_by_identity(d, "ten_a", "https://i.example", "one"));

	assert_result(feed_lines(feed, false, "del idp idp_a 2\n", &problem), 0);
	feed_picture_units(feed, &units, &count);
	memcpy(&all[1], units, count * sizeof(struct unit *));
	next = build_units(all, count + 1, d);
	assert_string_equal(directory_idp(next, "idp_a")->issuer, "https://i.example");
	directory_unref(d);

	/* A tenant that is left out takes its providers and its people's identities along. */
	feed_picture_free(feed);
	feed = feed_of("ten_a", "other", 6, "cleo");
	feed_picture_units(feed, &units, &count);
	memcpy(&all[1], units, count * sizeof(struct unit *));
	d = build_units(all, count + 1, next);
	assert_null(directory_idp(d, "idp_a"));
	assert_null(directory_user_by_identity(d, "ten_a", "https://i.example", "one"));
	directory_unref(d);
	directory_unref(next);
	feed_picture_free(feed);
	unit_unref(file);
}

/* From a feed as from a file, secrets and all; a second put replaces the first. */
static void test_feed(void **state)
{
	struct feed_picture *feed = feed_of("ten_c", "gamma", 4, "cleo");
	struct problem problem = {0};
	struct unit *const *units;
	struct directory *d;
	uint32_t count;

	assert_result(
		feed_lines(feed, false,
			   "put idp idp_c 1 {\"kind\":\"oidc\",\"issuer\":\"https://j.example\",\"client_id\":\"d\","
			   "\"client_auth\":\"client_secret_basic\",\"client_secret\":\"first one\"}\n"
			   "put user usr_dan 1 {\"login\":\"dan\",\"uid\":1879114000,\"identities\":[{\"issuer\":"
			   "\"https://j.example\",\"subject\":\"7\"}]}\n",
			   &problem),
		0);
	assert_result(
		feed_lines(feed, false,
			   "put idp idp_c 2 {\"kind\":\"oidc\",\"issuer\":\"https://j.example\",\"client_id\":\"d\","
			   "\"client_auth\":\"client_secret_post\",\"client_secret\":\"second one\"}\n",
			   &problem),
		0);
	feed_picture_units(feed, &units, &count);
	d = build_units(units, count, NULL);
	assert_string_equal(directory_idp(d, "idp_c")->client_secret, "second one");
	assert_int_equal(directory_idp(d, "idp_c")->client_auth, IDP_CLIENT_SECRET_POST);
	assert_string_equal(directory_user_by_identity(d, "ten_c", "https://j.example", "7")->login, "dan");
	directory_unref(d);
	feed_picture_free(feed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pictures_refused), cmocka_unit_test(test_too_many_identities),
		cmocka_unit_test(test_lookups),          cmocka_unit_test(test_changes),
		cmocka_unit_test(test_claimed_twice),    cmocka_unit_test(test_feed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
