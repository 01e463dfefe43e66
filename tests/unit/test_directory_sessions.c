/* SPDX-License-Identifier: MIT
 *
 * Rules of sessions and operators' grants in directory files, and what pictures make of them and of orders to end
 * sessions: what does not fit together, how it is found, how it changes, and who loses it to whom.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "directory/edit.h"
#include "directory/unit.h"
#include "directory/yaml_load.h"
#include "directory_fixture.h"
#include "picture_feed.h"

static void test_sample(void **state)
{
	const struct session_rules all = {4, 100, 12 * 3600, 1800, 600, 20, SESSION_OVER_END_OLDEST, true, true};
	const struct session_rules usual = session_rules_default();
	struct unit *unit = load_text("f", operators_directory), *other = load_text("g", sample_directory);
	const struct record_set *r = unit_records(unit);

	assert_true(session_rules_equal(&r->tenants[0].sessions, &all));
	assert_true(session_rules_equal(&unit_records(other)->tenants[1].sessions, &usual));
	assert_int_equal(unit_records(other)->tenants[0].sessions.max_per_user, 20);
	assert_int_equal(r->users[0].kind, USER_PERSON);
	assert_int_equal(r->users[1].kind, USER_OPERATOR);
	assert_int_equal(r->grant_count, 1);
	assert_string_equal(r->grants[0].id, "grt_a");
	assert_string_equal(r->grants[0].tenant_id, "ten_acme");
	assert_string_equal(r->grants[0].user_id, "usr_olga");
	assert_string_equal(r->grants[0].operator_id, "opr_7");
	assert_string_equal(r->grants[0].operator_name, "olga@platform.example");
	assert_string_equal(r->grants[0].reason, "ticket 4711: no GPU");
	assert_int_equal(r->grants[0].not_after - r->grants[0].not_before, 7200);
	unit_unref(unit);
	unit_unref(other);
}

#define SESSIONS(fields)                                                                                 \
	"tenants:\n  - {id: ten_a, slug: a, gid: 1879048192, ids: {first: 1879048192, count: 10, next: " \
	"1879048200}, policy: {sessions: {" fields "}}}\n"
#define GRANT(more) "grants:\n  - {id: grt_a, tenant: ten_a, user: usr_o" more "}\n"
#define AT_RECORD "f:3:5: "

/* NULL: it loads. */
static const struct {
	const char *text, *problem;
} files[] = {
	{SESSIONS(""), NULL},
	{SESSIONS("warn: 0s, grace: 0s, over: deny, end_with_key: false"), NULL},
	{SESSIONS("grace: 5min, warn: 1d, max_age: 366d"), NULL},
	{SESSIONS("max_sessions_per_user: 3"), "unknown key \"max_sessions_per_user\" in sessions"},
	{SESSIONS("max_per_users: 3"), "(did you mean \"max_per_user\"?)"},
	{SESSIONS("max: 3"), "unknown key \"max\" in sessions"},
	{SESSIONS("hours: [\"mon-fri 08:00-18:00\"]"), "unknown key \"hours\" in sessions"},
	{SESSIONS("max_per_user: 0"), "\"max_per_user\" is no limit: \"0\" (leave the key out where there is none)"},
	{SESSIONS("max_per_tenant: 0"), "\"max_per_tenant\" is no limit"},
	{SESSIONS("max_per_user: -1"), "\"max_per_user\" is not a whole number"},
	{SESSIONS("max_per_user: \"3\""), "\"max_per_user\" is not a whole number"},
	{SESSIONS("max_age: 0s"), "\"max_age\" is not a span of time"},
	{SESSIONS("idle: 0s"), "\"idle\" is not a span of time"},
	{SESSIONS("max_age: 367d"), "\"max_age\" of sessions is too long (a year is the most)"},
	{SESSIONS("idle: 367d"), "\"idle\" of sessions is too long"},
	{SESSIONS("warn: 25h"), "\"warn\" of sessions is too long (a day is the most)"},
	{SESSIONS("grace: 301s"), "\"grace\" of sessions is too long (five minutes are the most)"},
	{SESSIONS("grace: -1s"), "\"grace\" is not a span of time"},
	{SESSIONS("over: end_oldest"), "none of the words it may be: \"end_oldest\" (did you mean \"end-oldest\"?)"},
	{SESSIONS("end_with_key: yes"), "\"end_with_key\" is neither true nor false"},
	{SESSIONS("max_per_user: 1, max_per_user: 2"), "key \"max_per_user\" is given twice in sessions"},
	{"tenants:\n  - {policy: {max_sessions_per_user: 3}}\n",
	 "f:3:15: unknown key \"max_sessions_per_user\" in a policy"},

	{GRANT(", operator_name: o, reason: r, not_after: 2027-01-01"), NULL},
	{GRANT(", operator_id: opr_1, reason: r, not_after: 2027-01-01"), NULL},
	{"grant: []\n", "f:2:1: unknown key \"grant\" (did you mean \"grants\"?)"},
	{GRANT(", operator_name: o, reason: r"), AT_RECORD "a grant needs \"not_after\" (add it)"},
	{GRANT(", operator_name: o, not_after: 2027-01-01"), AT_RECORD "a grant needs \"reason\""},
	{GRANT(", operator_name: o, reason: \"\", not_after: 2027-01-01"), AT_RECORD "the grant gives no reason"},
	{GRANT(", reason: r, not_after: 2027-01-01"), AT_RECORD "the grant names no operator"},
	{GRANT(", operator_name: o, reason: r, not_before: 2027-01-02, not_after: 2027-01-01"),
	 AT_RECORD "the grant ends (not_after) before it begins"},
	{GRANT(", operator_name: o, reason: r, not_after: 1970-01-01"), "not after 1970"},
	{GRANT(", operator_id: o@p.example"), "\"operator_id\" is not an id"},
	{GRANT(", role: owner"), "unknown key \"role\" in a grant"},
	{"grants:\n  - {id: grt_a, user: usr_o, operator_name: o, reason: r, not_after: 2027-01-01}\n",
	 AT_RECORD "a grant needs \"tenant\""},
	{"users:\n  - {kind: operators}\n", "(did you mean \"operator\"?)"},
};

