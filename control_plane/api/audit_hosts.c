/* SPDX-License-Identifier: MIT
 *
 * Hosts' events come in (docs/audit-log.md, "Sending and receipts"). What a host says about its chain, which events get
 * into whose inbox, and the receipt are one transaction, under the lock of the chain's row: each event is taken once,
 * whichever replicas a host speaks to and however often.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/app.h"
#include "control_plane/audit/accept.h"
#include "control_plane/audit/event.h"
#include "control_plane/audit/internal.h"
#include "control_plane/audit/receipt.h"

#define QUOTE_BYTES_MAX 4000U /* of an event that is not in order */
/* Of those, in one request, each is an event; the others are counted in one more. An event costs far more than what it
 * is about: five bytes can be a bad one, and 40 KB of those kept a worker busy for seconds. */
#define MALFORMED_TOLD_MAX 32U

struct coming {
	struct request *request;
	struct sent sent;
	struct judged judged;
	struct chain_known known;
	bool begins; /* nothing of this chain was known */
	bool open;
	bool foreign;            /* another host's chain, or another key under its name */
	bool unproved;           /* a chain that would move to this host, and nothing that is signed by its key */
	const char *before;      /* whose chain it was; NULL: nobody's */
	struct db_rows *tenants; /* that the host serves */
};

static void coming_finish(struct coming *coming)
{
	sent_finish(&coming->sent);
	judged_finish(&coming->judged);
	db_rows_free(coming->tenants);
}

static const char *number(struct request *request, uint64_t value)
{
	return request_text(request, "%" PRIu64, value);
}

static const char *hash_text(struct request *request, const struct tlog_hash *hash)
{
	char hex[2 * SHA256_BYTES + 1];

	text_to_hex(hash->bytes, SHA256_BYTES, hex);
	return request_copy(request, hex);
}

static const char *hash_bytes_text(struct request *request, const struct tlog_hash *hash)
{
	return request_text(request, "\\x%s", hash_text(request, hash));
}

/* About the host, in the platform's log. Takes `data`. */
static int tell(struct coming *coming, struct db_tx *tx, const char *kind, json_t *data)
{
	_cleanup_(json_decrefp) json_t *own = data;
	const struct control_event event = {
		.log_id = "",
		.kind = kind,
		.actor = coming->request->principal.id,
		.source = coming->request->source_text,
		.request_id = coming->request->id,
		.target = coming->request->principal.id,
		.data = own,
	};

	return own ? control_event_put(coming->request->app, tx, &event) : -ENOMEM;
}

/* ---- what is known --------------------------------------------------------------------------------------------------
 */

static int take_hash(const struct db_rows *rows, unsigned column, struct tlog_hash *ret)
{
	uint32_t count = 0;
	int r = hashes_from_rows(rows, 0, column, ret, 1, &count);

	return r < 0 || count == 1 ? r : -EIO;
}

#define CHAIN_COLUMNS_SQL "next, head, announced, announced_head, state, vkey"

/* A machine that was enrolled anew has another id and the same spool. Its chain moves along once the host of before is
 * out of service: till then this may be two machines from one image. Who has its key has signed a group by it. */
static int move_chain(struct coming *coming, struct db_rows **ret)
{
	struct request *request = coming->request;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL, *moved = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT " CHAIN_COLUMNS_SQL ", host_id FROM control.audit_chains c WHERE chain = $1 AND vkey = "
		       "$2 AND NOT EXISTS (SELECT FROM control.hosts h WHERE h.id = c.host_id AND h.disabled_at = 0) "
		       "FOR UPDATE",
		       coming->sent.chain, coming->sent.vkey);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		*ret = TAKE_PTR(rows);
		return 0;
	}
	coming->unproved = coming->sent.group_count == 0;
	coming->before = request_copy(request, db_text(rows, 0, 6));
	if (!coming->before)
		return -ENOMEM;
	if (!coming->unproved)
		r = db_run(request->tx, &moved,
			   "UPDATE control.audit_chains SET host_id = $1 WHERE chain = $2 AND host_id = $3",
			   request->principal.id, coming->sent.chain, coming->before);
	if (r == 0)
		*ret = TAKE_PTR(rows);
	return r;
}

