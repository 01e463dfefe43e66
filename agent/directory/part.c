/* SPDX-License-Identifier: MIT */
#include "directory/part_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* ---- units ----------------------------------------------------------------------------------------- */

static const struct unit *find_unit(const struct part *part, enum record_kind kind, const void *record,
				    uint32_t *ret_index)
{
	for (uint32_t u = 0; u < part->unit_count; u++) {
		uint32_t n = records_count(&part->units[u]->records, kind);
		const char *first = n ? records_at(&part->units[u]->records, kind, 0) : NULL;
		size_t size = record_size(kind);

		if (n && (const char *)record >= first && (const char *)record < first + n * size) {
			*ret_index = (uint32_t)(((const char *)record - first) / (ptrdiff_t)size);
			return part->units[u];
		}
	}
	return NULL;
}

void part_blame(const struct part *part, enum record_kind kind, const void *record, struct problem *problem)
{
	uint32_t index;
	const struct unit *unit = find_unit(part, kind, record, &index);

	if (unit) {
		struct place place = unit_place(unit, kind, index);

		problem_at(problem, unit->name, place.line, place.column);
	}
}

char *part_where(const struct part *part, enum record_kind kind, const void *record, char out[WHERE_TEXT_SIZE])
{
	uint32_t index;
	const struct unit *unit;

	out[0] = '\0';
	if (part->tenant_id) { /* all of a feed's units bear its name, and there are no lines */
		snprintf(out, WHERE_TEXT_SIZE, "%.*s", PROBLEM_FILE_MAX, part->units[0]->name);
		return out;
	}
	unit = find_unit(part, kind, record, &index);
	if (unit)
		snprintf(out, WHERE_TEXT_SIZE, "%.*s:%u", PROBLEM_FILE_MAX, unit->name,
			 unit_place(unit, kind, index).line);
	return out;
}

bool part_holds(const struct part *part, struct unit *const *units, uint32_t count)
{
	return part->unit_count == count && memcmp(part->units, units, count * sizeof(*units)) == 0;
}

const void *part_at(const struct part *part, enum record_kind kind, uint32_t number)
{
	const uint32_t *base = part->base[kind];
	uint32_t low = 0, high = part->unit_count;

	if (number >= base[part->unit_count])
		return NULL;
	/* The last unit that starts at or before the number, empty ones left behind. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (base[middle] <= number)
			low = middle;
		else
			high = middle;
	}
	return records_at(&part->units[low]->records, kind, number - base[low]);
}

static int compare_unit(const void *a, const void *b)
{
	const struct unit *const *x = a, *const *y = b;

	return (uintptr_t)*x < (uintptr_t)*y ? -1 : (uintptr_t)*x > (uintptr_t)*y;
}

/* What stands in both lists goes from both. */
static void drop_common(struct part_difference *difference)
{
	uint32_t gone = 0, came = 0, gone_kept = 0, came_kept = 0;

	qsort(difference->gone, difference->gone_count, sizeof(struct unit *), compare_unit);
	qsort(difference->came, difference->came_count, sizeof(struct unit *), compare_unit);
	while (gone < difference->gone_count || came < difference->came_count) {
		struct unit *x = gone < difference->gone_count ? difference->gone[gone] : NULL;
		struct unit *y = came < difference->came_count ? difference->came[came] : NULL;

		if (x && x == y) {
			gone++;
			came++;
		} else if (x && (!y || (uintptr_t)x < (uintptr_t)y)) {
			difference->gone[gone_kept++] = x;
			gone++;
		} else {
			difference->came[came_kept++] = y;
			came++;
		}
	}
	difference->gone_count = gone_kept;
	difference->came_count = came_kept;
}

int part_differ(const struct part *before, const struct part *after, struct part_difference *ret)
{
	uint32_t then = before ? before->unit_count : 0, now = after ? after->unit_count : 0;

	*ret = (struct part_difference){0};
	ret->gone = calloc((size_t)then + 1, sizeof(struct unit *));
	ret->came = calloc((size_t)now + 1, sizeof(struct unit *));
	if (!ret->gone || !ret->came) {
		part_difference_finish(ret);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < MAX_OF(then, now); i++) {
		if (i < then && i < now && before->units[i] == after->units[i])
			continue;
		if (i < then)
			ret->gone[ret->gone_count++] = before->units[i];
		if (i < now)
			ret->came[ret->came_count++] = after->units[i];
	}
	if (ret->gone_count > 0 && ret->came_count > 0)
		drop_common(ret);
	return 0;
}

void part_difference_finish(struct part_difference *difference)
{
	free(difference->gone);
	free(difference->came);
	*difference = (struct part_difference){0};
}

/* ---- making -------------------------------------------------------------------------------------------- */

static int count_bases(struct part *part, struct problem *problem)
{
	uint64_t total[RECORD_KIND_COUNT] = {0};

	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		part->base[kind] = calloc((size_t)part->unit_count + 1, sizeof(**part->base));
		if (!part->base[kind])
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < part->unit_count; i++)
		for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
			total[kind] += records_count(&part->units[i]->records, kind);
			if (total[kind] > LOOKUP_VALUES_MAX)
				return problem_set(problem, EINVAL, "more than %u records of one kind",
						   LOOKUP_VALUES_MAX);
			part->base[kind][i + 1] = (uint32_t)total[kind];
		}
	return 0;
}

