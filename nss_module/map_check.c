/* SPDX-License-Identifier: MIT
 *
 * The look at a block before its first use: its checksum, and for the blocks that answers come from also
 * their sense, since a checksum is easily made right. What passes here has names that are names, ids in the
 * managed range, texts without control characters that end where their record says, and units that start
 * like a record only where a record starts.
 */
#include "map_reader.h"

#define IN_NAME 1 /* bytes that names have: letters, digits, '.', '_', '-' */
#define LETTER 2  /* … and those of which they have at least one, so as not to pass for ids */
static const uint8_t name_byte[256] = {
	['0' ... '9'] = IN_NAME,
	['A' ... 'Z'] = IN_NAME | LETTER,
	['a' ... 'z'] = IN_NAME | LETTER,
	['_'] = IN_NAME | LETTER,
	['.'] = IN_NAME,
	['-'] = IN_NAME,
};

static bool is_name(const uint8_t *text, size_t length, size_t most)
{
	uint8_t seen = 0;

	if (length == 0 || length > most || text[0] == '-' || text[0] == '.' || text[length] != '\0')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!name_byte[text[i]])
			return false;
		seen |= name_byte[text[i]];
	}
	return seen & LETTER;
}

/* No control character (C0, DEL, C1 as UTF-8 writes it), no ':', no byte that UTF-8 never has. */
static bool is_field(const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] == 0x7f || text[i] == ':' || text[i] >= NSS_MAP_PERSON ||
		    (text[i] == 0xc2 && (text[i + 1] & 0xe0) == 0x80))
			return false;
	return text[length] == '\0';
}

static bool is_person(const uint8_t *at, size_t size)
{
	struct nss_map_person p;
	const uint8_t *name = at + sizeof(p), *gecos, *home, *shell, *runs;

	memcpy(&p, at, sizeof(p));
	if (p.text_size != p.record.name_length + p.gecos_length + p.home_length + p.shell_length + 4 ||
	    p.gecos_length > NSS_MAP_GECOS_MAX || p.run_count > NSS_MAP_RUNS_MAX ||
	    sizeof(p) + ((p.text_size + 3U) & ~3U) + p.run_count * sizeof(nss_map_run) > size)
		return false;
	gecos = name + p.record.name_length + 1;
	home = gecos + p.gecos_length + 1;
	shell = home + p.home_length + 1;
	runs = name + ((p.text_size + 3U) & ~3U);
	for (const uint8_t *pad = name + p.text_size; pad < runs; pad++)
		if (*pad)
			return false;
	for (unsigned i = 0; i < p.run_count; i++) {
		uint64_t last = NSS_MAP_ID_FIRST + (uint64_t)map_run_first(runs, i) + map_run_more(runs, i);

		if (map_run_more(runs, i) > NSS_MAP_RUN_LAST || last > NSS_MAP_ID_LAST)
			return false;
	}
	for (const uint8_t *pad = runs + p.run_count * sizeof(nss_map_run); pad < at + size; pad++)
		if (*pad)
			return false;
	return is_name(name, p.record.name_length, NSS_MAP_PERSON_NAME_MAX) && is_field(gecos, p.gecos_length) &&
	       is_field(home, p.home_length) && home[0] == '/' && is_field(shell, p.shell_length) && shell[0] == '/';
}

static bool is_group(const uint8_t *at, size_t size)
{
	struct nss_map_group_tail tail;
	struct nss_map_group g;
	uint64_t skip;

	memcpy(&g, at, sizeof(g));
	if (sizeof(g) + g.record.name_length + 1U + sizeof(tail) > size)
		return false;
	memcpy(&tail, at + size - sizeof(tail), sizeof(tail));
	skip = be32toh(tail.skip_count);
	for (const uint8_t *pad = at + sizeof(g) + g.record.name_length; pad < at + size - sizeof(tail); pad++)
		if (*pad)
			return false;
	return is_name(at + sizeof(g), g.record.name_length, NSS_MAP_NAME_MAX) && skip <= NSS_MAP_SKIP_MAX &&
	       tail.skip_bytes / 2 >= skip && (skip || !tail.skip_bytes) && g.member_bytes / 2 >= g.member_count &&
	       (g.member_count || !g.member_bytes) &&
	       skip + tail.skip_bytes + g.member_bytes + g.member_count <= (uint64_t)tail.list_capacity * NSS_MAP_UNIT;
}

static bool are_records(const uint8_t *block)
{
	for (size_t at = 0; at < NSS_MAP_BLOCK;) {
		struct nss_map_record head;
		size_t size;

		memcpy(&head, block + at, sizeof(head));
		size = (size_t)head.units * NSS_MAP_UNIT;
		if (head.kind == NSS_MAP_HOLE && head.units == 0)
			size = NSS_MAP_BLOCK - at; /* the unused end of the records */
		if (size == 0 || size > NSS_MAP_BLOCK - at)
			return false;
		if (head.kind == NSS_MAP_HOLE) {
			for (size_t i = sizeof(uint32_t); i < size; i++)
				if (block[at + i])
					return false;
			if (head.name_length)
				return false;
		} else if (head.id < NSS_MAP_ID_FIRST || head.id > NSS_MAP_ID_LAST ||
			   !(head.kind == NSS_MAP_PERSON ? is_person(block + at, size) : is_group(block + at, size)))
			return false;
		at += size;
	}
	return true;
}

/* Names and their ends; they cross blocks. */
static bool are_members(const uint8_t *block)
{
	uint8_t fine = 1;

	for (size_t i = 0; i < NSS_MAP_BLOCK; i++)
		fine &= (uint8_t)(name_byte[block[i]] | !block[i]);
	return fine;
}

bool map_check_block(const struct map_slot *slot, uint64_t block, uint8_t tag)
{
	uint64_t at = block * NSS_MAP_BLOCK, sum_at = slot->sums_offset + block * sizeof(uint64_t);
	const uint8_t *bytes = slot->base + at;

	if (at > slot->limit - NSS_MAP_BLOCK || sum_at > slot->limit - sizeof(uint64_t) ||
	    map_sum_words(bytes, NSS_MAP_BLOCK, block) != map_load64(slot->base + sum_at))
		return false;
	if (at - slot->records_offset < slot->records_size && !are_records(bytes))
		return false;
	if (at - slot->members_offset < slot->members_size && !are_members(bytes))
		return false;
	__atomic_store_n(&slot->tags[block], tag, __ATOMIC_RELEASE);
	return true;
}
