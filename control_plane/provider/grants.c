/* SPDX-License-Identifier: MIT */
#include "control_plane/provider/grants.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/app.h"
#include "control_plane/http/limiter.h"
#include "control_plane/provider/counts.h"
#include "crypto/api_key.h"
#include "crypto/digest.h"
#include "jose/base64url.h"

/* Waiting at once, with those that were denied: that takes no password, and each leaves a row for an hour and an event
 * for ever, so it must not make room for the next. What enrolled hosts ask for has a bound of its own: nobody else's
 * fills it. */
#define WAITING_FROM_SOURCE 250
#define WAITING_OF_TENANT 1000
#define WAITING_OF_HOSTS 10000
#define INTERVAL_STEP "5"
#define INTERVAL_MOST "60"
#define EARLY "0.5" /* seconds by which a poll may be early, for what the network does */
#define ATTEMPTS 4U /* to find a code that nobody has */
#define DIGEST_SIZE (2 * SHA256_BYTES + 3)

/* ---- digests --------------------------------------------------------------------------------------------------------
 */

static void as_hex(const uint8_t digest[SHA256_BYTES], char out[DIGEST_SIZE])
{
	memcpy(out, "\\x", 2);
	text_to_hex(digest, SHA256_BYTES, out + 2);
}

static int device_digest(const char *code, char out[DIGEST_SIZE])
{
	uint8_t digest[SHA256_BYTES];
	int r = sha256(code, strlen(code), digest);

	if (r == 0)
		as_hex(digest, out);
	return r;
}

/* All codes that there are can be tried: only who has the platform's key can. */
static int user_digest(struct request *request, const char code[USER_CODE_SIZE], char out[DIGEST_SIZE])
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	uint8_t digest[SHA256_BYTES];
	int r;

	(void)buffer_add(&text, request->app->seal_key.bytes, sizeof(request->app->seal_key.bytes));
	(void)buffer_printf(&text, "user code\n%s", code);
	r = text.failed ? -ENOMEM : sha256(text.data, text.length, digest);
	if (r == 0)
		as_hex(digest, out);
	return r;
}

/* ---- beginning ------------------------------------------------------------------------------------------------------
 */

/* The tenant's people sign in here: asked anew at each step, since owners may end it at any time. */
#define OURS_SQL "EXISTS (SELECT FROM control.identity_providers p WHERE p.tenant_id = t.id AND p.kind = 'tenantd')"
#define STANDING_SQL                                                                                               \
	"SELECT t.suspended, " OURS_SQL                                                                            \
	", (SELECT h.name FROM control.hosts h JOIN control.host_tenants s ON s.host_id = h.id WHERE h.id "        \
	"= "                                                                                                       \
	"$2 AND s.tenant_id = t.id AND h.disabled_at = 0), count(g.id) FILTER (WHERE g.host = ''), "               \
	"count(g.id) FILTER (WHERE g.host <> ''), count(g.id) FILTER (WHERE g.host = '' AND g.source_block = $3) " \
	"FROM control.tenants t LEFT JOIN control.device_grants g ON g.tenant_id = t.id AND g.state IN "           \
	"('pending', 'denied') AND g.expires_at > clock_timestamp() WHERE t.id = $1 GROUP BY t.id, t.suspended"
enum { SUSPENDED, OURS, HOST, WAITING, WAITING_HOSTS, WAITING_SOURCE };

#define INSERT_SQL                                                                                                    \
	"INSERT INTO control.device_grants (id, tenant_id, device_code, user_code, scope, nonce, challenge, source, " \
	"source_block, host, expires_at, interval_sec) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "             \
	"clock_timestamp() + make_interval(secs => $11::int), $12::bigint)"

static int judge(const struct db_rows *rows, enum grant_begin *ret_how)
{
	bool host;

	*ret_how = GRANT_NO_CLIENT;
	if (db_row_count(rows) == 0)
		return 1;
	*ret_how = GRANT_NOT_OURS;
	if (db_bool(rows, 0, SUSPENDED) || !db_bool(rows, 0, OURS))
		return 1;
	*ret_how = GRANT_TOO_MANY;
	host = !db_is_null(rows, 0, HOST);
	if (host ? db_i64(rows, 0, WAITING_HOSTS) >= WAITING_OF_HOSTS
		 : db_i64(rows, 0, WAITING) >= WAITING_OF_TENANT ||
			    db_i64(rows, 0, WAITING_SOURCE) >= WAITING_FROM_SOURCE)
		return 1;
	*ret_how = GRANT_BEGUN;
	return 0;
}

