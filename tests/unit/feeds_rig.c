/* SPDX-License-Identifier: MIT */
#include "feeds_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/unit.h"
#include "unit.h"

#define WAIT_USEC (6 * USEC_PER_SEC)

static void on_units(void *context, struct unit *const *units, uint32_t count, uint64_t tag)
{
	struct rig *rig = context;

	rig->unit_calls++;
	rig->units = units;
	rig->unit_count = count;
	if (rig->apply)
		feeds_applied(rig->feeds, tag);
}

static void on_view(void *context)
{
}

static void on_audit(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail)
{
	struct rig *rig = context;

	rig->audits++;
	rig->critical += critical;
	snprintf(rig->fault, sizeof(rig->fault), "%s", fault);
}

static void on_found(void *context, const struct feeds_found *found)
{
	struct rig *rig = context;

	rig->found[found->what]++;
	(void)snprintf(rig->found_detail, sizeof(rig->found_detail), "%s", found->detail);
	(void)snprintf(rig->found_change, sizeof(rig->found_change), "%s", found->change);
	(void)snprintf(rig->found_tenant, sizeof(rig->found_tenant), "%s", found->tenant_id);
	(void)snprintf(rig->found_data, sizeof(rig->found_data), "%s", found->data);
	if (found->what == FEEDS_CHAIN_ENDS && rig->spool)
		assert_int_equal(spool_begin_chain(rig->spool, found->detail), 0);
}

static void on_disabled(void *context, const char *reason)
{
	struct rig *rig = context;

	snprintf(rig->disabled, sizeof(rig->disabled), "%s", reason);
}

static void on_enrolled(void *context, uint64_t tag, int result, const char *host_id, const struct problem *problem)
{
	struct rig *rig = context;

	rig->enrolled_calls++;
	rig->enrolled = result;
	rig->enrolled_tag = tag;
	snprintf(rig->host_id, sizeof(rig->host_id), "%s", host_id);
	rig->problem[0] = '\0';
	if (problem)
		problem_render(problem, rig->problem, sizeof(rig->problem));
}

static void on_looked(void *context)
{
	struct rig *rig = context;

	rig->looked++;
}

void rig_start(struct rig *rig)
{
	const struct feeds_options options = {
		.state_dir = rig->state_dir,
		.import_dir = rig->import_dir,
		.seal_key = rig->without_key ? NULL : &rig->key,
		.host_name = "gpu-1",
		.proxy = "",
		.allow_plain_http = true,
		.spool = rig->spool,
		.witness_usec = rig->witness_usec,
		.settle_usec = rig->settle_usec,
	};
	const struct feeds_hooks hooks = {on_units,    on_view,     on_audit,  on_found,
					  on_disabled, on_enrolled, on_looked, rig};

	assert_int_equal(feeds_create(rig->event, &options, &hooks, &rig->feeds), 0);
	feeds_units(rig->feeds, &rig->units, &rig->unit_count);
}

void rig_stop(struct rig *rig)
{
	feeds_destroy(TAKE_PTR(rig->feeds));
	rig->units = NULL;
	rig->unit_count = 0;
}

int rig_set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	snprintf(rig->state_dir, sizeof(rig->state_dir), "/tmp/test-feeds-XXXXXX");
	assert_non_null(mkdtemp(rig->state_dir));
	snprintf(rig->import_dir, sizeof(rig->import_dir), "%s/import", rig->state_dir);
	memset(rig->key.bytes, 7, sizeof(rig->key.bytes));
	rig->apply = true;
	rig->control = fake_control_start();
	assert_true(sd_event_new(&rig->event) >= 0);
	rig_start(rig);
	*state = rig;
	return 0;
}

int rig_tear_down(void **state)
{
	struct rig *rig = *state;
	char command[128];

	rig_stop(rig);
	if (rig->control)
		fake_control_stop(rig->control);
	sd_event_unref(rig->event);
	snprintf(command, sizeof(command), "rm -rf %s", rig->state_dir);
	assert_int_equal(system(command), 0);
	free(rig);
	return 0;
}

void rig_run_until(struct rig *rig, bool (*is_so)(const struct rig *rig), const char *what)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;

	while (!is_so(rig)) {
		assert_true(sd_event_run(rig->event, 100 * USEC_PER_MSEC) >= 0);
		if (clock_boottime_usec() > end)
			fail_msg("it did not come to this: %s", what);
	}
}

static bool was_enrolled(const struct rig *rig)
{
	return rig->enrolled_calls > 0;
}

struct host_view rig_host(const struct rig *rig)
{
	const struct feed_view *feeds;
	struct host_view host;

	(void)feeds_view(rig->feeds, &host, &feeds);
	return host;
}

const struct feed_view *rig_feed(const struct rig *rig, const char *tenant_id)
{
	const struct feed_view *feeds;
	struct host_view host;
	uint32_t count = feeds_view(rig->feeds, &host, &feeds);

	for (uint32_t i = 0; i < count; i++)
		if (text_equal(feeds[i].tenant_id, tenant_id))
			return &feeds[i];
	return NULL;
}

bool rig_is_live(const struct rig *rig, const char *tenant_id, uint64_t revision)
{
	const struct feed_view *view = rig_feed(rig, tenant_id);

	return view && view->state == FEED_LIVE && view->revision >= revision;
}

bool rig_acme_is_live(const struct rig *rig)
{
	return rig_is_live(rig, ACME, 1);
}

unsigned rig_records(const struct rig *rig, enum record_kind kind)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < rig->unit_count; i++)
		count += records_count(unit_records(rig->units[i]), kind);
	return count;
}

int rig_enroll(struct rig *rig, const char *url, const char *token)
{
	rig->enrolled_calls = 0;
	feeds_enroll(rig->feeds, url, token, 17);
	UNTIL(rig, was_enrolled);
	assert_int_equal(rig->enrolled_tag, 17);
	return rig->enrolled;
}

struct fake_feed *rig_enroll_acme(struct rig *rig)
{
	struct fake_feed *feed = fake_control_add_feed(rig->control, ACME, "acme", BLOCK);

	assert_int_equal(rig_enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), 0);
	assert_string_equal(rig->host_id, fake_control_host_id(rig->control));
	UNTIL(rig, rig_acme_is_live);
	return feed;
}

void rig_put_user(struct fake_feed *feed)
{
	fake_feed_put(feed, "user", "usr_alice00000000000", 1, "{\"login\":\"alice\",\"uid\":1879113729}");
	fake_feed_commit(feed);
}

bool rig_exists(const struct rig *rig, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", rig->state_dir, name);
	return access(path, F_OK) == 0;
}
