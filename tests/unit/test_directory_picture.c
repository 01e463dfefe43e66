/* SPDX-License-Identifier: MIT
 *
 * The picture: look-ups, checks of records against each other, and that a picture built from the one
 * before is the same as one built anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "directory/picture.h"
#include "directory_fixture.h"

static void test_lookups(void **state)
{
	struct directory *d = build_text(sample_directory);
	const struct directory_counts counts = directory_counts(d);
	const struct member_record *member;
	uint32_t cursor = 0, n = 0;

	assert_int_equal(counts.users, 4);
	assert_int_equal(counts.members, 5);
	assert_string_equal(directory_tenant(d, "ten_acme")->slug, "acme");
	assert_string_equal(directory_tenant_by_slug(d, "beta")->id, "ten_beta");
	assert_string_equal(directory_project(d, "prj_speech")->slug, "speech");
	assert_string_equal(directory_project_by_name(d, "acme/vision")->id, "prj_vision");
	assert_string_equal(directory_project_by_name(d, "prj_main")->slug, "main");
	assert_string_equal(directory_user(d, "usr_bob")->login, "bob");
	assert_string_equal(directory_user_by_login(d, "carol")->id, "usr_carol");
	assert_string_equal(directory_user_by_uid(d, 1879048212)->login, "acme-ci");
	assert_string_equal(directory_key(d, "key_fedcba9876543210")->revoked_reason, "lost laptop");

	assert_null(directory_tenant(d, "acme"));
	assert_null(directory_tenant(d, ""));
	assert_null(directory_tenant_by_slug(d, "ten_acme"));
	assert_null(directory_project_by_name(d, "beta/vision"));
	assert_null(directory_project_by_name(d, "/"));
	assert_null(directory_project_by_name(d, "acme/"));
	assert_null(directory_project_by_name(d, "acme/vision/x"));
	assert_null(directory_project_by_name(d, "acme-acme-acme-acme-acme-acme-acme/vision"));
	assert_null(directory_user_by_login(d, "alic"));
	assert_null(directory_user_by_uid(d, 0));
	assert_null(directory_key(d, "0123456789abcdef"));

	assert_string_equal(directory_role(d, "usr_alice", "prj_vision"), "owner");
	assert_string_equal(directory_role(d, "usr_alice", ""), "admin");
	assert_null(directory_role(d, "usr_alice", "prj_main"));
	assert_null(directory_role(d, "usr_bob", ""));
	assert_null(directory_role(d, "nobody", ""));
	while ((member = directory_user_members(d, "usr_alice", &cursor)))
		n++;
	assert_int_equal(n, 3);
	assert_string_equal(directory_host(d)->name, "gpu-*");
	directory_unref(d);
}

static void test_host_choice(void **state)
{
	static const struct {
		const char *host, *wanted;
	} cases[] = {{"gpu-1", "gpu-1"}, {"GPU-1", "gpu-1"}, {"gpu-10", "gpu-1*"}, {"gpu-2", "gpu-*"}, {"cpu", "*"},
		     {"gpu", "*"},       {"", "*"}};
	struct unit *unit =
		load_text("f", "version: 1\nhosts:\n  - {name: \"*\", serves: []}\n  - {name: gpu-*, serves: []}\n"
			       "  - {name: gpu-1*, serves: []}\n  - {name: gpu-1, serves: []}\n");
	struct unit *none = load_text("f", "version: 1\n");
	struct problem problem = {0};
	struct directory *d;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_result(directory_build(&unit, 1, cases[i].host, NULL, &d, &problem), 0);
		assert_string_equal(directory_host(d)->name, cases[i].wanted);
		directory_unref(d);
	}
	assert_result(directory_build(&none, 1, NULL, NULL, &d, &problem), 0);
	assert_null(directory_host(d));
	directory_unref(d);
	assert_result(directory_build(NULL, 0, "x", NULL, &d, &problem), 0);
	assert_null(directory_user_by_login(d, "alice"));
	directory_unref(d);
	unit_unref(unit);
	unit_unref(none);
}

/* One change of the sample that must not build, alone and with the change in a drop-in of its own. */
static const struct {
	const char *from, *to, *problem;
} faults[] = {
	{"id: usr_bob,", "id: usr_alice,", "f:29:5: user id \"usr_alice\" is taken already (f:20)"},
	{"login: bob", "login: alice", "f:29:5: login \"alice\" is taken already (f:20)"},
	{"uid: 1879048211", "uid: 1879048210", "f:29:5: uid \"1879048210\" is taken already (f:20)"},
	{"id: ten_beta", "id: ten_acme", "f:14:5: tenant id \"ten_acme\" is taken already (f:5)"},
	{"slug: beta", "slug: acme", "f:14:5: tenant slug \"acme\" is taken already"},
	{"slug: speech", "slug: vision", "f:17:5: project slug \"vision\" is taken already (f:16)"},
	{"id: prj_speech", "id: prj_vision", "f:17:5: project id \"prj_vision\" is taken already"},
	{"id: key_fedcba9876543210", "id: key_0123456789abcdef",
	 "f:48:5: key id \"key_0123456789abcdef\" is taken already (f:40)"},
	{"slug: speech", "slug: vision-owner", "f:17:5: group name \"acme-vision-owner\" is claimed twice"},
	{"slug: beta", "slug: acme-vision", "f:16:5: group name \"acme-vision\" is claimed twice"},
	{"gid: 1879048197", "gid: 1879048196",
	 "f:17:5: gid 1879048196 is claimed twice, by groups \"acme-vision-owner\""},
	{"gid: 1879048197", "gid: 1879048207",
	 "f:17:5: gid 1879048210 of group \"acme-speech-owner\" is the uid of alice"},
	{"login: bob", "login: acme-vision", "f:16:5: group \"acme-vision\" has the name of a user's private group"},
	{"slug: beta", "slug: tenant-sudo", "f:14:5: group \"tenant-sudo\" is the host's own"},
	{"slug: beta", "slug: tenant-users", "f:14:5: group \"tenant-users\" is the host's own"},
	{"slug: beta", "slug: docker", "f:14:5: group name \"docker\" belongs to the system (choose another slug)"},
	{"slug: beta", "slug: wheel", "f:14:5: group name \"wheel\" belongs to the system"},
	{"slug: beta", "slug: systemd-journal", "f:14:5: group name \"systemd-journal\" belongs to the system"},
	/* joined from the tenant's slug and the project's */
	{"slug: beta", "slug: systemd", "f:14:5: group name \"systemd\" belongs to the system"},
	{"uid: 1879048211", "uid: 1879048192", "f:5:5: gid 1879048192 of group \"acme\" is the uid of bob"},
	{"uid: 1879048211", "uid: 1879113799",
	 "f:29:5: uid 1879113799 is outside the block of tenant \"acme\" (1879048192..1879113727)"},
	{"uid: 1879048211", "uid: 1879048300",
	 "f:29:5: uid 1879048300 is not below ids.next of tenant \"acme\" (1879048300) (set ids.next of the tenant to "
	 "1879048301"},
	{"gid: 1879048197", "gid: 1879048297", "f:17:5: gid 1879048297 is not below ids.next"},
	{"next: 1879048300", "next: 1879048212", "f:30:5: uid 1879048212"},
	{"{first: 1879113728, count: 65536", "{first: 1879113727, count: 65537",
	 "f:14:5: the id block overlaps that of tenant \"acme\""},
	{"user: usr_bob", "user: usr_bop", "f:37:5: there is no user \"usr_bop\" (did you mean \"usr_bob\"?)"},
	{"tenant: ten_acme, login: bob", "tenant: ten_akme, login: bob",
	 "f:29:5: there is no tenant \"ten_akme\" (did you mean"},
	{"tenant: ten_beta, slug", "tenant: ten_gamma, slug",
	 "f:18:5: there is no tenant \"ten_gamma\" (references are ids"},
	{"project: prj_vision, role: owner", "project: vision, role: owner", "f:34:5: there is no project \"vision\""},
	{"project: prj_main, role: editor", "project: prj_vision, role: editor",
	 "f:38:5: user \"carol\" belongs to another tenant than project \"vision\""},
	{"tenant: ten_acme, role: admin", "tenant: ten_beta, role: admin",
	 "f:35:5: user \"alice\" belongs to another tenant"},
	{"role: annotator", "role: annotater",
	 "f:37:5: tenant \"acme\" has no project role \"annotater\" (did you mean \"annotator\"?)"},
	{"role: annotator", "role: admin", "f:37:5: tenant \"acme\" has no project role \"admin\""},
	{"role: annotator", "role: billing", "f:37:5: tenant \"acme\" has no project role \"billing\""},
	{"role: admin", "role: annotator", "f:35:5: tenant \"acme\" has no tenant role \"annotator\""},
	{"role: editor", "role: annotator", "f:38:5: tenant \"beta\" has no project role \"annotator\""},
	{"project: prj_speech, role: viewer", "project: prj_vision, role: viewer",
	 "f:36:5: this user is a member of project \"prj_vision\" already"},
	{"successor: key_fedcba9876543210", "successor: key_fedcba9876543211",
	 "f:40:5: there is no key \"key_fedcba9876543211\""},
	{"successor: key_fedcba9876543210", "successor: key_0123456789abcdef",
	 "f:40:5: key \"key_0123456789abcdef\" cannot be the successor"},
	{"    user: usr_alice\n    verifier", "    user: usr_bob\n    verifier",
	 "f:40:5: key \"key_fedcba9876543210\" cannot be the successor"},
	{"    user: usr_alice\n    label", "    user: usr_zoe\n    label", "f:40:5: there is no user \"usr_zoe\""},
	{"projects: [prj_vision]", "projects: [prj_main]",
	 "f:40:5: scope names project \"prj_main\" of another tenant"},
	{"projects: [prj_vision]", "projects: [prj_visin]",
	 "f:40:5: there is no project \"prj_visin\" (did you mean \"prj_vision\"?)"},
	{"actions: [host.login", "actions: [host.logn",
	 "f:40:5: scope names an unknown action \"host.logn\" (did you mean \"host.login\"?)"},
	{"project: prj_vision, login", "project: prj_vison, login", "f:53:5: there is no project \"prj_vison\""},
	{"sudo: [owner]", "sudo: [owners]", "f:53:5: tenant \"acme\" has no project role \"owners\""},
	{"- project: prj_main", "- project: prj_vision", "f:53:5: two rules for project \"prj_vision\""},
	{"name: \"*\"", "name: GPU-*", "f:57:5: host name \"GPU-*\" is taken already (f:53)"},
};

