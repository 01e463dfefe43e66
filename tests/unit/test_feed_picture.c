/* SPDX-License-Identifier: MIT
 *
 * A feed's records as units, several sources in one picture, and what they claim against each other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "directory_fixture.h"
#include "picture_feed.h"
#include "unit.h"

#define VERIFIER "\"verifier\":\"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\""

/* All feeds and the files' unit (NULL: none) in one picture. */
static struct directory *join(struct unit *file, struct feed_picture *const *feeds, unsigned count,
			      const struct directory *before)
{
	struct unit *all[256], *const *units;
	struct problem problem = {0};
	struct directory *d = NULL;
	uint32_t n = 0, some;

	if (file)
		all[n++] = file;
	for (unsigned i = 0; i < count; i++) {
		feed_picture_units(feeds[i], &units, &some);
		for (uint32_t k = 0; k < some; k++)
			all[n++] = units[k];
	}
	if (directory_build(all, n, "gpu-1", before, &d, &problem) != 0)
		fail_msg("%s: %s", problem.file, problem.text);
	return d;
}

static void replace(struct directory **d, struct directory *next)
{
	directory_unref(*d);
	*d = next;
}

static void change(struct feed_picture *feed, const char *lines)
{
	struct problem problem = {0};

	if (feed_lines(feed, false, lines, &problem) != 0)
		fail_msg("%s", problem.text);
}

static void test_deltas(void **state)
{
	struct feed_picture *feed = feed_of("ten_a", "acme", 0, "alice bob");
	struct directory *d = join(NULL, &feed, 1, NULL);

	assert_int_equal(feed_picture_records(feed), 8);
	assert_string_equal(directory_role(d, "usr_acme_alice", "prj_acme"), "editor");
	assert_string_equal(directory_user(d, "usr_acme_bob")->home, "/home/bob");

	change(feed, "put user usr_acme_carol 1 {\"login\":\"carol\",\"uid\":1879048300,\"name\":\"Carol\"}\n"
		     "put member usr_acme_alice/prj_acme 2 "
		     "{\"user\":\"usr_acme_alice\",\"project\":\"prj_acme\",\"role\":\"owner\"}\n"
		     "revoke key key_0000000000000001 2 {\"at\":1790000000,\"reason\":\"lost\"}\n"
		     "revoke revocation hst_9 1 {\"of\":\"host\",\"at\":1790000000}\n");
	replace(&d, join(NULL, &feed, 1, d));
	assert_int_equal(feed_picture_records(feed), 10);
	assert_string_equal(directory_user_by_login(d, "carol")->name, "Carol");
	assert_string_equal(directory_role(d, "usr_acme_alice", "prj_acme"), "owner");
	assert_int_equal(directory_key(d, "key_0000000000000001")->revoked_at, 1790000000);
	assert_string_equal(directory_key(d, "key_0000000000000001")->revoked_reason, "lost");
	assert_int_equal(directory_key(d, "key_0000000000000000")->revoked_at, 0);
	assert_non_null(directory_revocation(d, "ten_a", "hst_9"));
	assert_null(directory_revocation(d, "ten_b", "hst_9"));
	assert_non_null(feed_picture_host_revocation(feed, "hst_9"));
	assert_null(feed_picture_host_revocation(feed, "hst_8"));

	change(feed, "del user usr_acme_carol 2\n"
		     "del member usr_acme_bob/prj_acme 2\n");
	replace(&d, join(NULL, &feed, 1, d));
	assert_int_equal(feed_picture_records(feed), 8);
	assert_null(directory_user_by_login(d, "carol"));
	assert_null(directory_role(d, "usr_acme_bob", "prj_acme"));
	directory_unref(d);
	feed_picture_free(feed);
}