static void test_files(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_(freep) char *whole = NULL;
		struct problem problem = {0};
		struct unit *unit = NULL;
		char line[1400] = "";
		int r;

		assert_true(asprintf(&whole, "version: 1\n%s", files[i].text) > 0);
		r = directory_yaml_load_text("f", whole, strlen(whole), &unit, &problem);
		if (r < 0)
			problem_render(&problem, line, sizeof(line));
		if (r != (files[i].problem ? -EINVAL : 0) || (files[i].problem && !strstr(line, files[i].problem)))
			fail_msg("%s: %d %s instead of %s", files[i].text, r, line,
				 files[i].problem ? files[i].problem : "loading");
		unit_unref(unit);
	}
}

/* ---- pictures ------------------------------------------------------------------------------------------ */

#define TENANTS                                                                                 \
	"version: 1\ntenants:\n"                                                                \
	"  - {id: ten_a, slug: a, gid: 1879048192, ids: {first: 1879048192, count: 100, next: " \
	"1879048290}}\n"                                                                        \
	"  - {id: ten_b, slug: b, gid: 1879048300, ids: {first: 1879048300, count: 100, next: " \
	"1879048390}}\n"                                                                        \
	"projects:\n  - {id: prj_a, tenant: ten_a, slug: p, gid: 1879048193}\n"
#define USERS "users:\n"
#define OLGA(kind) "  - {id: usr_o, tenant: ten_a, login: olga, uid: 1879048200, kind: " kind "}\n"
#define ANN "  - {id: usr_ann, tenant: ten_a, login: ann, uid: 1879048201}\n"
#define BEN "  - {id: usr_ben, tenant: ten_b, login: ben, uid: 1879048310, kind: operator}\n"
#define ROLE(project, role) "members:\n  - {user: usr_o, " project ", role: " role "}\n"
#define GRANTS "grants:\n"
#define GRANT_OF(id, tenant, user)                                                                           \
	"  - {id: " id ", tenant: " tenant ", user: " user ", operator_name: o, reason: r, not_after: 2027-" \
	"01-01}\n"
#define FILE "version: 1\n"

