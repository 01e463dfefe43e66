/* SPDX-License-Identifier: MIT
 *
 * Limits: who is counted, whose rule counts, who gives way, and when an end is foreseen.
 */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/text.h"
#include "directory_fixture.h"
#include "login/services.h"
#include "reaper/limits.h"

#define NOW 1800000000 /* 2027-01-15T08:00:00Z, a Friday */
#define BOOT (1000000 * USEC_PER_SEC)
#define MINUTE (60 * USEC_PER_SEC)
#define HOUR (60 * MINUTE)

static char *folder;
static sd_event *event;
static struct session_table *table;
static struct directory *d;
static pid_t leader;

static int setup(void **state)
{
	char path[128];

	(void)state;
	folder = make_folder();
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	assert_result(sd_event_new(&event), 0);
	assert_result(session_table_create(event, path, NULL, &table), 0);
	leader = fork();
	if (leader == 0) {
		for (;;)
			pause();
	}
	assert_true(leader > 0);
	d = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	session_table_destroy(table);
	sd_event_unref(event);
	directory_unref(d);
	(void)kill(leader, SIGKILL);
	(void)waitpid(leader, NULL, 0);
	remove_folder(folder);
	return 0;
}
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static const struct session *open_one(const char *user, const char *tenant, const char *service, int64_t opened)
{
	char id[64], slug[64], kind[64], tenant_id[64], empty[] = "";
	const struct session *session = NULL;
	struct session data = {
		.user_id = id,
		.login = id,
		.tenant = slug,
		.project = empty,
		.role = empty,
		.service = kind,
		.source = empty,
		.terminal = empty,
		.credential = empty,
		.tenant_id = tenant_id,
		.project_id = empty,
		.provider = empty,
		.grant_id = empty,
		.operator= empty,
		.uid = 1879048210U,
		.leader = leader,
		.opened = opened,
	};

	(void)snprintf(id, sizeof(id), "%s", user);
	(void)snprintf(slug, sizeof(slug), "%s", tenant);
	(void)snprintf(kind, sizeof(kind), "%s", service);
	(void)snprintf(tenant_id, sizeof(tenant_id), "ten_%s", tenant);
	assert_result(session_open(table, &data, &session), 0);
	return session;
}

static bool counts(const struct session *session)
{
	const struct service_rule *rule = service_rule(session->service);

	return !rule->privilege && !rule->implied;
}

static const struct tenant_record acme = {.id = "ten_acme", .slug = "acme"};

static struct limits_admission admit(const struct host_limits *host, const struct tenant_record *tenant,
				     const char *user)
{
	struct limits_admission admission;

	memset(&admission, 0x5a, sizeof(admission)); /* all of it is answered */
	limits_admit(host, tenant, table, user, counts, &admission);
	return admission;
}

/* ---- rules
 * ------------------------------------------------------------------------------------------------------------ */

static void of_two_rules_the_stricter_counts(void **state)
{
	struct host_limits host = host_limits_none();
	struct tenant_record tenant = acme;
	struct session_rules rules;

	(void)state;
	tenant.sessions =
		(struct session_rules){.max_age_sec = 100, .warn_sec = 300, .grace_sec = 60, .end_with_key = true};
	/* A host that wants nothing changes nothing. */
	rules = limits_rules(&host, &tenant);
	assert_true(session_rules_equal(&rules, &tenant.sessions));
	rules = limits_rules(NULL, &tenant);
	assert_true(session_rules_equal(&rules, &tenant.sessions));
	host.rules.max_age_sec = 50;
	host.rules.idle_sec = 10;
	host.rules.warn_sec = 600;
	host.rules.grace_sec = 2;
	rules = limits_rules(&host, &tenant);
	assert_int_equal(rules.max_age_sec, 50);
	assert_int_equal(rules.idle_sec, 10);
	assert_int_equal(rules.warn_sec, 600);
	assert_int_equal(rules.grace_sec, 2);
	assert_true(rules.end_with_key);
	host.rules.max_age_sec = 200;
	host.rules.grace_sec = 100;
	rules = limits_rules(&host, &tenant);
	assert_int_equal(rules.max_age_sec, 100);
	assert_int_equal(rules.grace_sec, 60);
	/* Of a tenant that nobody knows (any more): what everybody has. */
	host = host_limits_none();
	rules = limits_rules(&host, NULL);
	assert_int_equal(rules.grace_sec, SESSION_GRACE_DEFAULT_SEC);
}

/* ---- one more
 * ---------------------------------------------------------------------------------------------------------- */

