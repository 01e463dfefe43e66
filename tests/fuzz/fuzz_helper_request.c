/* SPDX-License-Identifier: MIT
 *
 * What the root helper is sent, and what the kernel says of a process's cgroup: whatever is taken is within the
 * tenants' ids, and no name in it leads anywhere.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "fuzz.h"
#include "helper/cgroup.h"
#include "helper/check.h"
#include "records/records.h"

static void check_request(const struct helper_request *request)
{
	const char *why = NULL;

	if (request_check(request, &why) < 0) {
		FUZZ_CHECK(why && *why);
		return;
	}
	FUZZ_CHECK(request->uid >= MANAGED_ID_FIRST && request->uid <= MANAGED_ID_TENANT_LAST);
	FUZZ_CHECK(request->leader == 0 || request->leader > 1);
	FUZZ_CHECK(strnlen(request->scope, HELPER_SCOPE_MAX) < HELPER_SCOPE_MAX);
	FUZZ_CHECK(!strpbrk(request->scope, "./ \n"));
	FUZZ_CHECK(request->keep_count <= HELPER_KEEP_MAX);
	for (uint32_t i = 0; i < request->keep_count; i++) {
		FUZZ_CHECK(request->keep[i][0] && request_is_scope(request->keep[i]));
		FUZZ_CHECK(request_keeps(request, request->keep[i]));
	}
	FUZZ_CHECK(text_is_printable(request->text, strnlen(request->text, HELPER_TEXT_MAX)));
	FUZZ_CHECK(strcmp(request_verb_word(request->verb), "unknown") != 0);
}

static void check_place(const char *text)
{
	struct cgroup_place place = cgroup_place_parse(text, MANAGED_ID_FIRST);

	FUZZ_CHECK((place.kind == CGROUP_SESSION) == request_is_scope(place.scope));
	if (place.kind != CGROUP_ELSEWHERE)
		FUZZ_CHECK(strstr(text, "0::/user.slice/user-1879048192.slice"));
	FUZZ_CHECK(cgroup_place_parse(text, MANAGED_ID_FIRST + 1).kind == CGROUP_ELSEWHERE ||
		   strstr(text, "1879048193"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct helper_request request = {0};
	char text[4096];

	memcpy(&request, data, MIN_OF(size, sizeof(request)));
	check_request(&request);
	snprintf(text, sizeof(text), "%.*s", (int)MIN_OF(size, sizeof(text) - 1), (const char *)data);
	check_place(text);
	return 0;
}