static void test_faults(void **state)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		_cleanup_(freep) char *text = replaced(sample_directory, faults[i].from, faults[i].to);
		struct unit *good = load_text("f", sample_directory), *bad = load_text("f", text);
		struct directory *before = build_units(&good, 1, NULL);
		const char *anew = build_problem(&bad, 1, NULL);

		if (strncmp(anew, faults[i].problem, strlen(faults[i].problem)) != 0) {
			print_error("fault %zu\n  is:     %s\n  wanted: %s\n", i, anew, faults[i].problem);
			wrong++;
		}
		/* The change of a good picture is refused as well. */
		if (strcmp(build_problem(&bad, 1, before), "(no problem)") == 0) {
			print_error("fault %zu is let in as a change\n", i);
			wrong++;
		}
		directory_unref(before);
		unit_unref(good);
		unit_unref(bad);
	}
	assert_int_equal(wrong, 0);
}

/* The sample in one unit a section: references and duplicates across files. */
static uint32_t split(const char *text, struct unit *units[6])
{
	static const char *const names[] = {"tenants:", "projects:", "users:", "members:", "keys:", "hosts:"};
	uint32_t count = 0;

	for (; count < 6; count++) {
		const char *from = strstr(text, names[count]), *to = count < 5 ? strstr(text, names[count + 1]) : NULL;
		_cleanup_(buffer_finish) struct buffer part = BUFFER_INIT;

		while (from[-1] != '\n')
			from = strstr(from + 1, names[count]);
		while (to && to[-1] != '\n')
			to = strstr(to + 1, names[count + 1]);
		buffer_printf(&part, "version: 1\n%.*s", to ? (int)(to - from) : (int)strlen(from), from);
		units[count] = load_text(names[count], buffer_text(&part));
	}
	return count;
}

