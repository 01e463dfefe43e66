/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/token_keys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/auth/token_cache.h"
#include "control_plane/auth/token_feed.h"
#include "control_plane/auth/token_keys_internal.h"
#include "control_plane/feed/change.h"
#include "json/json_read.h"

#define SIGNS_SEC (30 * 86400)
#define AHEAD_SEC 86400
#define REFRESH_USEC (60 * USEC_PER_SEC)
#define LOOK_AGAIN_USEC (2 * USEC_PER_SEC) /* for a key id that nobody knows: not more often than this */
#define PASS_USEC (3600 * USEC_PER_SEC)
#define NUMBER_SIZE 24
#define PURPOSE_SIZE (JWT_ID_MAX + 16)

struct token_keys {
	struct app *app;
	pthread_rwlock_t lock; /* over what follows */
	struct token_key keys[TOKEN_KEYS_MAX];
	uint32_t count;
	uint64_t read_at;     /* boot time; 0: never */
	pthread_mutex_t read; /* one reader of the database at a time */
	struct token_cache *cache;

	pthread_t thread;
	bool running, stop;
	pthread_mutex_t stop_lock;
	pthread_cond_t stopped;
};

static const char *number(char out[NUMBER_SIZE], int64_t value)
{
	(void)snprintf(out, NUMBER_SIZE, "%lld", (long long)value);
	return out;
}

static void purpose_of(const char *kid, char out[PURPOSE_SIZE])
{
	(void)snprintf(out, PURPOSE_SIZE, "token-key:%.*s", (int)JWT_ID_MAX, kid);
}

/* ---- making -------------------------------------------------------------------------------------------------------
 */
static int insert_key(struct app *app, struct db_tx *tx, int64_t from)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	_cleanup_(freep) char *hex = NULL, *text = NULL;
	_cleanup_(json_decrefp) json_t *jwk = NULL;
	char purpose[PURPOSE_SIZE], signs_from[NUMBER_SIZE], signs_until[NUMBER_SIZE], verifies_until[NUMBER_SIZE];
	struct jwt_private key;
	int r = jwt_key_make(&key);

	if (r < 0)
		return r;
	purpose_of(key.public.kid, purpose);
	r = seal(&app->seal_key, purpose, key.d, sizeof(key.d), &sealed);
	secret_wipe(key.d, sizeof(key.d));
	if (r < 0)
		return r;
	hex = db_hex(sealed.data, sealed.length);
	jwk = jwt_key_render(&key.public);
	text = jwk ? json_dumps(jwk, JSON_COMPACT) : NULL;
	if (!hex || !text)
		return -ENOMEM;
	return db_run(tx, NULL,
		      "INSERT INTO control.token_keys (kid, jwk, sealed, signs_from, signs_until, verifies_until) "
		      "VALUES ($1, $2::jsonb, $3, $4, $5, $6)",
		      key.public.kid, text, hex, number(signs_from, from), number(signs_until, from + SIGNS_SEC),
		      number(verifies_until, from + SIGNS_SEC + TOKEN_LIFETIME_MOST + JWT_LEEWAY_SEC));
}

/* Makes the next key when it is time, and forgets those that verify nothing any more. */
static int rotate(struct app *app, int64_t now)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char now_text[NUMBER_SIZE];
	int64_t last;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0) /* replicas one after the other */
		r = db_later(tx, "SELECT pg_advisory_xact_lock(hashtext('control.token_keys'))");
	if (r == 0)
		r = db_later(tx, "DELETE FROM control.token_keys WHERE verifies_until < $1::bigint",
			     number(now_text, now));
	if (r == 0)
		r = db_run(tx, &rows, "SELECT coalesce(max(signs_until), 0) FROM control.token_keys");
	if (r < 0)
		return r;
	last = db_i64(rows, 0, 0);
	if (last - AHEAD_SEC > now)
		return db_commit(TAKE_PTR(tx));
	r = insert_key(app, tx, MAX_OF(last, now));
	if (r < 0)
		return r;
	r = db_commit(TAKE_PTR(tx));
	if (r == 0)
		log_notice("access tokens: a new key %s", last > now ? "will sign next" : "signs from now on");
	return r;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */
static int read_row(struct app *app, const struct db_rows *rows, uint32_t row, struct token_key *ret)
{
	_cleanup_(json_decrefp) json_t *jwk = NULL;
	_cleanup_(buffer_finish) struct buffer plain = BUFFER_INIT;
	_cleanup_(freep) uint8_t *sealed = NULL;
	struct problem problem = {0};
	char purpose[PURPOSE_SIZE];
	const char *text = db_text(rows, row, 1);
	size_t length;
	int r;

	plain.wipe = true;
	*ret = (struct token_key){
		.signs_from = db_i64(rows, row, 3),
		.signs_until = db_i64(rows, row, 4),
		.verifies_until = db_i64(rows, row, 5),
	};
	r = json_read(text, strlen(text), &jwk, &problem);
	if (r == 0)
		r = jwt_key_parse(jwk, &ret->key.public, &problem);
	if (r < 0)
		return r;
	if (!text_equal(ret->key.public.kid, db_text(rows, row, 0)))
		return -EBADMSG;
	r = db_bytes(rows, row, 2, &sealed, &length);
	if (r < 0)
		return r;
	purpose_of(ret->key.public.kid, purpose);
	r = unseal(&app->seal_key, purpose, sealed, length, &plain);
	if (r < 0 || plain.length != sizeof(ret->key.d))
		return r < 0 ? r : -EBADMSG;
	memcpy(ret->key.d, plain.data, sizeof(ret->key.d));
	return 0;
}

static int read_keys(struct token_keys *keys)
{
	const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct token_key read[TOKEN_KEYS_MAX];
	uint32_t count;
	int r = db_begin(keys->app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT kid, jwk, sealed, signs_from, signs_until, verifies_until FROM control.token_keys "
			   "ORDER BY signs_from DESC LIMIT 16");
	if (r < 0)
		return r;
	_Static_assert(TOKEN_KEYS_MAX == 16, "the statement says so");
	count = db_row_count(rows);
	for (uint32_t i = 0; i < count && r == 0; i++) {
		r = read_row(keys->app, rows, i, &read[i]);
		if (r < 0)
			log_error("access tokens: key %s cannot be read: %s", db_text(rows, i, 0), strerror(-r));
	}
	if (r == 0) {
		pthread_rwlock_wrlock(&keys->lock);
		secret_wipe(keys->keys, sizeof(keys->keys));
		memcpy(keys->keys, read, count * sizeof(*read));
		keys->count = count;
		keys->read_at = clock_boottime_usec();
		pthread_rwlock_unlock(&keys->lock);
		token_cache_clear(keys->cache);
	}
	secret_wipe(read, sizeof(read));
	return r;
}

/* Reads again what is older than `age`. What is there already stays in use when the database cannot be asked. */
static int refresh(struct token_keys *keys, uint64_t age)
{
	uint64_t read_at;
	int r = 0;

	pthread_mutex_lock(&keys->read);
	pthread_rwlock_rdlock(&keys->lock);
	read_at = keys->read_at;
	pthread_rwlock_unlock(&keys->lock);
	if (read_at == 0 || clock_boottime_usec() - read_at >= age)
		r = read_keys(keys);
	pthread_mutex_unlock(&keys->read);
	return r;
}

uint32_t token_keys_copy(struct token_keys *keys, int64_t now, struct token_key_public ret[TOKEN_KEYS_MAX])
{
	uint32_t count = 0;

	pthread_rwlock_rdlock(&keys->lock);
	for (uint32_t i = 0; i < keys->count; i++)
		if (keys->keys[i].verifies_until > now)
			ret[count++] =
				(struct token_key_public){keys->keys[i].key.public, keys->keys[i].verifies_until};
	pthread_rwlock_unlock(&keys->lock);
	return count;
}