static void test_refused_changes(void **state)
{
	static const struct {
		const char *line, *text;
	} table[] = {
		{"put user usr_acme_alice 1 {\"login\":\"alice\",\"uid\":1879048202}",
		 "version 1 does not follow on version 1"},
		{"put user usr_acme_new 0 {\"login\":\"new\",\"uid\":1879048290}", "version 0 does not follow"},
		{"put user usr_acme_alice 2 {\"login\":\"root\",\"uid\":1879048202}",
		 "user usr_acme_alice: \"login\" is not"},
		{"put member usr_acme_alice/prj_acme 1 "
		 "{\"user\":\"usr_acme_alice\",\"project\":\"prj_acme\",\"role\":\"owner\"}",
		 "does not follow"},
		{"put tenant ten_b 1 "
		 "{\"slug\":\"b\",\"gid\":1879048192,\"ids\":{\"first\":1879048192,\"count\":9,\"next\":1879048193}}",
		 "another tenant"},
		{"del user usr_acme_alice 1", "does not follow"},
		{"del user usr_acme_nobody 2", "there is no user usr_acme_nobody"},
		{"del member usr_acme_alice/ 2", "there is no member usr_acme_alice/"},
		{"revoke key key_0000000000000009 2 {\"at\":1790000000}", "there is no key"},
		{"revoke key key_0000000000000000 1 {\"at\":1790000000}", "does not follow"},
		{"revoke key key_0000000000000000 2 {\"at\":0}", "no time"},
		{"revoke key key_0000000000000000 2 {\"reason\":\"x\"}", "'at' is missing"},
		{"revoke key key_0000000000000000 2 {\"at\":5,\"reason\":\"a\\u0007\"}", "cannot be shown"},
		{"revoke revocation tok 1 {\"of\":\"user\",\"at\":5}", "none of the words"},
	};
	struct feed_picture *feed = feed_of("ten_a", "acme", 0, "alice bob");
	struct unit *const *before, *const *after;
	uint32_t count, again;

	feed_picture_units(feed, &before, &count);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(buffer_finish) struct buffer lines = BUFFER_INIT;
		struct problem problem = {0};

		/* What came before it in the same change is taken back with it. */
		buffer_printf(&lines, "put user usr_acme_eve 1 {\"login\":\"eve\",\"uid\":1879048291}\n%s\n",
			      table[i].line);
		assert_result(feed_lines(feed, false, buffer_text(&lines), &problem), -EINVAL);
		if (!strstr(problem.text, table[i].text))
			fail_msg("row %zu: %s", i, problem.text);
		feed_picture_units(feed, &after, &again);
		assert_ptr_equal(before, after);
		assert_int_equal(count, again);
		assert_int_equal(feed_picture_records(feed), 8);
	}
	/* A snapshot with a record twice, and one on top of a change under way. */
	{
		struct problem problem = {0};

		assert_result(feed_lines(feed, true,
					 "put project prj_a 1 {\"slug\":\"a\",\"gid\":1879048202}\n"
					 "put project prj_a 2 {\"slug\":\"a\",\"gid\":1879048202}\n",
					 &problem),
			      -EINVAL);
		assert_non_null(strstr(problem.text, "twice"));
		assert_result(feed_picture_begin(feed, false, 0), 0);
		assert_result(feed_picture_begin(feed, false, 0), -EBUSY);
		feed_picture_rollback(feed);
		assert_result(feed_picture_commit(feed), -EINVAL);
	}
	feed_picture_free(feed);
}

/* From a few records to many by deltas: more shards, the same records. */
static void test_growth(void **state)
{
	struct feed_picture *feed = feed_of("ten_a", "acme", 0, "alice");
	struct unit *const *units;
	struct directory *d;
	uint32_t count;
	char login[16];

	for (unsigned i = 0; i < 15; i++) {
		_cleanup_(buffer_finish) struct buffer lines = BUFFER_INIT;

		for (unsigned k = 0; k < 100; k++)
			buffer_printf(&lines, "put user usr_%u 1 {\"login\":\"u%u\",\"uid\":%u}\n", i * 100 + k,
				      i * 100 + k, 1879048300U + i * 100 + k);
		change(feed, buffer_text(&lines));
	}
	feed_picture_units(feed, &units, &count);
	assert_true(count > 8);
	assert_int_equal(feed_picture_records(feed), 1505);
	d = join(NULL, &feed, 1, NULL);
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(login, sizeof(login), "u%u", i);
		assert_int_equal(directory_user_by_login(d, login)->uid, 1879048300U + i);
	}
	directory_unref(d);
	feed_picture_free(feed);
}

