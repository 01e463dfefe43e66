/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/delays.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "control_plane/app.h"
#include "control_plane/http/limiter.h"

#define ACCOUNT_FREE "3"
#define SOURCE_FREE "20"
#define CODES_FREE "10"
#define SUBJECT_SIZE (2 * SHA256_BYTES + 3)

/* $1: the subject, $2: failures without a delay. A row comes back when the attempt was taken, with how many there are
 * then: the statement changes nothing while the delay lasts. */
#define TAKE_SQL                                                                                                     \
	"INSERT INTO control.sign_in_delays AS d (subject, failures, not_before, forget_at) "                        \
	"VALUES ($1, 1, clock_timestamp(), clock_timestamp() + interval '1 day') "                                   \
	"ON CONFLICT (subject) DO UPDATE SET "                                                                       \
	"failures = CASE WHEN d.forget_at < clock_timestamp() THEN 1 ELSE d.failures + 1 END, "                      \
	"not_before = CASE WHEN d.forget_at < clock_timestamp() OR d.failures + 1 < $2::int THEN clock_timestamp() " \
	"ELSE clock_timestamp() + least(interval '15 minutes', "                                                     \
	"make_interval(secs => power(2, least(d.failures + 1 - $2::int, 12)))) END, "                                \
	"forget_at = clock_timestamp() + interval '1 day' "                                                          \
	"WHERE d.not_before <= clock_timestamp() OR d.forget_at < clock_timestamp() RETURNING failures"
#define WAIT_SQL                                                                                  \
	"SELECT greatest(1, ceil(extract(epoch FROM max(not_before) - clock_timestamp())))::int " \
	"FROM control.sign_in_delays WHERE subject IN ($1, $2)"

#define GIVE_BACK_SQL                                                                         \
	"UPDATE control.sign_in_delays SET failures = greatest(failures - 1, 0), not_before " \
	"= clock_timestamp() WHERE subject = $1"

/* A hash under the platform's key: the table says neither who exists nor who tried. */
static int subject_of(struct request *request, const char *kind, const char *name, char out[SUBJECT_SIZE])
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	uint8_t digest[SHA256_BYTES];
	int r;

	(void)buffer_add(&text, request->app->seal_key.bytes, sizeof(request->app->seal_key.bytes));
	(void)buffer_printf(&text, "sign-in delay\n%s\n%s", kind, name);
	r = text.failed ? -ENOMEM : sha256(text.data, text.length, digest);
	if (r < 0)
		return r;
	(void)memcpy(out, "\\x", 2);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(out + 2 + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int subjects_of(struct request *request, const char *account, char ret_account[SUBJECT_SIZE],
		       char ret_source[SUBJECT_SIZE])
{
	char source[INET6_ADDRSTRLEN];
	int r = subject_of(request, "account", account, ret_account);

	return r < 0 ? r : subject_of(request, "source", limiter_source_key(&request->source, source), ret_source);
}

static int tell_to_wait(struct request *request, struct db_tx *tx, const char *account, const char *source,
			const char *what)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	uint32_t seconds;
	int r = db_run(tx, &rows, WAIT_SQL, account, source);

	if (r < 0)
		return r;
	seconds = (uint32_t)db_i64(rows, 0, 0);
	respond_retry(request, PROBLEM_TOO_MANY, seconds, "too many wrong %s; wait %u s", what, seconds);
	return 1;
}

int delays_take(struct request *request, const char *account)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *of_account = NULL, *of_source = NULL;
	char subject[SUBJECT_SIZE], source[SUBJECT_SIZE];
	int r = subjects_of(request, account, subject, source);

	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_run(tx, &of_account, TAKE_SQL, subject, ACCOUNT_FREE);
	if (r == 0 && request->principal.kind != PRINCIPAL_LOCAL)
		r = db_run(tx, &of_source, TAKE_SQL, source, SOURCE_FREE);
	if (r < 0)
		return r;
	if (db_row_count(of_account) == 0 || (of_source && db_row_count(of_source) == 0))
		return tell_to_wait(request, tx, subject, source, "passwords"); /* rolled back: it did not count */
	return db_commit(TAKE_PTR(tx));
}

/* $1 for the account, and the source's last attempt. */
static void settle(struct request *request, const char *account, const char *account_sql)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	char subject[SUBJECT_SIZE], source[SUBJECT_SIZE];
	int r = subjects_of(request, account, subject, source);

	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_later(tx, account_sql, subject);
	if (r == 0 && request->principal.kind != PRINCIPAL_LOCAL)
		r = db_later(tx, GIVE_BACK_SQL, source);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		log_warning("sign-in delays could not be cleared: %s", strerror(-r));
}

/* ---- codes ----------------------------------------------------------------------------------------------------------
 */

static int code_subject(struct request *request, char ret[SUBJECT_SIZE])
{
	char source[INET6_ADDRSTRLEN];

	return subject_of(request, "codes", limiter_source_key(&request->source, source), ret);
}

int delays_take_code(struct request *request, uint32_t *ret_count)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char subject[SUBJECT_SIZE];
	int r = code_subject(request, subject);

	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_run(tx, &rows, TAKE_SQL, subject, CODES_FREE);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return tell_to_wait(request, tx, subject, subject, "codes");
	*ret_count = (uint32_t)db_i64(rows, 0, 0);
	return db_commit(TAKE_PTR(tx));
}

void delays_give_back_code(struct request *request)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	char subject[SUBJECT_SIZE];
	int r = code_subject(request, subject);

	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_later(tx, GIVE_BACK_SQL, subject);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		log_warning("sign-in delays could not be cleared: %s", strerror(-r));
}

/* ---- passwords ------------------------------------------------------------------------------------------------------
 */

void delays_give_back(struct request *request, const char *account)
{
	settle(request, account, GIVE_BACK_SQL);
}

void delays_clear(struct request *request, const char *account)
{
	settle(request, account, "DELETE FROM control.sign_in_delays WHERE subject = $1");
}
