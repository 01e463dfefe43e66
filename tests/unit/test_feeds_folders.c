/* SPDX-License-Identifier: MIT
 *
 * Feeds that come from folders on the host, without a control plane.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "feeds_rig.h"
#include "unit.h"

static bool acme_is_there(const struct rig *rig)
{
	const struct feed_view *view = rig_feed(rig, ACME);

	return view && view->revision >= 1 && rig->unit_count > 0;
}

static bool has_no_feeds(const struct rig *rig)
{
	return !rig_feed(rig, ACME) && rig->unit_count == 0;
}

static bool has_looked(const struct rig *rig)
{
	return rig->looked > 0;
}

static bool acme_has_a_problem(const struct rig *rig)
{
	const struct feed_view *view = rig_feed(rig, ACME);

	return view && view->problem[0];
}

static bool folder_has_a_problem(const struct rig *rig)
{
	const struct feed_view *view = rig_feed(rig, "");

	return view && view->problem[0];
}

static void test_folder(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	char folder[160], older[160], command[1024];

	assert_int_equal(mkdir(rig->import_dir, 0755), 0);
	snprintf(folder, sizeof(folder), "%s/acme", rig->import_dir);
	snprintf(older, sizeof(older), "%s/older", rig->state_dir);
	fake_feed_export(feed, older);
	rig_put_user(feed);
	fake_feed_export(feed, folder);
	feeds_retry(rig->feeds);
	/* Whoever waits for the end of it finds what there is in force. */
	UNTIL(rig, has_looked);
	assert_true(acme_is_there(rig));
	assert_int_equal(rig_records(rig, RECORD_USER), 1);
	assert_true(rig_feed(rig, ACME)->from_file);
	assert_int_equal(rig_host(rig).state, FEED_UNENROLLED);

	/* An older one in its place is refused; what there was stays. */
	snprintf(command, sizeof(command), "cp -r %s %s.kept && rm -rf %s && cp -r %s %s", folder, older, folder, older,
		 folder);
	assert_int_equal(system(command), 0);
	rig->looked = 0;
	feeds_retry(rig->feeds);
	UNTIL(rig, has_looked);
	assert_true(acme_has_a_problem(rig));
	assert_int_equal(rig_feed(rig, ACME)->state, FEED_LIVE);
	assert_int_equal(rig->critical, 0);
	assert_int_equal(rig_records(rig, RECORD_USER), 1);

	/* The one that is in force comes back, and all is well. */
	snprintf(command, sizeof(command), "rm -rf %s && cp -r %s.kept %s", folder, older, folder);
	assert_int_equal(system(command), 0);
	rig->looked = 0;
	feeds_retry(rig->feeds);
	UNTIL(rig, has_looked);
	assert_false(acme_has_a_problem(rig));
	assert_int_equal(rig_feed(rig, ACME)->state, FEED_LIVE);

	/* Taken away, it is gone; but never comes back older. */
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	feeds_retry(rig->feeds);
	UNTIL(rig, has_no_feeds);
	snprintf(command, sizeof(command), "cp -r %s %s", older, folder);
	assert_int_equal(system(command), 0);
	feeds_retry(rig->feeds);
	UNTIL(rig, acme_has_a_problem);
}

static void test_folders_that_are_not_trusted(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	char folder[160], path[200];

	assert_int_equal(mkdir(rig->import_dir, 0755), 0);
	snprintf(folder, sizeof(folder), "%s/acme", rig->import_dir);
	fake_feed_export(feed, folder);
	assert_int_equal(chmod(folder, 0775), 0);
	feeds_retry(rig->feeds);
	UNTIL(rig, folder_has_a_problem);
	assert_null(rig_feed(rig, ACME));

	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/head", folder);
	assert_int_equal(chmod(path, 0666), 0);
	rig_stop(rig);
	rig_start(rig);
	assert_true(folder_has_a_problem(rig));
	assert_null(rig_feed(rig, ACME));

	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(rig->import_dir, 0777), 0);
	rig_stop(rig);
	rig_start(rig);
	assert_true(folder_has_a_problem(rig));
	assert_null(rig_feed(rig, ACME));

	assert_int_equal(chmod(rig->import_dir, 0755), 0);
	rig_stop(rig);
	rig_start(rig);
	assert_false(folder_has_a_problem(rig));
	assert_non_null(rig_feed(rig, ACME));
	assert_int_equal(rig_records(rig, RECORD_TENANT), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_folder),
		TEST(test_folders_that_are_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
