/* SPDX-License-Identifier: MIT
 *
 * Maps that are damaged, forged, or in the wrong hands: unavailable, and never a wrong answer.
 */
#include "unit.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../nss_module/nss_entry.h"
#include "../fakes/nss/nss_maps.h"
#include "../fakes/nss/nss_place.h"
#include "directory/unit.h"
#include "tenant/nss_map.h"

#define ANNA CAST_UID_FIRST

static struct cast_person cast[4] = {
	{.login = "anna", .name = "Anna A", .roles = {3, 1}, .present = true},
	{.login = "bert", .name = "Bert B", .roles = {2}, .present = true},
	{.login = "chris", .name = "Chris C", .present = true},
	{.login = "olga", .name = "Olga O", .roles = {1}, .operator_kind = true, .present = true},
};
static uint8_t *map;
static size_t map_size;
static char buffer[4096];

/* FORGED: not what the directory said, but such as a directory may say: who can write right sums can say that. */
enum outcome { RIGHT, UNAVAILABLE, ABSENT, FORGED, WRONG };

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127 || *text == ':')
			return false;
	return true;
}

/* Anna by name and uid, her groups, and a group with members. */
static int ask(void *argument)
{
	gid_t *list = NULL;
	long start = 0, size = 0;
	struct passwd pw;
	struct group gr;
	int error = 0, result = RIGHT;
	enum nss_status status;

	for (unsigned i = 0; i < 4; i++) {
		bool right = true, safe = true;

		if (i < 2) {
			status = i ? _nss_tenant_getpwuid_r(ANNA, &pw, buffer, sizeof(buffer), &error)
				   : _nss_tenant_getpwnam_r("anna", &pw, buffer, sizeof(buffer), &error);
			if (status == NSS_STATUS_SUCCESS)
				right = strcmp(pw.pw_name, "anna") == 0 && pw.pw_uid == ANNA && pw.pw_gid == ANNA &&
					strcmp(pw.pw_gecos, "Anna A") == 0 && strcmp(pw.pw_dir, "/home/anna") == 0 &&
					strcmp(pw.pw_shell, "/bin/bash") == 0;
			if (status == NSS_STATUS_SUCCESS)
				safe = is_clean(pw.pw_name) && is_clean(pw.pw_gecos) && is_clean(pw.pw_dir) &&
				       is_clean(pw.pw_shell) && pw.pw_uid - NSS_MAP_ID_FIRST < 0x0fffffffU;
		} else if (i == 2) {
			status = _nss_tenant_initgroups_dyn("anna", ANNA, &start, &size, &list, 0, &error);
			if (status == NSS_STATUS_SUCCESS) {
				right = start == 1 + 4 + 2 + 1;
				for (long k = 0; k < start; k++)
					safe = safe && list[k] >= NSS_MAP_ID_FIRST && list[k] <= NSS_MAP_ID_LAST;
			}
		} else {
			status = _nss_tenant_getgrnam_r("acme-p0-editor", &gr, buffer, sizeof(buffer), &error);
			if (status == NSS_STATUS_SUCCESS)
				right = gr.gr_gid == cast_project_gid(0) + 2 && gr.gr_mem[0] && gr.gr_mem[1] &&
					!gr.gr_mem[2] && strcmp(gr.gr_mem[0], "anna") == 0 &&
					strcmp(gr.gr_mem[1], "bert") == 0;
			for (char **member = gr.gr_mem; status == NSS_STATUS_SUCCESS && *member; member++)
				safe = safe && is_clean(*member);
		}
		if (!safe)
			return WRONG;
		if (!right)
			result = FORGED;
		if (status == NSS_STATUS_UNAVAIL && result != FORGED)
			result = UNAVAILABLE;
		else if (status == NSS_STATUS_NOTFOUND && result == RIGHT)
			result = ABSENT;
	}
	return result;
}

/* With this in place of the map, in a process that has seen none before. */
static int outcome_of(const uint8_t *bytes, size_t size)
{
	cast_write_map(bytes, size);
	return in_child(ask, NULL);
}