static int begin_once(struct request *request, const struct grant_request *wanted, const struct grant_codes *codes,
		      enum grant_begin *ret_how)
{
	const struct db_scope scope = {.tenant_id = wanted->tenant_id};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char device[DIGEST_SIZE], user[DIGEST_SIZE], block[INET6_ADDRSTRLEN];
	const char *id = record_new_id(request, "dgr_");
	int r = id ? device_digest(codes->device, device) : -ENOMEM;

	(void)limiter_source_key(&request->source, block);
	if (r == 0)
		r = user_digest(request, codes->user, user);
	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_later(tx,
			     "DELETE FROM control.device_grants WHERE tenant_id = $1 AND expires_at < "
			     "clock_timestamp() - interval '1 hour'",
			     wanted->tenant_id);
	if (r == 0)
		r = db_run(tx, &rows, STANDING_SQL, wanted->tenant_id, wanted->host_id, block);
	if (r < 0)
		return r;
	if (judge(rows, ret_how) != 0)
		return 0;
	r = db_run(tx, NULL, INSERT_SQL, id, wanted->tenant_id, device, user, wanted->scope, wanted->nonce,
		   wanted->challenge, request->source_text, block, db_text(rows, 0, HOST),
		   record_number(request, GRANT_SECONDS), record_number(request, GRANT_INTERVAL));
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

int grant_begin(struct request *request, const struct grant_request *wanted, struct grant_codes *ret,
		enum grant_begin *ret_how)
{
	int r = -EEXIST;

	/* The same code twice, while millions are free, is chance. */
	for (unsigned i = 0; i < ATTEMPTS && r == -EEXIST; i++) {
		r = base62_random(ret->device, GRANT_DEVICE_CODE_CHARS);
		if (r == 0)
			r = user_code_make(ret->user);
		if (r == 0)
			r = begin_once(request, wanted, ret, ret_how);
	}
	if (r == 0 && *ret_how == GRANT_BEGUN)
		provider_count(PROVIDER_BEGUN);
	return r == -EEXIST ? -EAGAIN : r;
}

/* ---- polling --------------------------------------------------------------------------------------------------------
 */

#define POLL_SQL                                                                                                     \
	"SELECT g.id, g.state, g.expires_at <= clock_timestamp(), clock_timestamp() < g.polled_at + "                \
	"make_interval(secs => g.interval_sec - " EARLY                                                              \
	"), g.challenge, g.scope, g.nonce, g.host, g.approved_at, g.valid_from, g.user_id, u.status = 'active' AND " \
	"u.kind = 'person' AND NOT t.suspended AND u.sessions_valid_from = g.valid_from AND " OURS_SQL               \
	", u.login, u.name, u.email "                                                                                \
	"FROM control.device_grants g JOIN control.tenants t ON t.id = g.tenant_id LEFT JOIN control.users u ON "    \
	"u.tenant_id = g.tenant_id AND u.id = g.user_id WHERE g.tenant_id = $1 AND g.device_code = $2 FOR UPDATE OF g"
enum {
	ID,
	STATE,
	OVER,
	EARLY_POLL,
	CHALLENGE,
	SCOPE,
	NONCE,
	POLL_HOST,
	APPROVED_AT,
	VALID_FROM,
	USER,
	STANDS,
	LOGIN,
	NAME,
	EMAIL
};

static bool verifier_fits(const char *challenge, const char *verifier)
{
	uint8_t digest[SHA256_BYTES];
	char text[BASE64URL_CHARS(SHA256_BYTES) + 1];

	if (!*challenge || !verifier)
		return !*challenge && !verifier;
	if (sha256(verifier, strlen(verifier), digest) < 0)
		return false;
	base64url_encode(digest, sizeof(digest), text);
	return strlen(challenge) == strlen(text) && secret_equal(challenge, text, strlen(text));
}

/* In the order in which each says least to those who should know nothing. */
static enum grant_poll state_of(const struct db_rows *rows, const char *verifier)
{
	const char *state = db_text(rows, 0, STATE);