/* ---- using --------------------------------------------------------------------------------------------------------
 */
static bool signing_key(struct token_keys *keys, int64_t now, struct jwt_private *ret)
{
	bool found = false;

	pthread_rwlock_rdlock(&keys->lock);
	for (uint32_t i = 0; i < keys->count && !found; i++) /* the newest first */
		if (keys->keys[i].signs_from <= now && now < keys->keys[i].signs_until) {
			*ret = keys->keys[i].key;
			found = true;
		}
	pthread_rwlock_unlock(&keys->lock);
	return found;
}

int token_keys_sign(struct token_keys *keys, int64_t now, const char *type, json_t *claims, struct buffer *ret)
{
	struct jwt_private key;
	int r = refresh(keys, REFRESH_USEC);

	if (!signing_key(keys, now, &key)) {
		r = r < 0 ? r : rotate(keys->app, now);
		if (r == 0)
			r = refresh(keys, 0);
		if (r < 0)
			return r;
		if (!signing_key(keys, now, &key))
			return -ENOKEY;
	}
	r = jwt_sign(&key, type, claims, ret);
	secret_wipe(&key, sizeof(key));
	return r;
}

static enum jwt_fault verify(struct token_keys *keys, int64_t now, const char *audience, const char *token,
			     size_t length, json_t **ret_claims)
{
	struct token_key_public known[TOKEN_KEYS_MAX];
	struct jwt_public halves[TOKEN_KEYS_MAX];
	struct jwt_rules rules = {
		.keys = halves,
		.key_count = token_keys_copy(keys, now, known),
		.type = "at+jwt",
		.issuer = keys->app->config->url,
		.audience = audience,
		.now = now,
		.lifetime_max = TOKEN_LIFETIME_MOST,
	};

	for (uint32_t i = 0; i < rules.key_count; i++)
		halves[i] = known[i].key;
	return jwt_verify(token, length, &rules, ret_claims);
}

enum jwt_fault token_keys_verify(struct token_keys *keys, int64_t now, const char *audience, const char *token,
				 size_t length, json_t **ret_claims)
{
	enum jwt_fault fault;

	(void)refresh(keys, REFRESH_USEC);
	fault = verify(keys, now, audience, token, length, ret_claims);
	/* Another replica may have made the key a moment ago. */
	if (fault == JWT_UNKNOWN_KEY && refresh(keys, LOOK_AGAIN_USEC) == 0)
		fault = verify(keys, now, audience, token, length, ret_claims);
	return fault;
}

struct token_cache *token_keys_cache(struct token_keys *keys)
{
	return keys->cache;
}

json_t *token_keys_jwks(struct token_keys *keys, int64_t now)
{
	struct token_key_public known[TOKEN_KEYS_MAX];
	_cleanup_(json_decrefp) json_t *list = json_array();
	uint32_t count;

	(void)refresh(keys, REFRESH_USEC);
	count = token_keys_copy(keys, now, known);
	for (uint32_t i = 0; i < count; i++)
		if (json_array_append_new(list, jwt_key_render(&known[i].key)) < 0)
			return NULL;
	return list && count > 0 ? json_pack("{s:O}", "keys", list) : NULL;
}

int token_keys_put(struct token_keys *keys, int64_t now, struct change *change)
{
	struct token_key_public known[TOKEN_KEYS_MAX];
	uint32_t count;
	int r = refresh(keys, REFRESH_USEC);

	count = token_keys_copy(keys, now, known);
	if (count == 0)
		return r; /* the first token makes the first key, and feeds get it then */
	for (uint32_t i = 0; i < count; i++)
		token_feed_put(keys->app, &known[i], change);
	return 0;
}