static int make(void **state)
{
	struct unit *fixed = NULL;
	struct directory *d;

	nss_place_make();
	d = cast_build(cast, ARRAY_LEN(cast), ARRAY_LEN(cast), &fixed, NULL);
	assert_result(cast_publish(d, true), 0);
	directory_unref(d);
	unit_unref(fixed);
	map = cast_read_map(&map_size);
	return 0;
}

static int remove_all(void **state)
{
	nss_place_remove();
	free(map);
	return 0;
}

static uint8_t *copy_map(void)
{
	uint8_t *copy = aligned_alloc(64, map_size);

	memcpy(copy, map, map_size);
	return copy;
}

static struct nss_map_header *header_of(uint8_t *bytes)
{
	return (struct nss_map_header *)(void *)bytes;
}

static void owners_and_modes(void **state)
{
	static const mode_t bad[] = {0664, 0646, 0666, 0777, 0620};
	char other[256];
	int r;

	assert_int_equal(outcome_of(map, map_size), RIGHT);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(chmod(nss_place_map, bad[i]), 0);
		assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	}
	assert_int_equal(chmod(nss_place_map, 0644), 0);
	/* The directory, and what it lies in. */
	assert_int_equal(chmod(nss_place_directory, 0775), 0);
	assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	assert_int_equal(chmod(nss_place_directory, 0755), 0);
	assert_int_equal(chmod(nss_place_parent, 0777), 0);
	assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	assert_int_equal(chmod(nss_place_parent, 0755), 0);
	/* Symbolic links, at either place. */
	snprintf(other, sizeof(other), "%s.real", nss_place_map);
	assert_int_equal(rename(nss_place_map, other), 0);
	assert_int_equal(symlink(other, nss_place_map), 0);
	assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	assert_int_equal(rename(other, nss_place_map), 0);
	snprintf(other, sizeof(other), "%s.real", nss_place_directory);
	assert_int_equal(rename(nss_place_directory, other), 0);
	assert_int_equal(symlink(other, nss_place_directory), 0);
	assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	assert_int_equal(unlink(nss_place_directory), 0);
	assert_int_equal(rename(other, nss_place_directory), 0);
	/* No file at all but something of its name; a pipe must not block. */
	assert_int_equal(unlink(nss_place_map), 0);
	assert_int_equal(mkfifo(nss_place_map, 0644), 0);
	assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	assert_int_equal(unlink(nss_place_map), 0);
	if (geteuid() != 0)
		return;
	/* Root's map is fine in the agent's directory, the agent's in its own, a stranger's nowhere. */
	assert_int_equal(outcome_of(map, map_size), RIGHT);
	r = chown(nss_place_directory, 990, 990);
	assert_int_equal(r, 0);
	assert_int_equal(in_child(ask, NULL), RIGHT);
	r = chown(nss_place_map, 990, 990);
	assert_int_equal(r, 0);
	assert_int_equal(in_child(ask, NULL), RIGHT);
	r = chown(nss_place_map, 1000, 990);
	assert_int_equal(r, 0);
	assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	r = chown(nss_place_directory, 0, 0);
	assert_int_equal(r, 0);
	assert_int_equal(in_child(ask, NULL), UNAVAILABLE);
	r = chown(nss_place_parent, 1000, 1000);
	assert_int_equal(r, 0);
	assert_int_equal(outcome_of(map, map_size), UNAVAILABLE);
	r = chown(nss_place_parent, 0, 0);
	assert_int_equal(r, 0);
	assert_int_equal(in_child(ask, NULL), RIGHT);
}

static void sizes(void **state)
{
	uint8_t *larger = calloc(1, map_size + NSS_MAP_BLOCK);

	memcpy(larger, map, map_size);
	assert_int_equal(outcome_of(map, 0), UNAVAILABLE);
	assert_int_equal(outcome_of(map, 100), UNAVAILABLE);
	for (size_t size = NSS_MAP_BLOCK; size < map_size; size += NSS_MAP_BLOCK) {
		assert_int_equal(outcome_of(map, size), UNAVAILABLE);
		assert_int_equal(outcome_of(map, size + 1), UNAVAILABLE);
	}
	assert_int_equal(outcome_of(map, map_size - 1), UNAVAILABLE);
	assert_int_equal(outcome_of(larger, map_size + 1), UNAVAILABLE);
	assert_int_equal(outcome_of(larger, map_size + NSS_MAP_BLOCK), UNAVAILABLE);
	memset(larger, 0, map_size);
	assert_int_equal(outcome_of(larger, map_size), UNAVAILABLE);
	memset(larger, 0xff, map_size);
	assert_int_equal(outcome_of(larger, map_size), UNAVAILABLE);
	free(larger);
}