static void test_pictures_refused(void **state)
{
	static const char fine[] = TENANTS USERS OLGA("operator") ANN BEN;

	assert_string_equal(
		problem_of(fine, FILE GRANTS GRANT_OF("grt_a", "ten_a", "usr_o") GRANT_OF("grt_b", "ten_b", "usr_ben")),
		"(no problem)");
	assert_string_equal(problem_of(fine, FILE GRANTS GRANT_OF("grt_a", "ten_c", "usr_o")),
			    "g:3:5: there is no tenant \"ten_c\" (did you mean \"ten_a\"?)");
	assert_non_null(strstr(problem_of(fine, FILE GRANTS GRANT_OF("grt_a", "ten_a", "usr_gone")),
			       "g:3:5: there is no user \"usr_gone\""));
	assert_non_null(strstr(problem_of(fine, FILE GRANTS GRANT_OF("grt_a", "ten_a", "usr_ann")),
			       "g:3:5: user \"ann\" is no operator's account"));
	assert_non_null(strstr(problem_of(fine, FILE GRANTS GRANT_OF("grt_a", "ten_b", "usr_o")),
			       "g:3:5: user \"olga\" belongs to another tenant than the grant"));
	assert_string_equal(
		problem_of(fine, FILE GRANTS GRANT_OF("grt_a", "ten_a", "usr_o") GRANT_OF("grt_b", "ten_a", "usr_o")),
		"g:4:5: grant for user \"usr_o\" is taken already (g:3) (an operator's account has one grant; "
		"remove one of the two)");
	assert_non_null(strstr(
		problem_of(fine, FILE GRANTS GRANT_OF("grt_a", "ten_a", "usr_o") GRANT_OF("grt_a", "ten_b", "usr_ben")),
		"grant id \"grt_a\" is taken already"));
	/* Viewer, wherever, and nothing else. */
	assert_string_equal(problem_of(fine, FILE ROLE("project: prj_a", "viewer")), "(no problem)");
	assert_string_equal(problem_of(fine, FILE ROLE("tenant: ten_a", "viewer")), "(no problem)");
	assert_non_null(strstr(problem_of(fine, FILE ROLE("project: prj_a", "editor")),
			       "g:3:5: \"olga\" is an operator's account, which looks in as viewer and as nothing"));
	assert_non_null(strstr(problem_of(fine, FILE ROLE("project: prj_a", "owner")), "operator's account"));
	assert_non_null(strstr(problem_of(fine, FILE ROLE("tenant: ten_a", "admin")), "operator's account"));
	assert_non_null(strstr(problem_of(fine, FILE ROLE("tenant: ten_a", "analyst")), "operator's account"));
	assert_string_equal(problem_of(TENANTS USERS OLGA("person"), FILE ROLE("project: prj_a", "owner")),
			    "(no problem)");
}

/* What stayed is asked again when the person it is about has become somebody of another kind. */
static void test_kind_changes(void **state)
{
	struct unit *base = load_text("f", TENANTS), *olga = load_text("g", FILE USERS OLGA("person")),
		    *rest = load_text("h", FILE ROLE("project: prj_a", "editor")), *next;
	struct directory *d = build_units((struct unit *[]){base, olga, rest}, 3, NULL), *second, *third;
	const uint32_t *touched;
	uint32_t count;

	next = load_text("g", FILE USERS OLGA("operator"));
	assert_non_null(strstr(build_problem((struct unit *[]){base, next, rest}, 3, d), "operator's account"));
	unit_unref(rest);
	directory_unref(d);
	rest = load_text("h", FILE ROLE("project: prj_a", "viewer") GRANTS GRANT_OF("grt_a", "ten_a", "usr_o"));
	d = build_units((struct unit *[]){base, next, rest}, 3, NULL);
	assert_non_null(strstr(build_problem((struct unit *[]){base, olga, rest}, 3, d), "no operator's account"));
	assert_non_null(strstr(build_problem((struct unit *[]){base, rest}, 2, d), "there is no user \"usr_o\""));
	second = build_units((struct unit *[]){base, next}, 2, d);
	assert_null(directory_grant_of(second, "usr_o"));
	assert_false(directory_touched_users(second, NULL, &touched, &count));
	/* Who may sudo and who may not is in the map for NSS, so a change of kind is one of it. */
	third = build_units((struct unit *[]){base, olga}, 2, second);
	assert_true(directory_touched_users(third, second, &touched, &count));
	assert_int_equal(count, 1);
	assert_int_equal(touched[0], 1879048200);
	directory_unref(third);
	assert_string_equal(directory_grant_of(d, "usr_o")->id, "grt_a");
	assert_null(directory_grant_of(d, "usr_"));
	assert_null(directory_grant_of(d, "grt_a"));
	directory_unref(second);
	directory_unref(d);
	unit_unref(base);
	unit_unref(olga);
	unit_unref(next);
	unit_unref(rest);
}

