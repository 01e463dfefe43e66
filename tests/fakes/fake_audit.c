/* SPDX-License-Identifier: MIT */
#include "../fakes/fake_audit.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../fakes/fake_control_internal.h"
#include "base/clock.h"
#include "base/text.h"
#include "tlog/checkpoint.h"
#include "trail/chain.h"
#include "json/json_read.h"

#define LOGS_MAX 9
#define ENTRIES_MAX 65536
#define CHAINS_MAX 8
#define WAIT_SEC 10

struct log {
	char tenant_id[64];
	struct tlog_hash *hashes;
	char (*ids)[LEAF_ID_MAX];
	unsigned size, cosigned;
};
struct chain {
	struct note_key key;
	char id[CHAIN_ID_CHARS + 1];
	struct chain_head head;
	struct chain_head known[1024]; /* after each event, while there are few */
	bool ended, wanders;
};
struct fake_audit {
	enum fake_receipt receipt;
	enum fake_log_lie lie;
	struct chain chains[CHAINS_MAX];
	unsigned chain_count, taken, withhold, twice, strangers;
	uint64_t missing, at;
	struct log logs[LOGS_MAX];
	unsigned log_count;
};

/* With the lock, from here to "for the test". */
static struct fake_audit *audit_of(struct fake_control *control)
{
	if (!control->audit) {
		control->audit = calloc(1, sizeof(*control->audit));
		assert_non_null(control->audit);
	}
	return control->audit;
}

void fake_audit_free(struct fake_audit *audit)
{
	if (!audit)
		return;
	for (unsigned i = 0; i < audit->log_count; i++) {
		free(audit->logs[i].hashes);
		free(audit->logs[i].ids);
	}
	free(audit);
}

static struct log *log_of(struct fake_audit *audit, const char *tenant_id)
{
	struct log *log;

	for (unsigned i = 0; i < audit->log_count; i++)
		if (strcmp(audit->logs[i].tenant_id, tenant_id) == 0)
			return &audit->logs[i];
	assert_true(audit->log_count < LOGS_MAX);
	log = &audit->logs[audit->log_count++];
	(void)snprintf(log->tenant_id, sizeof(log->tenant_id), "%s", tenant_id);
	log->hashes = calloc(ENTRIES_MAX, sizeof(*log->hashes));
	log->ids = calloc(ENTRIES_MAX, sizeof(*log->ids));
	assert_non_null(log->hashes);
	assert_non_null(log->ids);
	return log;
}

static struct chain *newest(struct fake_audit *audit)
{
	assert_true(audit->chain_count > 0);
	return &audit->chains[audit->chain_count - 1];
}

/* ---- events -------------------------------------------------------------------------------------------------------
 */

static void add_entry(struct fake_audit *audit, const char *tenant_id, const char *id, const struct tlog_hash *hash)
{
	struct log *log = log_of(audit, tenant_id);

	assert_true(log->size < ENTRIES_MAX);
	for (unsigned i = log->size > 4096 ? log->size - 4096 : 0; i < log->size && *id; i++)
		audit->twice += strcmp(log->ids[i], id) == 0;
	(void)snprintf(log->ids[log->size], sizeof(log->ids[0]), "%s", id);
	log->hashes[log->size++] = *hash;
}

struct taking {
	struct fake_audit *audit;
	const char *host_id;
	struct chain *chain;
	uint64_t sequence;
};

static int take_record(void *context, const struct group_record *record)
{
	struct taking *taking = context;
	struct chain_head *head = &taking->chain->head;
	struct problem problem = {0};
	struct leaf leaf;

	if (taking->sequence++ <= head->sequence)
		return 0;
	assert_int_equal(leaf_read(record->leaf, record->leaf_length, &leaf, &problem), 0);
	assert_true(leaf.linked);
	assert_memory_equal(leaf.link.prev, head->hash.bytes, sizeof(leaf.link.prev));
	*head = (struct chain_head){taking->sequence - 1, record->hash};
	if (head->sequence < ARRAY_LEN(taking->chain->known))
		taking->chain->known[head->sequence] = *head;
	taking->audit->taken++;
	if (*leaf.host_id && strcmp(leaf.host_id, taking->host_id) != 0)
		taking->audit->strangers++; /* told of, as not in order */
	else if (taking->audit->withhold > 0)
		taking->audit->withhold--;
	else
		add_entry(taking->audit, leaf.tenant_id, leaf.id, &record->hash);
	return 0;
}