static void without_limits_everybody_may(void **state)
{
	const struct host_limits none = host_limits_none();

	(void)state;
	for (int i = 0; i < 20; i++)
		(void)open_one("usr_a", "acme", "sshd", NOW);
	assert_int_equal(admit(NULL, NULL, "usr_a").answer, LIMITS_FINE);
	assert_int_equal(admit(&none, &acme, "usr_a").answer, LIMITS_FINE);
	assert_int_equal(admit(&none, NULL, "usr_a").answer, LIMITS_FINE);
}

static void one_person_s_limit(void **state)
{
	struct tenant_record tenant = acme;
	struct limits_admission admission;

	(void)state;
	tenant.sessions.max_per_user = 2;
	(void)open_one("usr_a", "acme", "sshd", NOW);
	assert_int_equal(admit(NULL, &tenant, "usr_a").answer, LIMITS_FINE);
	(void)open_one("usr_a", "acme", "cron", NOW);
	admission = admit(NULL, &tenant, "usr_a");
	assert_int_equal(admission.answer, LIMITS_DENY);
	assert_non_null(strstr(admission.message, "2 sessions"));
	assert_null(admission.oldest);
	assert_int_equal(admit(NULL, &tenant, "usr_b").answer, LIMITS_FINE);
	/* Fewer than there are by now is no reason for anything but to let nobody else in. */
	tenant.sessions.max_per_user = 1;
	assert_int_equal(admit(NULL, &tenant, "usr_a").answer, LIMITS_DENY);
}

static void what_is_within_another_or_on_its_way_out_is_not_counted(void **state)
{
	struct tenant_record tenant = acme;
	const struct session *ending, *behind;

	(void)state;
	tenant.sessions.max_per_user = 1;
	tenant.sessions.max_per_tenant = 1;
	(void)open_one("usr_a", "acme", "su", NOW);
	(void)open_one("usr_a", "acme", "sudo", NOW);
	(void)open_one("usr_a", "acme", "systemd-user", NOW);
	ending = open_one("usr_a", "acme", "sshd", NOW);
	assert_result(session_mark_ending(table, ending->id, 1, "asked"), 0);
	behind = open_one("usr_a", "acme", "sshd", NOW);
	((struct session *)(uintptr_t)behind)->left_behind = true;
	assert_int_equal(admit(NULL, &tenant, "usr_a").answer, LIMITS_FINE);
	((struct session *)(uintptr_t)behind)->left_behind = false;
	assert_int_equal(admit(NULL, &tenant, "usr_a").answer, LIMITS_DENY);
}

static void a_tenant_s_and_a_host_s_limit(void **state)
{
	struct host_limits host = host_limits_none();
	struct tenant_record tenant = acme;

	(void)state;
	(void)open_one("usr_a", "acme", "sshd", NOW);
	(void)open_one("usr_b", "acme", "sshd", NOW);
	(void)open_one("usr_z", "beta", "sshd", NOW);
	tenant.sessions.max_per_tenant = 3;
	assert_int_equal(admit(&host, &tenant, "usr_c").answer, LIMITS_FINE); /* beta's is another matter */
	host.rules.max_per_tenant = 2;
	assert_int_equal(admit(&host, &tenant, "usr_c").answer, LIMITS_DENY);
	host.rules.max_per_tenant = 0;
	host.max = 3;
	assert_int_equal(admit(&host, &tenant, "usr_c").answer, LIMITS_DENY);
	host.max = 4;
	assert_int_equal(admit(&host, &tenant, "usr_c").answer, LIMITS_FINE);
	host.rules.max_per_user = 1;
	assert_int_equal(admit(&host, &tenant, "usr_c").answer, LIMITS_FINE);
	assert_int_equal(admit(&host, &tenant, "usr_a").answer, LIMITS_DENY);
}

static void the_oldest_of_one_s_own_gives_way_first(void **state)
{
	struct tenant_record tenant = acme;
	struct limits_admission admission;
	const struct session *older, *colleague;

	(void)state;
	colleague = open_one("usr_b", "acme", "sshd", NOW - 100);
	(void)open_one("usr_a", "acme", "sshd", NOW - 10);
	older = open_one("usr_a", "acme", "sshd", NOW - 20);
	tenant.sessions.over = SESSION_OVER_END_OLDEST;
	tenant.sessions.max_per_user = 2;
	admission = admit(NULL, &tenant, "usr_a");
	assert_int_equal(admission.answer, LIMITS_END_OLDEST);
	assert_ptr_equal(admission.oldest, older);
	/* Whoever signs in again and again ends their own, not everybody's. */
	tenant.sessions.max_per_user = 0;
	tenant.sessions.max_per_tenant = 3;
	assert_ptr_equal(admit(NULL, &tenant, "usr_a").oldest, older);
	assert_ptr_equal(admit(NULL, &tenant, "usr_c").oldest, colleague);
}