static void test_split_faults(void **state)
{
	struct unit *units[6];
	struct directory *before;

	split(sample_directory, units);
	before = build_units(units, 6, NULL);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		_cleanup_(freep) char *text = replaced(sample_directory, faults[i].from, faults[i].to);
		struct unit *changed[6], *mixed[6];

		split(text, changed);
		if (strcmp(build_problem(changed, 6, before), "(no problem)") == 0)
			fail_msg("fault %zu is let in across files", i);
		/* Only the unit that really differs is new: the others must be looked at all the same. */
		for (unsigned j = 0; j < 6; j++)
			mixed[j] = memcmp(units[j]->source_hash, changed[j]->source_hash, SHA256_BYTES) ? changed[j]
													: units[j];
		if (strcmp(build_problem(mixed, 6, before), "(no problem)") == 0)
			fail_msg("fault %zu is let in by a change of one file", i);
		for (unsigned j = 0; j < 6; j++)
			unit_unref(changed[j]);
	}
	directory_unref(before);
	for (unsigned j = 0; j < 6; j++)
		unit_unref(units[j]);
}

/* A unit that loses what another one refers to. */
static void test_losses(void **state)
{
	static const struct {
		unsigned part;
		const char *problem;
	} cases[] = {{0, "projects::"}, {1, "members::"}, {2, "members::"}};
	struct unit *units[6], *empty = load_text("empty", "version: 1\n");
	struct directory *before;

	split(sample_directory, units);
	before = build_units(units, 6, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct unit *kept = units[cases[i].part];
		const char *problem;

		units[cases[i].part] = empty;
		problem = build_problem(units, 6, before);
		if (!strstr(problem, "there is no"))
			fail_msg("loss %zu: %s", i, problem);
		units[cases[i].part] = kept;
	}
	directory_unref(before);
	for (unsigned j = 0; j < 6; j++)
		unit_unref(units[j]);
	unit_unref(empty);
}

