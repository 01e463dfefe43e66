/* SPDX-License-Identifier: MIT
 *
 * What the control plane gets of a spool whose end was damaged: all that is whole, and what is written afterwards.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "../fakes/fake_audit.h"
#include "audit_rig.h"
#include "base/clock.h"
#include "spool/segment.h"
#include "spool_files.h"
#include "unit.h"

#define WAIT_USEC (10 * USEC_PER_SEC)

/* Flips a bit in the last group of the only segment. */
static void damage_end(const struct rig *rig)
{
	char folder[128], path[256] = "";
	const struct dirent *entry;
	struct segment_name name;
	uint64_t offsets[64];
	unsigned count;
	DIR *directory;

	(void)snprintf(folder, sizeof(folder), "%s/audit", rig->state_dir);
	directory = opendir(folder);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (segment_name_read(entry->d_name, &name) == 0)
			(void)snprintf(path, sizeof(path), "%.127s/%.120s", folder, entry->d_name);
	(void)closedir(directory);
	count = spool_file_blocks(path, offsets, 63);
	assert_true(count >= 3);
	spool_file_flip(path, offsets[count - 1] + 60);
}

static void test_after_a_damaged_end_the_next_chain_comes(void **state)
{
	struct rig *rig = *state;
	uint64_t end = clock_boottime_usec() + WAIT_USEC;

	audit_rig_emit(rig, ACME, 4);
	audit_rig_emit(rig, ACME, 1); /* a group by itself */
	damage_end(rig);
	audit_rig_restart(rig);
	audit_rig_emit(rig, ACME, 4);
	(void)rig_enroll_acme(rig);
	while (fake_audit_taken(rig->control) < 4 + 4 && clock_boottime_usec() < end)
		assert_true(sd_event_run(rig->event, 20 * USEC_PER_MSEC) >= 0);
	assert_int_equal(fake_audit_taken(rig->control), 4 + 4);
	assert_int_equal(fake_audit_chains(rig->control), 2);
	assert_int_equal(rig->found[FEEDS_CHAIN_FORKED], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_after_a_damaged_end_the_next_chain_comes, audit_rig_set_up,
						audit_rig_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
