/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "directory/compiled.h"
#include "directory/compiled_io.h"

struct writer {
	const struct unit *unit;
	struct buffer *out;
	uint32_t *bases; /* of each chunk in the block of texts */
	uint32_t last;   /* the chunk that the text before was found in */
	int error;
};

static void put_u8(struct writer *w, uint8_t value)
{
	buffer_add(w->out, &value, sizeof(value));
}

static void put_u32(struct writer *w, uint32_t value)
{
	value = htole32(value);
	buffer_add(w->out, &value, sizeof(value));
}

static void put_u64(struct writer *w, uint64_t value)
{
	value = htole64(value);
	buffer_add(w->out, &value, sizeof(value));
}

/* A text as its offset; offset 0 is "". */
static void put_text(struct writer *w, const char *text)
{
	const struct string_pool *pool = &w->unit->pool;

	if (!*text) {
		put_u32(w, 0);
		return;
	}
	for (uint32_t i = 0; i < pool->count; i++) {
		uint32_t at = (w->last + i) % pool->count;
		const struct pool_chunk *chunk = &pool->chunks[at];

		if (text >= chunk->data && text < chunk->data + chunk->used) {
			w->last = at;
			put_u32(w, w->bases[at] + (uint32_t)(text - chunk->data));
			return;
		}
	}
	w->error = -EINVAL; /* not one of this unit's: a bug, and no form is written */
}

static void put_texts(struct writer *w, const struct string_list *list)
{
	put_u32(w, list->count);
	for (uint32_t i = 0; i < list->count; i++)
		put_text(w, list->items[i]);
}

static void put_cidrs(struct writer *w, const struct cidr_list *list)
{
	put_u32(w, list->count);
	for (uint32_t i = 0; i < list->count; i++) {
		buffer_add(w->out, &list->items[i].address, sizeof(list->items[i].address));
		put_u8(w, list->items[i].prefix);
	}
}

static void put_sessions(struct writer *w, const struct session_rules *rules)
{
	put_u32(w, rules->max_per_user);
	put_u32(w, rules->max_per_tenant);
	put_u32(w, rules->max_age_sec);
	put_u32(w, rules->idle_sec);
	put_u32(w, rules->warn_sec);
	put_u32(w, rules->grace_sec);
	put_u32(w, rules->over);
	put_u32(w, rules->end_outside_hours);
	put_u32(w, rules->end_with_key);
}

static void put_tenant(struct writer *w, const struct tenant_record *tenant)
{
	put_text(w, tenant->id);
	put_text(w, tenant->slug);
	put_text(w, tenant->name);
	put_text(w, tenant->region);
	put_u32(w, tenant->gid);
	put_u32(w, tenant->id_first);
	put_u32(w, tenant->id_count);
	put_u32(w, tenant->id_next);
	put_u32(w, tenant->ssh_keys);
	put_sessions(w, &tenant->sessions);
	put_u32(w, tenant->key_warn_days);
	put_u32(w, tenant->suspended);
	put_u32(w, tenant->sudo_proof);
	put_u32(w, tenant->sudo_within_sec);
	put_cidrs(w, &tenant->allow_from);
	put_texts(w, &tenant->login_hours);
	put_u32(w, tenant->role_count);
	for (uint32_t i = 0; i < tenant->role_count; i++) {
		put_text(w, tenant->roles[i].name);
		put_u32(w, tenant->roles[i].tenant_wide);
		put_u32(w, tenant->roles[i].level);
		put_texts(w, &tenant->roles[i].actions);
	}
}

static void put_project(struct writer *w, const struct project_record *project)
{
	put_text(w, project->id);
	put_text(w, project->tenant_id);
	put_text(w, project->slug);
	put_u32(w, project->gid);
	put_cidrs(w, &project->allow_from);
}

static void put_user(struct writer *w, const struct user_record *user)
{
	put_text(w, user->id);
	put_text(w, user->tenant_id);
	put_text(w, user->login);
	put_text(w, user->name);
	put_text(w, user->email);
	put_text(w, user->home);
	put_text(w, user->shell);
	put_text(w, user->status_reason);
	put_u32(w, user->uid);
	put_u32(w, user->kind | (uint32_t)user->status << 8);
	put_u64(w, (uint64_t)user->sessions_valid_from);
	put_texts(w, &user->ssh_keys);
	put_u32(w, user->identity_count);
	for (uint32_t i = 0; i < user->identity_count; i++) {
		put_text(w, user->identities[i].issuer);
		put_text(w, user->identities[i].subject);
	}
}

static void put_member(struct writer *w, const struct member_record *member)
{
	put_text(w, member->user_id);
	put_text(w, member->project_id);
	put_text(w, member->tenant_id);
	put_text(w, member->role);
}