struct seen {
	struct buffer lines;
};

static void note(void *context, enum record_kind kind, enum change_kind change, const void *old_record,
		 const void *new_record)
{
	static const char *const changes[] = {"+", "-", "~"};
	struct seen *seen = context;
	const void *record = new_record ? new_record : old_record;
	const char *name =
		kind == RECORD_HOST ? ((const struct host_record *)record)->name : *(const char *const *)record;

	assert_true((old_record != NULL) == (change != CHANGE_ADDED));
	assert_true((new_record != NULL) == (change != CHANGE_REMOVED));
	buffer_printf(&seen->lines, "%s%s %s;", changes[change], record_kind_name(kind), name);
}

static void assert_diff(const struct directory *before, const struct directory *after, const char *wanted)
{
	struct seen seen = {BUFFER_INIT};

	directory_diff(before, after, note, &seen);
	assert_string_equal(buffer_text(&seen.lines), wanted);
	buffer_finish(&seen.lines);
}

static void assert_touched(const struct directory *before, const struct directory *after, int wanted, uint32_t first)
{
	const uint32_t *uids = NULL;
	uint32_t count = 0;
	bool known = directory_touched_users(after, before, &uids, &count);

	assert_int_equal(known ? (int)count : -1, wanted);
	if (wanted > 0)
		assert_int_equal(uids[0], first);
}