static void nobody_gives_way_to_another_tenant(void **state)
{
	struct host_limits host = host_limits_none();
	struct limits_admission admission;

	(void)state;
	(void)open_one("usr_z", "beta", "sshd", NOW - 100);
	host.max = 1;
	host.rules.over = SESSION_OVER_END_OLDEST;
	admission = admit(&host, &acme, "usr_a");
	assert_int_equal(admission.answer, LIMITS_DENY);
	assert_null(admission.oldest);
}

/* A tenant that ends the oldest does not decide so about the host's own limit, nor the other way round. */
static void each_limit_goes_by_its_owner_s_wish(void **state)
{
	struct host_limits host = host_limits_none();
	struct tenant_record tenant = acme;

	(void)state;
	(void)open_one("usr_a", "acme", "sshd", NOW - 100);
	tenant.sessions.over = SESSION_OVER_END_OLDEST;
	host.rules.max_per_user = 1;
	assert_int_equal(admit(&host, &tenant, "usr_a").answer, LIMITS_DENY);
	host.rules.over = SESSION_OVER_END_OLDEST;
	assert_int_equal(admit(&host, &tenant, "usr_a").answer, LIMITS_END_OLDEST);
	tenant.sessions.over = SESSION_OVER_DENY;
	assert_int_equal(admit(&host, &tenant, "usr_a").answer, LIMITS_END_OLDEST);
	tenant.sessions.max_per_tenant = 1;
	assert_int_equal(admit(&host, &tenant, "usr_a").answer, LIMITS_DENY);
}

/* ---- ends that can be foreseen
 * -------------------------------------------------------------------------------------------- */

static const char yaml[] =
	"version: 1\n"
	"tenants:\n"
	"  - id: ten_acme\n"
	"    slug: acme\n"
	"    gid: 1879048192\n"
	"    ids: {first: 1879048192, count: 65536, next: 1879048300}\n"
	"    policy: {POLICY}\n"
	"users:\n"
	"  - {id: usr_a, tenant: ten_acme, login: anna, uid: 1879048210}\n"
	"  - {id: usr_o, tenant: ten_acme, login: olga, uid: 1879048211, kind: operator}\n"
	"keys:\n"
	"  - id: key_0123456789abcdef\n"
	"    user: usr_a\n"
	"    verifier: \"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n"
	"    not_after: 2027-01-15T09:00:00Z\n"
	"grants:\n"
	"  - {id: grt_o, tenant: ten_acme, user: usr_o, operator_name: o@p.example, reason: ticket, not_after: "
	"2027-01-15T08:30:00Z}\n";

static char text_a[] = "usr_a", text_o[] = "usr_o", sshd[] = "sshd", by_key[] = "api-key:key_0123456789abcdef",
	    empty[] = "", acme_slug[] = "acme", acme_id[] = "ten_acme";

static struct session session_of(char *user)
{
	return (struct session){.user_id = user,
				.login = empty,
				.tenant = acme_slug,
				.tenant_id = acme_id,
				.service = sshd,
				.credential = by_key,
				.opened = NOW - 600};
}

static struct limits_deadline next_at(const struct host_limits *host, const char *policy, const struct session *session,
				      uint64_t idle_since, int64_t now)
{
	const struct limits_clock clock = {.boot_usec = BOOT, .realtime = now};
	_cleanup_(freep) char *text = replaced(yaml, "POLICY", policy);

	directory_unref(d);
	d = build_text(text);
	return limits_next(host, d, session, idle_since, &clock);
}

static struct limits_deadline next(const char *policy, uint64_t idle_since)
{
	const struct session session = session_of(text_a);

	return next_at(NULL, policy, &session, idle_since, NOW);
}

static void nothing_is_foreseen_without_limits(void **state)
{
	(void)state;
	assert_int_equal(next("", BOOT - HOUR).cause, END_NONE);
	assert_int_equal(next("login_hours: [\"mon 01:00-02:00\"]", 0).cause, END_NONE);
	assert_int_equal(next("sessions: {end_outside_hours: true}", 0).cause, END_NONE); /* always */
	assert_int_equal(next("sessions: {idle: 10min}", 0).cause, END_NONE);             /* nobody was asked */
}

