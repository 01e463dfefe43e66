/* SPDX-License-Identifier: MIT */
#include "oidc/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/secret.h"
#include "crypto/digest_stream.h"

struct client {
	struct oidc_client public; /* first */
	unsigned references;
	struct arena arena; /* of what is no secret */
};

static struct client *inside(struct oidc_client *client)
{
	return (struct client *)client;
}

static void destroy(struct oidc_client *client)
{
	union {
		const char *text;
		char *own;
	} secret = {.text = client->record.client_secret}, key = {.text = client->record.client_key};

	secret_free(secret.own);
	secret_free(key.own);
	arena_finish(&inside(client)->arena);
	free(client);
}
DEFINE_CLEANUP(struct oidc_client, destroy)

/* Each field with its length and a list with its count before it, so that no two records read alike. */
static bool add_bytes(struct sha256_stream *stream, const void *data, size_t length)
{
	uint64_t size = length;

	return sha256_stream_add(stream, &size, sizeof(size)) == 0 && sha256_stream_add(stream, data, length) == 0;
}

static bool add_text(struct sha256_stream *stream, const char *text)
{
	return add_bytes(stream, text, strlen(text));
}

static bool add_list(struct sha256_stream *stream, const struct string_list *list)
{
	bool good = add_bytes(stream, &list->count, sizeof(list->count));

	for (uint32_t i = 0; good && i < list->count; i++)
		good = add_text(stream, list->items[i]);
	return good;
}

static bool make_digest(const struct idp_record *record, uint8_t ret[SHA256_BYTES])
{
	_cleanup_(sha256_stream_freep) struct sha256_stream *stream = NULL;
	const uint32_t numbers[] = {record->kind, record->client_auth, record->bind, record->max_age_sec,
				    record->preferred};
	const char *const texts[] = {record->id,         record->tenant_id,     record->name,
				     record->issuer,     record->client_id,     record->client_secret,
				     record->client_key, record->hosted_domain, record->token_audience};
	const struct string_list *const lists[] = {&record->scopes, &record->acr, &record->amr, &record->domains};
	bool good = sha256_stream_new(&stream) == 0 && add_bytes(stream, numbers, sizeof(numbers));

	for (size_t i = 0; good && i < ARRAY_LEN(texts); i++)
		good = add_text(stream, texts[i]);
	for (size_t i = 0; good && i < ARRAY_LEN(lists); i++)
		good = add_list(stream, lists[i]);
	return good && sha256_stream_end(stream, ret) == 0;
}

static bool copy_text(struct arena *arena, const char **text)
{
	*text = arena_strndup(arena, *text, strlen(*text));
	return *text;
}

static bool copy_list(struct arena *arena, struct string_list *list)
{
	const char **items = arena_alloc(arena, list->count * sizeof(*items));

	if (!items)
		return false;
	for (uint32_t i = 0; i < list->count; i++) {
		items[i] = list->items[i];
		if (!copy_text(arena, &items[i]))
			return false;
	}
	list->items = items;
	return true;
}

struct oidc_client *oidc_client_new(const struct idp_record *record)
{
	struct client *made = calloc(1, sizeof(*made));
	_cleanup_(destroyp) struct oidc_client *client = made ? &made->public : NULL;
	struct idp_record *own;

	if (!client)
		return NULL;
	arena_init(&made->arena);
	made->references = 1;
	own = &client->record;
	*own = *record;
	own->client_secret = secret_dup(record->client_secret, strlen(record->client_secret));
	own->client_key = secret_dup(record->client_key, strlen(record->client_key));
	if (!own->client_secret || !own->client_key || !copy_text(&made->arena, &own->id) ||
	    !copy_text(&made->arena, &own->tenant_id) || !copy_text(&made->arena, &own->name) ||
	    !copy_text(&made->arena, &own->issuer) || !copy_text(&made->arena, &own->client_id) ||
	    !copy_text(&made->arena, &own->hosted_domain) || !copy_text(&made->arena, &own->token_audience) ||
	    !copy_list(&made->arena, &own->scopes) || !copy_list(&made->arena, &own->acr) ||
	    !copy_list(&made->arena, &own->amr) || !copy_list(&made->arena, &own->domains) ||
	    !make_digest(record, client->digest))
		return NULL;
	return TAKE_PTR(client);
}

struct oidc_client *oidc_client_ref(struct oidc_client *client)
{
	(void)__atomic_add_fetch(&inside(client)->references, 1, __ATOMIC_RELAXED);
	return client;
}

void oidc_client_unref(struct oidc_client *client)
{
	if (client && __atomic_sub_fetch(&inside(client)->references, 1, __ATOMIC_ACQ_REL) == 0)
		destroy(client);
}