static void test_diff(void **state)
{
	static const struct {
		const char *from, *to, *diff;
		int touched;
		uint32_t uid;
	} cases[] = {
		{"# A comment", "# Another", "", 0, 0},
		{"Alice Example", "Alice X", "~user usr_alice;", 1, 1879048210},
		{"uid: 1879048211", "uid: 1879048250", "~user usr_bob;", 2, 1879048211},
		{"role: annotator", "role: editor", "~membership usr_bob;", 1, 1879048211},
		{"  - {user: usr_bob, project: prj_vision, role: annotator}\n", "", "-membership usr_bob;", 1,
		 1879048211},
		{"members:\n", "members:\n  - {user: usr_ci, project: prj_speech, role: viewer}\n",
		 "+membership usr_ci;", 1, 1879048212},
		{"revoked: {at: 2026-11-20T00:00:00Z, reason: lost laptop}", "label: x", "~key key_fedcba9876543210;",
		 0, 0},
		{"next: 1879048300", "next: 1879048301", "~tenant ten_acme;", 0, 0},
		{"name: Acme Robotics", "status: suspended", "~tenant ten_acme;", -1, 0},
		{"groups: viewer", "groups: editor", "~tenant ten_acme;", -1, 0},
		{"sudo: [owner]", "sudo: []", "~host gpu-*;", -1, 0},
		{"slug: speech", "slug: talk", "~project prj_speech;", -1, 0},
		{"allow_from: [10.0.0.0/8]", "allow_from: []", "~project prj_vision;", 0, 0},
		{"projects:\n", "projects:\n  - {id: prj_new, tenant: ten_beta, slug: new, gid: 1879113760}\n",
		 "+project prj_new;", -1, 0},
		{"  - {id: usr_ci, tenant: ten_acme, login: acme-ci, uid: 1879048212, kind: service}\n", "",
		 "-user usr_ci;", 1, 1879048212},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(freep) char *text = replaced(sample_directory, cases[i].from, cases[i].to);
		struct unit *old = load_text("f", sample_directory), *new = load_text("f", text);
		struct directory *before = build_units(&old, 1, NULL), *after = build_units(&new, 1, before);
		struct directory *apart = build_units(&new, 1, NULL);

		assert_diff(before, after, cases[i].diff);
		assert_diff(before, apart, cases[i].diff); /* not from the stored list */
		assert_touched(before, after, cases[i].touched, cases[i].uid);
		assert_touched(before, apart, -1, 0);
		assert_touched(NULL, after, -1, 0);
		assert_diff(after, after, "");
		assert_true(directory_generation(after) > directory_generation(before));
		directory_unref(before);
		directory_unref(after);
		directory_unref(apart);
		unit_unref(old);
		unit_unref(new);
	}
}

static void test_diff_from_nothing(void **state)
{
	struct directory *d = build_text("version: 1\nhosts:\n  - {name: a, serves: []}\n  - {name: b, serves: []}\n");

	assert_diff(NULL, d, "+host a;+host b;");
	directory_unref(d);
}

/* Many units, changed one after the other at random: each picture that is built from the one before must
 * judge and answer as one that is built anew. */
#define TENANTS 6U
#define ROUNDS 400U

static unsigned roll(unsigned *seed, unsigned sides)
{
	*seed = *seed * 1103515245U + 12345U;
	return (*seed >> 16) % sides;
}