/* Any changed bit of the header's sealed part, with the old sum. */
static void header_bits(void **state)
{
	uint8_t *copy = copy_map();

	for (size_t bit = 0; bit < 8 * NSS_MAP_HEADER_SEALED; bit += 3) {
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	free(copy);
}

/* Every number in the header changed in every direction, with the right sums. */
static void header_numbers(void **state)
{
	static const uint64_t values[] = {0,
					  1,
					  63,
					  4096,
					  NSS_MAP_BLOCK,
					  1U << 20,
					  UINT32_MAX,
					  1ULL << 31,
					  1ULL << 63,
					  UINT64_MAX,
					  UINT64_MAX - NSS_MAP_BLOCK + 1};
	size_t fields[64], count = 0;
	uint8_t *copy = copy_map();
	struct nss_map_header *h = header_of(copy);

	fields[count++] = offsetof(struct nss_map_header, magic);
	fields[count++] = offsetof(struct nss_map_header, size);
	fields[count++] = offsetof(struct nss_map_header, version); /* and block_size */
	for (unsigned i = 0; i < NSS_MAP_SECTIONS; i++) {
		fields[count++] = offsetof(struct nss_map_header, sections) + i * sizeof(struct nss_map_section);
		fields[count++] = offsetof(struct nss_map_header, sections) + i * sizeof(struct nss_map_section) + 8;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_LEN(values) + 4; k++) {
			uint64_t value, old;

			memcpy(&old, map + fields[i], sizeof(old));
			value = k < ARRAY_LEN(values) ? values[k]
				: k % 2               ? old + (k < ARRAY_LEN(values) + 2 ? 1 : NSS_MAP_BLOCK)
						      : old - (k < ARRAY_LEN(values) + 2 ? 1 : NSS_MAP_BLOCK);
			if (value == old)
				continue;
			memcpy(copy + fields[i], &value, sizeof(value));
			cast_seal_map(copy, map_size);
			assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
			memcpy(copy, map, map_size);
		}
	h->flags |= 4; /* a flag that we do not know */
	cast_seal_map(copy, map_size);
	assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
	memcpy(copy, map, map_size);
	h->seed ^= 1; /* finds nothing any more, but harms nobody */
	cast_seal_map(copy, map_size);
	assert_in_range(outcome_of(copy, map_size), UNAVAILABLE, ABSENT);
	free(copy);
}

/* Without the right sums: every answer that needs the block is refused. */
static void damage(void **state)
{
	uint8_t *copy = copy_map();
	const struct nss_map_header *h = header_of(map);

	for (unsigned i = NSS_MAP_SUMS; i < NSS_MAP_SECTIONS; i++) {
		uint64_t at = h->sections[i].offset;

		for (unsigned k = 0; k < 50; k++) {
			uint64_t where = at + (k * 337U) % NSS_MAP_BLOCK;

			copy[where] ^= 0x20;
			assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
			copy[where] ^= 0x20;
		}
	}
	free(copy);
}

static uint8_t *find_record(uint8_t *bytes, const char *name)
{
	const struct nss_map_header *h = header_of(bytes);
	uint8_t *records = bytes + h->sections[NSS_MAP_RECORDS].offset;

	for (uint64_t at = 0; at < h->records_used; at += NSS_MAP_UNIT)
		if (records[at] >= NSS_MAP_PERSON && strcmp((char *)records + at + NSS_MAP_UNIT, name) == 0)
			return records + at;
	fail_msg("no record of %s", name);
	return NULL;
}

/* Forged contents under right sums. */
static void forgeries(void **state)
{
	static const uint32_t ids[] = {0, 1, 1000, 65534, 0x6fffffffU, 0x7fffffffU, 0x80000000U, UINT32_MAX};
	static const char *const names[] = {"an\na", "an:a", "-nna",    "\016nna",    ".nna",    "an/a",
					    "an a",  "1234", "ann\x7f", "an\xc3\xa9", "a\033aa", "ann"};
	static const char *const fields[] = {"Anna\nA",   "Anna:A",  "Anna\177A", "Ann\302\233A",
					     "Anna\033A", "Anna\0A", "Anna\376A"};
	uint8_t *copy = copy_map(), *record;
	struct nss_map_person p;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		record = find_record(copy, "anna");
		memcpy(record + offsetof(struct nss_map_record, id), &ids[i], 4);
		cast_seal_map(copy, map_size);
		assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
		memcpy(copy, map, map_size);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		memcpy(find_record(copy, "anna") + NSS_MAP_UNIT, names[i], 4);
		cast_seal_map(copy, map_size);
		assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
		memcpy(copy, map, map_size);
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		memcpy(find_record(copy, "anna") + NSS_MAP_UNIT + 5, fields[i], 6);
		cast_seal_map(copy, map_size);
		assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
		memcpy(copy, map, map_size);
	}
	/* Home and shell are paths. */
	find_record(copy, "anna")[NSS_MAP_UNIT + 5 + 7] = 'x';
	cast_seal_map(copy, map_size);
	assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
	memcpy(copy, map, map_size);
	/* Heads: every byte of them, every bit. */
	for (unsigned bit = 0; bit < 8 * NSS_MAP_UNIT; bit++) {
		record = find_record(copy, "anna");
		record[bit / 8] ^= (uint8_t)(1U << bit % 8);
		cast_seal_map(copy, map_size);
		assert_int_not_equal(outcome_of(copy, map_size), RIGHT);
		assert_int_not_equal(in_child(ask, NULL), WRONG);
		memcpy(copy, map, map_size);
		record = find_record(copy, "acme-p0-editor");
		record[bit / 8] ^= (uint8_t)(1U << bit % 8);
		cast_seal_map(copy, map_size);
		assert_int_not_equal(outcome_of(copy, map_size), RIGHT);
		assert_int_not_equal(in_child(ask, NULL), WRONG);
		memcpy(copy, map, map_size);
	}
	/* A run into ids that are not ours. */
	record = find_record(copy, "anna");
	memcpy(&p, record, sizeof(p));
	record[NSS_MAP_UNIT + ((p.text_size + 3U) & ~3U)] = 0x01;
	memset(record + NSS_MAP_UNIT + ((p.text_size + 3U) & ~3U) + 1, 0xff, 3);
	record[NSS_MAP_UNIT + ((p.text_size + 3U) & ~3U)] = 0xf3;
	cast_seal_map(copy, map_size);
	assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
	free(copy);
}

