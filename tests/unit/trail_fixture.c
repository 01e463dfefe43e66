/* SPDX-License-Identifier: MIT */
#include "trail_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "unit.h"
#include "json/json_write.h"

#define LOG_MAX 600U

struct signer trail_signer(uint8_t number)
{
	return signer_of(CHAIN_KEY_PREFIX TRAIL_CHAIN, number);
}

void trail_personal(struct personal_list *ret, const char *const *persons)
{
	char patch[128];

	*ret = (struct personal_list){0};
	for (; persons && *persons; persons++) {
		struct personal *item = &ret->items[ret->count];

		assert_true(ret->count < LEAF_PERSONS_MAX);
		(void)snprintf(item->person, sizeof(item->person), "%s", *persons);
		memset(item->salt, (int)ret->count + 1, SALT_BYTES);
		(void)snprintf(patch, sizeof(patch), "{\"user\":{\"name\":\"%s\"}}", *persons);
		item->patch = strdup(patch);
		assert_non_null(item->patch);
		ret->count++;
	}
}

void trail_leaf(struct buffer *ret, const char *chain, uint64_t sequence, const struct tlog_hash *prev,
		const struct personal_list *personal)
{
	struct json_writer w = json_writer(ret);
	char hex[2 * SHA256_BYTES + 1], id[64];

	json_begin(&w, NULL, '{');
	json_put_u64(&w, "class_uid", 3002);
	json_put_u64(&w, "category_uid", 3);
	json_put_u64(&w, "activity_id", 1);
	json_put_u64(&w, "type_uid", 300201);
	json_put_u64(&w, "severity_id", 1);
	json_put_u64(&w, "status_id", 2);
	json_put_u64(&w, "time", 1790000000000 + sequence);
	json_begin(&w, "metadata", '{');
	(void)snprintf(id, sizeof(id), chain ? "%s-%" PRIu64 : "%s%016" PRIu64, chain ? chain : "evt_", sequence);
	json_put_string(&w, "uid", id);
	json_put_string(&w, "event_code", "login-denied");
	json_put_string(&w, "tenant_uid", TRAIL_TENANT);
	json_end(&w, '}');
	json_begin(&w, "user", '{');
	json_put_string(&w, "name", "-");
	json_put_string(&w, "uid", "usr_a");
	json_end(&w, '}');
	json_begin(&w, "device", '{');
	json_put_string(&w, "uid", "hst_1");
	json_end(&w, '}');
	json_begin(&w, "unmapped", '{');
	json_put_string(&w, "project_id", "prj_1");
	if (chain) {
		text_to_hex(prev->bytes, SHA256_BYTES, hex);
		json_put_string(&w, "chain", chain);
		json_put_string(&w, "boot", "0123456789abcdef0123456789abcdef");
		json_put_u64(&w, "seq", sequence);
		json_put_string(&w, "prev", hex);
	}
	if (personal && personal->count > 0) {
		json_begin(&w, "personal", '[');
		for (uint32_t i = 0; i < personal->count; i++) {
			uint8_t commitment[SHA256_BYTES];

			assert_result(personal_commitment(personal->items[i].salt, personal->items[i].patch,
							  strlen(personal->items[i].patch), commitment),
				      0);
			text_to_hex(commitment, SHA256_BYTES, hex);
			json_begin(&w, NULL, '{');
			json_put_string(&w, "person", personal->items[i].person);
			json_put_string(&w, "commitment", hex);
			json_end(&w, '}');
		}
		json_end(&w, ']');
	}
	json_end(&w, '}');
	json_end(&w, '}');
	assert_false(ret->failed);
}

void trail_group(struct buffer *ret, const struct signer *signer, struct chain_head *head, uint32_t count)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT;
	struct group group = {.first = head->sequence + 1, .count = count, .prev = head->hash};

	strcpy(group.chain, chain_of_key(&signer->key));
	for (uint32_t i = 0; i < count; i++) {
		const char *const persons[] = {"usr_a", NULL};
		_cleanup_(personal_finish) struct personal_list personal = {0};
		size_t start = body.length;

		trail_personal(&personal, i % 2 == 0 ? persons : NULL);
		trail_leaf(&body, group.chain, ++head->sequence, &head->hash, &personal);
		assert_result(tlog_leaf_hash(body.data + start, body.length - start, &head->hash), 0);
		assert_result(buffer_add_char(&body, '\n'), 0);
		assert_result(personal_write(&personal, &body), 0);
		assert_result(buffer_add_char(&body, '\n'), 0);
	}
	group.head = head->hash;
	group.bytes = (uint32_t)body.length;
	assert_result(group_write(&group, &signer->key, signer->secret, body.data, ret), 0);
}

/* ---- logs ------------------------------------------------------------------------------------- */
static void log_leaf(const struct trail_log *log, uint64_t index, struct buffer *ret, struct personal_list *personal)
{
	const char *const persons[] = {"usr_a", "usr_b", NULL};

	trail_personal(personal, index % 3 == 0 ? persons : NULL);
	trail_leaf(ret, NULL, log->changed > 0 && index == log->changed ? index + 1000000 : index, NULL, personal);
}

struct log_tree {
	struct tlog_hash leaves[LOG_MAX];
};

