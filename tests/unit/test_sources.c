/* SPDX-License-Identifier: MIT
 *
 * What the audit says of feeds that come, change and go. Feeds and audit are played by the test (the latter wrapped:
 * packaging/make/rules.mk).
 */
#include <stdio.h>
#include <string.h>

#include "feed/feeds.h"
#include "sources.h"
#include "unit.h"

#define ACME "ten_acme0000000000"
#define BETA "ten_beta0000000000"

static struct feeds_hooks given;
static struct feed_view views[2];
static uint32_t view_count;
static struct feeds *const played = (struct feeds *)views;
static char events[512]; /* "tenant:change " */

int feeds_create(sd_event *event, const struct feeds_options *options, const struct feeds_hooks *hooks,
		 struct feeds **ret)
{
	given = *hooks;
	*ret = played;
	return 0;
}

void feeds_destroy(struct feeds *feeds)
{
}

void feeds_units(struct feeds *feeds, struct unit *const **ret_units, uint32_t *ret_count)
{
	*ret_units = NULL;
	*ret_count = 0;
}

void feeds_applied(struct feeds *feeds, uint64_t tag)
{
}

void feeds_refused(struct feeds *feeds, uint64_t tag, const char *tenant_id, const struct problem *problem)
{
}

void feeds_enroll(struct feeds *feeds, const char *url, const char *token, uint64_t tag)
{
}

void feeds_forget(struct feeds *feeds)
{
}

void feeds_retry(struct feeds *feeds)
{
}

void feeds_session(struct feeds *feeds, const struct session *session)
{
}

void feeds_session_gone(struct feeds *feeds, const struct session *session)
{
}

uint32_t feeds_view(const struct feeds *feeds, struct host_view *ret_host, const struct feed_view **ret)
{
	*ret_host = (struct host_view){.state = FEED_LIVE};
	*ret = views;
	return view_count;
}

void __wrap_audit_write(struct audit *audit, const struct audit_event *event);
void __wrap_login_book_set_freshness(struct login_book *book, const struct freshness *freshness);

void __wrap_audit_write(struct audit *audit, const struct audit_event *event)
{
	size_t length = strlen(events);

	if (event->kind == AUDIT_FEED_QUARANTINED) {
		snprintf(events + length, sizeof(events) - length, "%s %s:%s ", event->record_kind, event->record_id,
			 event->change);
		return;
	}
	assert_int_equal(event->kind, AUDIT_FEED_CHANGED);
	assert_string_equal(event->record_kind, "feed");
	assert_non_null(event->detail);
	if (strcmp(event->change, "removed") != 0)
		assert_string_equal(event->tenant, "a-slug");
	snprintf(events + length, sizeof(events) - length, "%s:%s ", event->record_id, event->change);
}

void __wrap_login_book_set_freshness(struct login_book *book, const struct freshness *freshness)
{
}

static void on_state(void *context)
{
}

static void put(uint32_t index, const char *tenant_id, enum feed_state state)
{
	views[index] = (struct feed_view){.state = state, .slug = "a-slug"};
	snprintf(views[index].tenant_id, sizeof(views[index].tenant_id), "%s", tenant_id);
}

static void assert_said(const char *expected)
{
	assert_string_equal(events, expected);
	events[0] = '\0';
}

static void tell(const char *expected)
{
	given.view(given.context);
	assert_said(expected);
}

static void test_feeds_come_and_go(void **state)
{
	const struct config config = {.host_name = "gpu-1"};
	const struct sources_hooks own = {.state = on_state};
	struct parts parts = {0};
	struct sources *sources;

	put(0, ACME, FEED_RECONNECT);
	put(1, BETA, FEED_RECONNECT);
	view_count = 2;
	assert_int_equal(sources_create(NULL, &config, NULL, NULL, &parts, &own, &sources), 0);
	assert_said(ACME ":reconnect " BETA ":reconnect ");
	tell(""); /* once for each change */
	put(0, ACME, FEED_LIVE);
	tell(ACME ":live ");
	/* The first one goes, and the second takes its place. */
	put(0, BETA, FEED_RECONNECT);
	view_count = 1;
	tell(ACME ":removed ");
	tell("");
	view_count = 0;
	tell(BETA ":removed ");
	put(0, ACME, FEED_BOOTSTRAP);
	view_count = 1;
	tell(ACME ":bootstrap ");
	sources_destroy(sources);
}

/* Taken away between the start and the first word of the feeds' thread. */
static void test_removed_at_once(void **state)
{
	const struct config config = {.host_name = "gpu-1"};
	const struct sources_hooks own = {.state = on_state};
	struct parts parts = {0};
	struct sources *sources;

	put(0, ACME, FEED_RECONNECT);
	view_count = 1;
	assert_int_equal(sources_create(NULL, &config, NULL, NULL, &parts, &own, &sources), 0);
	assert_said(ACME ":reconnect ");
	view_count = 0;
	tell(ACME ":removed ");
	sources_destroy(sources);
}

static void test_tampering_is_of_a_feed_or_of_the_host(void **state)
{
	const struct config config = {.host_name = "gpu-1"};
	const struct sources_hooks own = {.state = on_state};
	struct parts parts = {.host.host_id = "hst_1"};
	struct sources *sources;

	view_count = 0;
	assert_int_equal(sources_create(NULL, &config, NULL, NULL, &parts, &own, &sources), 0);
	snprintf(parts.host.host_id, sizeof(parts.host.host_id), "hst_1");
	given.audit(given.context, true, ACME, "rollback", "older");
	assert_said("feed " ACME ":rollback ");
	given.audit(given.context, true, "", "assignment", "not signed");
	assert_said("host hst_1:assignment ");
	sources_destroy(sources);
}

/* Followed, and yet not as it should be. */
static void test_what_is_not_on_disk_is_said(void **state)
{
	const struct config config = {.host_name = "gpu-1"};
	const struct sources_hooks own = {.state = on_state};
	struct parts parts = {0};
	struct sources *sources;
	char problem[512];

	put(0, ACME, FEED_LIVE);
	view_count = 1;
	assert_result(sources_create(NULL, &config, NULL, NULL, &parts, &own, &sources), 0);
	given.view(given.context);
	sources_problem(sources, problem, sizeof(problem));
	assert_string_equal(problem, "");
	views[0].unsaved = true;
	snprintf(views[0].problem, sizeof(views[0].problem), "no room");
	given.view(given.context);
	sources_problem(sources, problem, sizeof(problem));
	assert_non_null(strstr(problem, "a-slug"));
	assert_non_null(strstr(problem, "no room"));
	events[0] = '\0';
	sources_destroy(sources);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feeds_come_and_go),
		cmocka_unit_test(test_removed_at_once),
		cmocka_unit_test(test_what_is_not_on_disk_is_said),
		cmocka_unit_test(test_tampering_is_of_a_feed_or_of_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
