/* SPDX-License-Identifier: MIT
 *
 * The audit spool: what was told to be durable is there after a restart, in order, once, and nothing else is.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "directory_fixture.h"
#include "spool_fixture.h"

static int setup(void **state)
{
	spool_world_make();
	return 0;
}

static int teardown(void **state)
{
	spool_world_end();
	return 0;
}

static void test_appended_is_read(void **state)
{
	struct spool_reader *reader;

	spool_world_start();
	assert_int_equal(spool_last(world.spool), 0);
	spool_world_append(3);
	spool_world_wait();
	assert_int_equal(spool_durable(world.spool), 3);
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	spool_world_expect(reader, 1, 3);
	spool_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_appended_is_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
