/* SPDX-License-Identifier: MIT */
#include "directory/unit_store.h"

#include <string.h>

#include "records/rules.h"

static bool is_text(const struct unit_text *text, const char *other, size_t length)
{
	return text->length == length && memcmp(text->text, other, length) == 0;
}

/* Some texts nearly every record has; those cost nothing. */
static const char *store_text(void *context, const char *text, size_t length)
{
#define COMMON(literal)                        \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}
	static const struct unit_text common[] = {COMMON(RULES_DEFAULT_SHELL), COMMON("owner"), COMMON("editor"),
						  COMMON("viewer"), COMMON("admin")};
	struct unit_store *store = context;
	struct unit_text *recent;

	if (strcmp(text, store->unit->tenant_id) == 0)
		return store->unit->tenant_id;
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		if (is_text(&common[i], text, length))
			return common[i].text;
	for (unsigned i = 0; i < RECENT_TEXTS; i++)
		if (store->recent[i].text && is_text(&store->recent[i], text, length))
			return store->recent[i].text;
	recent = &store->recent[store->at++ % RECENT_TEXTS];
	*recent = (struct unit_text){pool_add(&store->unit->pool, text, length), length};
	return recent->text;
}

/* A membership names a user who mostly stands in the same unit, with this very text. */
void unit_store_know_user(struct unit_store *store, const char *member_id)
{
	const struct record_set *records = &store->unit->records;
	size_t length = strcspn(member_id, "/");

	for (uint32_t i = records->user_count; i-- > 0;)
		if (strncmp(records->users[i].id, member_id, length) == 0 && records->users[i].id[length] == '\0') {
			store->recent[store->at++ % RECENT_TEXTS] = (struct unit_text){records->users[i].id, length};
			return;
		}
}

static void *store_room(void *context, size_t size)
{
	struct unit_store *store = context;

	return pool_room(&store->unit->pool, size);
}

static const char *store_secret(void *context, const char *text, size_t length)
{
	struct unit_store *store = context;

	return unit_keep_secret(store->unit, text, length);
}

struct record_store unit_store(struct unit_store *store)
{
	return (struct record_store){.text = store_text, .room = store_room, .context = store, .secret = store_secret};
}