	if (!verifier_fits(db_text(rows, 0, CHALLENGE), verifier))
		return GRANT_OTHER_VERIFIER;
	if (strcmp(state, "used") == 0)
		return GRANT_USED;
	/* Also of what is over: whoever made it may not ask about it without a pause for as long as it is kept. */
	if (db_bool(rows, 0, EARLY_POLL))
		return GRANT_SLOW_DOWN;
	if (strcmp(state, "denied") == 0)
		return GRANT_DENIED;
	if (db_bool(rows, 0, OVER))
		return GRANT_EXPIRED;
	if (strcmp(state, "approved") != 0)
		return GRANT_PENDING;
	/* Suspended, gone, or with another password since: nobody approved this. */
	return db_bool(rows, 0, STANDS) ? GRANT_APPROVED : GRANT_DENIED;
}

static int note_poll(struct db_tx *tx, const char *tenant_id, const char *id, enum grant_poll how)
{
	if (how == GRANT_SLOW_DOWN)
		return db_later(tx,
				"UPDATE control.device_grants SET polled_at = clock_timestamp(), interval_sec = "
				"least(interval_sec + " INTERVAL_STEP ", " INTERVAL_MOST
				") WHERE tenant_id = $1 AND id = $2",
				tenant_id, id);
	if (how == GRANT_PENDING || how == GRANT_DENIED || how == GRANT_EXPIRED)
		return db_later(tx,
				"UPDATE control.device_grants SET polled_at = clock_timestamp() WHERE tenant_id = $1 "
				"AND id = $2",
				tenant_id, id);
	if (how == GRANT_APPROVED)
		return db_later(tx, "UPDATE control.device_grants SET state = 'used' WHERE tenant_id = $1 AND id = $2",
				tenant_id, id);
	return 0;
}

static int read_person(struct request *request, const struct db_rows *rows, struct grant_person *ret)
{
	*ret = (struct grant_person){
		.grant_id = request_copy(request, db_text(rows, 0, ID)),
		.user_id = request_copy(request, db_text(rows, 0, USER)),
		.login = request_copy(request, db_text(rows, 0, LOGIN)),
		.name = request_copy(request, db_text(rows, 0, NAME)),
		.email = request_copy(request, db_text(rows, 0, EMAIL)),
		.scope = request_copy(request, db_text(rows, 0, SCOPE)),
		.nonce = request_copy(request, db_text(rows, 0, NONCE)),
		.host = request_copy(request, db_text(rows, 0, POLL_HOST)),
		.approved_at = db_i64(rows, 0, APPROVED_AT),
		.valid_from = db_i64(rows, 0, VALID_FROM),
	};
	return ret->grant_id && ret->user_id && ret->login && ret->name && ret->email && ret->scope && ret->nonce &&
			       ret->host
		       ? 0
		       : -ENOMEM;
}

int grant_poll(struct request *request, const char *tenant_id, const char *device_code, const char *verifier,
	       enum grant_poll *ret_how, struct grant_person *ret)
{
	const struct db_scope scope = {.tenant_id = tenant_id};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char digest[DIGEST_SIZE];
	int r = device_digest(device_code, digest);

