/* SPDX-License-Identifier: MIT
 *
 * An agent that ends when there is no memory left. calloc is wrapped in this program alone (packaging/make/rules.mk).
 */
#include <stdlib.h>
#include <unistd.h>

#include "feeds_rig.h"
#include "unit.h"

#define PATIENCE_SEC 20 /* then the test is killed: whoever waits for a thread cannot look at a clock */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static __thread bool no_memory;

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

static void test_ends_without_memory(void **state)
{
	struct rig *rig = *state;

	(void)alarm(PATIENCE_SEC);
	no_memory = true;
	rig_stop(rig);
	no_memory = false;
	(void)alarm(0);
	assert_null(rig->feeds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ends_without_memory, rig_set_up, rig_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
