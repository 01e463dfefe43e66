/* SPDX-License-Identifier: MIT */
#include "picture_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "records/record_json.h"
#include "unit.h"
#include "json/json_read.h"

static int do_line(struct feed_picture *picture, char *line, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *body = NULL;
	char *save = NULL, *op = strtok_r(line, " ", &save), *word = strtok_r(NULL, " ", &save),
	     *id = strtok_r(NULL, " ", &save), *version = strtok_r(NULL, " ", &save), *rest = save;
	enum record_kind kind;
	uint64_t number;

	assert_non_null(version);
	number = strtoull(version, NULL, 10);
	assert_int_equal(record_kind_parse(word, &kind), 0);
	if (rest && *rest)
		assert_int_equal(json_read(rest, strlen(rest), &body, problem), 0);
	if (strcmp(op, "put") == 0)
		return feed_picture_put(picture, kind, id, number, json_view(body), problem);
	if (strcmp(op, "del") == 0)
		return feed_picture_delete(picture, kind, id, number, problem);
	assert_string_equal(op, "revoke");
	return feed_picture_revoke(picture, kind, id, number, body, problem);
}

int feed_lines(struct feed_picture *picture, bool replace, const char *lines, struct problem *problem)
{
	_cleanup_(freep) char *copy = strdup(lines);
	char *save = NULL;
	int r = feed_picture_begin(picture, replace, strlen(lines) / 40);

	for (char *line = strtok_r(copy, "\n", &save); r == 0 && line; line = strtok_r(NULL, "\n", &save))
		r = do_line(picture, line, problem);
	if (r == 0)
		r = feed_picture_commit(picture);
	else
		feed_picture_rollback(picture);
	return r;
}

/* As part of an id. */
static char *as_id(const char *text, char out[64])
{
	snprintf(out, 64, "%s", text);
	for (char *at = out; (at = strchr(at, '-'));)
		*at = '_';
	return out;
}

struct feed_picture *feed_of(const char *tenant_id, const char *slug, unsigned block, const char *logins)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(freep) char *copy = strdup(logins);
	struct feed_picture *picture;
	struct problem problem = {0};
	unsigned first = FEED_BLOCK(block), number = 0;
	char origin[96], tenant[64], user[64], *save = NULL;

	snprintf(origin, sizeof(origin), "c.example/feed/%s", tenant_id);
	as_id(slug, tenant);
	assert_int_equal(feed_picture_new(origin, tenant_id, &picture), 0);
	buffer_printf(
		&text,
		"put tenant %s 1 {\"slug\":\"%s\",\"gid\":%u,\"ids\":{\"first\":%u,\"count\":16384,\"next\":%u}}\n"
		"put project prj_%s 1 {\"slug\":\"main\",\"gid\":%u}\n",
		tenant_id, slug, first, first, first + 16000, tenant, first + 1);
	for (char *login = strtok_r(copy, " ", &save); login; login = strtok_r(NULL, " ", &save), number++)
		buffer_printf(&text,
			      "put user usr_%s_%s 1 {\"login\":\"%s\",\"uid\":%u}\n"
			      "put member usr_%s_%s/prj_%s 1 "
			      "{\"user\":\"usr_%s_%s\",\"project\":\"prj_%s\",\"role\":\"editor\"}\n"
			      "put key key_%08u%08u 1 {\"user\":\"usr_%s_%s\",\"verifier\":\"sha256:"
			      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}\n",
			      tenant, as_id(login, user), login, first + 10 + number, tenant, user, tenant, tenant,
			      user, tenant, block, number, tenant, user);
	if (feed_lines(picture, true, buffer_text(&text), &problem) != 0)
		fail_msg("%s", problem.text);
	return picture;
}
