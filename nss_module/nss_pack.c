/* SPDX-License-Identifier: MIT */
#include "nss_pack.h"

#include <errno.h>
#include <stdlib.h>

#define PASSWORD_ELSEWHERE "x"
#define PASSWORD_LOCKED "!*"
#define GROUPS_START 16

/* Bytes that names may have, and those of which they have at least one, so as not to pass for ids. */
#define IN_NAME 1
#define LETTER 2
static const uint8_t name_byte[256] = {
	['0' ... '9'] = IN_NAME,
	['A' ... 'Z'] = IN_NAME | LETTER,
	['a' ... 'z'] = IN_NAME | LETTER,
	['_'] = IN_NAME | LETTER,
	['.'] = IN_NAME,
	['-'] = IN_NAME,
};

/* The length of the name at `text`, which ends within `size` bytes; 0: it is none. */
static inline size_t name_span(const char *text, size_t size)
{
	size_t length = 0;
	uint8_t seen = 0;

	if (size == 0 || text[0] == '-' || text[0] == '.')
		return 0;
	for (; length < size; length++) {
		uint8_t kind = name_byte[(uint8_t)text[length]];

		if (!kind)
			break;
		seen |= kind;
	}
	return length < size && text[length] == '\0' && (seen & LETTER) ? length : 0;
}

/* C1 controls, which UTF-8 writes as C2 80 … C2 9F. */
static bool has_c1(const char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		if ((uint8_t)text[i] == 0xc2 && ((uint8_t)text[i + 1] & 0xe0) == 0x80)
			return true;
	return false;
}

/* No ':' and no control characters but `nuls` NULs. Eight bytes at a time. */
static inline bool text_is_clean(const char *text, size_t size, unsigned nuls)
{
	const uint64_t ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
	uint64_t controls = 0, bad = 0, c2 = 0;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t word, low, colon, lead;

		if (size - i >= 8)
			word = map_load64(text + i);
		else { /* the last 8 bytes, those seen before made harmless */
			word = ones * ' ';
			memcpy(&word, text + i, size - i);
		}
		low = word & ~high;
		colon = (low ^ ones * ':') + ones * 0x7f;
		lead = (low ^ ones * 0x42) + ones * 0x7f;
		controls += (~((low + ones * 0x60) | word) & high) >> 7;
		bad |= (low + ones) & ~word; /* DEL */
		bad |= ~(colon | word);
		c2 |= ~lead & word;
	}
	if (__builtin_expect((c2 & high) != 0, 0) && has_c1(text, size))
		return false;
	return !(bad & high) && controls * ones >> 56 == nuls;
}

enum pack_result pack_passwd(const struct map_record *record, struct passwd *pw, char *buffer, size_t size)
{
	const struct nss_map_person *p = &record->person;
	size_t text_size = p->text_size, gecos = p->record.name_length + 1U, home = gecos + p->gecos_length + 1U,
	       shell = home + p->home_length + 1U;

	if (p->record.name_length > NSS_MAP_PERSON_NAME_MAX || p->gecos_length > NSS_MAP_GECOS_MAX ||
	    text_size != shell + p->shell_length + 1U || text_size > (size_t)(record->end - record->text))
		return PACK_BROKEN;
	if (size < text_size + sizeof(PASSWORD_ELSEWHERE))
		return PACK_TOO_SMALL;
	memcpy(buffer, record->text, text_size);
	memcpy(buffer + text_size, PASSWORD_ELSEWHERE, sizeof(PASSWORD_ELSEWHERE));
	if (name_span(buffer, gecos) != p->record.name_length || buffer[home - 1] || buffer[shell - 1] ||
	    buffer[text_size - 1] || buffer[home] != '/' || buffer[shell] != '/' ||
	    !text_is_clean(buffer, text_size, 4))
		return PACK_BROKEN;
	*pw = (struct passwd){
		.pw_name = buffer,
		.pw_passwd = buffer + text_size,
		.pw_uid = p->record.id,
		.pw_gid = p->record.id,
		.pw_gecos = buffer + gecos,
		.pw_dir = buffer + home,
		.pw_shell = buffer + shell,
	};
	return PACK_DONE;
}

enum pack_result pack_shadow(const struct map_record *record, struct spwd *sp, char *buffer, size_t size)
{
	size_t name_size = record->head.name_length + 1U;

