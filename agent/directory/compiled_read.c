/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "directory/compiled.h"
#include "directory/compiled_io.h"

#define LIST_ITEMS_MAX 4096U

/* Reads past the end give zeros and set `bad`, which is looked at before anything is kept. */
struct reader {
	const unsigned char *data;
	size_t left;
	struct unit *unit;
	const char *texts;
	uint32_t text_bytes;
	bool any_build;
	bool bad, memory;
};

static const void *take(struct reader *r, size_t size)
{
	const unsigned char *at = r->data;

	if (size > r->left) {
		r->bad = true;
		r->left = 0;
		return NULL;
	}
	r->data += size;
	r->left -= size;
	return at;
}

static uint32_t get_u32(struct reader *r)
{
	const void *at = take(r, 4);
	uint32_t value = 0;

	if (at)
		memcpy(&value, at, 4);
	return le32toh(value);
}

static uint64_t get_u64(struct reader *r)
{
	const void *at = take(r, 8);
	uint64_t value = 0;

	if (at)
		memcpy(&value, at, 8);
	return le64toh(value);
}

/* The block ends in a NUL, so any offset inside it is a terminated text. */
static const char *get_text(struct reader *r)
{
	uint32_t offset = get_u32(r);

	if (offset >= r->text_bytes) {
		r->bad = true;
		return "";
	}
	return offset ? r->texts + offset : "";
}

static uint32_t get_choice(struct reader *r, uint32_t last)
{
	uint32_t value = get_u32(r);

	if (value > last) {
		r->bad = true;
		return 0;
	}
	return value;
}

/* Room for a list whose items take `item_bytes` each in the form. */
static void *get_list(struct reader *r, uint32_t *ret_count, size_t item_bytes, size_t item_size)
{
	uint32_t count = get_u32(r);
	void *items;

	*ret_count = 0;
	if (count == 0)
		return NULL;
	if (count > LIST_ITEMS_MAX || (size_t)count * item_bytes > r->left) {
		r->bad = true;
		return NULL;
	}
	items = arena_alloc(&r->unit->arena, count * item_size);
	if (!items) {
		r->memory = r->bad = true;
		return NULL;
	}
	*ret_count = count;
	return items;
}

static struct string_list get_texts(struct reader *r)
{
	struct string_list list;

	list.items = get_list(r, &list.count, 4, sizeof(*list.items));
	for (uint32_t i = 0; i < list.count; i++)
		list.items[i] = get_text(r);
	return list;
}

static struct cidr_list get_cidrs(struct reader *r)
{
	struct cidr_list list;

	list.items = get_list(r, &list.count, sizeof(struct in6_addr) + 1, sizeof(*list.items));
	for (uint32_t i = 0; i < list.count; i++) {
		const unsigned char *at = take(r, sizeof(struct in6_addr) + 1);

		if (!at)
			break;
		memcpy(&list.items[i].address, at, sizeof(struct in6_addr));
		list.items[i].prefix = at[sizeof(struct in6_addr)];
		r->bad |= list.items[i].prefix > 128;
	}
	return list;
}

static struct session_rules get_sessions(struct reader *r)
{
	struct session_rules rules = {.max_per_user = get_u32(r)};

	rules.max_per_tenant = get_u32(r);
	rules.max_age_sec = get_u32(r);
	rules.idle_sec = get_u32(r);
	rules.warn_sec = get_u32(r);
	rules.grace_sec = get_u32(r);
	r->bad |= rules.grace_sec > SESSION_GRACE_MAX_SEC;
	rules.over = get_choice(r, SESSION_OVER_END_OLDEST);
	rules.end_outside_hours = get_choice(r, 1);
	rules.end_with_key = get_choice(r, 1);
	return rules;
}

static void get_tenant(struct reader *r, struct tenant_record *tenant)
{
	*tenant = (struct tenant_record){.id = get_text(r)};
	tenant->slug = get_text(r);
	tenant->name = get_text(r);
	tenant->region = get_text(r);
	tenant->gid = get_u32(r);
	tenant->id_first = get_u32(r);
	tenant->id_count = get_u32(r);
	tenant->id_next = get_u32(r);
	tenant->ssh_keys = get_choice(r, SSH_KEYS_ANY);
	tenant->sessions = get_sessions(r);
	tenant->key_warn_days = get_u32(r);
	tenant->suspended = get_choice(r, 1);
	tenant->sudo_proof = get_choice(r, SUDO_PROOF_NONE);
	tenant->sudo_within_sec = get_u32(r);
	tenant->allow_from = get_cidrs(r);
	tenant->login_hours = get_texts(r);
	tenant->roles = get_list(r, &tenant->role_count, 16, sizeof(*tenant->roles));
	for (uint32_t i = 0; i < tenant->role_count; i++) {
		tenant->roles[i].name = get_text(r);
		tenant->roles[i].tenant_wide = get_choice(r, 1);
		tenant->roles[i].level = get_choice(r, GROUP_LEVEL_COUNT - 1);
		tenant->roles[i].actions = get_texts(r);
	}
}