/* The name itself beats every pattern, a longer pattern a shorter one. */
static const struct host_record *choose_host(const struct part *part, const char *host_name)
{
	const struct host_record *host = part_host_by_name(part, host_name);
	char pattern[HOST_NAME_SIZE + 1];

	for (size_t length = strnlen(host_name, HOST_NAME_SIZE - 1) + 1; !host && length > 0; length--) {
		snprintf(pattern, sizeof(pattern), "%.*s*", (int)(length - 1), host_name);
		host = part_host_by_name(part, pattern);
	}
	return host;
}

static int fill(struct part *part, const char *host_name, const struct part *before,
		const struct part_difference *difference, struct problem *problem)
{
	int r = count_bases(part, problem);

	for (unsigned by = 0; r == 0 && by < BY_COUNT; by++)
		r = part_make_index(part, by, before, difference, problem);
	if (r < 0)
		return r;
	part->host = choose_host(part, host_name);
	if (before && !part_structure_changed(part, before, difference))
		part->groups = groups_ref(before->groups);
	else
		r = groups_new(part, &part->groups, problem);
	return r < 0 ? r : part_check(part, before, difference, problem);
}

int part_new(struct unit *const *units, uint32_t count, const char *host_name, const struct part *before,
	     struct part **ret, struct problem *problem)
{
	_cleanup_(part_unrefp) struct part *part = calloc(1, sizeof(*part));
	struct part_difference difference;
	const char *tenant_id = count ? unit_source(units[0]) : NULL;
	int r;

	if (!part)
		return -ENOMEM;
	atomic_init(&part->references, 1);
	if (count > UNITS_MAX)
		return problem_set(problem, EINVAL, "more than %u files", UNITS_MAX);
	part->tenant_id = tenant_id ? strdup(tenant_id) : NULL;
	part->units = calloc(count ? count : 1, sizeof(struct unit *));
	if (!part->units || (tenant_id && !part->tenant_id))
		return -ENOMEM;
	for (; part->unit_count < count; part->unit_count++)
		part->units[part->unit_count] = unit_ref(units[part->unit_count]);
	r = part_differ(before, part, &difference);
	if (r < 0)
		return r;
	r = fill(part, host_name, before, &difference, problem);
	part_difference_finish(&difference);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(part);
	return 0;
}

struct part *part_ref(struct part *part)
{
	atomic_fetch_add_explicit(&part->references, 1, memory_order_relaxed);
	return part;
}

