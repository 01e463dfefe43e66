/* SPDX-License-Identifier: MIT
 *
 * A map being made, in memory that will be the file: records, indices, member lists, sums. It knows
 * nothing of directories or files.
 *
 * Positions of records and lists are in units (NSS_MAP_UNIT) from the start of their section.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "tenant/nss_map.h"

struct map_image {
	uint8_t *base;
	uint64_t size;
	struct nss_map_header *header;
	uint64_t *sums;
	struct nss_map_bucket *names, *ids;
	uint64_t name_buckets, id_buckets;
	uint8_t *records, *members;
	uint8_t *dirty; /* one byte a block; NULL: all are */
};

/* How much is to go into a new image; room for change comes on top. */
struct map_sizes {
	uint64_t keys;    /* names; as many ids */
	uint64_t records; /* bytes, as map_pack_record counts them */
	uint64_t members;
};
/* Where the next record of this many bytes goes, after `used`: records do not cross blocks, nor more cache
 * lines than they must. Sets *ret_used to its end. */
uint64_t map_pack_record(uint64_t used, uint64_t size, uint64_t *ret_used);
/* Of a list that may grow, in bytes: of so many names that take so much with their NULs. */
uint64_t map_list_capacity(uint64_t bytes, uint64_t count);

/* Fills `header` for these sizes; its `size` is the file's. -EFBIG past NSS_MAP_SIZE_MAX. */
int map_image_layout(const struct map_sizes *sizes, struct nss_map_header *ret);
/* Takes memory of header->size bytes: a new file (zeroes) with `header` copied in, … */
void map_image_start(struct map_image *image, void *base, const struct nss_map_header *header);
/* … or the copy of a finished map, whose changes are noted. -ENOMEM, -EINVAL when it is none. */
int map_image_resume(struct map_image *image, void *base, uint64_t size);
void map_image_finish(struct map_image *image); /* the memory stays the caller's */
/* Sums and header, after the last change. */
void map_image_seal(struct map_image *image, uint64_t generation);
void map_image_touch(struct map_image *image, const void *at, uint64_t size);

/* Room for a record of `size` bytes, filled with zeroes but for `units`. -EXFULL: start anew. */
int map_image_add_record(struct map_image *image, uint64_t size, uint32_t *ret_position);
void map_image_drop_record(struct map_image *image, uint32_t position); /* leaves a hole */
struct nss_map_record *map_image_record(const struct map_image *image, uint32_t position);
const char *map_image_name(const struct nss_map_record *record);
struct nss_map_group_tail *map_image_tail(struct nss_map_record *record);

/* Enters a finished record under its name and id. -EEXIST: one of them is taken; -EXFULL: start anew with
 * another seed. On failure nothing was entered. */
int map_image_enter(struct map_image *image, uint32_t position);
void map_image_leave(struct map_image *image, uint32_t position);
/* -ENOENT. */
int map_image_find_name(const struct map_image *image, const char *name, uint32_t *ret_position);
int map_image_find_id(const struct map_image *image, uint32_t id, uint32_t *ret_position);

/* Room for a list. -EXFULL: start anew. */
int map_image_add_list(struct map_image *image, uint64_t capacity, uint32_t *ret_position);
char *map_image_list(const struct map_image *image, uint32_t position);
/* Where the letter of the list's first name is; the others' go backwards from there. */
char *map_image_letters(const struct map_image *image, uint32_t position, uint64_t capacity);