/* The chain's row, locked; made where there is none. 0; 1: it is another host's, or another key's. */
static int lock_chain(struct coming *coming)
{
	struct request *request = coming->request;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL, *made = NULL;
	const struct sent *sent = &coming->sent;
	struct chain_head start;
	int r = chain_start(&sent->key, &start);

	if (r == 0)
		r = db_want(request->tx, &made,
			    "INSERT INTO control.audit_chains (host_id, chain, host_name, vkey, head) VALUES ($1, $2, "
			    "$3, $4, "
			    "$5) ON CONFLICT DO NOTHING RETURNING 1",
			    request->principal.id, sent->chain, request->principal.name, sent->vkey,
			    hash_bytes_text(request, &start.hash));
	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT " CHAIN_COLUMNS_SQL " FROM control.audit_chains WHERE host_id = $1 AND chain = $2 "
			   "FOR UPDATE",
			   request->principal.id, sent->chain);
	if (r == 0 && db_row_count(rows) == 0) {
		db_rows_free(TAKE_PTR(rows));
		r = move_chain(coming, &rows);
	}
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0 || strcmp(db_text(rows, 0, 5), sent->vkey) != 0) {
		coming->known.head = start;
		return 1;
	}
	coming->begins = db_row_count(made) > 0 || coming->before;
	coming->open = strcmp(db_text(rows, 0, 4), "open") == 0;
	coming->known.head.sequence = (uint64_t)db_i64(rows, 0, 0) - 1;
	coming->known.announced.sequence = (uint64_t)db_i64(rows, 0, 2);
	r = take_hash(rows, 1, &coming->known.head.hash);
	if (r == 0 && coming->known.announced.sequence > 0)
		r = take_hash(rows, 3, &coming->known.announced.hash);
	return r;
}

/* The hash of one of its events that was taken before. 1: it is not found. */
static int find_hash(struct coming *coming, uint64_t sequence, struct tlog_hash *ret)
{
	struct request *request = coming->request;
	const char *id = request_text(request, "%s-%" PRIu64, coming->sent.chain, sequence);

	if (!id)
		return -ENOMEM;
	for (uint32_t i = 0; i <= db_row_count(coming->tenants); i++) {
		_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
		const char *log_id = i == 0 ? "" : db_text(coming->tenants, i - 1, 0);
		int r = db_switch_tenant(request->tx, log_id);

		if (r == 0)
			r = db_run(request->tx, &rows,
				   "SELECT hash FROM control.audit_entries WHERE tenant_id = $1 AND event_id = $2 AND "
				   "host_id = $3 "
				   "LIMIT 1",
				   log_id, id, request->principal.id);
		if (r < 0)
			return r;
		if (db_row_count(rows) > 0)
			return take_hash(rows, 0, ret);
	}
	return 1;
}

/* A host that says it is at a number that is behind us was set back, or its request is a late copy of an old one: what
 * it was then tells which. */
static int judge_behind(struct coming *coming)
{
	const struct chain_head *at = &coming->sent.at;
	struct tlog_hash hash;
	int r;

	if (at->sequence == 0 || at->sequence >= coming->known.head.sequence)
		return 0;
	r = find_hash(coming, at->sequence, &hash);
	if (r == 0 && !tlog_hash_equal(&hash, &at->hash)) {
		coming->judged.judgement = JUDGED_FORKED;
		coming->judged.why = "it has another event at a number that is known";
	}
	return MIN_OF(r, 0);
}

/* ---- answers that change nothing ------------------------------------------------------------------------------------
 */

static int respond_where(struct coming *coming, bool forked, const char *why)
{
	struct request *request = coming->request;
	const struct chain_head *head = &coming->known.head;
	struct buffer *body = &request->response.body;
	char hex[2 * SHA256_BYTES + 1];

	text_to_hex(head->hash.bytes, SHA256_BYTES, hex);
	respond_problem(request, PROBLEM_CONFLICT, "%s", why);
	/* The document goes on with where we are. */
	if (body->length > 0 && body->data[body->length - 1] == '}') {
		body->length--;
		(void)buffer_printf(body, ",\"next\":%" PRIu64 ",\"head\":\"%s\",\"forked\":%s}", head->sequence + 1,
				    hex, forked ? "true" : "false");
	}
	return body->failed ? -ENOMEM : 0;
}

/* For ever: nothing more of this chain is taken. In a transaction of its own, since the answer is a refusal. */
static int mark_forked(struct coming *coming, const char *why)
{
	struct request *request = coming->request;
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	char head[2 * SHA256_BYTES + 1];
	bool told;
	int r;

	text_to_hex(coming->sent.at.hash.bytes, SHA256_BYTES, head);
	db_rollback(TAKE_PTR(request->tx));
	r = db_begin(request->app->db, &scope, &tx);
	if (r == 0 && !coming->foreign)
		r = db_run(tx, &rows,
			   "UPDATE control.audit_chains SET state = 'forked', last_at = now() WHERE host_id = $1 AND "
			   "chain = $2 "
			   "AND state = 'open' RETURNING 1",
			   coming->before ? coming->before : request->principal.id, coming->sent.chain);
	told = r == 0 && (coming->foreign || db_row_count(rows) > 0);
	if (told)
		r = tell(coming, tx, "host-history-forked",
			 json_pack("{s:s, s:I, s:I, s:s, s:s}", "chain", coming->sent.chain, "next",
				   (json_int_t)coming->known.head.sequence + 1, "at",
				   (json_int_t)coming->sent.at.sequence, "at_hash", head, "why", why));
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		return r;
	if (told) {
		atomic_fetch_add(&request->app->audit_log->counts.forks, 1);
		log_error("host %s came with another history of its chain %s: %s", request->principal.id,
			  coming->sent.chain, why);
		audit_log_wake(request->app, "");
	}
	return 0;
}

