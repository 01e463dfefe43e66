/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/db/internal.h"

int rows_new(PGresult *result, struct db_rows **ret)
{
	struct db_rows *rows = calloc(1, sizeof(*rows));

	if (!rows) {
		PQclear(result);
		return -ENOMEM;
	}
	rows->result = result;
	*ret = rows;
	return 0;
}

void db_rows_free(struct db_rows *rows)
{
	if (!rows)
		return;
	PQclear(rows->result);
	free(rows);
}

uint32_t db_row_count(const struct db_rows *rows)
{
	return (uint32_t)PQntuples(rows->result);
}

uint64_t db_affected(const struct db_rows *rows)
{
	return strtoull(PQcmdTuples(rows->result), NULL, 10);
}

const char *db_text(const struct db_rows *rows, uint32_t row, unsigned column)
{
	return PQgetvalue(rows->result, (int)row, (int)column);
}

bool db_is_null(const struct db_rows *rows, uint32_t row, unsigned column)
{
	return PQgetisnull(rows->result, (int)row, (int)column);
}

int64_t db_i64(const struct db_rows *rows, uint32_t row, unsigned column)
{
	return strtoll(db_text(rows, row, column), NULL, 10);
}

bool db_bool(const struct db_rows *rows, uint32_t row, unsigned column)
{
	return strcmp(db_text(rows, row, column), "t") == 0;
}

int db_bytes(const struct db_rows *rows, uint32_t row, unsigned column, uint8_t **ret, size_t *ret_length)
{
	const char *text = db_text(rows, row, column);
	size_t length;
	uint8_t *bytes;

	if (strncmp(text, "\\x", 2) != 0)
		text = "\\x"; /* NULL */
	length = strlen(text + 2) / 2;
	bytes = malloc(length + 1);
	if (!bytes)
		return -ENOMEM;
	if (text_from_hex(text + 2, bytes, length) < 0) {
		free(bytes);
		return -EIO;
	}
	*ret = bytes;
	*ret_length = length;
	return 0;
}

char *db_hex(const void *data, size_t length)
{
	char *text = length > (SIZE_MAX - 3) / 2 ? NULL : malloc(2 * length + 3);

	if (!text)
		return NULL;
	memcpy(text, "\\x", 2);
	text_to_hex(data, length, text + 2);
	return text;
}
