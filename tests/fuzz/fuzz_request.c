/* SPDX-License-Identifier: MIT
 *
 * The quick reader of calls against the JSON library: what it takes, the library takes too, and both mean
 * the same by it.
 */
#include <string.h>

#include "fuzz.h"
#include "server/request.h"
#include "varlink/varlink.h"

static void compare(const struct request_member *member, json_t *value)
{
	FUZZ_CHECK(value);
	switch (member->type) {
	case REQUEST_STRING:
		FUZZ_CHECK(json_is_string(value) && strcmp(json_string_value(value), member->text) == 0);
		break;
	case REQUEST_INTEGER:
		FUZZ_CHECK(json_is_integer(value) && json_integer_value(value) == member->number);
		break;
	case REQUEST_TRUE:
		FUZZ_CHECK(json_is_true(value));
		break;
	case REQUEST_FALSE:
		FUZZ_CHECK(json_is_false(value));
		break;
	case REQUEST_NULL:
		FUZZ_CHECK(json_is_null(value));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *quick = malloc(size + 1);
	struct varlink_call call = {0};
	struct problem problem = {0};
	struct request request;
	int result;

	FUZZ_CHECK(quick);
	memcpy(quick, data, size);
	quick[size] = '\0';
	result = varlink_call_read((const char *)data, size, &call, &problem);
	if (request_read(quick, size, &request)) {
		FUZZ_CHECK(result == 0);
		FUZZ_CHECK(strcmp(call.method, request.method) == 0);
		FUZZ_CHECK(call.more == request.more && call.oneway == request.oneway && !call.upgrade);
		FUZZ_CHECK(json_object_size(call.parameters) == request.count);
		for (uint32_t i = 0; i < request.count; i++)
			compare(&request.members[i], json_object_get(call.parameters, request.members[i].key));
	} else {
		FUZZ_CHECK(memcmp(quick, data, size) == 0); /* untouched, for the other reader */
	}
	varlink_call_finish(&call);
	free(quick);
	return 0;
}