static void get_project(struct reader *r, struct project_record *project)
{
	project->id = get_text(r);
	project->tenant_id = get_text(r);
	project->slug = get_text(r);
	project->gid = get_u32(r);
	project->allow_from = get_cidrs(r);
}

static void get_user(struct reader *r, struct user_record *user)
{
	uint32_t kind;

	user->id = get_text(r);
	user->tenant_id = get_text(r);
	user->login = get_text(r);
	user->name = get_text(r);
	user->email = get_text(r);
	user->home = get_text(r);
	user->shell = get_text(r);
	user->status_reason = get_text(r);
	user->uid = get_u32(r);
	kind = get_u32(r);
	r->bad |= (kind & 0xff) > USER_OPERATOR || kind >> 8 > USER_SUSPENDED;
	user->kind = (enum user_kind)(kind & 0xff);
	user->status = kind >> 8 == USER_ACTIVE ? USER_ACTIVE : USER_SUSPENDED;
	user->sessions_valid_from = (int64_t)get_u64(r);
	user->ssh_keys = get_texts(r);
	user->identities = get_list(r, &user->identity_count, 8, sizeof(*user->identities));
	for (uint32_t i = 0; i < user->identity_count; i++) {
		user->identities[i].issuer = get_text(r);
		user->identities[i].subject = get_text(r);
	}
}

static void get_member(struct reader *r, struct member_record *member)
{
	member->user_id = get_text(r);
	member->project_id = get_text(r);
	member->tenant_id = get_text(r);
	member->role = get_text(r);
}

static void get_key(struct reader *r, struct key_record *key)
{
	const void *verifier;

	key->id = get_text(r);
	key->user_id = get_text(r);
	key->label = get_text(r);
	key->successor = get_text(r);
	key->revoked_reason = get_text(r);
	verifier = take(r, SHA256_BYTES);
	if (verifier)
		memcpy(key->verifier, verifier, SHA256_BYTES);
	key->created = (int64_t)get_u64(r);
	key->not_before = (int64_t)get_u64(r);
	key->not_after = (int64_t)get_u64(r);
	key->revoked_at = (int64_t)get_u64(r);
	key->projects = get_texts(r);
	key->actions = get_texts(r);
	key->services = get_texts(r);
	key->from = get_cidrs(r);
}

static void get_host(struct reader *r, struct host_record *host)
{
	host->id = host->tenant_id = "";
	host->name = get_text(r);
	host->rules = get_list(r, &host->rule_count, 16, sizeof(*host->rules));
	for (uint32_t i = 0; i < host->rule_count; i++) {
		host->rules[i].project_id = get_text(r);
		host->rules[i].login = get_texts(r);
		host->rules[i].sudo = get_texts(r);
		host->rules[i].services = get_texts(r);
	}
}

static const char *get_secret(struct reader *r)
{
	uint32_t length = get_u32(r);
	const char *at = take(r, length), *kept;

	if (!at || length == 0)
		return "";
	if (memchr(at, '\0', length)) {
		r->bad = true;
		return "";
	}
	kept = unit_keep_secret(r->unit, at, length);
	if (!kept)
		r->memory = r->bad = true;
	return kept ? kept : "";
}

static void get_idp(struct reader *r, struct idp_record *idp)
{
	*idp = (struct idp_record){.id = get_text(r)};
	idp->tenant_id = get_text(r);
	idp->name = get_text(r);
	idp->issuer = get_text(r);
	idp->client_id = get_text(r);
	idp->hosted_domain = get_text(r);
	idp->token_audience = get_text(r);
	idp->kind = get_choice(r, IDP_TENANTD);
	idp->client_auth = get_choice(r, IDP_CLIENT_PRIVATE_KEY_JWT);
	idp->bind = get_choice(r, IDP_BIND_VERIFIED_EMAIL);
	idp->max_age_sec = get_u32(r);
	idp->preferred = get_choice(r, 1);
	idp->client_secret = get_secret(r);
	idp->client_key = get_secret(r);
	idp->scopes = get_texts(r);
	idp->acr = get_texts(r);
	idp->amr = get_texts(r);
	idp->domains = get_texts(r);
}

static void get_grant(struct reader *r, struct grant_record *grant)
{
	grant->id = get_text(r);
	grant->tenant_id = get_text(r);
	grant->user_id = get_text(r);
	grant->operator_id = get_text(r);
	grant->operator_name = get_text(r);
	grant->reason = get_text(r);
	grant->not_before = (int64_t)get_u64(r);
	grant->not_after = (int64_t)get_u64(r);
	r->bad |= grant->not_after == 0;
}