/* ---- the thread ---------------------------------------------------------------------------------------------------
 */
static bool wait_for_stop(struct token_keys *keys, uint64_t usec)
{
	struct timespec until;
	bool stop;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(usec / USEC_PER_SEC);
	pthread_mutex_lock(&keys->stop_lock);
	while (!keys->stop && pthread_cond_timedwait(&keys->stopped, &keys->stop_lock, &until) == 0)
		;
	stop = keys->stop;
	pthread_mutex_unlock(&keys->stop_lock);
	return stop;
}

static bool is_stopping(void *context)
{
	struct token_keys *keys = context;
	bool stop;

	pthread_mutex_lock(&keys->stop_lock);
	stop = keys->stop;
	pthread_mutex_unlock(&keys->stop_lock);
	return stop;
}

/* Which keys there are, as one number. */
static uint64_t mark_of(const struct token_key_public *known, uint32_t count)
{
	uint64_t mark = count;

	for (uint32_t i = 0; i < count; i++)
		for (unsigned j = 0; j < 8; j++)
			mark = mark * 31 + known[i].key.x[j];
	return mark;
}

static void *keep(void *context)
{
	struct token_keys *keys = context;
	uint64_t published = 0, published_at = 0;

	do {
		struct token_key_public known[TOKEN_KEYS_MAX];
		int64_t now = clock_realtime_sec();
		uint64_t mark;
		uint32_t count;
		int r = rotate(keys->app, now);

		if (r == 0)
			r = refresh(keys, 0);
		if (r < 0) {
			log_warning("access tokens: keys cannot be looked after: %s", strerror(-r));
			continue;
		}
		count = token_keys_copy(keys, now, known);
		mark = mark_of(known, count);
		if (mark == published && clock_boottime_usec() - published_at < PASS_USEC)
			continue;
		r = token_feed_pass(keys->app, known, count, now, is_stopping, keys);
		if (r < 0) {
			log_warning("access tokens: feeds could not all be told of the keys: %s", strerror(-r));
			continue;
		}
		published = mark;
		published_at = clock_boottime_usec();
	} while (!wait_for_stop(keys, REFRESH_USEC / 2));
	return NULL;
}

int token_keys_create(struct app *app, bool serving, struct token_keys **ret, struct problem *problem)
{
	struct token_keys *keys = calloc(1, sizeof(*keys));
	pthread_condattr_t attributes;
	int r;

	if (!keys)
		return problem_set(problem, ENOMEM, "out of memory");
	if (token_cache_create(&keys->cache) < 0) {
		free(keys);
		return problem_set(problem, ENOMEM, "out of memory");
	}
	keys->app = app;
	(void)pthread_rwlock_init(&keys->lock, NULL);
	(void)pthread_mutex_init(&keys->read, NULL);
	(void)pthread_mutex_init(&keys->stop_lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&keys->stopped, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	if (serving) {
		r = pthread_create(&keys->thread, NULL, keep, keys);
		if (r != 0) {
			token_keys_destroy(keys);
			return problem_set(problem, r, "no thread for the keys of access tokens: %s", strerror(r));
		}
		keys->running = true;
	}
	*ret = keys;
	return 0;
}

void token_keys_destroy(struct token_keys *keys)
{
	if (!keys)
		return;
	if (keys->running) {
		pthread_mutex_lock(&keys->stop_lock);
		keys->stop = true;
		pthread_cond_signal(&keys->stopped);
		pthread_mutex_unlock(&keys->stop_lock);
		(void)pthread_join(keys->thread, NULL);
	}
	(void)pthread_cond_destroy(&keys->stopped);
	(void)pthread_mutex_destroy(&keys->stop_lock);
	(void)pthread_mutex_destroy(&keys->read);
	(void)pthread_rwlock_destroy(&keys->lock);
	token_cache_destroy(keys->cache);
	secret_wipe(keys, sizeof(*keys));
	free(keys);
}