	*ret_how = GRANT_UNKNOWN;
	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_run(tx, &rows, POLL_SQL, tenant_id, digest);
	if (r < 0 || db_row_count(rows) == 0)
		return r;
	*ret_how = state_of(rows, verifier);
	r = note_poll(tx, tenant_id, db_text(rows, 0, ID), *ret_how);
	if (r < 0 || *ret_how == GRANT_OTHER_VERIFIER || *ret_how == GRANT_USED)
		return r;
	if (*ret_how != GRANT_APPROVED)
		return db_commit(TAKE_PTR(tx));
	r = read_person(request, rows, ret);
	if (r == 0)
		request->tx = TAKE_PTR(tx);
	return r;
}

/* ---- deciding -------------------------------------------------------------------------------------------------------
 */

static int read_blocks(struct request *request, const struct db_rows *rows, unsigned column, struct cidr_list *ret)
{
	_cleanup_(json_decrefp) json_t *list = NULL;
	int r = record_json(rows, 0, column, &list);
	size_t count = json_array_size(list);

	if (r < 0 || count == 0)
		return r;
	ret->items = arena_alloc(&request->arena, count * sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (; ret->count < count; ret->count++)
		if (parse_cidr(json_string_value(json_array_get(list, ret->count)), &ret->items[ret->count]) < 0)
			return -EIO;
	return 0;
}

int grant_find(struct request *request, const char code[USER_CODE_SIZE], struct grant_question *ret)
{
	const struct db_scope scope = {.read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char digest[DIGEST_SIZE];
	int r = user_digest(request, code, digest);

	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_later(tx,
			     "SELECT set_config('control.tenant', coalesce(control.tenant_of_user_code($1), ''), true)",
			     digest);
	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT g.id, t.id, t.slug, t.name, g.source, g.host, extract(epoch FROM "
			   "g.created_at)::bigint, extract(epoch FROM g.expires_at - clock_timestamp())::int, "
			   "to_json(t.allow_from) FROM control.device_grants g JOIN control.tenants t ON t.id = "
			   "g.tenant_id WHERE g.tenant_id = control.current_tenant() AND g.user_code = $1 AND g.state "
			   "= 'pending' AND g.expires_at > clock_timestamp() + interval '1 second' AND NOT t.suspended "
			   "AND " OURS_SQL,
			   digest);
	if (r < 0)
		return r;
	if (db_row_count(rows) != 1)
		return -ENOENT;
	*ret = (struct grant_question){
		.id = request_copy(request, db_text(rows, 0, 0)),
		.tenant_id = request_copy(request, db_text(rows, 0, 1)),
		.tenant_slug = request_copy(request, db_text(rows, 0, 2)),
		.tenant_name = request_copy(request, db_text(rows, 0, 3)),
		.source = request_copy(request, db_text(rows, 0, 4)),
		.host = request_copy(request, db_text(rows, 0, 5)),
		.asked_at = db_i64(rows, 0, 6),
		.seconds_left = (uint32_t)db_i64(rows, 0, 7),
	};
	if (!ret->id || !ret->tenant_id || !ret->tenant_slug || !ret->tenant_name || !ret->source || !ret->host)
		return -ENOMEM;
	return read_blocks(request, rows, 8, &ret->allow_from);
}

static int decide(struct request *request, const struct grant_question *question, const char *user_id,
		  int64_t valid_from)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	/* A new password ends what was before up to the end of its second: what is approved after it counts from there.
	 */
	int r = db_run(
		request->tx, &rows,
		"UPDATE control.device_grants SET state = $3, user_id = $4, approved_at = $5::bigint, valid_from = "
		"$6::bigint WHERE tenant_id = $1 AND id = $2 AND state = 'pending' AND expires_at > "
		"clock_timestamp() RETURNING 1",
		question->tenant_id, question->id, user_id ? "approved" : "denied", user_id ? user_id : "",
		record_number(request, MAX_OF(request->now, valid_from)), record_number(request, valid_from));

	if (r == 0 && db_row_count(rows) == 0)
		return -ENOENT;
	if (r == 0)
		r = event_write(request, user_id ? "device.approve" : "device.deny", question->id,
				json_pack("{s:s, s:s}", "asked_from", question->source, "host", question->host));
	return r == 0 ? db_commit(TAKE_PTR(request->tx)) : r;
}

int grant_decide(struct request *request, const struct grant_question *question, const char *user_id,
		 int64_t valid_from)
{
	const struct db_scope scope = {.tenant_id = question->tenant_id};
	int r = db_begin(request->app->db, &scope, &request->tx);

	request->tenant_id = question->tenant_id;
	if (user_id) {
		request->principal.kind = PRINCIPAL_USER;
		request->principal.id = user_id;
		request->principal.credential = "password";
	}
	if (r == 0)
		r = decide(request, question, user_id, valid_from);
	if (request->tx)
		db_rollback(TAKE_PTR(request->tx));
	if (r == 0)
		provider_count(user_id ? PROVIDER_APPROVED : PROVIDER_DENIED);
	return r;
}

/* ---- sweeping -------------------------------------------------------------------------------------------------------
 */

static int sweep_grants(void *context, struct db_tx *tx, const char *tenant_id)
{
	(void)context;
	return db_later(tx,
			"DELETE FROM control.device_grants WHERE tenant_id = $1 AND expires_at < clock_timestamp() - "
			"interval '1 hour'",
			tenant_id);
}

int grants_sweep(struct app *app)
{
	return db_each_tenant(app->db, sweep_grants, NULL);
}