static void count_change(void *context, enum record_kind kind, enum change_kind change, const void *old_record,
			 const void *new_record)
{
	unsigned *counts = context;

	counts[kind * 3 + change]++;
}

static struct directory *picture_of(struct feed_picture *feed, const struct directory *before)
{
	struct unit *const *units;
	uint32_t count;

	feed_picture_units(feed, &units, &count);
	return build_units(units, count, before);
}

#define GRANT_BODY(user, after) \
	"{\"user\":\"" user "\",\"operator_name\":\"o\",\"reason\":\"r\",\"not_after\":" after "}\n"
#define OPERATOR                                                                                 \
	"put user usr_op 1 {\"login\":\"op\",\"uid\":1879114000,\"kind\":\"operator\"}\n"        \
	"put member usr_op/prj_gamma 1 {\"user\":\"usr_op\",\"project\":\"prj_gamma\",\"role\":" \
	"\"viewer\"}\n"

/* From a feed: put, prolonged, taken back; each a change of its own, and the person is who they were. */
static void test_grants_of_a_feed(void **state)
{
	struct feed_picture *feed = feed_of("ten_c", "gamma", 4, "cleo");
	struct problem problem = {0};
	unsigned counts[3 * RECORD_KIND_COUNT] = {0};
	struct directory *first, *second, *third;

	assert_result(
		feed_lines(feed, false, OPERATOR "put grant grt_a 1 " GRANT_BODY("usr_op", "1800000000"), &problem), 0);
	first = picture_of(feed, NULL);
	assert_int_equal(directory_grant_of(first, "usr_op")->not_after, 1800000000);
	assert_string_equal(directory_grant_of(first, "usr_op")->tenant_id, "ten_c");
	assert_result(feed_lines(feed, false, "put grant grt_a 2 " GRANT_BODY("usr_op", "1800003600"), &problem), 0);
	second = picture_of(feed, first);
	assert_int_equal(directory_grant_of(second, "usr_op")->not_after, 1800003600);
	assert_int_equal(directory_grant_of(first, "usr_op")->not_after, 1800000000);
	assert_result(directory_diff(first, second, count_change, counts), 0);
	assert_int_equal(counts[RECORD_GRANT * 3 + CHANGE_UPDATED], 1);
	assert_int_equal(counts[RECORD_GRANT * 3 + CHANGE_ADDED] + counts[RECORD_GRANT * 3 + CHANGE_REMOVED], 0);
	/* One after the other, in one change. */
	assert_result(feed_lines(feed, false,
				 "del grant grt_a 3\nput grant grt_b 1 " GRANT_BODY("usr_op", "1800007200"), &problem),
		      0);
	third = picture_of(feed, second);
	assert_string_equal(directory_grant_of(third, "usr_op")->id, "grt_b");
	directory_unref(first);
	assert_result(feed_lines(feed, false, "del grant grt_b 2\n", &problem), 0);
	first = picture_of(feed, third);
	assert_null(directory_grant_of(first, "usr_op"));
	assert_non_null(directory_user(first, "usr_op"));
	memset(counts, 0, sizeof(counts));
	assert_result(directory_diff(third, first, count_change, counts), 0);
	assert_int_equal(counts[RECORD_GRANT * 3 + CHANGE_REMOVED], 1);
	directory_unref(first);
	directory_unref(second);
	directory_unref(third);
	feed_picture_free(feed);
}

