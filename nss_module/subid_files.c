/* SPDX-License-Identifier: MIT
 *
 * /etc/subuid and /etc/subgid: lines of "owner:start:count", owner being a name or a uid.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "subid.h"

#define PASSWD_BUFFER 16384

struct line {
	const char *owner;
	unsigned long start, count;
};

static bool parse_number(const char *text, unsigned long *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Splits in place; false: not such a line. */
static bool parse_line(char *text, struct line *ret)
{
	char *start, *count;

	text[strcspn(text, "\n")] = '\0';
	start = strchr(text, ':');
	if (text[0] == '#' || !start)
		return false;
	*start++ = '\0';
	count = strchr(start, ':');
	if (!count)
		return false;
	*count++ = '\0';
	ret->owner = text;
	return text[0] && parse_number(start, &ret->start) && parse_number(count, &ret->count);
}

static bool uid_of(const char *owner, uid_t *ret)
{
	char buffer[PASSWD_BUFFER];
	struct passwd pw, *found;
	unsigned long number;

	if (parse_number(owner, &number)) {
		*ret = (uid_t)number;
		return number < (uid_t)-1;
	}
	if (getpwnam_r(owner, &pw, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	*ret = pw.pw_uid;
	return true;
}

static bool same_owner(const char *a, const char *b)
{
	unsigned long number;
	uid_t x, y;

	if (strcmp(a, b) == 0)
		return true;
	/* One as name, the other as uid? Two names are not looked up. */
	return parse_number(a, &number) != parse_number(b, &number) && uid_of(a, &x) && uid_of(b, &y) && x == y;
}

static FILE *open_file(enum subid_type type, bool *ret_absent)
{
	FILE *file = fopen(type == ID_TYPE_UID ? "/etc/subuid" : "/etc/subgid", "re");

	*ret_absent = !file && errno == ENOENT;
	return file;
}

static bool add_range(struct subid_ranges *ranges, const struct line *line)
{
	struct subid_range *grown = reallocarray(ranges->items, (size_t)ranges->count + 1, sizeof(*grown));

	if (!grown)
		return false;
	grown[ranges->count++] = (struct subid_range){line->start, line->count};
	ranges->items = grown;
	return true;
}

static bool add_uid(struct subid_uids *uids, uid_t uid)
{
	uid_t *grown = reallocarray(uids->items, (size_t)uids->count + 1, sizeof(*grown));

	if (!grown)
		return false;
	grown[uids->count++] = uid;
	uids->items = grown;
	return true;
}

bool subid_files_ranges(const char *owner, enum subid_type type, struct subid_ranges *ranges)
{
	char *text = NULL;
	size_t size = 0;
	bool fine;
	FILE *file = open_file(type, &fine);

	if (!file)
		return fine;
	for (fine = true; fine && getline(&text, &size, file) >= 0;) {
		struct line line;

		if (parse_line(text, &line) && line.count > 0 && same_owner(line.owner, owner))
			fine = add_range(ranges, &line);
	}
	fine = fine && !ferror(file);
	free(text);
	fclose(file);
	return fine;
}

bool subid_files_owners(unsigned long id, enum subid_type type, struct subid_uids *uids)
{
	char *text = NULL;
	size_t size = 0;
	bool fine;
	FILE *file = open_file(type, &fine);

	if (!file)
		return fine;
	for (fine = true; fine && getline(&text, &size, file) >= 0;) {
		struct line line;
		uid_t uid;

		if (parse_line(text, &line) && id >= line.start && id - line.start < line.count &&
		    uid_of(line.owner, &uid))
			fine = add_uid(uids, uid);
	}
	fine = fine && !ferror(file);
	free(text);
	fclose(file);
	return fine;
}
