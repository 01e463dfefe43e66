/* SPDX-License-Identifier: MIT
 *
 * The picture: parts, what they claim against each other, and every look-up. See directory.h and picture.h.
 */
#include "directory/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define CURSOR_PART_SHIFT 24U /* a membership's cursor: which part, and where in its index */
#define CURSOR_PLACE ((1U << CURSOR_PART_SHIFT) - 1)

static atomic_ullong generations;

/* ---- making ------------------------------------------------------------------------------------------- */

const struct part *directory_part(const struct directory *d, const char *tenant_id)
{
	for (uint32_t i = 0; i < d->part_count; i++)
		if (text_equal(d->parts[i]->tenant_id, tenant_id))
			return d->parts[i];
	return NULL;
}

static bool same_source(const struct unit *a, const struct unit *b)
{
	return a->tenant_id == b->tenant_id || text_equal(a->tenant_id, b->tenant_id);
}

/* The part of `before` over exactly these units, or a new one. */
static int add_part(struct directory *d, struct unit *const *units, uint32_t count, const char *host_name,
		    const struct directory *before, struct problem *problem)
{
	const struct part *last = before ? directory_part(before, unit_source(units[0])) : NULL;
	struct part **parts = reallocarray(d->parts, d->part_count + 1, sizeof(struct part *));
	int r = 0;

	if (!parts)
		return -ENOMEM;
	d->parts = parts;
	if (d->part_count == SOURCES_MAX)
		return problem_set(problem, EINVAL, "more than %u sources", SOURCES_MAX);
	if (last && part_holds(last, units, count))
		parts[d->part_count] = part_ref((struct part *)(uintptr_t)last);
	else
		r = part_new(units, count, host_name, last, &parts[d->part_count], problem);
	if (r == 0)
		d->part_count++;
	return r;
}

/* One part for each source, in the order in which they come first. */
static int add_parts(struct directory *d, struct unit *const *units, uint32_t count, const char *host_name,
		     const struct directory *before, const char **ret_source, struct problem *problem)
{
	_cleanup_(freep) struct unit **chosen = calloc((size_t)count + 1, sizeof(*chosen));
	_cleanup_(freep) bool *taken = calloc((size_t)count + 1, sizeof(*taken));
	uint32_t first = 0;

	if (!chosen || !taken)
		return -ENOMEM;
	for (;;) {
		uint32_t n = 0;
		int r;

		while (first < count && taken[first])
			first++;
		if (first == count)
			return 0;
		for (uint32_t i = first; i < count; i++)
			if (!taken[i] && same_source(units[i], units[first])) {
				chosen[n++] = units[i];
				taken[i] = true;
			}
		r = add_part(d, chosen, n, host_name, before, problem);
		if (r < 0) {
			*ret_source = unit_source(units[first]);
			return r;
		}
	}
}

/* The rules of all parts' records for this host, but for projects that are left out. */
static int join_hosts(struct directory *d)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < d->part_count; i++) {
		const struct host_record *host = d->parts[i]->host;

		if (!host)
			continue;
		if (!d->has_host) {
			d->host = *host;
			d->host.rules = NULL;
			d->host.rule_count = 0;
			d->has_host = true;
		}
		most += host->rule_count;
	}
	if (most == 0)
		return 0;
	d->host.rules = calloc(most, sizeof(*d->host.rules));
	if (!d->host.rules)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->part_count; i++) {
		const struct part *part = d->parts[i];

		for (uint32_t k = 0; part->host && k < part->host->rule_count; k++)
			if (conflicts_spare(d->conflicts, part, RECORD_PROJECT,
					    part_project(part, part->host->rules[k].project_id)))
				d->host.rules[d->host.rule_count++] = part->host->rules[k];
	}
	return 0;
}

static int finish(struct directory *d, const struct directory *before)
{
	int r = conflicts_find(d, before, &d->conflicts);

	if (r == 0)
		r = join_hosts(d);
	if (r == 0 && before)
		r = directory_note_changes(d, before);
	if (r == 0)
		d->generation = atomic_fetch_add(&generations, 1) + 1;
	return r;
}

int directory_join(const struct directory *files, struct unit *const *feed_units, uint32_t count, const char *host_name,
		   const struct directory *before, struct directory **ret, const char **ret_source,
		   struct problem *problem)
{
	_cleanup_(directory_unrefp) struct directory *d = calloc(1, sizeof(*d));
	const struct part *part;
	const char *source = NULL;
	int r;

	if (!d)
		return -ENOMEM;
	atomic_init(&d->references, 1);
	d->built_from = before ? before->generation : 0;
	part = files ? directory_part(files, NULL) : NULL;
	if (part) {
		d->parts = calloc(1, sizeof(struct part *));
		if (!d->parts)
			return -ENOMEM;
		d->parts[d->part_count++] = part_ref((struct part *)(uintptr_t)part);
	}
	r = add_parts(d, feed_units, count, host_name ? host_name : "", before, &source, problem);
	if (r == 0)
		r = finish(d, before);
	if (r < 0) {
		if (ret_source)
			*ret_source = source;
		return r;
	}
	*ret = TAKE_PTR(d);
	return 0;
}