static struct chain *chain_of(struct fake_audit *audit, const char *vkey, size_t length)
{
	struct chain *chain;
	struct note_key key;

	assert_int_equal(note_key_parse(vkey, length, &key), 0);
	for (unsigned i = 0; i < audit->chain_count; i++)
		if (strcmp(audit->chains[i].key.name, key.name) == 0)
			return &audit->chains[i];
	assert_true(audit->chain_count < CHAINS_MAX);
	chain = &audit->chains[audit->chain_count++];
	chain->key = key;
	(void)snprintf(chain->id, sizeof(chain->id), "%s", chain_of_key(&key));
	assert_int_equal(chain_start(&key, &chain->head), 0);
	chain->known[0] = chain->head;
	return chain;
}

static void put_place(struct json_writer *w, const struct chain_head *head)
{
	char hex[2 * SHA256_BYTES + 1];

	text_to_hex(head->hash.bytes, sizeof(head->hash.bytes), hex);
	json_put_u64(w, "next", head->sequence + 1);
	json_put_string(w, "head", hex);
}

static void make_receipt(struct fake_control *control, const struct chain *chain, struct chain_head *head,
			 struct buffer *note)
{
	enum fake_receipt kind = control->audit->receipt;
	struct receipt receipt = {.issued = clock_realtime_sec()};
	uint8_t secret[ED25519_SECRET_BYTES], public[ED25519_PUBLIC_BYTES];
	struct note_key key = control->authority;

	memcpy(secret, control->authority_secret, sizeof(secret));
	if (kind == RECEIPT_OTHER_HASH)
		head->hash.bytes[0] ^= 1;
	if (kind == RECEIPT_TOO_FAR)
		head->sequence += 7;
	(void)snprintf(receipt.authority, sizeof(receipt.authority), "%s", key.name);
	(void)snprintf(receipt.host_id, sizeof(receipt.host_id), "%s",
		       kind == RECEIPT_OTHER_HOST ? "hst_0000000000000000" : control->host_id);
	(void)snprintf(receipt.chain, sizeof(receipt.chain), "%s",
		       kind == RECEIPT_OTHER_CHAIN ? "0123456789abcdef" : chain->id);
	receipt.head = *head;
	if (kind == RECEIPT_STRANGER) {
		assert_int_equal(ed25519_make(secret, public), 0);
		assert_int_equal(note_key_init(&key, key.name, public), 0);
	} else if (kind == RECEIPT_TORN) {
		memset(secret, 1, sizeof(secret));
	}
	assert_int_equal(receipt_write(&receipt, note), 0);
	assert_int_equal(note_sign(note, &key, secret), 0);
	if (kind == RECEIPT_NOT_ANSWER)
		head->sequence--;
}

/* One line "word value"; moves past it. */
static const char *take_line(const char **at, const char *word, size_t *ret_length)
{
	const char *value = *at + strlen(word) + 1, *end;

	if (strncmp(*at, word, strlen(word)) != 0)
		return NULL;
	end = strchr(value, '\n');
	assert_non_null(end);
	*ret_length = (size_t)(end - value);
	*at = end + 1;
	return value;
}

static unsigned conflict(const struct chain *chain, struct buffer *out)
{
	struct json_writer w = json_writer(out);

	json_begin(&w, NULL, '{');
	json_put_string(&w, "detail", "not here");
	put_place(&w, &chain->head);
	json_put_bool(&w, "forked", chain->ended);
	json_end(&w, '}');
	return 409;
}