static void log_tree(const struct trail_log *log, struct log_tree *ret)
{
	assert_true(log->size <= LOG_MAX);
	for (uint64_t i = 0; i < log->size; i++) {
		_cleanup_(personal_finish) struct personal_list personal = {0};
		_cleanup_(buffer_finish) struct buffer leaf = BUFFER_INIT;

		log_leaf(log, i, &leaf, &personal);
		assert_result(tlog_leaf_hash(leaf.data, leaf.length, &ret->leaves[i]), 0);
	}
}

static int log_node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	const struct log_tree *tree = context;
	struct tlog_frontier frontier = {0};

	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		assert_result(tlog_frontier_add(&frontier, &tree->leaves[i]), 0);
	return tlog_frontier_root(&frontier, ret);
}

struct note_key trail_log_key(void)
{
	return signer_of(TRAIL_ORIGIN, 9).key;
}

static void checkpoint_of(const struct log_tree *tree, uint64_t size, struct buffer *ret)
{
	struct signer signer = signer_of(TRAIL_ORIGIN, 9);
	struct checkpoint checkpoint = {.origin = TRAIL_ORIGIN, .size = size};

	assert_result(tlog_root(size, log_node, (void *)(uintptr_t)tree, &checkpoint.root), 0);
	assert_result(checkpoint_write(&checkpoint, ret), 0);
	feed_sign(ret, &signer, NULL);
}

void trail_checkpoint(const struct trail_log *log, uint64_t size, struct buffer *ret)
{
	static struct log_tree tree;

	log_tree(log, &tree);
	checkpoint_of(&tree, size, ret);
}

static void put_header(const struct trail_log *log, const struct log_tree *tree, uint64_t at, uint64_t to,
		       struct buffer *ret)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct json_writer w = json_writer(ret);
	struct note_key key = trail_log_key();
	struct tlog_frontier frontier = {0};
	char vkey[NOTE_VKEY_MAX], hex[2 * SHA256_BYTES + 1];

	checkpoint_of(tree, at, &note);
	assert_result(note_key_render(&key, vkey), 0);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "export", "tenantd-audit/v1");
	json_put_string(&w, "origin", TRAIL_ORIGIN);
	json_begin(&w, "keys", '[');
	json_put_string(&w, NULL, vkey);
	json_end(&w, ']');
	json_put_string_n(&w, "checkpoint", note.data, note.length);
	json_put_u64(&w, "from", log->from);
	json_put_u64(&w, "to", to);
	json_begin(&w, "frontier", '{');
	json_put_u64(&w, "size", log->from);
	json_begin(&w, "hashes", '[');
	for (uint64_t i = 0; i < log->from; i++)
		assert_result(tlog_frontier_add(&frontier, &tree->leaves[i]), 0);
	for (unsigned i = 0; i < tlog_frontier_count(log->from); i++) {
		text_to_hex(frontier.hashes[i].bytes, SHA256_BYTES, hex);
		json_put_string(&w, NULL, hex);
	}
	json_end(&w, ']');
	json_end(&w, '}');
	json_end(&w, '}');
	assert_result(buffer_add_char(ret, '\n'), 0);
}

static void put_personal(struct json_writer *w, const struct personal_list *personal, unsigned erased)
{
	char hex[2 * SALT_BYTES + 1];

	json_begin(w, "personal", '[');
	for (uint32_t i = 0; i < personal->count; i++) {
		json_begin(w, NULL, '{');
		json_put_string(w, "person", personal->items[i].person);
		if (erased >> i & 1) {
			json_put_bool(w, "erased", true);
		} else {
			text_to_hex(personal->items[i].salt, SALT_BYTES, hex);
			json_put_string(w, "salt", hex);
			json_put_string(w, "patch", personal->items[i].patch);
		}
		json_end(w, '}');
	}
	json_end(w, ']');
}

void trail_export(const struct trail_log *log, struct buffer *ret)
{
	static struct log_tree tree;
	uint64_t at = log->at > 0 ? log->at : log->size, to = log->to > 0 ? log->to : at, entries = 0;

	log_tree(log, &tree);
	put_header(log, &tree, at, to, ret);
	for (uint64_t i = log->from; i < to; i++) {
		_cleanup_(personal_finish) struct personal_list personal = {0};
		_cleanup_(buffer_finish) struct buffer leaf = BUFFER_INIT;
		struct json_writer w = json_writer(ret);
		struct tlog_proof proof;

		if (log->filter && !log->filter(i))
			continue;
		log_leaf(log, i, &leaf, &personal);
		assert_result(tlog_prove_inclusion(i, at, log_node, &tree, &proof), 0);
		json_begin(&w, NULL, '{');
		json_put_u64(&w, "index", i);
		json_put_string_n(&w, "leaf", leaf.data, leaf.length);
		put_personal(&w, &personal, log->erased);
		json_begin(&w, "proof", '[');
		for (unsigned j = 0; j < proof.count; j++) {
			_cleanup_(freep) char *text = base64_encode(proof.hashes[j].bytes, SHA256_BYTES);

			json_put_string(&w, NULL, text);
		}
		json_end(&w, ']');
		json_end(&w, '}');
		assert_result(buffer_add_char(ret, '\n'), 0);
		entries++;
	}
	assert_result(buffer_printf(ret, "{\"end\":true,\"entries\":%" PRIu64 "}\n", entries), 0);
}