/* A host refuses what its checks refuse, and goes on with what it had. */
static void test_feed_refused(void **state)
{
	static const char *const lines[] = {
		"put grant grt_a 1 " GRANT_BODY("usr_gamma_cleo", "1800000000"),
		"put grant grt_a 1 " GRANT_BODY("usr_nobody", "1800000000"),
		OPERATOR "put grant grt_a 1 " GRANT_BODY("usr_op", "9") "put grant grt_b 1 " GRANT_BODY("usr_op", "9"),
		"put user usr_op 1 {\"login\":\"op\",\"uid\":1879114000,\"kind\":\"operator\"}\n"
		"put member usr_op/prj_gamma 1 {\"user\":\"usr_op\",\"project\":\"prj_gamma\",\"role\":"
		"\"editor\"}\n",
		"put user usr_gamma_cleo 2 {\"login\":\"cleo\",\"uid\":1879113738,\"kind\":\"operator\"}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct feed_picture *feed = feed_of("ten_c", "gamma", 4, "cleo");
		struct directory *d = picture_of(feed, NULL);
		struct problem problem = {0};
		struct unit *const *units;
		uint32_t count;

		assert_result(feed_lines(feed, false, lines[i], &problem), 0);
		feed_picture_units(feed, &units, &count);
		if (strcmp(build_problem(units, count, d), "(no problem)") == 0 ||
		    strcmp(build_problem(units, count, NULL), "(no problem)") == 0)
			fail_msg("%s builds", lines[i]);
		directory_unref(d);
		feed_picture_free(feed);
	}
}

/* ---- orders -------------------------------------------------------------------------------------------- */

static uint32_t count_orders(const struct directory *d, const char *tenant_id)
{
	uint32_t cursor = 0, count = 0;

	for (const struct revocation_record *order; (order = directory_session_orders(d, tenant_id, &cursor));) {
		assert_int_equal(order->of, REVOCATION_SESSIONS);
		assert_string_equal(order->tenant_id, tenant_id);
		count++;
	}
	return count;
}

static void test_orders(void **state)
{
	struct feed_picture *feed = feed_of("ten_c", "gamma", 4, "cleo");
	struct problem problem = {0};
	struct directory *first, *second;

	assert_result(feed_lines(feed, false,
				 "put revocation tok1 1 {\"of\":\"token\",\"at\":5}\n"
				 "put revocation Zk3 1 {\"of\":\"session\",\"at\":6,\"reason\":\"left open\"}\n"
				 "put revocation ord1 1 {\"of\":\"sessions\",\"at\":7,\"user\":\"usr_gone\"}\n"
				 "revoke revocation ord2 1 {\"of\":\"sessions\",\"at\":8}\n",
				 &problem),
		      0);
	first = picture_of(feed, NULL);
	assert_int_equal(count_orders(first, "ten_c"), 2);
	assert_int_equal(count_orders(first, "ten_d"), 0);
	assert_int_equal(count_orders(first, ""), 0);
	assert_string_equal(directory_revocation(first, "ten_c", "Zk3")->reason, "left open");
	assert_string_equal(directory_revocation(first, "ten_c", "ord1")->user_id, "usr_gone");
	assert_null(directory_revocation(first, "ten_d", "Zk3"));
	/* Forgotten, and one that becomes another kind. */
	assert_result(feed_lines(feed, false,
				 "del revocation ord1 2\nput revocation ord2 2 {\"of\":\"token\",\"at\":9}\n",
				 &problem),
		      0);
	second = picture_of(feed, first);
	assert_int_equal(count_orders(second, "ten_c"), 0);
	assert_int_equal(count_orders(first, "ten_c"), 2);
	directory_unref(first);
	directory_unref(second);
	feed_picture_free(feed);
}

/* ---- claims -------------------------------------------------------------------------------------------- */

static struct directory *joined(struct unit *file, struct feed_picture *feed)
{
	struct unit *all[64] = {file}, *const * units;
	uint32_t count;

	feed_picture_units(feed, &units, &count);
	assert_true(count < ARRAY_LEN(all));
	memcpy(&all[1], units, count * sizeof(struct unit *));
	return build_units(all, count + 1, NULL);
}