static struct unit *random_unit(unsigned tenant, unsigned *seed)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	unsigned first = 1879048192U + tenant * 1000, users = roll(seed, 5), projects = 1 + roll(seed, 2);

	buffer_printf(
		&text,
		"version: 1\ntenants:\n  - {id: ten_%u, slug: t%u, gid: %u, ids: {first: %u, count: 1000, next: %u}}\n",
		tenant, tenant, first, first, first + 100 + roll(seed, 3));
	buffer_add_text(&text, "projects:\n");
	for (unsigned i = 0; i < projects; i++)
		buffer_printf(&text, "  - {id: prj_%u_%u, tenant: ten_%u, slug: p%u, gid: %u}\n", tenant, i, tenant, i,
			      first + 1 + 4 * i);
	buffer_printf(&text, users ? "users:\n" : "users: []\n");
	for (unsigned i = 0; i < users; i++)
		/* now and then a login or id of somebody else */
		buffer_printf(&text, "  - {id: usr_%u_%u, tenant: ten_%u, login: u%u-%u, uid: %u}\n",
			      roll(seed, 40) ? tenant : roll(seed, TENANTS), i, tenant,
			      roll(seed, 40) ? tenant : roll(seed, TENANTS), i, first + 20 + i);
	buffer_printf(&text, users ? "members:\n" : "members: []\n");
	for (unsigned i = 0; i < users; i++)
		/* now and then of another tenant's, or twice */
		buffer_printf(&text, "  - {user: usr_%u_%u, project: prj_%u_%u, role: %s}\n",
			      roll(seed, 30) ? tenant : roll(seed, TENANTS), i, tenant, roll(seed, projects),
			      roll(seed, 2) ? "editor" : "viewer");
	buffer_printf(&text, users ? "keys:\n" : "keys: []\n");
	for (unsigned i = 0; i < users; i++)
		buffer_printf(&text,
			      "  - {id: key_%08u%08u, user: usr_%u_%u, verifier: "
			      "\"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"%s}\n",
			      tenant, i, tenant, i, "");
	return load_text("random", buffer_text(&text));
}

static void assert_same_answers(const struct directory *a, const struct directory *b)
{
	uint32_t cursor = 0, other = 0;
	const struct user_record *user;
	const struct member_record *member;
	const struct directory_counts x = directory_counts(a), y = directory_counts(b);

	assert_memory_equal(&x, &y, sizeof(x));
	while ((user = directory_next_user(a, &cursor))) {
		assert_ptr_equal(user, directory_next_user(b, &other));
		assert_ptr_equal(directory_user(a, user->id), user);
		assert_ptr_equal(directory_user_by_login(a, user->login), user);
		assert_ptr_equal(directory_user_by_uid(a, user->uid), user);
		assert_ptr_equal(directory_user(b, user->id), user);
	}
	cursor = 0;
	while ((member = directory_next_member(a, &cursor))) {
		assert_string_equal(directory_role(a, member->user_id, member->project_id), member->role);
		assert_string_equal(directory_role(b, member->user_id, member->project_id), member->role);
	}
}

static void test_incremental(void **state)
{
	struct unit *units[TENANTS];
	struct directory *before;
	unsigned seed = 7, good = 0, bad = 0;

	do {
		struct problem problem = {0};

		for (unsigned i = 0; i < TENANTS; i++)
			units[i] = random_unit(i, &seed);
		if (directory_build(units, TENANTS, "h", NULL, &before, &problem) == 0)
			break;
		for (unsigned i = 0; i < TENANTS; i++)
			unit_unref(units[i]);
	} while (true);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned which = roll(&seed, TENANTS);
		struct unit *kept = units[which];
		struct directory *grown = NULL, *anew = NULL;
		struct problem problem = {0};
		int r, wanted;

		units[which] = random_unit(which, &seed);
		wanted = directory_build(units, TENANTS, "h", NULL, &anew, &problem);
		r = directory_build(units, TENANTS, "h", before, &grown, &problem);
		if (r != wanted)
			fail_msg("round %u: anew %d, from before %d: %s", round, wanted, r, problem.text);
		if (r < 0) {
			unit_unref(units[which]);
			units[which] = kept;
			bad++;
			continue;
		}
		assert_same_answers(grown, anew);
		unit_unref(kept);
		directory_unref(before);
		directory_unref(anew);
		before = grown;
		good++;
	}
	/* Both ways were walked. */
	assert_true(good > ROUNDS / 8 && bad > ROUNDS / 8);
	directory_unref(before);
	for (unsigned i = 0; i < TENANTS; i++)
		unit_unref(units[i]);
}