/* A feed whose records do not fit together is named; the others' can go on without it. */
static void test_source_at_fault(void **state)
{
	struct feed_picture *feeds[2] = {feed_of("ten_a", "acme", 0, "alice"), feed_of("ten_b", "beta", 1, "bert")};
	struct unit *all[64], *const *units;
	struct directory *files = build_text("version: 1\n"), *d = NULL;
	struct problem problem = {0};
	const char *source = "untouched";
	uint32_t n = 0, some;

	change(feeds[1], "del user usr_beta_bert 2\n");
	for (unsigned i = 0; i < 2; i++) {
		feed_picture_units(feeds[i], &units, &some);
		for (uint32_t k = 0; k < some; k++)
			all[n++] = units[k];
	}
	assert_result(directory_join(files, all, n, "gpu-1", NULL, &d, &source, &problem), -EINVAL);
	assert_string_equal(source, "ten_b");
	assert_string_equal(problem.file, "c.example/feed/ten_b");
	assert_non_null(strstr(problem.text, "there is no user \"usr_beta_bert\""));
	feed_picture_units(feeds[0], &units, &some);
	assert_result(directory_join(files, units, some, "gpu-1", NULL, &d, &source, &problem), 0);
	assert_non_null(directory_user_by_login(d, "alice"));
	directory_unref(d);
	directory_unref(files);
	feed_picture_free(feeds[0]);
	feed_picture_free(feeds[1]);
}

static void assert_conflicts(const struct directory *d, const char *wanted)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	const struct directory_conflict *conflicts;
	uint32_t count;

	conflicts = directory_conflicts(d, &count);
	for (uint32_t i = 0; i < count; i++)
		buffer_printf(&text, "%s %s;", claim_kind_word(conflicts[i].kind), conflicts[i].text);
	assert_string_equal(buffer_text(&text), wanted);
}

static void note(void *context, enum record_kind kind, enum change_kind changed, const void *old_record,
		 const void *new_record)
{
	static const char *const signs[] = {"+", "-", "~"};

	buffer_printf(context, "%s%s;", signs[changed], *(const char *const *)(new_record ? new_record : old_record));
}

static void assert_changes(const struct directory *before, const struct directory *after, const char *wanted)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	assert_result(directory_diff(before, after, note, &text), 0);
	assert_string_equal(buffer_text(&text), wanted);
}

static const char file_with_alice[] =
	"version: 1\ntenants:\n  - {id: ten_f, slug: filed, gid: 1879113728, ids: {first: 1879113728, count: 1000, "
	"next: "
	"1879114000}}\nprojects: [{id: prj_f, tenant: ten_f, slug: main, gid: 1879113729}]\n"
	"users: [{id: usr_f, tenant: ten_f, login: alice, uid: 1879113740}]\n"
	"members: [{user: usr_f, project: prj_f, role: owner}]\n"
	"keys: [{id: key_ffffffffffffffff, user: usr_f, "
	"verifier: \"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}]\n";

