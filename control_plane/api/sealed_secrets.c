/* SPDX-License-Identifier: MIT */
#include "control_plane/api/sealed_secrets.h"

#include <errno.h>

#include "base/buffer.h"
#include "control_plane/app.h"
#include "json/json_read.h"

int sealed_secrets_open(struct request *request, const char *purpose, const struct db_rows *rows, uint32_t row,
			unsigned column, json_t **ret)
{
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	_cleanup_(freep) uint8_t *sealed = NULL;
	struct problem problem = {0};
	size_t length;
	int r;

	if (db_is_null(rows, row, column)) {
		*ret = json_object();
		return *ret ? 0 : -ENOMEM;
	}
	r = purpose ? db_bytes(rows, row, column, &sealed, &length) : -ENOMEM;
	if (r == 0)
		r = unseal(&request->app->seal_key, purpose, sealed, length, &plain);
	return r == 0 ? json_read(plain.data, plain.length, ret, &problem) : r;
}

static int add_wiped(const char *data, size_t length, void *context)
{
	return buffer_add(context, data, length) < 0 ? -1 : 0;
}

int sealed_secrets_make(struct request *request, const char *purpose, json_t *secrets, const char **ret)
{
	_cleanup_(buffer_finish) struct buffer buffer = {.wipe = true};
	_cleanup_(freep) char *hex = NULL;
	int r;

	if (!purpose || json_dump_callback(secrets, add_wiped, &buffer, JSON_COMPACT) < 0)
		return -ENOMEM;
	r = seal_in_place(&request->app->seal_key, purpose, &buffer);
	if (r < 0)
		return r;
	hex = db_hex(buffer.data, buffer.length);
	*ret = hex ? request_copy(request, hex) : NULL;
	return *ret ? 0 : -ENOMEM;
}