/* ---- into the inboxes -----------------------------------------------------------------------------------------------
 */

static bool serves(const struct coming *coming, const char *tenant_id)
{
	for (uint32_t i = 0; i < db_row_count(coming->tenants); i++)
		if (strcmp(db_text(coming->tenants, i, 0), tenant_id) == 0)
			return true;
	return false;
}

static const char *log_of(const struct coming *coming, const struct judged_record *record)
{
	return serves(coming, record->leaf.tenant_id) ? record->leaf.tenant_id : "";
}

static int put_log(struct coming *coming, const char *log_id, struct inbox_record *room)
{
	struct request *request = coming->request;
	uint32_t count = 0;
	int r;

	for (uint32_t i = 0; i < coming->judged.count; i++) {
		const struct judged_record *record = &coming->judged.records[i];

		if (!record->why && strcmp(log_of(coming, record), log_id) == 0)
			room[count++] =
				(struct inbox_record){record->text, record->length, &record->leaf, &record->personal};
	}
	if (count == 0)
		return 0;
	r = db_switch_tenant(request->tx, log_id);
	if (r == 0)
		r = inbox_put(request->app, request->tx, log_id, request->principal.id, request->principal.name, room,
			      count);
	request_wrote_log(request, log_id);
	/* Deleted since its hosts were read: who reads them again finds another log for these. */
	return r == -ENOENT ? -EAGAIN : r;
}

/* The quote goes beside the leaf: it may hold anything, and a person's data among it. */
static int tell_malformed(struct coming *coming, const struct judged_record *record)
{
	char hash[2 * SHA256_BYTES + 1];
	json_t *data;

	text_to_hex(record->hash.bytes, SHA256_BYTES, hash);
	data = json_pack("{s:s, s:I, s:s, s:I, s:s}", "chain", coming->sent.chain, "sequence",
			 (json_int_t)record->sequence, "hash", hash, "length", (json_int_t)record->length, "why",
			 record->why ? record->why : record->why_personal);
	if (data && record->why &&
	    json_object_set_new(data, "quote",
				json_stringn_nocheck(record->text, MIN_OF(record->length, (size_t)QUOTE_BYTES_MAX))) <
		    0) {
		json_decref(data);
		data = NULL;
	}
	return tell(coming, coming->request->tx, "host-event-malformed", data);
}

static int tell_all_malformed(struct coming *coming)
{
	uint64_t count = 0, first = 0, last = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < coming->judged.count; i++) {
		const struct judged_record *record = &coming->judged.records[i];

		if (!record->why && !record->why_personal)
			continue;
		if (count++ < MALFORMED_TOLD_MAX) {
			r = tell_malformed(coming, record);
			continue;
		}
		first = first ? first : record->sequence;
		last = record->sequence;
	}
	if (count == 0)
		return r;
	request_wrote_log(coming->request, "");
	atomic_fetch_add(&coming->request->app->audit_log->counts.malformed, count);
	if (r < 0 || first == 0)
		return r;
	return tell(coming, coming->request->tx, "host-event-malformed",
		    json_pack("{s:s, s:I, s:I, s:I, s:s}", "chain", coming->sent.chain, "first", (json_int_t)first,
			      "last", (json_int_t)last, "count", (json_int_t)(count - MALFORMED_TOLD_MAX), "why",
			      "too-many"));
}

static int put_all(struct coming *coming)
{
	struct request *request = coming->request;
	struct inbox_record *room = arena_alloc(&request->arena, MAX_OF(coming->judged.count, 1U) * sizeof(*room));
	int r = room ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < db_row_count(coming->tenants); i++)
		r = put_log(coming, db_text(coming->tenants, i, 0), room);
	if (r == 0)
		r = put_log(coming, "", room);
	/* What is told about them goes to the platform, like the last of these. */
	if (r == 0)
		r = db_switch_tenant(request->tx, "");
	if (r == 0 && coming->begins) {
		r = tell(coming, request->tx, "host-chain-began",
			 json_pack("{s:s, s:s, s:I, s:s*}", "chain", coming->sent.chain, "vkey", coming->sent.vkey,
				   "first", (json_int_t)coming->known.head.sequence + 1, "host", coming->before));
		request_wrote_log(request, "");
	}
	if (r == 0 && coming->judged.missing) {
		r = tell(coming, request->tx, "host-events-missing",
			 json_pack("{s:s, s:I, s:I}", "chain", coming->sent.chain, "first",
				   (json_int_t)coming->sent.missing_first, "last",
				   (json_int_t)coming->sent.missing_last));
		request_wrote_log(request, "");
	}
	return r == 0 ? tell_all_malformed(coming) : r;
}

