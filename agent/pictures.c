/* SPDX-License-Identifier: MIT */
#include "pictures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct set {
	struct unit **items;
	uint32_t count;
};
struct pictures {
	char *host_name;
	struct directory *files;
	struct set wanted; /* the newest of all feeds */
	struct set good;   /* what is in the picture that was made last */
};

static void set_finish(struct set *set)
{
	for (uint32_t i = 0; i < set->count; i++)
		unit_unref(set->items[i]);
	free(set->items);
	*set = (struct set){0};
}

static int set_copy(struct set *ret, struct unit *const *units, uint32_t count)
{
	*ret = (struct set){.items = calloc(count + 1U, sizeof(struct unit *))};
	if (!ret->items)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		ret->items[ret->count++] = unit_ref(units[i]);
	return 0;
}

/* `set` without the tenant's units, and with those of `from` (NULL: none) instead. 1: it differs from before. */
static int set_replace(struct set *set, const char *tenant_id, const struct set *from)
{
	struct set made = {.items = calloc(set->count + (from ? from->count : 0) + 1U, sizeof(struct unit *))};
	bool changed;

	if (!made.items)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->count; i++)
		if (!text_equal(unit_source(set->items[i]), tenant_id))
			made.items[made.count++] = unit_ref(set->items[i]);
	for (uint32_t i = 0; from && i < from->count; i++)
		if (text_equal(unit_source(from->items[i]), tenant_id))
			made.items[made.count++] = unit_ref(from->items[i]);
	/* In another order at the worst, which only costs one more look. */
	changed = made.count != set->count ||
		  (made.count > 0 && memcmp(made.items, set->items, made.count * sizeof(*made.items)) != 0);
	set_finish(set);
	*set = made;
	return changed;
}

int pictures_create(const char *host_name, struct pictures **ret)
{
	_cleanup_(pictures_destroyp) struct pictures *pictures = calloc(1, sizeof(*pictures));

	if (!pictures)
		return -ENOMEM;
	pictures->host_name = strdup(host_name);
	if (!pictures->host_name)
		return -ENOMEM;
	*ret = TAKE_PTR(pictures);
	return 0;
}

void pictures_destroy(struct pictures *pictures)
{
	if (!pictures)
		return;
	directory_unref(pictures->files);
	set_finish(&pictures->wanted);
	set_finish(&pictures->good);
	free(pictures->host_name);
	free(pictures);
}

void pictures_set_files(struct pictures *pictures, struct directory *files)
{
	if (files)
		directory_ref(files);
	directory_unref(pictures->files);
	pictures->files = files;
}

int pictures_set_feeds(struct pictures *pictures, struct unit *const *units, uint32_t count)
{
	struct set set;

	if (set_copy(&set, units, count) < 0)
		return -ENOMEM;
	set_finish(&pictures->wanted);
	pictures->wanted = set;
	return 0;
}

static bool holds(const struct set *set, const char *tenant_id)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (text_equal(unit_source(set->items[i]), tenant_id))
			return true;
	return false;
}

int pictures_join(struct pictures *pictures, const struct directory *before, pictures_fault_fn fault, void *context,
		  struct directory **ret)
{
	struct set trial;
	int r;

	*ret = NULL;
	if (pictures->wanted.count == 0) {
		set_finish(&pictures->good);
		/* Where feeds were all there was, and are gone, nobody is left: an empty picture says so. */
		if (!pictures->files && before)
			return directory_join(NULL, NULL, 0, pictures->host_name, before, ret, NULL,
					      &(struct problem){0});
		*ret = pictures->files ? directory_ref(pictures->files) : NULL;
		return 0;
	}
	r = set_copy(&trial, pictures->wanted.items, pictures->wanted.count);
	while (r == 0) {
		struct problem problem = {0};
		const char *source = NULL;
		char tenant_id[ID_MAX_BYTES + 1];

		r = directory_join(pictures->files, trial.items, trial.count, pictures->host_name, before, ret, &source,
				   &problem);
		if (r == 0) {
			set_finish(&pictures->good);
			pictures->good = trial;
			return 0;
		}
		if (r != -EINVAL || !source)
			break;
		snprintf(tenant_id, sizeof(tenant_id), "%s", source);
		/* What fitted last; and where that is what just did not, nothing of it. */
		r = set_replace(&trial, tenant_id, &pictures->good);
		if (r == 1 && fault)
			fault(context, tenant_id, &problem);
		else if (r == 0)
			r = set_replace(&trial, tenant_id, NULL);
		r = r < 0 ? r : holds(&trial, tenant_id) || r == 1 ? 0 : -EINVAL;
	}
	set_finish(&trial);
	return r;
}
