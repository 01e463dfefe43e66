/* SPDX-License-Identifier: MIT
 *
 * Layout of the public map (/run/tenantd/nss.map), which tenantd writes and libnss_tenant reads.
 *
 *   block 0    struct nss_map_header, zero to the block's end
 *   sums       one checksum (64 bits) for each block of the file; 0 for block 0 and the sums themselves
 *   names      buckets: hash of a user or group name → record
 *   ids        buckets: hash of a uid or gid → record
 *   records    people and groups, each whole within one block
 *   members    lists of group members
 *
 * Everything is in the host's byte order and stays where it is; only the `live` part of the header ever
 * changes in a published file. Sections are whole blocks, so that a change of a few records needs the
 * sums of the blocks it touched and no others, and a reader checks a block when it first looks into it.
 *
 * One index serves people and groups alike: names and ids are one space, since each person has a private
 * group of the same name and number, which is made from the person's record. A name of the other kind
 * is simply no answer.
 *
 * Bucket: one cache line. Slots without a record have tag 0. `overflow` counts the keys that passed by
 * because the bucket was full, and live in one of the next NSS_MAP_PROBES_MAX - 1 buckets (the last is
 * followed by the first); with 0 the search ends here. For a 64-bit hash h of n buckets, the first to look
 * into is (low32(h) * n) >> 32 and the tag is h >> 48, or 1 where that is 0.
 *
 * Hash, with mix(a, b) = low64(a * b) ^ high64(a * b), K1 and K2 as below, and bytes read in host order:
 *   id:   mix(id ^ seed, K1)
 *   name: state = seed; while more than 16 bytes are left: state = mix(next 8 ^ K1, following 8 ^ state).
 *         Of the n bytes left: a = first 8, b = last 8 (n >= 8); first 4, last 4 (n >= 4); else
 *         a = byte 0 | byte n/2 << 8 | byte n-1 << 16, b = 0. Result: mix(mix(a ^ K1, b ^ state), K2 ^ length).
 *
 * Sum of a block of 64-bit words w with number s: eight lanes, lane i starting at K1 * (i + 1) ^ s; for
 * each 8 words: lane[i] = (lane[i] ^ w[i]) * K2, then lane[i] ^= lane[i] >> 29; at the end
 * sum = 0, for each lane: sum = mix(sum ^ lane[i], K1 ^ i); 0 counts as 1. It finds damage; it is no signature.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define NSS_MAP_MAGIC 0x0170614d746e6e54ULL
#define NSS_MAP_VERSION 1U
#define NSS_MAP_BLOCK 16384U
#define NSS_MAP_UNIT 16U               /* records and lists start at multiples of it */
#define NSS_MAP_SIZE_MAX 0x80000000ULL /* ten million people */
#define NSS_MAP_PROBES_MAX 8U
#define NSS_MAP_K1 0x9e3779b97f4a7c15ULL
#define NSS_MAP_K2 0xd6e8feb86659fd93ULL

/* Ids outside this range are never answered, whatever a map says. */
#define NSS_MAP_ID_FIRST 0x70000000U
#define NSS_MAP_ID_LAST 0x7ffffffeU

/* The group of everybody in the map: each person has it, no run names it and its list is empty, so that
 * nobody's look-up grows with the number of people. */
#define NSS_MAP_USERS_GID 0x7ffffffdU

#define NSS_MAP_PERSON_NAME_MAX 32U
#define NSS_MAP_NAME_MAX 64U /* groups */
#define NSS_MAP_GECOS_MAX 255U
#define NSS_MAP_RUNS_MAX 3072U /* of one person */

enum nss_map_flag {
	NSS_MAP_ENUMERATE = 1, /* getpwent and getgrent list everybody */
	NSS_MAP_SUBIDS = 2,    /* subordinate ids are given out */
	NSS_MAP_FLAGS_KNOWN = 3,
};

struct nss_map_section {
	uint64_t offset; /* bytes from the file's start */
	uint64_t size;   /* bytes */
};
enum nss_map_section_kind {
	NSS_MAP_SUMS,
	NSS_MAP_NAMES,
	NSS_MAP_IDS,
	NSS_MAP_RECORDS,
	NSS_MAP_MEMBERS,
	NSS_MAP_SECTIONS,
};