/* References of the indices to anywhere: middle of records, other sections, outside. */
static void references(void **state)
{
	const struct nss_map_header *h = header_of(map);
	uint8_t *copy = copy_map();
	uint32_t units = (uint32_t)(h->sections[NSS_MAP_RECORDS].size / NSS_MAP_UNIT);
	uint32_t targets[] = {1, 2, 3, 7, 100, units - 1, units, units + 1, units * 2, UINT32_MAX / 2, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		for (unsigned s = NSS_MAP_NAMES; s <= NSS_MAP_IDS; s++) {
			struct nss_map_bucket *buckets =
				(struct nss_map_bucket *)(void *)(copy + h->sections[s].offset);

			for (uint64_t b = 0; b < h->sections[s].size / sizeof(*buckets); b++)
				for (unsigned k = 0; k < NSS_MAP_SLOTS; k++)
					if (buckets[b].tags[k])
						buckets[b].records[k] = targets[i];
		}
		cast_seal_map(copy, map_size);
		assert_in_range(outcome_of(copy, map_size), UNAVAILABLE, ABSENT);
		memcpy(copy, map, map_size);
	}
	/* Buckets that never end. */
	for (unsigned s = NSS_MAP_NAMES; s <= NSS_MAP_IDS; s++) {
		struct nss_map_bucket *buckets = (struct nss_map_bucket *)(void *)(copy + h->sections[s].offset);

		for (uint64_t b = 0; b < h->sections[s].size / sizeof(*buckets); b++) {
			memset(buckets[b].tags, 0, sizeof(buckets[b].tags));
			buckets[b].overflow = UINT16_MAX;
		}
	}
	cast_seal_map(copy, map_size);
	assert_int_equal(outcome_of(copy, map_size), ABSENT);
	free(copy);
}

