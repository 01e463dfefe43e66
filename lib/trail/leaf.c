/* SPDX-License-Identifier: MIT */
#include "trail/leaf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "tlog/tlog.h"
#include "trail/leaf_internal.h"
#include "json/json_read.h"

#define OWN_ID_PREFIX "evt_"          /* events without a chain: the control plane's own */
#define OWN_ID_DIGITS 16U             /* base62, after it */
#define TIME_MS_MAX 253402300799999LL /* the end of the year 9999 */
#define ACTIVITIES 100                /* of one class */
#define CATEGORY_CLASSES 1000
#define BOOT_CHARS 32U

/* One leaf on its way into a struct. */
struct reading {
	struct leaf *leaf;
	struct problem *problem;
};

static int refuse(const struct reading *reading, const char *name, const char *why)
{
	return problem_set(reading->problem, EBADMSG, "the event's '%s' %s", name, why);
}

static bool is_base62(const char *text, size_t length)
{
	if (strlen(text) != length)
		return false;
	for (const char *p = text; *p; p++)
		if (!((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')))
			return false;
	return true;
}

static bool is_hex(const char *text, size_t length)
{
	return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

/* What events call things by: ids of records, machine ids, uids. Short and plain, so that it can stand anywhere. */
static bool is_plain_id(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < LEAF_ID_MAX &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-") == length;
}

/* Ids of records alone: a log, or a row, is found by them. */
static bool is_record_id(const char *text)
{
	return text_is_id(text);
}

static bool is_kind(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < LEAF_KIND_MAX && text[0] >= 'a' && text[0] <= 'z' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == length;
}

/* A text of the object, if it has one. `ret` stays "" where it has none. */
static int read_text(const struct reading *reading, const json_t *object, const char *key, const char *name,
		     bool required, bool (*valid)(const char *text), size_t size, char *ret)
{
	const json_t *value = json_object_get(object, key);
	const char *text;

	if (!value)
		return required ? refuse(reading, name, "is not there") : 0;
	if (!json_is_string(value))
		return refuse(reading, name, "is not a text");
	text = json_string_value(value);
	if (strlen(text) >= size || !valid(text))
		return refuse(reading, name, "is not of its form");
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static int read_number(const struct reading *reading, const json_t *object, const char *name, int64_t least,
		       int64_t most, int64_t *ret)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		return refuse(reading, name, "is not there");
	if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
		return refuse(reading, name, "is not a number that it may be");
	*ret = json_integer_value(value);
	return 0;
}

static int read_numbers(const struct reading *reading, const json_t *event)
{
	int64_t class_uid = 0, category = 0, activity = 0, type = 0, severity = 0, status = 0;
	struct leaf *leaf = reading->leaf;
	int r = 0;

	(void)((r = read_number(reading, event, "class_uid", 0, 99999999, &class_uid)) < 0 ||
	       (r = read_number(reading, event, "category_uid", 0, 99999, &category)) < 0 ||
	       (r = read_number(reading, event, "activity_id", 0, ACTIVITIES - 1, &activity)) < 0 ||
	       (r = read_number(reading, event, "type_uid", 0, INT64_MAX, &type)) < 0 ||
	       (r = read_number(reading, event, "severity_id", 0, 99, &severity)) < 0 ||
	       (r = read_number(reading, event, "status_id", 0, 99, &status)) < 0 ||
	       (r = read_number(reading, event, "time", 1, TIME_MS_MAX, &leaf->time_ms)) < 0);
	if (r < 0)
		return r;
	if (category != class_uid / CATEGORY_CLASSES)
		return refuse(reading, "category_uid", "is not the one of its class");
	if (type != class_uid * ACTIVITIES + activity)
		return refuse(reading, "type_uid", "does not fit class and activity");
	if (severity > 6 && severity != 99)
		return refuse(reading, "severity_id", "is not a number that it may be");
	if (status > 2 && status != 99)
		return refuse(reading, "status_id", "is not a number that it may be");
	leaf->class_uid = (uint32_t)class_uid;
	leaf->activity_id = (uint32_t)activity;
	leaf->severity_id = (uint32_t)severity;
	leaf->outcome = status == 1 ? LEAF_SUCCESS : status == 2 ? LEAF_FAILURE : LEAF_UNKNOWN;
	return 0;
}

static bool is_chain(const char *text)
{
	return is_base62(text, CHAIN_ID_CHARS);
}

static bool is_boot(const char *text)
{
	return is_hex(text, BOOT_CHARS);
}

static bool is_digest(const char *text)
{
	return is_hex(text, 2 * SHA256_BYTES);
}

/* Where it stands in its host's chain: all of it or none. */
static int read_link(const struct reading *reading, const json_t *unmapped)
{
	struct leaf_link *link = &reading->leaf->link;
	char prev[2 * SHA256_BYTES + 1];
	int64_t sequence = 0;
	int r;

	if (!json_object_get(unmapped, "chain")) {
		for (const char *const *name = (const char *const[]){"boot", "seq", "prev", NULL}; *name; name++)
			if (json_object_get(unmapped, *name))
				return refuse(reading, *name, "is there without a chain");
		return 0;
	}
	r = read_text(reading, unmapped, "chain", "chain", true, is_chain, sizeof(link->chain), link->chain);
	if (r == 0)
		r = read_text(reading, unmapped, "boot", "boot", true, is_boot, sizeof(link->boot), link->boot);
	if (r == 0)
		r = read_number(reading, unmapped, "seq", 1, INT64_MAX, &sequence);
	if (r == 0)
		r = read_text(reading, unmapped, "prev", "prev", true, is_digest, sizeof(prev), prev);
	if (r == 0)
		r = text_from_hex(prev, link->prev, SHA256_BYTES);
	if (r < 0)
		return r;
	link->sequence = (uint64_t)sequence;
	reading->leaf->linked = true;
	return 0;
}

static int read_id(const struct reading *reading, const json_t *metadata)
{
	struct leaf *leaf = reading->leaf;
	char expected[LEAF_ID_MAX];
	int r;

	r = read_text(reading, metadata, "uid", "metadata.uid", true, is_plain_id, LEAF_ID_MAX, leaf->id);
	if (r < 0)
		return r;
	if (leaf->linked) {
		(void)snprintf(expected, sizeof(expected), "%.*s-%" PRIu64, (int)CHAIN_ID_CHARS, leaf->link.chain,
			       leaf->link.sequence);
		if (strcmp(leaf->id, expected) != 0)
			return refuse(reading, "metadata.uid", "is not what its place in the chain makes it");
	} else if (!text_starts(leaf->id, OWN_ID_PREFIX) ||
		   !is_base62(leaf->id + strlen(OWN_ID_PREFIX), OWN_ID_DIGITS)) {
		return refuse(reading, "metadata.uid", "is not an id of an event without a chain");
	}
	return 0;
}

static bool is_person(const char *text)
{
	return strcmp(text, "-") == 0 || text_is_id(text);
}

static int read_persons(const struct reading *reading, const json_t *unmapped)
{
	const json_t *list = json_object_get(unmapped, "personal");
	struct leaf *leaf = reading->leaf;

	if (!list)
		return 0;
	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > LEAF_PERSONS_MAX)
		return refuse(reading, "personal", "is not a list of one to four");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		char commitment[2 * SHA256_BYTES + 1];
		int r;

		if (!json_is_object(item) || json_object_size(item) != 2)
			return refuse(reading, "personal", "has an item that is not of its form");
		r = read_text(reading, item, "person", "personal.person", true, is_person, LEAF_ID_MAX,
			      leaf->persons[i].person);
		if (r == 0)
			r = read_text(reading, item, "commitment", "personal.commitment", true, is_digest,
				      sizeof(commitment), commitment);
		if (r == 0)
			r = text_from_hex(commitment, leaf->persons[i].commitment, SHA256_BYTES);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (strcmp(leaf->persons[i].person, "-") != 0 &&
			    strcmp(leaf->persons[i].person, leaf->persons[j].person) == 0)
				return refuse(reading, "personal", "names a person twice");
		leaf->person_count++;
	}
	return 0;
}

/* An object in the object, where it has one; NULL: it has none. */
static int read_object(const struct reading *reading, const json_t *object, const char *name, const json_t **ret)
{
	const json_t *value = json_object_get(object, name);

	if (value && !json_is_object(value))
		return refuse(reading, name, "is not an object");
	*ret = value;
	return 0;
}

/* Who did it: the acting user, else the one that it is about. */
static int read_actor(const struct reading *reading, const json_t *event)
{
	const json_t *actor = NULL, *acting = NULL, *user = NULL;
	int r;

	r = read_object(reading, event, "actor", &actor);
	if (r == 0 && actor)
		r = read_object(reading, actor, "user", &acting);
	if (r == 0)
		r = read_object(reading, event, "user", &user);
	if (r < 0)
		return r;
	if (json_object_get(acting, "uid"))
		return read_text(reading, acting, "uid", "actor.user.uid", true, is_plain_id, LEAF_ID_MAX,
				 reading->leaf->actor);
	return user ? read_text(reading, user, "uid", "user.uid", false, is_plain_id, LEAF_ID_MAX, reading->leaf->actor)
		    : 0;
}

/* No escape may bring in what may not stand there as it is: who shows the event shows all of its texts. */
bool leaf_is_clean(const json_t *value) /* NOLINT(misc-no-recursion): json_read bounds the depth */
{
	const char *key;
	json_t *member;

	if (json_is_string(value))
		return text_is_printable(json_string_value(value), json_string_length(value));
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!leaf_is_clean(json_array_get(value, i)))
			return false;
	json_object_foreach((json_t *)(uintptr_t)value, key,
			    member) if (!text_is_printable(key, strlen(key)) || !leaf_is_clean(member)) return false;
	return true;
}

static int read_event(const struct reading *reading, const json_t *event)
{
	const json_t *metadata = NULL, *unmapped = NULL, *device = NULL;
	struct leaf *leaf = reading->leaf;
	int r = 0;

	(void)((r = read_object(reading, event, "metadata", &metadata)) < 0 ||
	       (r = read_object(reading, event, "unmapped", &unmapped)) < 0 ||
	       (r = read_object(reading, event, "device", &device)) < 0 || (r = read_numbers(reading, event)) < 0 ||
	       (r = read_link(reading, unmapped)) < 0 || (r = read_id(reading, metadata)) < 0 ||
	       (r = read_text(reading, metadata, "event_code", "metadata.event_code", true, is_kind, LEAF_KIND_MAX,
			      leaf->kind)) < 0 ||
	       (r = read_text(reading, metadata, "tenant_uid", "metadata.tenant_uid", false, is_record_id, LEAF_ID_MAX,
			      leaf->tenant_id)) < 0 ||
	       (r = read_text(reading, device, "uid", "device.uid", false, is_plain_id, LEAF_ID_MAX, leaf->host_id)) <
		       0 ||
	       (r = read_text(reading, unmapped, "project_id", "unmapped.project_id", false, is_record_id, LEAF_ID_MAX,
			      leaf->project_id)) < 0 ||
	       (r = read_actor(reading, event)) < 0 || (r = read_persons(reading, unmapped)) < 0);
	return r;
}

int leaf_read(const char *text, size_t length, struct leaf *ret, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *event = NULL;
	struct leaf leaf = {0};
	struct reading reading = {.leaf = &leaf, .problem = problem};
	int r;

	if (length > LEAF_BYTES_MAX)
		return problem_set(problem, EBADMSG, "the event is longer than %u bytes", LEAF_BYTES_MAX);
	if (!text_is_printable(text, length))
		return problem_set(problem, EBADMSG, "the event is not one line of text without control characters");
	r = json_read(text, length, &event, problem);
	if (r < 0)
		return r;
	if (!json_is_object(event))
		return problem_set(problem, EBADMSG, "the event is not a JSON object");
	if (memchr(text, '\\', length) && !leaf_is_clean(event))
		return problem_set(problem, EBADMSG, "the event has control characters in a text");
	r = read_event(&reading, event);
	if (r < 0)
		return r;
	*ret = leaf;
	return 0;
}