/* Nobody is asked about whoever is left out: neither is there, and both are contested. */
static void test_contested(void **state)
{
	struct unit *file = load_text("f", TENANTS USERS OLGA("operator") ANN ROLE("project: prj_a", "viewer")
						   GRANTS GRANT_OF("grt_a", "ten_a", "usr_o"));
	struct feed_picture *feed = feed_of("ten_c", "gamma", 4, "cleo olga");
	struct problem problem = {0};
	struct directory *d = joined(file, feed);

	assert_null(directory_user(d, "usr_o"));
	assert_null(directory_grant_of(d, "usr_o"));
	assert_true(directory_is_contested(d, "ten_a", "usr_o"));
	assert_true(directory_is_contested(d, "ten_c", "usr_gamma_olga"));
	assert_true(directory_left_out(d, RECORD_GRANT, "usr_o"));
	assert_false(directory_is_contested(d, "ten_a", "usr_ann"));
	assert_false(directory_is_contested(d, "ten_c", "usr_gamma_cleo"));
	assert_false(directory_is_contested(d, "ten_c", "usr_nobody"));
	assert_false(directory_left_out(d, RECORD_TENANT, "ten_a"));
	assert_false(directory_left_out(d, RECORD_USER, "usr_ann"));
	assert_false(directory_left_out(d, RECORD_USER, "usr_nobody"));
	directory_unref(d);

	/* A project's group: who is a member there is contested, and nobody else. */
	assert_result(feed_lines(feed, false,
				 "del key key_0000000400000001 2\ndel member usr_gamma_olga/prj_gamma 2\n"
				 "del user usr_gamma_olga 2\n"
				 "put user usr_x 1 {\"login\":\"a-p-viewer\",\"uid\":1879114001}\n",
				 &problem),
		      0);
	d = joined(file, feed);
	assert_null(directory_project(d, "prj_a"));
	assert_true(directory_left_out(d, RECORD_PROJECT, "prj_a"));
	assert_true(directory_is_contested(d, "ten_a", "usr_o"));
	assert_true(directory_is_contested(d, "ten_c", "usr_x"));
	assert_false(directory_is_contested(d, "ten_a", "usr_ann"));
	assert_string_equal(directory_grant_of(d, "usr_o")->id, "grt_a");
	directory_unref(d);
	feed_picture_free(feed);

	/* A tenant, with all its people, also those that nobody else claims and those that there are none of. */
	feed = feed_of("ten_a", "other", 6, "cleo");
	d = joined(file, feed);
	assert_true(directory_left_out(d, RECORD_TENANT, "ten_a"));
	assert_true(directory_is_contested(d, "ten_a", "usr_ann"));
	assert_true(directory_is_contested(d, "ten_a", "usr_nobody"));
	assert_true(directory_is_contested(d, "", "usr_ann"));
	assert_false(directory_is_contested(d, "ten_b", "usr_nobody"));
	directory_unref(d);
	feed_picture_free(feed);

	/* Alone there is nothing to contest. */
	d = build_units(&file, 1, NULL);
	assert_false(directory_is_contested(d, "ten_a", "usr_o"));
	assert_non_null(directory_grant_of(d, "usr_o"));
	directory_unref(d);
	unit_unref(file);
}

/* ---- edits --------------------------------------------------------------------------------------------- */

static char *edited(const char *text, enum record_kind kind, uint32_t index, const void *record)
{
	struct unit *unit = load_text("f", text), *after = NULL;
	struct problem problem = {0};
	struct edit *edit = NULL;
	char line[1400], *ret;
	int r;

	assert_result(edit_open_text("f", text, strlen(text), unit, &edit), 0);
	if (index == UINT32_MAX)
		r = edit_append(edit, kind, record, &problem);
	else
		r = record ? edit_update(edit, kind, index, record, &problem)
			   : edit_remove(edit, kind, index, &problem);
	if (r == 0)
		r = edit_finish(edit, &after, &problem); /* what it loads as is compared there */
	ret = strdup(r < 0 ? problem_render(&problem, line, sizeof(line)) : edit_text(edit));
	edit_free(edit);
	unit_unref(unit);
	unit_unref(after);
	return ret;
}

static void check_edit(enum record_kind kind, uint32_t index, const void *record, const char *has)
{
	_cleanup_(freep) char *text = edited(operators_directory, kind, index, record);

	if (!strstr(text, has))
		fail_msg("\"%s\" is not in:\n%s", has, text);
}