static void put_key(struct writer *w, const struct key_record *key)
{
	put_text(w, key->id);
	put_text(w, key->user_id);
	put_text(w, key->label);
	put_text(w, key->successor);
	put_text(w, key->revoked_reason);
	buffer_add(w->out, key->verifier, sizeof(key->verifier));
	put_u64(w, (uint64_t)key->created);
	put_u64(w, (uint64_t)key->not_before);
	put_u64(w, (uint64_t)key->not_after);
	put_u64(w, (uint64_t)key->revoked_at);
	put_texts(w, &key->projects);
	put_texts(w, &key->actions);
	put_texts(w, &key->services);
	put_cidrs(w, &key->from);
}

static void put_host(struct writer *w, const struct host_record *host)
{
	put_text(w, host->name);
	put_u32(w, host->rule_count);
	for (uint32_t i = 0; i < host->rule_count; i++) {
		put_text(w, host->rules[i].project_id);
		put_texts(w, &host->rules[i].login);
		put_texts(w, &host->rules[i].sudo);
		put_texts(w, &host->rules[i].services);
	}
}

/* As it is: what is wiped in memory has no place in the block of texts. */
static void put_secret(struct writer *w, const char *secret)
{
	size_t length = strlen(secret);

	put_u32(w, (uint32_t)length);
	buffer_add(w->out, secret, length);
}

static void put_idp(struct writer *w, const struct idp_record *idp)
{
	put_text(w, idp->id);
	put_text(w, idp->tenant_id);
	put_text(w, idp->name);
	put_text(w, idp->issuer);
	put_text(w, idp->client_id);
	put_text(w, idp->hosted_domain);
	put_text(w, idp->token_audience);
	put_u32(w, idp->kind);
	put_u32(w, idp->client_auth);
	put_u32(w, idp->bind);
	put_u32(w, idp->max_age_sec);
	put_u32(w, idp->preferred);
	put_secret(w, idp->client_secret);
	put_secret(w, idp->client_key);
	put_texts(w, &idp->scopes);
	put_texts(w, &idp->acr);
	put_texts(w, &idp->amr);
	put_texts(w, &idp->domains);
}

static void put_grant(struct writer *w, const struct grant_record *grant)
{
	put_text(w, grant->id);
	put_text(w, grant->tenant_id);
	put_text(w, grant->user_id);
	put_text(w, grant->operator_id);
	put_text(w, grant->operator_name);
	put_text(w, grant->reason);
	put_u64(w, (uint64_t)grant->not_before);
	put_u64(w, (uint64_t)grant->not_after);
}

static void put_records(struct writer *w)
{
	const struct record_set *records = &w->unit->records;

	for (uint32_t i = 0; i < records->tenant_count; i++)
		put_tenant(w, &records->tenants[i]);
	for (uint32_t i = 0; i < records->project_count; i++)
		put_project(w, &records->projects[i]);
	for (uint32_t i = 0; i < records->user_count; i++)
		put_user(w, &records->users[i]);
	for (uint32_t i = 0; i < records->member_count; i++)
		put_member(w, &records->members[i]);
	for (uint32_t i = 0; i < records->key_count; i++)
		put_key(w, &records->keys[i]);
	for (uint32_t i = 0; i < records->host_count; i++)
		put_host(w, &records->hosts[i]);
	for (uint32_t i = 0; i < records->idp_count; i++)
		put_idp(w, &records->idps[i]);
	for (uint32_t i = 0; i < records->grant_count; i++)
		put_grant(w, &records->grants[i]);
}

static void put_header(struct writer *w, uint32_t text_bytes)
{
	char build[COMPILED_BUILD_BYTES] = {0};

	strncpy(build, TENANTD_VERSION, sizeof(build) - 1);
	buffer_add(w->out, COMPILED_MAGIC, COMPILED_MAGIC_BYTES);
	buffer_add(w->out, build, sizeof(build));
	buffer_add(w->out, w->unit->source_hash, SHA256_BYTES);
	put_u64(w, w->unit->source_bytes);
	put_u32(w, text_bytes);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		put_u32(w, records_count(&w->unit->records, kind));
}

int compiled_write(const struct unit *unit, struct buffer *ret)
{
	const struct string_pool *pool = &unit->pool;
	_cleanup_(freep) uint32_t *bases = calloc(pool->count + 1, sizeof(*bases));
	struct writer w = {.unit = unit, .out = ret, .bases = bases};
	uint64_t text_bytes = 1; /* the NUL that "" is */

	if (!bases)
		return -ENOMEM;
	for (uint32_t i = 0; i < pool->count; i++) {
		bases[i] = (uint32_t)text_bytes;
		text_bytes += pool->chunks[i].used;
		if (text_bytes > UINT32_MAX)
			return -EFBIG;
	}
	put_header(&w, (uint32_t)text_bytes);
	put_u8(&w, 0);
	for (uint32_t i = 0; i < pool->count; i++)
		buffer_add(ret, pool->chunks[i].data, pool->chunks[i].used);
	put_records(&w);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		for (uint32_t i = 0; i < records_count(&unit->records, kind); i++) {
			put_u32(&w, unit->places[kind][i].line);
			put_u32(&w, unit->places[kind][i].column);
		}
	if (ret->failed)
		return -ENOMEM;
	return w.error;
}