static int store_chain(struct coming *coming)
{
	struct request *request = coming->request;
	const struct chain_known *now = &coming->judged.now;

	return db_later(request->tx,
			"UPDATE control.audit_chains SET next = $3::bigint, head = $4, announced = $5::bigint, "
			"announced_head = "
			"$6, host_name = $7, last_at = now() WHERE host_id = $1 AND chain = $2",
			request->principal.id, coming->sent.chain, number(request, now->head.sequence + 1),
			hash_bytes_text(request, &now->head.hash), number(request, now->announced.sequence),
			now->announced.sequence > 0 ? hash_bytes_text(request, &now->announced.hash) : NULL,
			request->principal.name);
}

/* ---- the route ------------------------------------------------------------------------------------------------------
 */

static int respond_receipt(struct coming *coming)
{
	struct request *request = coming->request;
	const struct chain_head *head = &coming->judged.now.head;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	int r = receipt_make(request->app, request->tx, request->principal.id, coming->sent.chain, head, &note);

	if (r < 0 || !buffer_text(&note))
		return r < 0 ? r : -ENOMEM;
	return respond_json(request, 200,
			    json_pack("{s:I, s:s, s:s}", "next", (json_int_t)head->sequence + 1, "head",
				      hash_text(request, &head->hash), "receipt", buffer_text(&note)));
}

static int take(struct coming *coming)
{
	struct audit_log *log = coming->request->app->audit_log;
	uint64_t missing = coming->sent.missing_last - coming->sent.missing_first + 1;
	int r = put_all(coming);

	if (r == 0)
		r = store_chain(coming);
	if (r == 0)
		r = respond_receipt(coming);
	if (r == 0) {
		atomic_fetch_add(&log->counts.accepted, coming->judged.count);
		atomic_fetch_add(&log->counts.repeated, coming->judged.repeated);
		atomic_fetch_add(&log->counts.missing, coming->judged.missing ? missing : 0);
	}
	return r;
}

static int judge(struct coming *coming, struct problem *problem)
{
	int r = lock_chain(coming);

	if (r == 1) {
		coming->open = coming->foreign = true;
		coming->judged.judgement = JUDGED_FORKED;
		coming->judged.why = "this chain is another host's, or has another key";
		return 0;
	}
	if (r < 0 || !coming->open)
		return r;
	if (coming->unproved) {
		coming->judged.judgement = JUDGED_GAP;
		coming->judged.why = "this chain was another host's: send an event of it";
		return 0;
	}
	r = judge_behind(coming);
	if (r < 0 || coming->judged.judgement == JUDGED_FORKED)
		return r;
	return sent_judge(&coming->sent, &coming->known, coming->request->principal.id, &coming->judged, problem);
}

static int post(struct request *request)
{
	_cleanup_(coming_finish) struct coming coming = {.request = request};
	struct problem problem = {0};
	int r = sent_read(request->raw, request->raw_length, &coming.sent, &problem);

	if (r == 0)
		r = db_run(request->tx, &coming.tenants,
			   "SELECT tenant_id FROM control.host_tenants WHERE host_id = $1 ORDER BY tenant_id",
			   request->principal.id);
	if (r == 0)
		r = judge(&coming, &problem);
	if (r == -EBADMSG)
		return respond_problem(request, PROBLEM_BAD_REQUEST, "%s", problem.text);
	if (r < 0)
		return respond_db(request, r, "audit");
	if (!coming.open)
		return respond_where(&coming, true, "this chain has ended in another history: begin a new one");
	switch (coming.judged.judgement) {
	case JUDGED_FINE:
		r = take(&coming);
		return r < 0 ? respond_db(request, r, "audit") : 0;
	case JUDGED_GAP:
		return respond_where(&coming, false, coming.judged.why);
	case JUDGED_FORKED:
		break;
	}
	r = mark_forked(&coming, coming.judged.why);
	return r < 0 ? respond_db(request, r, "audit") : respond_where(&coming, true, coming.judged.why);
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/hosts/self/audit", ROUTE_HOST, "host.report",
	      ROUTE_WRITES | ROUTE_PLATFORM | ROUTE_RAW | ROUTE_LARGE, post),
};
const struct route_table audit_hosts_routes = {routes, ARRAY_LEN(routes)};
