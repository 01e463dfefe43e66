/* SPDX-License-Identifier: MIT
 *
 * Audit events with anything in them: the leaf and the personal data are what every reader takes, no leaf has what is
 * somebody's, the two merged are what the journal has, and nothing anywhere has a control character. Nothing is kept
 * back for being odd.
 *
 * Input: the kind, a byte of switches, then the texts in their order, each ended by a NUL (the last by the end).
 */
#include <string.h>

#include "audit/audit.h"
#include "base/text.h"
#include "fuzz.h"
#include "trail/leaf.h"
#include "json/json_read.h"

#define TEXTS 28U

static struct buffer kept_leaf, kept_personal;
static struct buffer journal;
static uint64_t now;

static uint64_t clock_now(void)
{
	return now += 400000000; /* past any group */
}

static int next(void *context, struct leaf_link *ret)
{
	*ret = (struct leaf_link){
		.chain = "0123456789abcdef", .boot = "00112233445566778899aabbccddeeff", .sequence = 7};
	return 0;
}

static int append(void *context, const char *leaf, size_t leaf_length, const char *personal, size_t personal_length)
{
	buffer_clear(&kept_leaf);
	buffer_clear(&kept_personal);
	FUZZ_CHECK(buffer_add(&kept_leaf, leaf, leaf_length) == 0);
	FUZZ_CHECK(buffer_add(&kept_personal, personal, personal_length) == 0);
	return 0;
}

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	buffer_clear(&journal);
	FUZZ_CHECK(buffer_add(&journal, fields, length) == 0);
}

static void check_fields(void)
{
	const char *fields = journal.data;

	FUZZ_CHECK(journal.length > 0 && fields[journal.length - 1] == '\n');
	for (size_t i = 0, length; i < journal.length; i += length + 1) {
		length = (size_t)((const char *)memchr(fields + i, '\n', journal.length - i) - (fields + i));
		FUZZ_CHECK(fields[i] >= 'A' && fields[i] <= 'Z');
		FUZZ_CHECK(text_is_printable(fields + i, length));
	}
}

static void check_kept(void)
{
	static const char name[] = "\nOCSF=";
	struct problem problem = {0};
	struct personal_list list = {0};
	const char *ocsf = memmem(journal.data, journal.length, name, sizeof(name) - 1);
	json_t *merged, *object = NULL;
	struct leaf leaf;

	FUZZ_CHECK(text_is_printable(kept_leaf.data, kept_leaf.length));
	FUZZ_CHECK(leaf_read(kept_leaf.data, kept_leaf.length, &leaf, &problem) == 0);
	FUZZ_CHECK(personal_read(kept_personal.data, kept_personal.length, &leaf, &list, &problem) == 0);
	merged = leaf_merge(kept_leaf.data, kept_leaf.length, &list);
	FUZZ_CHECK(merged && ocsf);
	ocsf += sizeof(name) - 1;
	FUZZ_CHECK(json_read(ocsf, (size_t)(journal.data + journal.length - 1 - ocsf), &object, &problem) == 0);
	FUZZ_CHECK(json_equal(merged, object));
	json_decref(merged);
	json_decref(object);
	personal_finish(&list);
}

static void fill(struct audit_event *event, char *const texts[TEXTS])
{
	const char **const places[TEXTS] = {
		&event->tenant,         &event->project,      &event->role,        &event->tenant_id,
		&event->project_id,     &event->user,         &event->user_id,     &event->operator_name,
		&event->grant,          &event->grant_reason, &event->target_user, &event->target_user_id,
		&event->service,        &event->source,       &event->terminal,    &event->host_session,
		&event->credential,     &event->action,       &event->cause,       &event->record_kind,
		&event->record_id,      &event->change,       &event->detail,      &event->data_json,
		&event->caller_user_id,
	};

	for (size_t i = 0; i < TEXTS; i++)
		if (places[i])
			*places[i] = texts[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct audit *audit;
	const struct audit_store store = {.next = next, .append = append};
	char *text, *texts[TEXTS] = {NULL};
	struct audit_event event = {0};

	if (size < 2 || size > 200000)
		return 0;
	if (!audit) {
		FUZZ_CHECK(audit_create("host", &audit) == 0);
		audit_divert(audit, hear, NULL, clock_now);
		audit_set_store(audit, &store);
	}
	text = malloc(size - 1);
	FUZZ_CHECK(text);
	memcpy(text, data + 2, size - 2);
	text[size - 2] = '\0';
	for (size_t at = 0, i = 0; at < size - 1 && i < TEXTS; at += strlen(text + at) + 1, i++)
		texts[i] = text + at;
	fill(&event, texts);
	event.kind = data[0] % AUDIT_KIND_COUNT;
	event.reason = data[1] & 1 ? REASON_KEY_WRONG : REASON_ALLOWED;
	event.has_uid = data[1] & 2;
	event.has_caller = data[1] & 4;
	event.caller_uid = data[1] & 8 ? 33 : 1879048299;
	event.caller_pid = data[1] & 16 ? 4711 : 0;
	event.failure = data[1] & 32;
	event.stale = data[1] & 64;
	event.count = data[1] & 128;
	audit_write(audit, &event);
	FUZZ_CHECK(audit_unkept(audit) == 0 && audit_lost(audit) == 0);
	check_fields();
	check_kept();
	free(text);
	return 0;
}
