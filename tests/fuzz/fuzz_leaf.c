/* SPDX-License-Identifier: MIT
 *
 * Leaves, and on a second line what is patched into one: whatever a patch says, the event stays the one that the leaf
 * is. A third line is read as the line of personal data.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "fuzz.h"
#include "trail/leaf.h"
#include "json/json_wipe.h"

static void check_leaf(const struct leaf *leaf)
{
	FUZZ_CHECK(leaf->id[0] != '\0' && leaf->kind[0] != '\0' && leaf->time_ms > 0);
	FUZZ_CHECK(leaf->person_count <= LEAF_PERSONS_MAX && leaf->activity_id < 100);
	FUZZ_CHECK(leaf->tenant_id[0] == '\0' || text_is_id(leaf->tenant_id));
	FUZZ_CHECK(!leaf->linked || (strlen(leaf->link.chain) == CHAIN_ID_CHARS && leaf->link.sequence > 0 &&
				     text_starts(leaf->id, leaf->link.chain)));
}

static bool same_link(const struct leaf_link *a, const struct leaf_link *b)
{
	return strcmp(a->chain, b->chain) == 0 && strcmp(a->boot, b->boot) == 0 && a->sequence == b->sequence &&
	       memcmp(a->prev, b->prev, SHA256_BYTES) == 0;
}

static bool same(const struct leaf *a, const struct leaf *b)
{
	for (uint32_t i = 0; a->person_count == b->person_count && i < a->person_count; i++)
		if (strcmp(a->persons[i].person, b->persons[i].person) != 0 ||
		    memcmp(a->persons[i].commitment, b->persons[i].commitment, SHA256_BYTES) != 0)
			return false;
	return a->person_count == b->person_count && strcmp(a->id, b->id) == 0 && strcmp(a->kind, b->kind) == 0 &&
	       strcmp(a->tenant_id, b->tenant_id) == 0 && strcmp(a->host_id, b->host_id) == 0 &&
	       strcmp(a->project_id, b->project_id) == 0 && strcmp(a->actor, b->actor) == 0 &&
	       a->class_uid == b->class_uid && a->activity_id == b->activity_id && a->severity_id == b->severity_id &&
	       a->outcome == b->outcome && a->time_ms == b->time_ms && a->linked == b->linked &&
	       same_link(&a->link, &b->link);
}

static void check_patched(const char *text, size_t length, const struct leaf *leaf, const char *patch,
			  size_t patch_length)
{
	struct personal_list list = {.count = 1};
	_cleanup_(json_forget) json_t *event = NULL;
	_cleanup_(freep) char *again = NULL;
	struct leaf merged;

	list.items[0].patch = strndup(patch, patch_length);
	FUZZ_CHECK(list.items[0].patch);
	event = leaf_merge(text, length, &list);
	personal_finish(&list);
	if (!event)
		return;
	FUZZ_CHECK(json_is_object(event));
	again = json_dumps(event, JSON_COMPACT);
	/* A patch may bring in what no leaf has (controls, length); as long as it does not, nothing read out of it
	 * differs. */
	if (again && leaf_read(again, strlen(again), &merged, NULL) == 0)
		FUZZ_CHECK(same(&merged, leaf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size > 0 ? (const char *)data : "", *end = text + size,
		   *patch = size > 0 ? memchr(text, '\n', size) : NULL, *line;
	size_t length = patch ? (size_t)(patch - text) : size;
	struct personal_list list = {0};
	struct problem problem = {0};
	struct leaf leaf;
	int r;

	r = leaf_read(text, length, &leaf, &problem);
	FUZZ_CHECK(r == 0 || (r == -EBADMSG && problem.text[0] != '\0'));
	if (r < 0)
		return 0;
	check_leaf(&leaf);
	if (!patch++)
		return 0;
	line = memchr(patch, '\n', (size_t)(end - patch));
	check_patched(text, length, &leaf, patch, (size_t)((line ? line : end) - patch));
	if (!line++)
		return 0;
	r = personal_read(line, (size_t)(end - line), &leaf, &list, &problem);
	FUZZ_CHECK(r == 0 || (r == -EBADMSG && list.count == 0));
	FUZZ_CHECK(r < 0 || list.count == leaf.person_count);
	for (uint32_t i = 0; i < list.count; i++)
		FUZZ_CHECK(strcmp(list.items[i].person, leaf.persons[i].person) == 0);
	personal_finish(&list);
	return 0;
}
