/* SPDX-License-Identifier: MIT
 *
 * The picture: units, the layers over them, and every look-up. See directory.h and layer.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "directory/layer.h"

#define UNITS_MAX 4096U

static atomic_ullong generations;

static uint64_t unit_size(const struct unit *unit)
{
	uint64_t total = 0;

	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		total += records_count(&unit->records, kind);
	return total;
}

bool directory_has_unit(const struct directory *d, const struct unit *unit)
{
	for (uint32_t i = 0; d && i < d->unit_count; i++)
		if (d->units[i] == unit)
			return true;
	return false;
}

static struct unit *find_unit(struct unit *const *units, uint32_t count, enum record_kind kind, const void *record,
			      uint32_t *ret_index)
{
	for (uint32_t u = 0; u < count; u++) {
		uint32_t n = records_count(&units[u]->records, kind);
		const char *first = n ? records_at(&units[u]->records, kind, 0) : NULL;
		size_t size = record_size(kind);

		if (n && (const char *)record >= first && (const char *)record < first + n * size) {
			*ret_index = (uint32_t)(((const char *)record - first) / (ptrdiff_t)size);
			return units[u];
		}
	}
	return NULL;
}

void directory_blame(struct unit *const *units, uint32_t count, enum record_kind kind, const void *record,
		     struct problem *problem)
{
	uint32_t index;
	const struct unit *unit = find_unit(units, count, kind, record, &index);

	if (unit) {
		struct place place = unit_place(unit, kind, index);

		problem_at(problem, unit->name, place.line, place.column);
	}
}

char *directory_where(struct unit *const *units, uint32_t count, enum record_kind kind, const void *record,
		      char out[WHERE_TEXT_SIZE])
{
	uint32_t index;
	const struct unit *unit = find_unit(units, count, kind, record, &index);

	out[0] = '\0';
	if (unit)
		snprintf(out, WHERE_TEXT_SIZE, "%.*s:%u", PROBLEM_FILE_MAX, unit->name,
			 unit_place(unit, kind, index).line);
	return out;
}

/* The layer of `before` over exactly these units, or a new one. */
static int get_layer(struct unit *const *units, uint32_t count, const struct directory *before, struct layer **ret,
		     struct problem *problem)
{
	for (uint32_t i = 0; before && i < before->layer_count; i++)
		if (before->layers[i]->unit_count == count &&
		    memcmp(before->layers[i]->units, units, count * sizeof(*units)) == 0) {
			*ret = layer_ref(before->layers[i]);
			return 0;
		}
	return layer_new(units, count, ret, problem);
}

struct sized_unit {
	uint64_t size;
	uint32_t index;
};

static int compare_size(const void *a, const void *b)
{
	const struct sized_unit *x = a, *y = b;

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

/* By the hash of its name, so a unit's successor comes to the same layer and leaves the others as they are. */
static int add_small_layers(struct directory *d, struct unit *const *units, uint32_t count,
			    const struct directory *before, struct problem *problem)
{
	_cleanup_(freep) struct unit **chosen = calloc((size_t)count + 1, sizeof(*chosen));
	uint64_t records = 0;
	uint32_t layers;

	if (!chosen)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		records += unit_size(units[i]);
	layers = records < SMALL_RECORDS ? 1 : SMALL_LAYERS;
	for (uint32_t layer = 0; layer < layers; layer++) {
		uint32_t n = 0;
		int r;

		for (uint32_t i = 0; i < count; i++)
			if (hash_text(units[i]->name) % layers == layer)
				chosen[n++] = units[i];
		if (n == 0)
			continue;
		r = get_layer(chosen, n, before, &d->layers[d->layer_count], problem);
		if (r < 0)
			return r;
		d->layer_count++;
	}
	return 0;
}

static int add_layers(struct directory *d, const struct directory *before, struct problem *problem)
{
	_cleanup_(freep) struct sized_unit *order = calloc(d->unit_count + 1, sizeof(*order));
	_cleanup_(freep) bool *large = calloc(d->unit_count + 1, sizeof(*large));
	_cleanup_(freep) struct unit **rest = calloc(d->unit_count + 1, sizeof(*rest));
	uint32_t rest_count = 0, members = 0;
	int r;

	if (!order || !large || !rest)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->unit_count; i++)
		order[i] = (struct sized_unit){unit_size(d->units[i]), i};
	qsort(order, d->unit_count, sizeof(*order), compare_size);
	for (uint32_t i = 0; i < MIN_OF(d->unit_count, LARGE_UNITS_MAX) && order[i].size >= LARGE_UNIT_RECORDS; i++)
		large[order[i].index] = true;
	for (uint32_t i = 0; i < d->unit_count; i++) {
		if (!large[i]) {
			rest[rest_count++] = d->units[i];
			continue;
		}
		r = get_layer(&d->units[i], 1, before, &d->layers[d->layer_count], problem);
		if (r < 0)
			return r;
		d->layer_count++;
	}
	r = add_small_layers(d, rest, rest_count, before, problem);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < d->layer_count; i++) {
		d->member_base[i] = members;
		members += d->layers[i]->count[RECORD_MEMBER];
	}
	return 0;
}

