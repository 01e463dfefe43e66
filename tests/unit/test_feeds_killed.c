/* SPDX-License-Identifier: MIT
 *
 * An agent that was killed between two steps of enrolment, or of being taken out of service.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "feed/host.h"
#include "feeds_rig.h"

static const char *state_file(const struct rig *rig)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/feeds/" ACME "/state", rig->state_dir);
	return path;
}

/* The identity was kept, and the feed's trust document not yet. */
static void test_killed_while_it_enrolled(void **state)
{
	struct rig *rig = *state;

	rig_enroll_acme(rig);
	rig_stop(rig);
	assert_int_equal(unlink(state_file(rig)), 0);
	rig_start(rig);
	assert_int_equal(rig->unit_count, 0);
	UNTIL(rig, rig_acme_is_live);
}

static bool is_told(const struct rig *rig)
{
	return rig->critical > 0;
}

/* What is there and damaged is another matter: nobody signed for what would take its place. */
static void test_damaged_state_takes_no_other_trust(void **state)
{
	struct rig *rig = *state;
	unsigned asked;

	rig_enroll_acme(rig);
	rig_stop(rig);
	assert_int_equal(truncate(state_file(rig), 40), 0);
	rig_start(rig);
	asked = fake_control_count(rig->control, "GET /v1/hosts/self");
	UNTIL(rig, is_told);
	fake_control_wait(rig->control, "GET /v1/hosts/self", asked + 1);
	/* A report of how things are comes after what was assigned was taken in. */
	fake_control_wait(rig->control, "PUT /v1/hosts/self/status",
			  fake_control_count(rig->control, "PUT /v1/hosts/self/status") + 1);
	assert_int_equal(rig->unit_count, 0);
	assert_int_equal(rig_feed(rig, ACME)->state, FEED_QUARANTINE);
}

/* It knows already that it is out of service, and some of what it knew still lies there. */
static void test_killed_while_it_wiped(void **state)
{
	struct rig *rig = *state;
	struct host_identity rest = {.host_id = "hst_1", .url = "https://control.example.org", .disabled = "stolen"};

	rig_enroll_acme(rig);
	rig_stop(rig);
	assert_true(rig_exists(rig, "feeds/" ACME "/state"));
	strcpy(rest.tenants[0], ACME);
	rest.tenant_count = 1;
	assert_int_equal(host_identity_store(rig->state_dir, &rig->key, &rest), 0);
	rig_start(rig);
	assert_false(rig_exists(rig, "feeds/" ACME));
	assert_int_equal(rig_host(rig).state, FEED_DISABLED);
	assert_int_equal(rig->unit_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed_while_it_enrolled, rig_set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_state_takes_no_other_trust, rig_set_up, rig_tear_down),
		cmocka_unit_test_setup_teardown(test_killed_while_it_wiped, rig_set_up, rig_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