struct nss_map_header {
	uint64_t magic;
	uint32_t version;
	uint32_t block_size;
	uint64_t size;       /* of the file */
	uint64_t generation; /* grows with every map that a writer publishes */
	uint64_t seed;       /* of the hashes; drawn anew whenever the indices are laid out anew */
	uint32_t flags;
	uint32_t person_count;
	uint32_t group_count; /* without private groups */
	uint32_t reserved;
	struct nss_map_section sections[NSS_MAP_SECTIONS];
	uint64_t records_used; /* the rest of the sections is room for changes */
	uint64_t members_used;
	uint64_t spare[3];     /* 0 */
	uint64_t sums_check;   /* sum of the sums section, taken as one block with number 0 */
	uint64_t header_check; /* sum of the header up to here, with this field 0, number 0 */
	/* The live part, under no sum. Writers change it in place with single aligned stores. */
	uint32_t superseded; /* there is a newer file */
	uint32_t live_reserved;
	int64_t not_after; /* seconds since the epoch; identities resolve past it, but nobody signs in. 0: none */
	uint64_t live_rest[6];
};
#define NSS_MAP_HEADER_SEALED 192U /* bytes under header_check */
static_assert(sizeof(struct nss_map_header) == 256, "header");
static_assert(offsetof(struct nss_map_header, superseded) == NSS_MAP_HEADER_SEALED,
	      "the live part has a line of its own");
static_assert(NSS_MAP_BLOCK % sizeof(struct nss_map_header) == 0, "header fits its block");

#define NSS_MAP_SLOTS 10U
struct nss_map_bucket {
	uint16_t tags[NSS_MAP_SLOTS];
	uint16_t overflow;
	uint16_t reserved;
	uint32_t records[NSS_MAP_SLOTS]; /* in units from the start of the records */
};
static_assert(sizeof(struct nss_map_bucket) == 64, "bucket is a cache line");

/* The first byte of a record. In no other place of the records does a unit start with one of these: they
 * occur in no text, and heads and runs are laid out so that they cannot begin a unit. So wherever an index
 * points, a reader knows a record's start when it sees one. */
enum nss_map_kind {
	NSS_MAP_HOLE = 0, /* nothing: skip `units` */
	NSS_MAP_PERSON = 0xfe,
	NSS_MAP_GROUP = 0xff,
};

/* What all records start with. */
struct nss_map_record {
	uint8_t kind;
	uint8_t name_length; /* without NUL */
	uint16_t units;      /* length of the record in NSS_MAP_UNIT, at least 1 */
	uint32_t id;
};
static_assert(sizeof(struct nss_map_record) == 8, "record");

/* Followed by text_size bytes "name\0gecos\0home\0shell\0", padding to 4, and run_count runs. */
struct nss_map_person {
	struct nss_map_record record;
	uint16_t text_size;
	uint16_t run_count;
	uint16_t gecos_length;
	uint8_t home_length;
	uint8_t shell_length;
};
static_assert(sizeof(struct nss_map_person) == NSS_MAP_UNIT, "person");

/* A run of supplementary groups with consecutive gids: (gid - NSS_MAP_ID_FIRST) << 4 | count - 1, of 4 at most,
 * lowest byte first on every host. A member of a project holds a role's group and those below it, an operator the
 * viewers' alone, so one run says all of a project. */
typedef uint32_t nss_map_run;
#define NSS_MAP_RUN_LAST 3U

/* Followed by "name\0"; the last unit of the record is its tail. The members are member_count names of a list,
 * "name\0" each, member_bytes in all, behind the first skip_count names, which take skip_bytes. The groups of a
 * project share a list: operators, then members, highest role first. All but the viewers' group skip the operators.
 * From the list's end backwards it says how long each name is, as a letter, so that its block holds
 * nothing but letters of names: 'A' … 'Z' for 1 … 26, 'a' … 'f' for 27 … 32. */
#define NSS_MAP_LENGTH_LETTER(length) ((uint8_t)((length) + ((length) > 26 ? 'a' - 27 : 'A' - 1)))
#define NSS_MAP_LETTER_LENGTH(letter) ((letter)-64U - ((letter) >> 5 & 1U) * 6U)
static_assert(NSS_MAP_LETTER_LENGTH('A') == 1 && NSS_MAP_LETTER_LENGTH('Z') == 26, "short names");
static_assert(NSS_MAP_LETTER_LENGTH('a') == 27 && NSS_MAP_LETTER_LENGTH('f') == 32, "long names");
struct nss_map_group {
	struct nss_map_record record;
	uint32_t member_count;
	uint32_t member_bytes;
};
static_assert(sizeof(struct nss_map_group) == NSS_MAP_UNIT, "group");
#define NSS_MAP_SKIP_MAX 0xffffffU
struct nss_map_group_tail {
	uint32_t skip_count;    /* highest byte first on every host, at most NSS_MAP_SKIP_MAX: so it begins with 0 */
	uint32_t list;          /* in units from the start of the members */
	uint32_t list_capacity; /* in units */
	uint32_t skip_bytes;
};
static_assert(sizeof(struct nss_map_group_tail) == NSS_MAP_UNIT, "group tail");