#define LARGE_UNIT_RECORDS 2048U

/* A change in one unit is a change of a few pages of the index; a user's memberships may lie in several units. */
static void test_large_unit(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(freep) char *sample = replaced(sample_directory, "next: 1879048300", "next: 1879060000");
	struct unit *units[3];
	struct directory *d, *next;
	uint32_t cursor = 0, n = 0;

	buffer_add_text(&text, "version: 1\nusers:\n");
	for (unsigned i = 0; i < LARGE_UNIT_RECORDS; i++)
		buffer_printf(&text, "  - {id: usr_x%u, tenant: ten_acme, login: x%u, uid: %u}\n", i, i,
			      1879048400 + i);
	buffer_add_text(&text, "members:\n  - {user: usr_bob, tenant: ten_acme, role: viewer}\n");
	units[0] = load_text("sample", sample);
	units[1] = load_text("large", buffer_text(&text));
	units[2] = load_text("small", "version: 1\nmembers:\n  - {user: usr_x7, project: prj_vision, role: editor}\n"
				      "  - {user: usr_bob, project: prj_speech, role: viewer}\n");
	d = build_units(units, 3, NULL);
	assert_string_equal(directory_role(d, "usr_x7", "prj_vision"), "editor");
	assert_string_equal(directory_user_by_login(d, "x2047")->id, "usr_x2047");
	while (directory_user_members(d, "usr_bob", &cursor))
		n++;
	assert_int_equal(n, 3);
	unit_unref(units[2]);
	units[2] = load_text("small", "version: 1\n");
	next = build_units(units, 3, d);
	for (unsigned i = 0; i <= next->parts[0]->by[BY_LOGIN].bits; i++) /* shared, not made again */
		assert_ptr_equal(next->parts[0]->by[BY_LOGIN].nodes[0]->pages[i],
				 d->parts[0]->by[BY_LOGIN].nodes[0]->pages[i]);
	assert_diff(d, next, "-membership usr_x7;-membership usr_bob;");
	assert_touched(d, next, 2, 1879048407);
	/* a duplicate across layers */
	unit_unref(units[2]);
	units[2] = load_text("small",
			     "version: 1\nusers:\n  - {id: usr_y, tenant: ten_acme, login: x5, uid: 1879059999}\n");
	assert_string_equal(
		build_problem(units, 3, next),
		"small:3:5: login \"x5\" is taken already (large:8) (all tenants of a host share one space of login "
		"names; rename one, for example with the tenant's slug)");
	directory_unref(d);
	directory_unref(next);
	for (unsigned i = 0; i < 3; i++)
		unit_unref(units[i]);
}