void part_unref(struct part *part)
{
	if (!part || atomic_fetch_sub_explicit(&part->references, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned by = 0; by < BY_COUNT; by++)
		index_finish(&part->by[by]);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		free(part->base[kind]);
	for (uint32_t u = 0; u < part->unit_count; u++)
		unit_unref(part->units[u]);
	groups_unref(part->groups);
	free(part->units);
	free(part->tenant_id);
	free(part);
}

/* ---- look-ups ------------------------------------------------------------------------------------------ */

#define FIND(part, which, type, hash, matches)                                     \
	({                                                                         \
		uint64_t hash_ = (hash);                                           \
		uint32_t cursor_ = 0;                                              \
		const struct type *record;                                         \
		while ((record = index_next(&(part)->by[which], hash_, &cursor_))) \
			if (matches)                                               \
				break;                                             \
		record;                                                            \
	})

const struct tenant_record *part_tenant(const struct part *part, const char *id)
{
	return FIND(part, BY_TENANT_ID, tenant_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct tenant_record *part_tenant_by_slug(const struct part *part, const char *slug)
{
	return FIND(part, BY_TENANT_SLUG, tenant_record, hash_text(slug), strcmp(record->slug, slug) == 0);
}

const struct project_record *part_project(const struct part *part, const char *id)
{
	return FIND(part, BY_PROJECT_ID, project_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct project_record *part_project_by_slug(const struct part *part, const char *tenant_id, const char *slug)
{
	return FIND(part, BY_PROJECT_SLUG, project_record, part_hash_slug(tenant_id, slug),
		    strcmp(record->slug, slug) == 0 && strcmp(record->tenant_id, tenant_id) == 0);
}

const struct user_record *part_user(const struct part *part, const char *id)
{
	return FIND(part, BY_USER_ID, user_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct user_record *part_user_by_login(const struct part *part, const char *login)
{
	return FIND(part, BY_LOGIN, user_record, hash_text(login), strcmp(record->login, login) == 0);
}

const struct user_record *part_user_by_uid(const struct part *part, uint32_t uid)
{
	return FIND(part, BY_UID, user_record, hash_u32(uid), record->uid == uid);
}

const struct key_record *part_key(const struct part *part, const char *id)
{
	return FIND(part, BY_KEY_ID, key_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct host_record *part_host_by_name(const struct part *part, const char *name)
{
	return FIND(part, BY_HOST_NAME, host_record, part_hash_host(name), strcasecmp(record->name, name) == 0);
}

const struct token_key_record *part_token_key(const struct part *part, const char *id)
{
	return FIND(part, BY_TOKEN_KEY, token_key_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct revocation_record *part_revocation(const struct part *part, const char *id)
{
	return FIND(part, BY_REVOCATION, revocation_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct idp_record *part_idp(const struct part *part, const char *id)
{
	return FIND(part, BY_IDP_ID, idp_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct grant_record *part_grant(const struct part *part, const char *id)
{
	return FIND(part, BY_GRANT_ID, grant_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct grant_record *part_grant_of(const struct part *part, const char *user_id)
{
	return FIND(part, BY_GRANT_USER, grant_record, hash_text(user_id), strcmp(record->user_id, user_id) == 0);
}

const struct revocation_record *part_session_orders(const struct part *part, const char *tenant_id, uint32_t *cursor)
{
	uint64_t hash = hash_text(tenant_id);
	const struct revocation_record *order;

	while ((order = index_next(&part->by[BY_SESSION_ORDER], hash, cursor)))
		if (strcmp(order->tenant_id, tenant_id) == 0)
			return order;
	return NULL;
}

const struct user_record *part_user_by_identity(const struct part *part, const char *tenant_id, const char *issuer,
						const char *subject)
{
	return FIND(part, BY_IDENTITY, user_record, part_hash_identity(tenant_id, issuer, subject),
		    strcmp(record->tenant_id, tenant_id) == 0 && part_find_identity(record, issuer, subject));
}

const struct idp_record *part_tenant_idps(const struct part *part, const char *tenant_id, uint32_t *cursor)
{
	uint64_t hash = hash_text(tenant_id);
	const struct idp_record *idp;

	while ((idp = index_next(&part->by[BY_IDP_TENANT], hash, cursor)))
		if (strcmp(idp->tenant_id, tenant_id) == 0)
			return idp;
	return NULL;
}

const struct member_record *part_user_members(const struct part *part, const char *user_id, uint32_t *cursor)
{
	uint64_t hash = hash_text(user_id);
	const struct member_record *member;

	while ((member = index_next(&part->by[BY_MEMBER_USER], hash, cursor)))
		if (strcmp(member->user_id, user_id) == 0)
			return member;
	return NULL;
}

const struct key_record *part_user_keys(const struct part *part, const char *user_id, uint32_t *cursor)
{
	uint64_t hash = hash_text(user_id);
	const struct key_record *key;

	while ((key = index_next(&part->by[BY_KEY_USER], hash, cursor)))
		if (strcmp(key->user_id, user_id) == 0)
			return key;
	return NULL;
}