/* A login that a file and a feed claim resolves to neither, nor do what belongs to them; and they come back. */
static void test_login_claimed_twice(void **state)
{
	struct unit *file = load_text("directory.yaml", file_with_alice);
	struct feed_picture *feed = feed_of("ten_a", "acme", 0, "alice bob");
	struct directory *d = join(file, NULL, 0, NULL), *both, *after;
	const struct directory_conflict *conflicts;
	uint32_t count, cursor = 0;

	assert_string_equal(directory_user_by_login(d, "alice")->id, "usr_f");
	both = join(file, &feed, 1, d);
	conflicts = directory_conflicts(both, &count);
	assert_int_equal(count, 1);
	assert_int_equal(conflicts[0].kind, CLAIM_NAME);
	assert_string_equal(conflicts[0].text, "alice");
	assert_string_equal(conflicts[0].sources[0], "directory.yaml:5");
	assert_string_equal(conflicts[0].sources[1], "c.example/feed/ten_a");
	assert_null(directory_user_by_login(both, "alice"));
	assert_null(directory_user(both, "usr_f"));
	assert_null(directory_user(both, "usr_acme_alice"));
	assert_null(directory_user_by_uid(both, 1879113740));
	assert_null(directory_key(both, "key_ffffffffffffffff"));
	assert_null(directory_key(both, "key_0000000000000000"));
	assert_null(directory_role(both, "usr_f", "prj_f"));
	assert_null(directory_role(both, "usr_acme_alice", "prj_acme"));
	for (const struct user_record *user; (user = directory_next_user(both, &cursor));)
		assert_string_equal(user->login, "bob");
	cursor = 0;
	for (const struct member_record *member; (member = directory_next_member(both, &cursor));)
		assert_string_equal(member->user_id, "usr_acme_bob");
	assert_string_equal(directory_user_by_login(both, "bob")->id, "usr_acme_bob");
	assert_non_null(directory_tenant(both, "ten_f"));
	assert_changes(d, both,
		       "-usr_f;-usr_f;-key_ffffffffffffffff;+ten_a;+prj_acme;+usr_acme_bob;+usr_acme_bob;"
		       "+key_0000000000000001;");
	/* One of the two takes another name: both are there. */
	change(feed, "put user usr_acme_alice 2 {\"login\":\"alice2\",\"uid\":1879048202}\n");
	after = join(file, &feed, 1, both);
	assert_conflicts(after, "");
	assert_string_equal(directory_user_by_login(after, "alice")->id, "usr_f");
	assert_string_equal(directory_user_by_login(after, "alice2")->id, "usr_acme_alice");
	assert_non_null(directory_key(after, "key_ffffffffffffffff"));
	/* And back. */
	change(feed, "put user usr_acme_alice 3 {\"login\":\"alice\",\"uid\":1879048202}\n");
	replace(&both, join(file, &feed, 1, after));
	assert_conflicts(both, "name alice;");
	assert_null(directory_user_by_login(both, "alice"));
	/* The file goes: the feed's comes back. */
	replace(&after, join(NULL, &feed, 1, both));
	assert_string_equal(directory_user_by_login(after, "alice")->id, "usr_acme_alice");
	directory_unref(after);
	directory_unref(both);
	directory_unref(d);
	unit_unref(file);
	feed_picture_free(feed);
}

