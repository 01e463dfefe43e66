/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/token_feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "control_plane/feed/change.h"
#include "jose/base64url.h"

#define ATTEMPTS 3
#define NUMBER_SIZE 24

_Static_assert(RECORD_TOKEN_KEY == 6 && RECORD_REVOCATION == 7, "the statement below says so");
#define RECORDS_SQL                                                                                           \
	"SELECT kind, id, version, coalesce((body::jsonb ->> 'until')::bigint, 0) FROM control.feed_records " \
	"WHERE tenant_id = $1 AND kind IN (6, 7)"

void token_feed_put(struct app *app, const struct token_key_public *key, struct change *change)
{
	char x[BASE64URL_CHARS(P256_BYTES) + 1], y[sizeof(x)];

	base64url_encode(key->key.x, P256_BYTES, x);
	base64url_encode(key->key.y, P256_BYTES, y);
	change_put(change, RECORD_TOKEN_KEY, key->key.kid, 1,
		   json_pack("{s:s, s:s, s:s, s:I}", "issuer", app->config->url, "x", x, "y", y, "not_after",
			     (json_int_t)key->verifies_until));
}

static bool lists_key(const struct db_rows *rows, const char *kid)
{
	for (uint32_t i = 0; i < db_row_count(rows); i++)
		if (db_i64(rows, i, 0) == RECORD_TOKEN_KEY && text_equal(db_text(rows, i, 1), kid))
			return true;
	return false;
}

static bool is_current(const struct token_key_public *keys, uint32_t count, const char *kid)
{
	for (uint32_t i = 0; i < count; i++)
		if (text_equal(keys[i].key.kid, kid))
			return true;
	return false;
}

static int collect(struct app *app, const struct db_rows *rows, const struct token_key_public *keys, uint32_t count,
		   int64_t now, struct change *change)
{
	for (uint32_t i = 0; i < count; i++)
		if (!lists_key(rows, keys[i].key.kid))
			token_feed_put(app, &keys[i], change);
	for (uint32_t i = 0; i < db_row_count(rows); i++) {
		enum record_kind kind = (enum record_kind)db_i64(rows, i, 0);
		uint64_t version = (uint64_t)db_i64(rows, i, 2) + 1;
		int64_t until = db_i64(rows, i, 3);

		if (kind == RECORD_TOKEN_KEY ? !is_current(keys, count, db_text(rows, i, 1)) : until > 0 && until < now)
			change_delete(change, kind, db_text(rows, i, 1), version);
	}
	return 0;
}

/* 1: nothing to do. */
static int bring_up_to_date(struct app *app, const char *tenant_id, const struct token_key_public *keys, uint32_t count,
			    int64_t now, struct change *change)
{
	const struct db_scope scope = {.tenant_id = tenant_id};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *before = NULL, *rows = NULL, *locked = NULL;
	_cleanup_(change_freep) struct change *seen = NULL;
	struct problem problem = {0};
	char now_text[NUMBER_SIZE];
	int r = db_begin(app->db, &scope, &tx);

	(void)snprintf(now_text, sizeof(now_text), "%lld", (long long)now);
	if (r == 0)
		r = db_run(tx, &before, RECORDS_SQL, tenant_id);
	if (r == 0)
		r = change_new(tenant_id, &seen);
	if (r == 0)
		r = collect(app, before, keys, count, now, seen);
	if (r < 0 || change_is_empty(seen))
		return r < 0 ? r : 1;
	/* Under the feed's lock once more: another replica may have been here. */
	r = db_run(tx, &locked, "SELECT FROM control.feeds WHERE tenant_id = $1 FOR UPDATE", tenant_id);
	if (r < 0 || db_row_count(locked) == 0)
		return r < 0 ? r : 1;
	r = db_later(tx, "DELETE FROM control.token_revocations WHERE tenant_id = $1 AND until < $2::bigint", tenant_id,
		     now_text);
	if (r == 0)
		r = db_run(tx, &rows, RECORDS_SQL, tenant_id);
	if (r == 0)
		r = collect(app, rows, keys, count, now, change);
	if (r < 0 || change_is_empty(change))
		return r < 0 ? r : 1;
	r = change_publish(change, app, tx, &problem);
	if (r < 0) {
		log_problem(LOG_ERR, "keys of access tokens cannot be published", &problem);
		return r;
	}
	return db_commit(TAKE_PTR(tx));
}

static int one_tenant(struct app *app, const char *tenant_id, const struct token_key_public *keys, uint32_t count,
		      int64_t now)
{
	int r = -EAGAIN;

	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++) {
		_cleanup_(change_freep) struct change *change = NULL;

		r = change_new(tenant_id, &change);
		if (r == 0)
			r = bring_up_to_date(app, tenant_id, keys, count, now, change);
		if (r == 0)
			change_announce(change, app);
	}
	return r < 0 ? r : 0;
}

static int next_tenants(struct app *app, const char *after, struct db_rows **ret)
{
	const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r < 0)
		return r;
	return db_run(tx, ret, "SELECT id FROM control.tenants WHERE id > $1 ORDER BY id LIMIT 500", after);
}

int token_feed_pass(struct app *app, const struct token_key_public *keys, uint32_t count, int64_t now,
		    bool (*stop)(void *context), void *context)
{
	char after[ID_MAX_BYTES + 1] = "";
	int failed = 0;

	for (;;) {
		_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
		int r = next_tenants(app, after, &rows);

		if (r < 0)
			return r;
		for (uint32_t i = 0; i < db_row_count(rows); i++) {
			if (stop(context))
				return -ECANCELED;
			(void)snprintf(after, sizeof(after), "%s", db_text(rows, i, 0));
			r = one_tenant(app, after, keys, count, now);
			if (r < 0) /* one tenant's trouble is not the others' */
				failed = r;
		}
		if (db_row_count(rows) == 0)
			return failed;
	}
}
