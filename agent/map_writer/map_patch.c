/* SPDX-License-Identifier: MIT */
#include "map_writer/map_patch.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "map_writer/map_lists.h"

/* A person of the old map who may have changed. */
struct touched {
	uint32_t uid;
	uint32_t position; /* of the record, where there is one */
	bool known;        /* there is: it keeps its place for a new version that fits */
	uint16_t units;
};

static int compare_uid(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The uids in order, each once. */
static struct touched *list_touched(const uint32_t *uids, uint32_t count, uint32_t *ret_count)
{
	_cleanup_(freep) uint32_t *sorted = calloc(count + 1U, sizeof(*sorted));
	struct touched *list = calloc(count + 1U, sizeof(*list));
	uint32_t n = 0;

	if (!sorted || !list) {
		free(list);
		return NULL;
	}
	if (count)
		memcpy(sorted, uids, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_uid);
	for (uint32_t i = 0; i < count; i++)
		if (i == 0 || sorted[i] != sorted[i - 1])
			list[n++].uid = sorted[i];
	*ret_count = n;
	return list;
}

/* As they lie in the record: lowest byte first. */
static const nss_map_run *old_runs(const struct nss_map_record *record, uint32_t *ret_count)
{
	const struct nss_map_person *person = (const struct nss_map_person *)(const void *)record;

	*ret_count = person->run_count;
	return (const nss_map_run *)(const void *)((const uint8_t *)(person + 1) + ((person->text_size + 3U) & ~3U));
}

static bool has_run(const nss_map_run *runs, uint32_t count, nss_map_run run)
{
	for (uint32_t i = 0; i < count; i++)
		if (runs[i] == run)
			return true;
	return false;
}

/* Takes the person out of the indices and of the groups that are not kept under the same name. */
static int take_out(struct map_image *image, struct touched *touched, const struct map_person *person, bool stays)
{
	struct nss_map_record *record = map_image_record(image, touched->position);
	const char *name = map_image_name(record);
	bool same_name = stays && strcmp(name, person->user->login) == 0;
	const nss_map_run *runs;
	uint32_t count;
	int r;

	runs = old_runs(record, &count);
	for (uint32_t i = 0; i < count; i++) {
		nss_map_run run = le32toh(runs[i]);

		if (same_name && has_run(person->runs, person->run_count, run))
			continue;
		r = map_list_remove(image, run, name);
		if (r < 0)
			return r;
	}
	if (same_name)
		for (uint32_t i = 0; i < person->run_count; i++) {
			if (has_run(runs, count, htole32(person->runs[i])))
				continue;
			r = map_list_add(image, person->runs[i], name);
			if (r < 0)
				return r;
		}
	map_image_leave(image, touched->position);
	touched->units = record->units;
	map_image_drop_record(image, touched->position);
	image->header->person_count--;
	return same_name;
}

/* Writes the new version: in its old place where it fits. */
static int put_in(struct map_image *image, const struct touched *touched, const struct map_person *person)
{
	uint64_t size = map_person_size(person);
	uint32_t position = touched->position;
	struct nss_map_record *record;
	int r;

	if (!touched->known || size > (uint64_t)touched->units * NSS_MAP_UNIT) {
		r = map_image_add_record(image, size, &position);
		if (r < 0)
			return r;
	}
	record = map_image_record(image, position);
	map_person_write(person, record);
	map_image_touch(image, record, (uint64_t)record->units * NSS_MAP_UNIT);
	r = map_image_enter(image, position);
	if (r < 0)
		return r;
	image->header->person_count++;
	return 0;
}

/* First everybody touched leaves, then those still there come back: names may have changed hands. */
static int patch(struct map_image *image, const struct directory *d, const struct map_options *options,
		 struct touched *touched, uint32_t count, struct map_person *person)
{
	_cleanup_(freep) bool *in_groups = calloc(count + 1U, sizeof(*in_groups));
	int r;

	if (!in_groups)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct user_record *user = directory_user_by_uid(d, touched[i].uid);

		touched[i].known = map_image_find_id(image, touched[i].uid, &touched[i].position) == 0;
		if (!touched[i].known)
			continue;
		if (map_image_record(image, touched[i].position)->kind != NSS_MAP_PERSON)
			return -EEXIST;
		if (user) {
			r = map_person_fill(person, d, options, user);
			if (r < 0)
				return r;
		}
		r = take_out(image, &touched[i], person, user != NULL);
		if (r < 0)
			return r;
		in_groups[i] = r > 0;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct user_record *user = directory_user_by_uid(d, touched[i].uid);

		if (!user)
			continue;
		r = map_person_fill(person, d, options, user);
		if (r < 0)
			return r;
		r = put_in(image, &touched[i], person);
		if (r < 0)
			return r;
		for (uint32_t k = 0; !in_groups[i] && k < person->run_count; k++) {
			r = map_list_add(image, person->runs[k], user->login);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int map_patch(const char *path, struct map_file *file, const struct directory *d, const struct map_options *options,
	      uint64_t generation, const uint32_t *uids, uint32_t count, struct map_person *person)
{
	_cleanup_(freep) struct touched *touched = NULL;
	struct map_image image = {0};
	uint32_t touched_count = 0;
	int r;

	touched = list_touched(uids, count, &touched_count);
	r = touched ? map_image_resume(&image, file->base, file->size) : -ENOMEM;
	if (r == 0) {
		image.header->not_after = options->not_after;
		r = patch(&image, d, options, touched, touched_count, person);
	}
	if (r == 0)
		map_image_seal(&image, generation);
	map_image_finish(&image);
	if (r < 0)
		map_file_discard(path, file);
	return r;
}