/* Each kind of claim, by what a second feed says. */
static void test_claims(void **state)
{
	static const struct {
		const char *tenant_id, *slug;
		unsigned block;
		const char *logins, *more, *conflicts, *lost_user, *kept_user;
	} table[] = {
		{"ten_b", "beta", 1, "bert", "", "", NULL, "alice"},
		{"ten_b", "acme", 1, "bert", "", /* slugs, and all group names made of them; ids of feed_of, too */
		 "project-id prj_acme;name acme;name acme-main;name acme-main-editor;name acme-main-owner;name "
		 "acme-main-viewer;",
		 "alice", NULL},
		{"ten_b", "beta", 0, "bert", "", "id-block 1879048192..1879064575;key-id key_0000000000000000;",
		 "alice", NULL},
		{"ten_b", "beta", 1, "bert", "put user usr_acme_alice 1 {\"login\":\"other\",\"uid\":1879064700}\n",
		 "user-id usr_acme_alice;", "alice", "bert"},
		{"ten_b", "beta", 1, "bert", "put project prj_acme 1 {\"slug\":\"other\",\"gid\":1879064700}\n",
		 "project-id prj_acme;", NULL, "alice"},
		{"ten_b", "beta", 1, "bert",
		 "put key key_0000000000000000 1 {\"user\":\"usr_beta_bert\"," VERIFIER "}\n",
		 "key-id key_0000000000000000;", NULL, "alice"},
		/* A login that is another tenant's group. */
		{"ten_b", "beta", 1, "acme-main-owner", "", "name acme-main-owner;", "acme-main-owner", "alice"},
		{"ten_b", "beta", 1, "acme", "", "name acme;", "alice", NULL},
		/* Slugs that put together give one group's name. */
		{"ten_b", "acme-main", 1, "bert", "", "name acme-main;", "bert", "alice"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct feed_picture *feeds[2] = {
			feed_of("ten_a", "acme", 0, "alice"),
			feed_of(table[i].tenant_id, table[i].slug, table[i].block, table[i].logins)};
		struct directory *alone = join(NULL, feeds, 1, NULL), *grown, *anew;

		if (*table[i].more)
			change(feeds[1], table[i].more);
		anew = join(NULL, feeds, 2, NULL);
		grown = join(NULL, feeds, 2, alone);
		assert_conflicts(anew, table[i].conflicts);
		assert_conflicts(grown, table[i].conflicts);
		if (table[i].lost_user && directory_user_by_login(grown, table[i].lost_user))
			fail_msg("row %zu: %s is served", i, table[i].lost_user);
		if (table[i].kept_user && !directory_user_by_login(grown, table[i].kept_user))
			fail_msg("row %zu: %s is not served", i, table[i].kept_user);
		directory_unref(anew);
		/* The claimant goes: all is as it was. */
		anew = join(NULL, feeds, 1, grown);
		assert_conflicts(anew, "");
		assert_non_null(directory_user_by_login(anew, "alice"));
		assert_non_null(directory_project(anew, "prj_acme"));
		assert_non_null(directory_key(anew, "key_0000000000000000"));
		assert_changes(alone, anew, "");
		directory_unref(anew);
		directory_unref(grown);
		directory_unref(alone);
		feed_picture_free(feeds[0]);
		feed_picture_free(feeds[1]);
	}
}

/* The host's rules are those of all sources, but for projects that are left out. */
static void test_hosts(void **state)
{
	struct feed_picture *feeds[2] = {feed_of("ten_a", "acme", 0, "alice"), feed_of("ten_b", "beta", 1, "bert")};
	struct directory *d;

	change(feeds[0], "put host hrl_1 1 {\"name\":\"*\",\"serves\":[]}\n"
			 "put host hrl_2 1 {\"name\":\"GPU-*\",\"serves\":[{\"project\":\"prj_acme\"}]}\n");
	change(feeds[1],
	       "put host hrl_3 1 {\"name\":\"gpu-1\",\"serves\":[{\"project\":\"prj_beta\",\"sudo\":[\"owner\"]}]}\n"
	       "put host hrl_4 1 {\"name\":\"gpu-2\",\"serves\":[]}\n");
	d = join(NULL, feeds, 2, NULL);
	assert_int_equal(directory_host(d)->rule_count, 2);
	assert_string_equal(directory_host(d)->rules[0].project_id, "prj_acme");
	assert_string_equal(directory_host(d)->rules[1].project_id, "prj_beta");
	change(feeds[1], "put user usr_beta_2 1 {\"login\":\"acme\",\"uid\":1879064700}\n"); /* acme's group: tenant
												acme is out */
	replace(&d, join(NULL, feeds, 2, d));
	assert_int_equal(directory_host(d)->rule_count, 1);
	assert_string_equal(directory_host(d)->rules[0].project_id, "prj_beta");
	directory_unref(d);
	feed_picture_free(feeds[0]);
	feed_picture_free(feeds[1]);
}

/* References stay inside a source: a feed cannot reach another tenant's people, nor the file's. */
static void test_sources_apart(void **state)
{
	struct feed_picture *feeds[2] = {feed_of("ten_a", "acme", 0, "alice"), feed_of("ten_b", "beta", 1, "bert")};
	struct unit *all[64], *const *units;
	struct problem problem = {0};
	struct directory *d = NULL;
	uint32_t n = 0, some;

	change(feeds[1], "put host hrl_3 1 {\"name\":\"gpu-1\",\"serves\":[{\"project\":\"prj_acme\"}]}\n");
	for (unsigned i = 0; i < 2; i++) {
		feed_picture_units(feeds[i], &units, &some);
		for (uint32_t k = 0; k < some; k++)
			all[n++] = units[k];
	}
	assert_result(directory_build(all, n, "gpu-1", NULL, &d, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "there is no project \"prj_acme\""));
	feed_picture_free(feeds[0]);
	feed_picture_free(feeds[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_refused_changes),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_source_at_fault),
		cmocka_unit_test(test_login_claimed_twice),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_sources_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