/* One that was opened by the clock that nobody sets. */
static void a_clock_that_is_set_makes_nobody_older_or_younger(void **state)
{
	struct session session = session_of(text_a);

	(void)state;
	session.opened_usec = BOOT - 10 * MINUTE;
	assert_int_equal(next_at(NULL, "sessions: {max_age: 1h}", &session, 0, NOW).at, BOOT + 50 * MINUTE);
	assert_int_equal(next_at(NULL, "sessions: {max_age: 1h}", &session, 0, NOW + 86400).at, BOOT + 50 * MINUTE);
	assert_int_equal(next_at(NULL, "sessions: {max_age: 1h}", &session, 0, NOW - 86400).at, BOOT + 50 * MINUTE);
}

static void age_and_idleness(void **state)
{
	struct limits_deadline deadline = next("sessions: {max_age: 1h, warn: 5min}", 0);

	(void)state;
	assert_int_equal(deadline.cause, END_TOO_OLD);
	assert_int_equal(deadline.at, BOOT + 50 * MINUTE);
	assert_int_equal(deadline.warn_at, BOOT + 45 * MINUTE);
	assert_int_equal(next("sessions: {max_age: 1h, warn: 0s}", 0).warn_at, 0);
	/* Over already. */
	deadline = next("sessions: {max_age: 5min}", 0);
	assert_int_equal(deadline.at, BOOT - 5 * MINUTE);
	deadline = next("sessions: {max_age: 1h, idle: 30min, warn: 10min}", BOOT - 10 * MINUTE);
	assert_int_equal(deadline.cause, END_IDLE);
	assert_int_equal(deadline.at, BOOT + 20 * MINUTE);
	assert_int_equal(deadline.warn_at, BOOT + 10 * MINUTE);
	/* No warning before half of it is over. */
	deadline = next("sessions: {idle: 4min, warn: 10min}", BOOT);
	assert_int_equal(deadline.warn_at, BOOT + 2 * MINUTE);
	deadline = next("sessions: {idle: 1h, max_age: 30min}", BOOT);
	assert_int_equal(deadline.cause, END_TOO_OLD);
}

static void hours_end_where_they_end(void **state)
{
	static const struct {
		const char *hours;
		int64_t after; /* seconds from Friday 08:00; -1: never */
	} cases[] = {
		{"mon-fri 07:00-18:00", 10 * 3600},
		{"fri 07:00-08:01", 60},
		{"07:00-12:00\", \"12:00-13:00\", \"13:00-14:30", 6 * 3600 + 1800},
		{"mon-fri 00:00-24:00", 16 * 3600},
		{"fri 22:00-06:00\", \"fri 07:00-23:00", 22 * 3600},
		{"00:00-24:00", -1},
		{"mon-thu 00:00-24:00\", \"fri-sun 00:00-24:00", -1},
		{"thu 07:00-18:00", 0}, /* over */
		{"fri 09:00-18:00", 0}, /* not yet begun */
		{"fri 06:00-08:00", 0}, /* the last minute is outside */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct limits_deadline deadline;
		char policy[256];

		(void)snprintf(policy, sizeof(policy),
			       "login_hours: [\"%s\"], sessions: {end_outside_hours: true, warn: 0s}", cases[i].hours);
		deadline = next(policy, 0);
		if (cases[i].after < 0 ? deadline.cause != END_NONE
				       : deadline.cause != END_OUTSIDE_HOURS ||
						 deadline.at != BOOT + (uint64_t)cases[i].after * USEC_PER_SEC)
			fail_msg("%s: %s at %lld", cases[i].hours, end_cause_word(deadline.cause),
				 (long long)(deadline.at - BOOT) / 1000000);
	}
}

static void the_host_s_hours_count_beside_the_tenant_s(void **state)
{
	const char *lines[] = {"fri 07:00-10:00"};
	struct host_limits host = host_limits_none();
	const struct session session = session_of(text_a);
	struct limits_deadline deadline;

	(void)state;
	host.hours = (struct string_list){lines, 1};
	assert_int_equal(next_at(&host, "", &session, 0, NOW).cause, END_NONE); /* about coming in only */
	host.rules.end_outside_hours = true;
	deadline = next_at(&host, "login_hours: [\"fri 07:00-12:00\"]", &session, 0, NOW);
	assert_int_equal(deadline.at, BOOT + 2 * HOUR);
	deadline = next_at(&host, "login_hours: [\"fri 07:00-09:00\"]", &session, 0, NOW);
	assert_int_equal(deadline.at, BOOT + 1 * HOUR);
}