/* Rules as a mapping in a mapping, written in one line or in several. */
static void test_edits_of_rules(void **state)
{
	struct unit *unit = load_text("f", operators_directory), *flow = load_text("g", sample_directory);
	struct tenant_record tenant = unit_records(unit)->tenants[0];
	_cleanup_(freep) char *text = NULL, *more = NULL, *less = NULL, *changed = NULL;

	tenant.sessions.idle_sec = 0;
	tenant.sessions.warn_sec = 0;
	tenant.sessions.grace_sec = SESSION_GRACE_DEFAULT_SEC;
	text = edited(operators_directory, RECORD_TENANT, 0, &tenant);
	assert_non_null(strstr(text, "    policy:\n      sessions:\n        max_per_user: 4 # on a host\n"
				     "        max_per_tenant: 100\n        over: end-oldest\n        max_age: 12h\n"
				     "        warn: 0s\n        end_outside_hours: true\n        end_with_key: true\n"
				     "projects:\n"));
	tenant.sessions = session_rules_default();
	check_edit(RECORD_TENANT, 0, &tenant, "a comment would go together with \"policy\"");
	tenant = unit_records(unit)->tenants[0];
	tenant.name = "Acme";
	check_edit(RECORD_TENANT, 0, &tenant, "        max_per_user: 4 # on a host\n"); /* left as it was written */
	tenant.id = "ten_new";
	tenant.slug = "new";
	tenant.gid = tenant.id_first = 1879113728;
	tenant.id_next = 1879113729;
	tenant.login_hours.count = 0;
	check_edit(RECORD_TENANT, UINT32_MAX, &tenant,
		   "policy: {sessions: {max_per_user: 4, max_per_tenant: 100, over: end-oldest, max_age: 12h, idle: "
		   "30min, "
		   "warn: 10min, grace: 20s, end_outside_hours: true, end_with_key: true}}\n");

	tenant = unit_records(flow)->tenants[0];
	tenant.sessions.idle_sec = 90;
	tenant.sessions.end_with_key = true;
	more = edited(sample_directory, RECORD_TENANT, 0, &tenant);
	assert_non_null(strstr(more, "sessions: {max_per_user: 20, idle: 90s, end_with_key: true}, key_warning: 14d"));
	tenant.sessions = session_rules_default();
	less = edited(sample_directory, RECORD_TENANT, 0, &tenant);
	assert_non_null(strstr(less, "policy: {ssh_keys: directory, key_warning: 14d, login_hours"));
	tenant = unit_records(flow)->tenants[1];
	tenant.sessions.max_per_tenant = 9;
	tenant.sessions.grace_sec = 0;
	changed = edited(sample_directory, RECORD_TENANT, 1, &tenant);
	assert_non_null(strstr(changed, "within: 5min}, policy: {sessions: {max_per_tenant: 9, grace: 0s}}}\n"));
	unit_unref(unit);
	unit_unref(flow);
}

static void test_edits(void **state)
{
	struct unit *unit = load_text("f", operators_directory);
	const struct record_set *r = unit_records(unit);
	struct grant_record grant = r->grants[0];
	struct user_record user = r->users[1];

	grant.not_after += 3600;
	check_edit(RECORD_GRANT, 0, &grant, "not_after: 2027-01-15T10:00:00Z}");
	grant.id = "grt_b";
	grant.operator_id = "";
	grant.not_before = 0;
	check_edit(
		RECORD_GRANT, UINT32_MAX, &grant,
		"\n  - {id: grt_b, tenant: ten_acme, user: usr_olga, operator_name: olga@platform.example, reason: ");
	check_edit(RECORD_GRANT, 0, NULL, "role: viewer}\n");
	user.id = "usr_p";
	user.login = "petra";
	user.home = "/home/petra";
	user.uid++;
	check_edit(RECORD_USER, UINT32_MAX, &user, "login: petra, uid: 1879048212, kind: operator}\n");
	unit_unref(unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),           cmocka_unit_test(test_files),
		cmocka_unit_test(test_pictures_refused), cmocka_unit_test(test_kind_changes),
		cmocka_unit_test(test_grants_of_a_feed), cmocka_unit_test(test_feed_refused),
		cmocka_unit_test(test_orders),           cmocka_unit_test(test_contested),
		cmocka_unit_test(test_edits_of_rules),   cmocka_unit_test(test_edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
