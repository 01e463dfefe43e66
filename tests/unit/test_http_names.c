/* SPDX-License-Identifier: MIT
 *
 * The HTTP client and a resolver that takes its time: this program brings one.
 */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/http.h"
#include "unit.h"

#define SLOW_NAME "slow.example"
#define SLOW_SEC 3

_public_ int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");

	if (name && strcmp(name, SLOW_NAME) == 0) {
		sleep(SLOW_SEC);
		return EAI_AGAIN;
	}
	return real(name, service, hints, ret);
}

static unsigned ends;
static enum http_fault fault;

static void on_done(void *context, const struct http_answer *answer)
{
	ends++;
	fault = answer->fault;
}

/* One loop serves many: nobody waits for a name that somebody else gave up on. */
static void test_a_slow_resolver_holds_nobody_up(void **state)
{
	_cleanup_(http_destroyp) struct http *http = NULL;
	struct http_transfer *transfer;
	struct http_request request = {.url = "https://" SLOW_NAME "/", .timeout_ms = 300, .done = on_done};
	uint64_t begun = clock_boottime_usec();

	assert_int_equal(http_create(&(struct http_options){.proxy = ""}, NULL, &http), 0);
	assert_int_equal(http_start(http, &request, NULL), 0);
	assert_int_equal(http_wait(http, 20000), 0);
	assert_int_equal(fault, HTTP_TIMED_OUT);
	assert_true(clock_boottime_usec() - begun < 1500 * USEC_PER_MSEC);
	request.timeout_ms = 20000;
	assert_int_equal(http_start(http, &request, &transfer), 0);
	assert_int_equal(http_wait(http, 100), -ETIMEDOUT);
	http_cancel(transfer);
	assert_int_equal(http_start(http, &request, NULL), 0);
	assert_int_equal(http_wait(http, 100), -ETIMEDOUT);
	http_destroy(TAKE_PTR(http));
	assert_true(clock_boottime_usec() - begun < SLOW_SEC * USEC_PER_SEC - 500 * USEC_PER_MSEC);
	assert_int_equal(ends, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_slow_resolver_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
