/* SPDX-License-Identifier: MIT
 *
 * What reading a request and writing its reply costs, without any socket: nanoseconds a message, the best of
 * several rounds (others use the machine too).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "crypto/api_key.h"
#include "varlink/varlink.h"
#include "json/json_read.h"

#define ROUNDS 15
#define PER_ROUND 20000

static const char request[] = "{\"method\":\"io.tenantd.Agent.CheckAccess\",\"parameters\":{\"uid\":1879048200,"
			      "\"project\":\"acme/vision\",\"action\":\"dataset.write\"}}";

struct parameters {
	uint32_t uid;
	const char *user, *project, *action;
};

static const struct json_field fields[] = {
	{"uid", JSON_FIELD_U32, offsetof(struct parameters, uid), JSON_FIELD_NULLABLE},
	{"user", JSON_FIELD_STRING, offsetof(struct parameters, user), JSON_FIELD_NULLABLE},
	{"project", JSON_FIELD_STRING, offsetof(struct parameters, project), JSON_FIELD_REQUIRED},
	{"action", JSON_FIELD_STRING, offsetof(struct parameters, action), JSON_FIELD_REQUIRED},
};

static struct buffer out = BUFFER_INIT;

static int read_request(void)
{
	struct buffer received = {.data = (char *)(uintptr_t)request, .length = sizeof(request)};
	struct parameters parameters = {0};
	struct varlink_call call;
	size_t scanned = 0, length;
	int r;

	if (varlink_frame_next(&received, &scanned, &length) != 1)
		return -1;
	r = varlink_call_read(received.data, length, &call, NULL);
	if (r < 0)
		return r;
	r = json_fields(call.parameters, fields, ARRAY_LEN(fields), &parameters, NULL, NULL);
	varlink_call_finish(&call);
	return r;
}

static int write_reply(void)
{
	struct varlink_writer w;

	buffer_clear(&out);
	varlink_reply_begin(&w, &out);
	json_begin(&w.json, "decision", '{');
	json_put_string(&w.json, "decision", "allowed");
	json_put_string(&w.json, "reason", "role");
	json_put_string(&w.json, "message", "alice may write datasets in acme/vision.");
	json_end(&w.json, '}');
	json_begin(&w.json, "principal", '{');
	json_put_string(&w.json, "user", "alice");
	json_put_string(&w.json, "user_id", "usr_alice");
	json_put_u64(&w.json, "uid", 1879048200);
	json_put_string(&w.json, "kind", "person");
	json_put_string(&w.json, "tenant", "acme");
	json_put_string(&w.json, "tenant_id", "ten_acme");
	json_put_string(&w.json, "project", "acme/vision");
	json_put_string(&w.json, "project_id", "prj_vision");
	json_put_string(&w.json, "role", "editor");
	json_end(&w.json, '}');
	return varlink_end(&w, false);
}

static int verify_key(void)
{
	static const char key[] = "tnt_pk_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0YBtz5";
	struct api_key_parts parts;
	uint8_t verifier[SHA256_BYTES];

	if (api_key_parse(key, sizeof(key) - 1, &parts) < 0)
		return -1;
	return api_key_verifier(key, sizeof(key) - 1, verifier);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int measure(const char *what, int (*body)(void))
{
	double best = 1e18;

	for (int i = 0; i < ROUNDS; i++) {
		double start = now(), took;

		for (int j = 0; j < PER_ROUND; j++)
			if (body() != 0)
				return 1;
		took = (now() - start) / PER_ROUND;
		best = MIN_OF(best, took);
	}
	printf("%-36s %7.0f ns\n", what, best);
	return 0;
}

int main(void)
{
	int failed = measure("read a CheckAccess request", read_request) | measure("write its reply", write_reply) |
		     measure("parse and hash an API key", verify_key);

	buffer_finish(&out);
	return failed;
}