int directory_build(struct unit *const *units, uint32_t count, const char *host_name, const struct directory *before,
		    struct directory **ret, struct problem *problem)
{
	return directory_join(NULL, units, count, host_name, before, ret, NULL, problem);
}

struct directory *directory_ref(struct directory *d)
{
	atomic_fetch_add_explicit(&d->references, 1, memory_order_relaxed);
	return d;
}

void directory_unref(struct directory *d)
{
	if (!d || atomic_fetch_sub_explicit(&d->references, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < d->part_count; i++)
		part_unref(d->parts[i]);
	conflicts_unref(d->conflicts);
	free(d->parts);
	free(d->host.rules);
	free(d->changes);
	free(d->touched);
	free(d);
}

/* ---- look-ups ------------------------------------------------------------------------------------------ */

/* What `call`, which sees `part`, gives in the first part that has it, unless it is left out. */
#define IN_PARTS(d, kind, call)                                                                               \
	({                                                                                                    \
		typeof(({                                                                                     \
			const struct part *part = NULL;                                                       \
			(void)part;                                                                           \
			call;                                                                                 \
		})) found_ = NULL;                                                                            \
		for (uint32_t i_ = 0; i_ < (d)->part_count && !found_; i_++) {                                \
			const struct part *part = (d)->parts[i_];                                             \
			found_ = call;                                                                        \
			if (found_ && (d)->conflicts && !conflicts_spare((d)->conflicts, part, kind, found_)) \
				found_ = NULL;                                                                \
		}                                                                                             \
		found_;                                                                                       \
	})

const struct tenant_record *directory_tenant(const struct directory *d, const char *id)
{
	return IN_PARTS(d, RECORD_TENANT, part_tenant(part, id));
}

const struct tenant_record *directory_tenant_by_slug(const struct directory *d, const char *slug)
{
	return IN_PARTS(d, RECORD_TENANT, part_tenant_by_slug(part, slug));
}

const struct project_record *directory_project(const struct directory *d, const char *id)
{
	return IN_PARTS(d, RECORD_PROJECT, part_project(part, id));
}

const struct project_record *directory_project_by_name(const struct directory *d, const char *name)
{
	const char *slash = strchr(name, '/');
	char slug[SLUG_MAX_BYTES + 1];
	const struct tenant_record *tenant;

	if (!slash)
		return directory_project(d, name);
	if ((size_t)(slash - name) > SLUG_MAX_BYTES || strlen(slash + 1) > SLUG_MAX_BYTES)
		return NULL;
	memcpy(slug, name, (size_t)(slash - name));
	slug[slash - name] = '\0';
	tenant = directory_tenant_by_slug(d, slug);
	if (!tenant)
		return NULL;
	return IN_PARTS(d, RECORD_PROJECT, part_project_by_slug(part, tenant->id, slash + 1));
}

const struct user_record *directory_user(const struct directory *d, const char *id)
{
	return IN_PARTS(d, RECORD_USER, part_user(part, id));
}

const struct user_record *directory_user_by_login(const struct directory *d, const char *login)
{
	return IN_PARTS(d, RECORD_USER, part_user_by_login(part, login));
}

const struct user_record *directory_user_by_uid(const struct directory *d, uint32_t uid)
{
	return IN_PARTS(d, RECORD_USER, part_user_by_uid(part, uid));
}

const struct key_record *directory_key(const struct directory *d, const char *id)
{
	return IN_PARTS(d, RECORD_KEY, part_key(part, id));
}

const struct idp_record *directory_idp(const struct directory *d, const char *id)
{
	return IN_PARTS(d, RECORD_IDP, part_idp(part, id));
}

const struct user_record *directory_user_by_identity(const struct directory *d, const char *tenant_id,
						     const char *issuer, const char *subject)
{
	return IN_PARTS(d, RECORD_USER, part_user_by_identity(part, tenant_id, issuer, subject));
}

const struct token_key_record *directory_token_key(const struct directory *d, const char *tenant_id, const char *kid)
{
	const struct part *part = directory_part(d, tenant_id);
	const struct token_key_record *key = part ? part_token_key(part, kid) : NULL;

	return key && conflicts_spare(d->conflicts, part, RECORD_TOKEN_KEY, key) ? key : NULL;
}

const struct revocation_record *directory_revocation(const struct directory *d, const char *tenant_id, const char *id)
{
	const struct part *part = directory_part(d, tenant_id);

	return part ? part_revocation(part, id) : NULL;
}

const struct grant_record *directory_grant_of(const struct directory *d, const char *user_id)
{
	return IN_PARTS(d, RECORD_GRANT, part_grant_of(part, user_id));
}

const struct revocation_record *directory_session_orders(const struct directory *d, const char *tenant_id,
							 uint32_t *cursor)
{
	const struct part *part = directory_part(d, tenant_id);

	return part ? part_session_orders(part, tenant_id, cursor) : NULL;
}

bool directory_from_feed(const struct directory *d, const char *tenant_id)
{
	return directory_part(d, tenant_id) != NULL;
}

const struct member_record *directory_user_members(const struct directory *d, const char *user_id, uint32_t *cursor)
{
	uint32_t number = *cursor >> CURSOR_PART_SHIFT, place = *cursor & CURSOR_PLACE;

	for (; number < d->part_count; number++, place = 0) {
		const struct part *part = d->parts[number];
		const struct member_record *member;

		while ((member = part_user_members(part, user_id, &place)))
			if (conflicts_spare(d->conflicts, part, RECORD_MEMBER, member)) {
				*cursor = number << CURSOR_PART_SHIFT | place;
				return member;
			}
	}
	return NULL;
}

const struct idp_record *directory_idps(const struct directory *d, const char *tenant_id, uint32_t *cursor)
{
	uint32_t number = *cursor >> CURSOR_PART_SHIFT, place = *cursor & CURSOR_PLACE;

	for (; number < d->part_count; number++, place = 0) {
		const struct part *part = d->parts[number];
		const struct idp_record *idp;

		while ((idp = part_tenant_idps(part, tenant_id, &place)))
			if (conflicts_spare(d->conflicts, part, RECORD_IDP, idp)) {
				*cursor = number << CURSOR_PART_SHIFT | place;
				return idp;
			}
	}
	return NULL;
}

const char *directory_role(const struct directory *d, const char *user_id, const char *project_id)
{
	uint32_t cursor = 0;

	for (const struct member_record *member; (member = directory_user_members(d, user_id, &cursor));)
		if (strcmp(member->project_id, project_id) == 0)
			return member->role;
	return NULL;
}

const struct host_record *directory_host(const struct directory *d)
{
	return d->has_host ? &d->host : NULL;
}

static const void *next_record(const struct directory *d, enum record_kind kind, uint32_t *cursor)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < d->part_count; i++) {
		uint32_t end = first + part_count(d->parts[i], kind);

		while (*cursor < end) {
			const void *record = part_at(d->parts[i], kind, (*cursor)++ - first);

			if (conflicts_spare(d->conflicts, d->parts[i], kind, record))
				return record;
		}
		first = end;
	}
	return NULL;
}