static int get_header(struct reader *r, const uint8_t source_hash[SHA256_BYTES], uint32_t counts[RECORD_KIND_COUNT])
{
	static const uint32_t least[RECORD_KIND_COUNT] = {
		[RECORD_TENANT] = COMPILED_TENANT_MIN, [RECORD_PROJECT] = COMPILED_PROJECT_MIN,
		[RECORD_USER] = COMPILED_USER_MIN,     [RECORD_MEMBER] = COMPILED_MEMBER_MIN,
		[RECORD_KEY] = COMPILED_KEY_MIN,       [RECORD_HOST] = COMPILED_HOST_MIN,
		[RECORD_IDP] = COMPILED_IDP_MIN,       [RECORD_GRANT] = COMPILED_GRANT_MIN,
	};
	char build[COMPILED_BUILD_BYTES] = {0};
	const void *magic = take(r, COMPILED_MAGIC_BYTES), *made_by = take(r, sizeof(build)),
		   *hash = take(r, SHA256_BYTES);
	uint64_t total = 0;

	strncpy(build, TENANTD_VERSION, sizeof(build) - 1);
	if (!hash || memcmp(magic, COMPILED_MAGIC, COMPILED_MAGIC_BYTES) != 0 ||
	    (!r->any_build && memcmp(made_by, build, sizeof(build)) != 0) ||
	    memcmp(hash, source_hash, SHA256_BYTES) != 0)
		return -EBADMSG;
	memcpy(r->unit->source_hash, hash, SHA256_BYTES);
	r->unit->source_bytes = get_u64(r);
	r->text_bytes = get_u32(r);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		counts[kind] = get_u32(r);
		r->bad |= counts[kind] > 0 && !record_kind_of_files(kind);
		total += (uint64_t)counts[kind] * (least[kind] + 8);
	}
	/* All records and texts must fit into what is there: nothing is allocated on a lie. */
	if (r->bad || r->text_bytes == 0 || total + r->text_bytes > r->left)
		return -EBADMSG;
	return 0;
}

static int get_pool(struct reader *r)
{
	const void *texts = take(r, r->text_bytes);
	char *copy;

	if (pool_reserve(&r->unit->pool, r->text_bytes, &copy) < 0)
		return -ENOMEM;
	memcpy(copy, texts, r->text_bytes);
	r->texts = copy;
	return copy[0] == '\0' && copy[r->text_bytes - 1] == '\0' ? 0 : -EBADMSG;
}

static void get_records(struct reader *r, const uint32_t counts[RECORD_KIND_COUNT])
{
	struct record_set *records = &r->unit->records;

	/* Reserved by the caller. Counts are set as records become whole, so a half-built unit can be freed. */
	for (; records->tenant_count < counts[RECORD_TENANT]; records->tenant_count++)
		get_tenant(r, &records->tenants[records->tenant_count]);
	for (; records->project_count < counts[RECORD_PROJECT]; records->project_count++)
		get_project(r, &records->projects[records->project_count]);
	for (; records->user_count < counts[RECORD_USER]; records->user_count++)
		get_user(r, &records->users[records->user_count]);
	for (; records->member_count < counts[RECORD_MEMBER]; records->member_count++)
		get_member(r, &records->members[records->member_count]);
	for (; records->key_count < counts[RECORD_KEY]; records->key_count++)
		get_key(r, &records->keys[records->key_count]);
	for (; records->host_count < counts[RECORD_HOST]; records->host_count++)
		get_host(r, &records->hosts[records->host_count]);
	for (; records->idp_count < counts[RECORD_IDP]; records->idp_count++)
		get_idp(r, &records->idps[records->idp_count]);
	for (; records->grant_count < counts[RECORD_GRANT]; records->grant_count++)
		get_grant(r, &records->grants[records->grant_count]);
}

static int get_places(struct reader *r, const uint32_t counts[RECORD_KIND_COUNT])
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		for (uint32_t i = 0; i < counts[kind]; i++) {
			r->unit->places[kind][i].line = get_u32(r);
			r->unit->places[kind][i].column = (uint16_t)get_u32(r);
		}
	return r->bad || r->left > 0 ? -EBADMSG : 0;
}

static int read_form(const char *name, const uint8_t source_hash[SHA256_BYTES], const void *data, size_t length,
		     bool any_build, struct unit **ret)
{
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	struct reader reader = {.data = data, .left = length, .any_build = any_build};
	uint32_t counts[RECORD_KIND_COUNT];
	int r = unit_new(name, &unit);

	if (r < 0)
		return r;
	reader.unit = unit;
	r = get_header(&reader, source_hash, counts);
	if (r == 0)
		r = get_pool(&reader);
	for (unsigned kind = 0; r == 0 && kind < RECORD_KIND_COUNT; kind++)
		r = unit_reserve(unit, kind, counts[kind]);
	if (r < 0)
		return r;
	get_records(&reader, counts);
	if (reader.memory)
		return -ENOMEM;
	r = reader.bad ? -EBADMSG : get_places(&reader, counts);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(unit);
	return 0;
}

int compiled_read(const char *name, const uint8_t source_hash[SHA256_BYTES], const void *data, size_t length,
		  struct unit **ret)
{
	return read_form(name, source_hash, data, length, false, ret);
}

int compiled_read_last(const char *name, const uint8_t source_hash[SHA256_BYTES], const void *data, size_t length,
		       struct unit **ret)
{
	return read_form(name, source_hash, data, length, true, ret);
}