/* Lists that reach out of their section, or whose lengths do not add up. */
static void lists(void **state)
{
	static const uint32_t values[] = {0x10000, 0x1000000, UINT32_MAX / 16, UINT32_MAX};
	/* Those who are skipped: fewer bytes than that many names have, bytes without names, and too many of both. */
	static const uint32_t skips[][2] = {{1, 1},           {2, 3},        {0, 5},         {3, 5},
					    {1, 0xffffffff},  {0xffffff, 5}, {0x1000000, 5}, {0xff000001, 5},
					    {1, 0xfffffff0U}, {1, 1 << 20}};
	uint8_t *copy = copy_map(), *record;
	struct nss_map_group_tail tail;
	struct nss_map_record head;

	for (size_t i = 0; i < ARRAY_LEN(skips); i++) {
		uint8_t *at;

		record = find_record(copy, "acme-p0-editor");
		memcpy(&head, record, sizeof(head));
		at = record + (size_t)(head.units - 1) * NSS_MAP_UNIT;
		memcpy(&tail, at, sizeof(tail));
		assert_int_equal(be32toh(tail.skip_count), 1);
		assert_int_equal(tail.skip_bytes, sizeof("olga"));
		tail.skip_count = htobe32(skips[i][0]);
		tail.skip_bytes = skips[i][1];
		memcpy(at, &tail, sizeof(tail));
		cast_seal_map(copy, map_size);
		assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
		memcpy(copy, map, map_size);
	}
	for (unsigned field = 4; field <= 8; field += 4)
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			record = find_record(copy, "acme-p0-editor");
			memcpy(&head, record, sizeof(head));
			memcpy(record + (size_t)(head.units - 1) * NSS_MAP_UNIT + field, &values[i], 4);
			cast_seal_map(copy, map_size);
			assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
			memcpy(copy, map, map_size);
		}
	/* Every byte of the first members block, in turn, becomes a letter or an end. */
	for (unsigned i = 0; i < 600; i++) {
		uint8_t *at = copy + header_of(copy)->sections[NSS_MAP_MEMBERS].offset + i;
		int outcome;

		*at = *at ? '\0' : 'Z';
		cast_seal_map(copy, map_size);
		outcome = outcome_of(copy, map_size);
		assert_int_not_equal(outcome, WRONG);
		assert_int_not_equal(outcome, ABSENT);
		*at = '\n';
		cast_seal_map(copy, map_size);
		assert_int_equal(outcome_of(copy, map_size), UNAVAILABLE);
		memcpy(copy, map, map_size);
	}
	free(copy);
}

/* An unfit map in place of a fit one: the fit one goes on answering; a fit one takes over from it. */
static int ask_across(void *argument)
{
	uint8_t *copy = copy_map();
	int r;

	cast_write_map(map, map_size);
	if (ask(NULL) != RIGHT)
		return 10;
	header_of(copy)->magic++;
	for (unsigned i = 0; i < 3; i++) {
		int fd = open(nss_place_map, O_RDWR | O_CLOEXEC);
		uint32_t one = 1;

		/* Mark the file that is in use, as the writer does, and put the bad one in its place. */
		if (pwrite(fd, &one, sizeof(one), offsetof(struct nss_map_header, superseded)) != sizeof(one))
			return 11;
		close(fd);
		cast_write_map(copy, map_size);
		if (ask(NULL) != RIGHT)
			return 12;
		usleep(20000);
	}
	cast_write_map(map, map_size);
	usleep(20000);
	r = ask(NULL);
	free(copy);
	return r;
}

static void the_last_good_one_stays(void **state)
{
	assert_int_equal(in_child(ask_across, NULL), RIGHT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_and_modes), cmocka_unit_test(sizes),  cmocka_unit_test(header_bits),
		cmocka_unit_test(header_numbers),   cmocka_unit_test(damage), cmocka_unit_test(forgeries),
		cmocka_unit_test(references),       cmocka_unit_test(lists),  cmocka_unit_test(the_last_good_one_stays),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
