/* SPDX-License-Identifier: MIT
 *
 * Into the inbox: personal data are sealed here, so that the database never has them in the clear.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/app.h"
#include "control_plane/audit/internal.h"
#include "control_plane/audit/persons.h"

static int load_keys(struct app *app, struct db_tx *tx, const char *log_id, const struct inbox_record *records,
		     uint32_t count, struct person_keys **ret)
{
	_cleanup_(freep) const char **persons = NULL;
	uint32_t total = 0, i = 0;

	for (uint32_t n = 0; n < count; n++)
		total += records[n].personal ? records[n].personal->count : 0;
	if (total == 0)
		return 0;
	persons = calloc(total, sizeof(*persons));
	if (!persons)
		return -ENOMEM;
	for (uint32_t n = 0; n < count; n++)
		for (uint32_t p = 0; records[n].personal && p < records[n].personal->count; p++)
			persons[i++] = records[n].personal->items[p].person;
	return person_keys_load(&app->seal_key, tx, log_id, persons, total, true, ret);
}

/* " <person> <hex>" for each part. */
static int add_personal(const struct person_keys *keys, const struct personal_list *personal, struct buffer *out)
{
	for (uint32_t i = 0; personal && i < personal->count; i++) {
		const struct personal *item = &personal->items[i];
		_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
		char *hex;
		int r;

		if (!*item->person || strpbrk(item->person, " \n"))
			return -EINVAL;
		r = person_seal(keys, item, &sealed);
		if (r < 0)
			return r;
		(void)buffer_printf(out, "%s%s ", i > 0 ? " " : "", item->person);
		hex = buffer_reserve(out, 2 * sealed.length + 1);
		if (!hex)
			return -ENOMEM;
		text_to_hex(sealed.data, sealed.length, hex);
		out->length += 2 * sealed.length;
	}
	return buffer_add_char(out, '\n');
}

/* Is there a tenant? Until the commit it stays, and its log does not end before what is put there now. */
static int hold_tenant(struct db_tx *tx, const char *log_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	/* No lock of the row: who holds that may be the request whose refusal is written here. */
	int r = db_later(tx, "SELECT pg_advisory_xact_lock_shared(" AUDIT_END_LOCK ", hashtext($1))", log_id);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT FROM control.tenants WHERE id = $1", log_id);
	return r < 0 || db_row_count(rows) > 0 ? r : -ENOENT;
}

int inbox_put(struct app *app, struct db_tx *tx, const char *log_id, const char *host_id, const char *host_name,
	      const struct inbox_record *records, uint32_t count)
{
	_cleanup_(person_keys_freep) struct person_keys *keys = NULL;
	_cleanup_(buffer_finish) struct buffer lines = BUFFER_INIT;
	char number[16];
	int r;

	if (count == 0)
		return 0;
	r = *log_id ? hold_tenant(tx, log_id) : 0;
	if (r == 0)
		r = load_keys(app, tx, log_id, records, count, &keys);
	for (uint32_t i = 0; r == 0 && i < count; i++) {
		/* A line is a line; NUL would end the whole. */
		if (memchr(records[i].leaf, '\n', records[i].length) ||
		    memchr(records[i].leaf, '\0', records[i].length))
			return -EINVAL;
		(void)buffer_add(&lines, records[i].leaf, records[i].length);
		(void)buffer_add_char(&lines, '\n');
		r = add_personal(keys, records[i].personal, &lines);
	}
	if (r < 0)
		return r;
	if (!buffer_text(&lines))
		return -ENOMEM;
	(void)snprintf(number, sizeof(number), "%" PRIu32, count);
	return db_later(tx,
			"INSERT INTO control.audit_inbox (tenant_id, host_id, host_name, count, records) "
			"VALUES ($1, $2, $3, $4::int, convert_to($5, 'UTF8'))",
			log_id, host_id ? host_id : "", host_name ? host_name : "", number, buffer_text(&lines));
}