unsigned fake_audit_post(struct fake_control *control, const char *body, size_t length, struct buffer *out)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct fake_audit *audit = audit_of(control);
	struct json_writer w = json_writer(out);
	const char *at = body, *value;
	struct problem problem = {0};
	struct chain_head said;
	struct chain *chain;
	size_t size;

	value = take_line(&at, "chain", &size);
	assert_non_null(value);
	chain = chain_of(audit, value, size);
	value = take_line(&at, "at", &size);
	assert_non_null(value);
	audit->at = strtoull(value, NULL, 10);
	value = take_line(&at, "missing", &size);
	if (chain->wanders && chain->head.sequence > 1)
		chain->head = chain->known[chain->head.sequence - 1];
	if (chain->ended || chain->wanders)
		return conflict(chain, out);
	while (at < body + length && audit->receipt != RECEIPT_NOTHING) {
		struct taking taking = {audit, control->host_id, chain, 0};
		size_t records, total;
		struct group group;

		assert_int_equal(
			group_read(at, (size_t)(body + length - at), &chain->key, &group, &records, &total, &problem),
			0);
		if (group.first > chain->head.sequence + 1) {
			if (!value || strtoull(value, NULL, 10) != chain->head.sequence + 1)
				return conflict(chain, out);
			audit->missing += group.first - 1 - chain->head.sequence;
			chain->head = (struct chain_head){group.first - 1, group.prev};
		}
		if (group.first == chain->head.sequence + 1 && !tlog_hash_equal(&group.prev, &chain->head.hash))
			return conflict(chain, out);
		taking.sequence = group.first;
		assert_int_equal(group_each(&group, at + records, take_record, &taking, &problem), 0);
		at += total;
	}
	said = chain->head;
	make_receipt(control, chain, &said, &note);
	json_begin(&w, NULL, '{');
	put_place(&w, &said);
	if (audit->receipt != RECEIPT_NONE)
		json_put_string(&w, "receipt", buffer_text(&note));
	json_end(&w, '}');
	return 200;
}

/* ---- logs -----------------------------------------------------------------------------------------------------------
 */

static int node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	const struct log *log = context;
	struct tlog_hash left, right;
	int r;

	if (level == 0) {
		*ret = log->hashes[index];
		return 0;
	}
	r = node(context, level - 1, 2 * index, &left);
	if (r == 0)
		r = node(context, level - 1, 2 * index + 1, &right);
	return r < 0 ? r : tlog_node_hash(&left, &right, ret);
}

static const struct fake_feed *feed_of(const struct fake_control *control, const char *tenant_id)
{
	for (unsigned i = 0; i < control->feed_count; i++)
		if (strcmp(control->feeds[i]->tenant_id, tenant_id) == 0)
			return control->feeds[i];
	return NULL;
}

/* The feeds' authority has a name of its own here: what a host goes by is what its trust document says. */
static void write_origin(const struct fake_control *control, const char *tenant_id, char out[CHECKPOINT_ORIGIN_MAX])
{
	const char *authority = *tenant_id ? "control.test" : control->authority.name;

	(void)snprintf(out, CHECKPOINT_ORIGIN_MAX, "%.180s/audit/%s", authority, *tenant_id ? tenant_id : "platform");
}

static void sign_checkpoint(struct fake_control *control, struct log *log, struct buffer *note)
{
	const struct fake_feed *feed = feed_of(control, log->tenant_id);
	const uint8_t *secret = feed ? feed->secret : control->authority_secret;
	enum fake_log_lie lie = control->audit->lie;
	struct checkpoint checkpoint = {.size = log->size};
	uint8_t stranger[ED25519_SECRET_BYTES], public[ED25519_PUBLIC_BYTES];
	struct note_key key;

	write_origin(control, lie == LOG_OTHER_ORIGIN ? "ten_other000000000" : log->tenant_id, checkpoint.origin);
	assert_int_equal(tlog_root(log->size, node, log, &checkpoint.root), 0);
	assert_int_equal(checkpoint_write(&checkpoint, note), 0);
	if (lie == LOG_UNSIGNED) {
		assert_int_equal(buffer_add_text(note, "\n"), 0);
		return;
	}
	memcpy(public, feed ? feed->key.public : control->authority.public, sizeof(public));
	if (lie == LOG_STRANGER) {
		assert_int_equal(ed25519_make(stranger, public), 0);
		secret = stranger;
	}
	assert_int_equal(note_key_init(&key, lie == LOG_FEED_KEY && feed ? feed->origin : checkpoint.origin, public),
			 0);
	assert_int_equal(note_sign(note, &key, secret), 0);
}

static void put_proof(struct json_writer *w, const char *name, const struct tlog_proof *proof)
{
	json_begin(w, name, '[');
	for (unsigned i = 0; i < proof->count; i++) {
		char *text = base64_encode(proof->hashes[i].bytes, SHA256_BYTES);

		assert_non_null(text);
		json_put_string(w, NULL, text);
		free(text);
	}
	json_end(w, ']');
}