static int count_bases(struct directory *d, struct problem *problem)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		uint64_t total = 0;

		d->base[kind] = calloc((size_t)d->unit_count + 1, sizeof(**d->base));
		if (!d->base[kind])
			return -ENOMEM;
		for (uint32_t i = 0; i < d->unit_count; i++) {
			d->base[kind][i] = (uint32_t)total;
			total += records_count(&d->units[i]->records, kind);
		}
		if (total > LOOKUP_VALUES_MAX)
			return problem_set(problem, EINVAL, "more than %u records of one kind", LOOKUP_VALUES_MAX);
		d->base[kind][d->unit_count] = (uint32_t)total;
	}
	return 0;
}

static bool host_fits(const char *pattern, const char *name, size_t *ret_length)
{
	size_t length = strlen(pattern);

	if (length > 0 && pattern[length - 1] == '*') {
		*ret_length = length - 1;
		return strncasecmp(pattern, name, length - 1) == 0;
	}
	*ret_length = SIZE_MAX; /* exact beats every pattern */
	return strcasecmp(pattern, name) == 0;
}

static void choose_host(struct directory *d, const char *host_name)
{
	size_t best = 0, length;

	for (uint32_t u = 0; u < d->unit_count; u++)
		for (uint32_t i = 0; i < d->units[u]->records.host_count; i++) {
			const struct host_record *host = &d->units[u]->records.hosts[i];

			if (host_fits(host->name, host_name, &length) && (!d->host || length > best)) {
				d->host = host;
				best = length;
			}
		}
}

int directory_build(struct unit *const *units, uint32_t count, const char *host_name, const struct directory *before,
		    struct directory **ret, struct problem *problem)
{
	_cleanup_(directory_unrefp) struct directory *d = NULL;
	int r;

	if (count > UNITS_MAX)
		return problem_set(problem, EINVAL, "more than %u files", UNITS_MAX);
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	atomic_init(&d->references, 1);
	d->units = calloc(count ? count : 1, sizeof(*d->units));
	if (!d->units)
		return -ENOMEM;
	for (; d->unit_count < count; d->unit_count++)
		d->units[d->unit_count] = unit_ref(units[d->unit_count]);
	d->built_from = before ? before->generation : 0;
	r = count_bases(d, problem);
	if (r == 0)
		r = add_layers(d, before, problem);
	if (r < 0)
		return r;
	choose_host(d, host_name ? host_name : "");
	if (before && !directory_structure_changed(d, before))
		d->groups = groups_ref(before->groups);
	else
		r = groups_new(d, &d->groups, problem);
	if (r == 0)
		r = directory_check(d, before, problem);
	if (r == 0 && before)
		r = directory_note_changes(d, before);
	if (r < 0)
		return r;
	d->generation = atomic_fetch_add(&generations, 1) + 1;
	*ret = TAKE_PTR(d);
	return 0;
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
	for (uint32_t i = 0; i < d->layer_count; i++)
		layer_unref(d->layers[i]);
	groups_unref(d->groups);
	for (uint32_t i = 0; i < d->unit_count; i++)
		unit_unref(d->units[i]);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		free(d->base[kind]);
	free(d->units);
	free(d->changes);
	free(d->touched);
	free(d);
}

/* The first layer that has it. `call` sees `layer` and gives a record or NULL. */
#define IN_LAYERS(d, call)                                                      \
	({                                                                      \
		typeof(({                                                       \
			const struct layer *layer = NULL;                       \
			(void)layer;                                            \
			call;                                                   \
		})) found_ = NULL;                                              \
		for (uint32_t i_ = 0; i_ < (d)->layer_count && !found_; i_++) { \
			const struct layer *layer = (d)->layers[i_];            \
			found_ = call;                                          \
		}                                                               \
		found_;                                                         \
	})