	if (name_size > (size_t)(record->end - record->text))
		return PACK_BROKEN;
	if (size < name_size + sizeof(PASSWORD_LOCKED))
		return PACK_TOO_SMALL;
	memcpy(buffer, record->text, name_size);
	if (name_span(buffer, name_size) != name_size - 1)
		return PACK_BROKEN;
	memcpy(buffer + name_size, PASSWORD_LOCKED, sizeof(PASSWORD_LOCKED));
	*sp = (struct spwd){
		.sp_namp = buffer,
		.sp_pwdp = buffer + name_size,
		.sp_lstchg = -1,
		.sp_min = -1,
		.sp_max = -1,
		.sp_warn = -1,
		.sp_inact = -1,
		.sp_expire = -1,
		.sp_flag = ~0UL,
	};
	return PACK_DONE;
}

enum pack_result pack_group(const struct map_view *view, const struct map_record *record, struct group *gr,
			    char *buffer, size_t size)
{
	bool own = record->head.kind == NSS_MAP_PERSON; /* private: nobody is listed */
	size_t count = own ? 0 : record->group.member_count, bytes = own ? 0 : record->group.member_bytes,
	       name_size = record->head.name_length + 1U, pad = -(uintptr_t)buffer % _Alignof(char *);
	const uint8_t *members = NULL;
	char **list, *text, *at;

	if (name_size > (size_t)(record->end - record->text) || bytes / 2 < count || (bytes && !count))
		return PACK_BROKEN;
	if (size < pad || (size - pad) / sizeof(char *) < count + 1 ||
	    size - pad - (count + 1) * sizeof(char *) < name_size + sizeof(PASSWORD_ELSEWHERE) + bytes)
		return PACK_TOO_SMALL;
	if (bytes) {
		members = map_members(view, &record->group);
		if (!members)
			return PACK_BROKEN;
	}
	list = (char **)(void *)(buffer + pad);
	text = (char *)(list + count + 1);
	memcpy(text, record->text, name_size);
	memcpy(text + name_size, PASSWORD_ELSEWHERE, sizeof(PASSWORD_ELSEWHERE));
	if (name_span(text, name_size) != name_size - 1)
		return PACK_BROKEN;
	at = text + name_size + sizeof(PASSWORD_ELSEWHERE);
	if (bytes)
		memcpy(at, members, bytes);
	for (size_t i = 0; i < count; i++) {
		size_t length = name_span(at, bytes);

		if (!length)
			return PACK_BROKEN;
		list[i] = at;
		at += length + 1;
		bytes -= length + 1;
	}
	if (bytes)
		return PACK_BROKEN;
	list[count] = NULL;
	*gr = (struct group){
		.gr_name = text,
		.gr_passwd = text + name_size,
		.gr_gid = record->head.id,
		.gr_mem = list,
	};
	return PACK_DONE;
}

static int grow_groups(long *size, gid_t **groups, long limit)
{
	long wanted = *size < GROUPS_START ? GROUPS_START : *size * 2;
	gid_t *grown;

	if (limit > 0 && wanted > limit)
		wanted = limit;
	grown = realloc(*groups, (size_t)wanted * sizeof(gid_t));
	if (!grown)
		return ENOMEM;
	*groups = grown;
	*size = wanted;
	return 0;
}

int pack_groups(const struct map_record *record, gid_t skip, long *start, long *size, gid_t **groups, long limit)
{
	const struct nss_map_person *p = &record->person;
	size_t offset = (p->text_size + 3U) & ~3U;

	if (p->run_count > NSS_MAP_RUNS_MAX ||
	    offset + p->run_count * sizeof(nss_map_run) > (size_t)(record->end - record->text))
		return EBADMSG;
	for (uint32_t i = 0; i < p->run_count; i++) {
		nss_map_run run = map_load32(record->text + offset + i * sizeof(run));
		gid_t gid = NSS_MAP_ID_FIRST + (run >> 4), last = gid + (run & 15);

		if (last > NSS_MAP_ID_LAST)
			return EBADMSG;
		for (; gid <= last; gid++) {
			if (gid == skip)
				continue;
			if (*start >= *size) {
				if (limit > 0 && *size >= limit)
					return 0; /* the caller's bound: what fits is what it gets */
				if (grow_groups(size, groups, limit))
					return ENOMEM;
			}
			(*groups)[(*start)++] = gid;
		}
	}
	return 0;
}

enum nss_status nss_result(enum map_answer found, enum pack_result packed, int *errnop)
{
	if (found == MAP_MISSING) {
		*errnop = ENOENT;
		return NSS_STATUS_NOTFOUND;
	}
	if (found == MAP_BROKEN || packed == PACK_BROKEN) {
		*errnop = EBADMSG;
		return NSS_STATUS_UNAVAIL;
	}
	if (packed == PACK_TOO_SMALL) {
		*errnop = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	return NSS_STATUS_SUCCESS;
}

enum nss_status nss_no_map(int *errnop)
{
	*errnop = ENOENT;
	return NSS_STATUS_UNAVAIL;
}