static void put_inclusion(struct fake_audit *audit, struct log *log, const char *id, const char *index,
			  struct json_writer *w)
{
	uint64_t at = index ? strtoull(index, NULL, 10) : log->size;
	struct tlog_proof proof;

	for (unsigned i = 0; i < log->size && id; i++)
		if (strcmp(log->ids[i], id) == 0)
			at = i;
	if (at >= log->size || audit->lie == LOG_HIDES_EVENTS) {
		json_put_null(w, "inclusion");
		return;
	}
	assert_int_equal(tlog_prove_inclusion(at, log->size, node, log, &proof), 0);
	if (audit->lie == LOG_BAD_INCLUSION && proof.count > 0)
		proof.hashes[0].bytes[0] ^= 1;
	json_begin(w, "inclusion", '{');
	json_put_u64(w, "index", at);
	put_proof(w, "proof", &proof);
	json_end(w, '}');
}

unsigned fake_audit_show(struct fake_control *control, const char *tenant_id, struct MHD_Connection *connection,
			 struct buffer *out)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	const char *from = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "from");
	const char *id = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "id");
	const char *index = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "index");
	struct fake_audit *audit = audit_of(control);
	struct log *log = log_of(audit, tenant_id);
	uint64_t seen = from ? strtoull(from, NULL, 10) : 0;
	struct json_writer w = json_writer(out);
	struct tlog_proof proof = {0};

	if (seen <= log->size)
		assert_int_equal(tlog_prove_consistency(seen, log->size, node, log, &proof), 0);
	if (audit->lie == LOG_BAD_CONSISTENCY && proof.count > 0)
		proof.hashes[0].bytes[0] ^= 1;
	sign_checkpoint(control, log, &note);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "checkpoint", buffer_text(&note));
	put_proof(&w, "consistency", &proof);
	if (id || index)
		put_inclusion(audit, log, id, index, &w);
	json_end(&w, '}');
	return 200;
}

unsigned fake_audit_cosign(struct fake_control *control, const char *tenant_id, const char *body, size_t length)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct fake_audit *audit = audit_of(control);
	struct log *log = log_of(audit, tenant_id);
	struct checkpoint checkpoint = {0};
	struct problem problem = {0};
	char name[NOTE_KEY_NAME_MAX];
	struct note_key key;
	const char *line;
	int64_t when;

	assert_int_equal(json_read(body, length, &json, &problem), 0);
	checkpoint.size = (uint64_t)json_integer_value(json_object_get(json, "size"));
	line = json_string_value(json_object_get(json, "line"));
	assert_non_null(line);
	if (checkpoint.size > log->size)
		return 400;
	write_origin(control, tenant_id, checkpoint.origin);
	assert_int_equal(tlog_root(checkpoint.size, node, log, &checkpoint.root), 0);
	assert_int_equal(checkpoint_write(&checkpoint, &text), 0);
	(void)snprintf(name, sizeof(name), "%.180s/witness/%s", control->authority.name, control->host_id);
	for (unsigned i = 0; i < audit->chain_count; i++) {
		assert_int_equal(note_key_init(&key, name, audit->chains[i].key.public), 0);
		if (cosignature_read(text.data, text.length, line, strlen(line), &key, &when) == 0) {
			log->cosigned++;
			return 204;
		}
	}
	return 400;
}

/* ---- for the test
 * ----------------------------------------------------------------------------------------------------- */

#define LOCKED(type, control, expression)               \
	({                                              \
		struct fake_audit *audit;               \
		type value_;                            \
		fake_lock(control);                     \
		audit = audit_of(control);              \
		value_ = (expression);                  \
		(void)audit;                            \
		pthread_mutex_unlock(&(control)->lock); \
		value_;                                 \
	})

void fake_audit_receipts(struct fake_control *control, enum fake_receipt kind)
{
	(void)LOCKED(enum fake_receipt, control, audit->receipt = kind);
}

void fake_log_lie(struct fake_control *control, enum fake_log_lie lie)
{
	(void)LOCKED(enum fake_log_lie, control, audit->lie = lie);
}