const struct tenant_record *directory_next_tenant(const struct directory *d, uint32_t *cursor)
{
	return next_record(d, RECORD_TENANT, cursor);
}

const struct project_record *directory_next_project(const struct directory *d, uint32_t *cursor)
{
	return next_record(d, RECORD_PROJECT, cursor);
}

const struct user_record *directory_next_user(const struct directory *d, uint32_t *cursor)
{
	return next_record(d, RECORD_USER, cursor);
}

const struct member_record *directory_next_member(const struct directory *d, uint32_t *cursor)
{
	return next_record(d, RECORD_MEMBER, cursor);
}

const struct key_record *directory_next_key(const struct directory *d, uint32_t *cursor)
{
	return next_record(d, RECORD_KEY, cursor);
}

const struct idp_record *directory_next_idp(const struct directory *d, uint32_t *cursor)
{
	return next_record(d, RECORD_IDP, cursor);
}

const struct grant_record *directory_next_grant(const struct directory *d, uint32_t *cursor)
{
	return next_record(d, RECORD_GRANT, cursor);
}

struct directory_counts directory_counts(const struct directory *d)
{
	struct directory_counts counts = {0};

	for (uint32_t i = 0; i < d->part_count; i++) {
		counts.tenants += part_count(d->parts[i], RECORD_TENANT);
		counts.projects += part_count(d->parts[i], RECORD_PROJECT);
		counts.users += part_count(d->parts[i], RECORD_USER);
		counts.members += part_count(d->parts[i], RECORD_MEMBER);
		counts.keys += part_count(d->parts[i], RECORD_KEY);
	}
	return counts;
}

uint64_t directory_generation(const struct directory *d)
{
	return d->generation;
}

const struct directory_conflict *directory_conflicts(const struct directory *d, uint32_t *ret_count)
{
	*ret_count = d->conflicts ? d->conflicts->count : 0;
	return d->conflicts ? d->conflicts->items : NULL;
}

const char *claim_kind_word(enum claim_kind kind)
{
	static const char *const words[] = {
		[CLAIM_TENANT_ID] = "tenant-id", [CLAIM_ID_BLOCK] = "id-block", [CLAIM_PROJECT_ID] = "project-id",
		[CLAIM_USER_ID] = "user-id",     [CLAIM_KEY_ID] = "key-id",     [CLAIM_IDP_ID] = "provider-id",
		[CLAIM_NAME] = "name",
	};

	return words[kind];
}