/* Many small units, of which one goes. */
static void test_many_small_units(void **state)
{
	enum { UNITS = 40, PEOPLE = 250 };
	struct unit *units[UNITS + 1];
	struct directory *d, *next;
	char name[16], login[24];

	for (unsigned u = 0; u < UNITS; u++) {
		_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

		buffer_add_text(&text, "version: 1\nusers:\n");
		for (unsigned i = 0; i < PEOPLE; i++)
			buffer_printf(&text, "  - {id: u%u_%u, tenant: t, login: x%u-%u, uid: %u}\n", u, i, u, i,
				      1879048200 + u * PEOPLE + i);
		snprintf(name, sizeof(name), "unit-%u", u);
		units[u] = load_text(name, buffer_text(&text));
	}
	units[UNITS] = load_text("main", "version: 1\ntenants:\n  - {id: t, slug: t, gid: 1879048192, ids: {first: "
					 "1879048192, count: 65536, next: 1879100000}}\n");
	d = build_units(units, UNITS + 1, NULL);
	for (unsigned u = 0; u < UNITS; u++) {
		snprintf(login, sizeof(login), "x%u-249", u);
		assert_non_null(directory_user_by_login(d, login));
	}
	unit_unref(units[7]);
	units[7] = load_text("unit-7", "version: 1\n");
	next = build_units(units, UNITS + 1, d);
	assert_null(directory_user_by_login(next, "x7-249"));
	/* and a duplicate in another unit is found */
	for (unsigned u = 8; u < UNITS; u++) {
		const char *problem;

		snprintf(name, sizeof(name), "unit-%u", u);
		unit_unref(units[u]);
		units[u] = load_text(name, "version: 1\nusers: [{id: zz, tenant: t, login: x3-3, uid: 1879099999}]\n");
		problem = build_problem(units, UNITS + 1, next);
		/* Either of the two is named first. */
		if (!strstr(problem, "is taken already") || !strstr(problem, "unit-3:6") || !strstr(problem, name))
			fail_msg("unit %u: %s", u, problem);
		unit_unref(units[u]);
		units[u] = load_text(name, "version: 1\n");
	}
	directory_unref(d);
	directory_unref(next);
	for (unsigned u = 0; u <= UNITS; u++)
		unit_unref(units[u]);
}

static void test_too_many_memberships(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct unit *unit;

	buffer_add_text(
		&text,
		"version: 1\ntenants:\n  - {id: t, slug: t, gid: 1879048192, ids: {first: 1879048192, count: 65536, "
		"next: 1879100000}}\nusers: [{id: u, tenant: t, login: u, uid: 1879048193}]\nprojects:\n");
	for (unsigned i = 0; i <= USER_MEMBERSHIPS_MAX; i++)
		buffer_printf(&text, "  - {id: p%u, tenant: t, slug: p%u, gid: %u}\n", i, i, 1879048200 + 4 * i);
	buffer_add_text(&text, "members:\n");
	for (unsigned i = 0; i <= USER_MEMBERSHIPS_MAX; i++)
		buffer_printf(&text, "  - {user: u, project: p%u, role: viewer}\n", i);
	unit = load_text("f", buffer_text(&text));
	assert_non_null(strstr(build_problem(&unit, 1, NULL), "more than 3000 memberships of one user"));
	unit_unref(unit);
}

/* Also a name that is put together from a tenant's slug and a project's may be one of the system's. */
static void test_reserved_joined(void **state)
{
	static const char *const names[][2] = {{"ssl", "cert"}, {"incus", "admin"}, {"tenantd", "keys"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *const *name = names[i];
		_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
		struct unit *unit;
		const char *problem;

		buffer_printf(
			&text,
			"version: 1\ntenants: [{id: t, slug: %s, gid: 1879048192, ids: {first: 1879048192, count: "
			"99, next: 1879048290}}]\nprojects:\n  - {id: p, tenant: t, slug: %s, gid: 1879048193}\n",
			name[0], name[1]);
		unit = load_text("f", buffer_text(&text));
		problem = build_problem(&unit, 1, NULL);
		assert_non_null(strstr(problem, "belongs to the system"));
		unit_unref(unit);
	}
}

/* The example that the package ships is in order. Tests run in the project's folder. */
static void test_example(void **state)
{
	_cleanup_(freep) char *text = NULL;
	struct directory *d;

	if (access("conf/directory.example.yaml", R_OK) < 0)
		skip();
	text = read_file("conf/directory.example.yaml");
	d = build_text(text);
	assert_string_equal(directory_host(d)->name, "gpu-*");
	assert_int_equal(directory_counts(d).users, 4);
	assert_string_equal(directory_role(d, "usr_bob", "prj_vision"), "annotator");
	directory_unref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_host_choice),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_split_faults),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_incremental),
		cmocka_unit_test(test_diff_from_nothing),
		cmocka_unit_test(test_large_unit),
		cmocka_unit_test(test_too_many_memberships),
		cmocka_unit_test(test_reserved_joined),
		cmocka_unit_test(test_many_small_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