static void keys_and_grants(void **state)
{
	static char other[] = "api-key:key_00000000000000ff", ssh[] = "ssh-key:SHA256:x", code[] = "code:x",
		    manager[] = "systemd-user";
	struct session session = session_of(text_a);
	struct limits_deadline deadline;

	(void)state;
	assert_int_equal(next("", 0).cause, END_NONE);
	deadline = next("sessions: {end_with_key: true, warn: 5min}", 0);
	assert_int_equal(deadline.cause, END_KEY_EXPIRED);
	assert_int_equal(deadline.at, BOOT + HOUR);
	assert_int_equal(deadline.warn_at, BOOT + 55 * MINUTE);
	session.credential = other;
	assert_int_equal(next_at(NULL, "sessions: {end_with_key: true}", &session, 0, NOW).cause, END_NONE);
	session.credential = ssh;
	assert_int_equal(next_at(NULL, "sessions: {end_with_key: true}", &session, 0, NOW).cause, END_NONE);
	session.credential = code;
	assert_int_equal(next_at(NULL, "sessions: {end_with_key: true}", &session, 0, NOW).cause, END_NONE);
	(void)snprintf(session.sign_in.credential, sizeof(session.sign_in.credential), "%s", by_key);
	assert_int_equal(next_at(NULL, "sessions: {end_with_key: true}", &session, 0, NOW).cause, END_KEY_EXPIRED);
	/* Somebody else's key is nobody's. */
	session = session_of(text_o);
	deadline = next_at(NULL, "sessions: {end_with_key: true, warn: 0s}", &session, 0, NOW);
	assert_int_equal(deadline.cause, END_GRANT_ENDED);
	assert_int_equal(deadline.at, BOOT + 30 * MINUTE);
	/* A service manager that lingers goes with it. */
	session.service = manager;
	assert_int_equal(next_at(NULL, "", &session, 0, NOW).cause, END_GRANT_ENDED);
}

static void what_is_within_another_session_has_no_limits_of_its_own(void **state)
{
	static const char policy[] = "sessions: {max_age: 1min, idle: 1min, end_with_key: true}";
	static char su[] = "su", sudo[] = "sudo", manager[] = "systemd-user", nobody[] = "usr_nobody";
	struct session session = session_of(text_a);

	(void)state;
	session.service = su;
	assert_int_equal(next_at(NULL, policy, &session, BOOT - HOUR, NOW).cause, END_NONE);
	session.service = sudo;
	assert_int_equal(next_at(NULL, policy, &session, BOOT - HOUR, NOW).cause, END_NONE);
	session.service = manager;
	assert_int_equal(next_at(NULL, policy, &session, BOOT - HOUR, NOW).cause, END_NONE);
	/* And whom no picture shows the verdict is about. */
	session = session_of(nobody);
	assert_int_equal(next_at(NULL, policy, &session, BOOT - HOUR, NOW).cause, END_NONE);
	assert_int_equal(limits_next(NULL, NULL, &session, 0, &(struct limits_clock){BOOT, NOW}).cause, END_NONE);
	/* Of what was left behind the age counts on, and nobody is idle there. */
	session = session_of(text_a);
	session.left_behind = true;
	assert_int_equal(next_at(NULL, "sessions: {idle: 1min}", &session, BOOT - HOUR, NOW).cause, END_NONE);
	assert_int_equal(next_at(NULL, "sessions: {idle: 1min, max_age: 1h}", &session, BOOT - HOUR, NOW).cause,
			 END_TOO_OLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_two_rules_the_stricter_counts),
		TEST(without_limits_everybody_may),
		TEST(one_person_s_limit),
		TEST(what_is_within_another_or_on_its_way_out_is_not_counted),
		TEST(a_tenant_s_and_a_host_s_limit),
		TEST(the_oldest_of_one_s_own_gives_way_first),
		TEST(nobody_gives_way_to_another_tenant),
		TEST(each_limit_goes_by_its_owner_s_wish),
		TEST(nothing_is_foreseen_without_limits),
		TEST(a_clock_that_is_set_makes_nobody_older_or_younger),
		TEST(age_and_idleness),
		TEST(hours_end_where_they_end),
		TEST(the_host_s_hours_count_beside_the_tenant_s),
		TEST(keys_and_grants),
		TEST(what_is_within_another_session_has_no_limits_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