void fake_audit_withhold(struct fake_control *control, unsigned events)
{
	(void)LOCKED(unsigned, control, audit->withhold = events);
}

unsigned fake_audit_taken(struct fake_control *control)
{
	return LOCKED(unsigned, control, audit->taken);
}

unsigned fake_audit_twice(struct fake_control *control)
{
	return LOCKED(unsigned, control, audit->twice);
}

unsigned fake_audit_chains(struct fake_control *control)
{
	return LOCKED(unsigned, control, audit->chain_count);
}

uint64_t fake_audit_next(struct fake_control *control)
{
	return LOCKED(uint64_t, control, newest(audit)->head.sequence + 1);
}

unsigned fake_audit_strangers(struct fake_control *control)
{
	unsigned strangers;

	fake_lock(control);
	strangers = audit_of(control)->strangers;
	fake_unlock(control);
	return strangers;
}

uint64_t fake_audit_missing(struct fake_control *control)
{
	return LOCKED(uint64_t, control, audit->missing);
}

uint64_t fake_audit_at(struct fake_control *control)
{
	return LOCKED(uint64_t, control, audit->at);
}

void fake_audit_wait(struct fake_control *control, unsigned wanted)
{
	uint64_t end = clock_boottime_usec() + WAIT_SEC * USEC_PER_SEC;
	const struct timespec pause = {.tv_nsec = 5000000};

	while (fake_audit_taken(control) < wanted) {
		if (clock_boottime_usec() > end)
			fail_msg("%u of %u events came", fake_audit_taken(control), wanted);
		(void)nanosleep(&pause, NULL);
	}
}

void fake_audit_restore(struct fake_control *control, uint64_t sequence)
{
	struct chain *chain;
	char id[LEAF_ID_MAX];

	fake_lock(control);
	chain = newest(audit_of(control));
	assert_true(sequence < ARRAY_LEN(chain->known));
	chain->head = chain->known[sequence];
	(void)snprintf(id, sizeof(id), "%s-%llu", chain->id, (unsigned long long)sequence);
	for (unsigned i = 0; i < control->audit->log_count; i++) {
		struct log *log = &control->audit->logs[i];
		unsigned size = 0;

		while (size < log->size && strcmp(log->ids[size], id) != 0)
			size++;
		log->size = MIN_OF(size + 1, log->size);
	}
	fake_unlock(control);
}

void fake_audit_alter(struct fake_control *control)
{
	fake_lock(control);
	newest(audit_of(control))->head.hash.bytes[0] ^= 1;
	fake_unlock(control);
}

void fake_audit_run_ahead(struct fake_control *control, uint64_t events)
{
	fake_lock(control);
	newest(audit_of(control))->head.sequence += events;
	fake_unlock(control);
}

void fake_audit_end_chain(struct fake_control *control)
{
	fake_lock(control);
	newest(audit_of(control))->ended = true;
	fake_unlock(control);
}

void fake_audit_wander(struct fake_control *control)
{
	fake_lock(control);
	newest(audit_of(control))->wanders = true;
	fake_unlock(control);
}

uint64_t fake_log_size(struct fake_control *control, const char *tenant_id)
{
	return LOCKED(uint64_t, control, log_of(audit, tenant_id)->size);
}

unsigned fake_log_cosigned(struct fake_control *control, const char *tenant_id)
{
	return LOCKED(unsigned, control, log_of(audit, tenant_id)->cosigned);
}

void fake_log_add(struct fake_control *control, const char *tenant_id, unsigned entries)
{
	struct tlog_hash hash;

	fake_lock(control);
	for (unsigned i = 0; i < entries; i++) {
		assert_int_equal(tlog_leaf_hash(&i, sizeof(i), &hash), 0);
		add_entry(audit_of(control), tenant_id, "", &hash);
	}
	fake_unlock(control);
}

void fake_log_rewrite(struct fake_control *control, const char *tenant_id, uint64_t index)
{
	fake_lock(control);
	log_of(audit_of(control), tenant_id)->hashes[index].bytes[0] ^= 1;
	fake_unlock(control);
}

void fake_log_cut(struct fake_control *control, const char *tenant_id, uint64_t size)
{
	fake_lock(control);
	log_of(audit_of(control), tenant_id)->size = (unsigned)size;
	fake_unlock(control);
}