const struct tenant_record *directory_tenant(const struct directory *d, const char *id)
{
	uint64_t hash = hash_text(id);

	return IN_LAYERS(d, layer_tenant(layer, hash, id));
}

const struct tenant_record *directory_tenant_by_slug(const struct directory *d, const char *slug)
{
	uint64_t hash = hash_text(slug);

	return IN_LAYERS(d, layer_tenant_by_slug(layer, hash, slug));
}

const struct project_record *directory_project(const struct directory *d, const char *id)
{
	uint64_t hash = hash_text(id);

	return IN_LAYERS(d, layer_project(layer, hash, id));
}

const struct project_record *directory_project_by_name(const struct directory *d, const char *name)
{
	const char *slash = strchr(name, '/');
	char slug[SLUG_MAX_BYTES + 1];
	const struct tenant_record *tenant;
	struct project_record like = {0};
	uint64_t hash;

	if (!slash)
		return directory_project(d, name);
	if ((size_t)(slash - name) > SLUG_MAX_BYTES || strlen(slash + 1) > SLUG_MAX_BYTES)
		return NULL;
	memcpy(slug, name, (size_t)(slash - name));
	slug[slash - name] = '\0';
	tenant = directory_tenant_by_slug(d, slug);
	if (!tenant)
		return NULL;
	like.tenant_id = tenant->id;
	like.slug = slash + 1;
	hash = layer_hash_slug(&like);
	return IN_LAYERS(d, layer_project_by_slug(layer, hash, &like));
}

const struct user_record *directory_user(const struct directory *d, const char *id)
{
	uint64_t hash = hash_text(id);

	return IN_LAYERS(d, layer_user(layer, hash, id));
}

const struct user_record *directory_user_by_login(const struct directory *d, const char *login)
{
	uint64_t hash = hash_text(login);

	return IN_LAYERS(d, layer_user_by_login(layer, hash, login));
}

const struct user_record *directory_user_by_uid(const struct directory *d, uint32_t uid)
{
	uint64_t hash = hash_u32(uid);

	return IN_LAYERS(d, layer_user_by_uid(layer, hash, uid));
}

const struct key_record *directory_key(const struct directory *d, const char *id)
{
	uint64_t hash = hash_text(id);

	return IN_LAYERS(d, layer_key(layer, hash, id));
}

/* The cursor is the number (over all layers) of the membership given last, plus one. */
const struct member_record *directory_user_members(const struct directory *d, const char *user_id, uint32_t *cursor)
{
	uint32_t layer = 0, next = 0;
	uint64_t hash;

	if (*cursor > 0) {
		while (layer + 1 < d->layer_count && d->member_base[layer + 1] < *cursor)
			layer++;
		next = d->layers[layer]->next_member[*cursor - 1 - d->member_base[layer]];
		if (!next)
			layer++;
	}
	if (!next) {
		hash = hash_text(user_id);
		for (; layer < d->layer_count; layer++) {
			next = layer_first_member(d->layers[layer], hash, user_id);
			if (next)
				break;
		}
		if (!next)
			return NULL;
	}
	*cursor = d->member_base[layer] + next;
	return layer_at(d->layers[layer], RECORD_MEMBER, next - 1);
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
	return d->host;
}

static const void *next_record(const struct directory *d, enum record_kind kind, uint32_t *cursor)
{
	const uint32_t *base = d->base[kind];
	uint32_t low = 0, high = d->unit_count;

	if (*cursor >= base[d->unit_count])
		return NULL;
	/* The last unit that starts at or before the cursor, empty ones left behind. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (base[middle] <= *cursor)
			low = middle;
		else
			high = middle;
	}
	return records_at(&d->units[low]->records, kind, (*cursor)++ - base[low]);
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

struct directory_counts directory_counts(const struct directory *d)
{
	return (struct directory_counts){
		.tenants = d->base[RECORD_TENANT][d->unit_count],
		.projects = d->base[RECORD_PROJECT][d->unit_count],
		.users = d->base[RECORD_USER][d->unit_count],
		.members = d->base[RECORD_MEMBER][d->unit_count],
		.keys = d->base[RECORD_KEY][d->unit_count],
	};
}

uint64_t directory_generation(const struct directory *d)
{
	return d->generation;
}
