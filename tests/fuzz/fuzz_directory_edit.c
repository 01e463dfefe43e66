/* SPDX-License-Identifier: MIT
 *
 * Edits of any file that loads: each is refused with a place or a reason, or gives a text that loads as the old records
 * with exactly the change that was meant, in which every comment still stands.
 *
 * The first four bytes choose the edits, the rest is the file.
 */
#include <errno.h>
#include <string.h>

#include "directory/edit.h"
#include "directory/unit.h"
#include "directory/yaml_load.h"
#include "fuzz.h"

#define CHOICE_BYTES 4U
#define EDITS_MAX 3U

/* Those that files hold. */
static const enum record_kind kinds[] = {RECORD_TENANT, RECORD_PROJECT, RECORD_USER, RECORD_MEMBER,
					 RECORD_KEY,    RECORD_HOST,    RECORD_IDP,  RECORD_GRANT};
static const char *const texts[] = {"", "x", "a # b", "- y", "it's \"q\"", "\xc3\xa9", "null", "{a: [1]}"};

/* Records as an edit would make them, and which edit it was. */
struct change {
	enum { APPEND, UPDATE, REMOVE } what;
	enum record_kind kind;
	uint32_t index;
	union any_record record;
	struct host_rule rules[64];
};

/* Some more of them, some less, or all as if nothing had been said. */
static void change_sessions(struct session_rules *rules, uint8_t choice)
{
	switch (choice >> 5) {
	case 1:
		rules->max_per_user = rules->max_per_user ? 0 : 3;
		break;
	case 2:
		rules->idle_sec = 1800;
		rules->end_with_key = !rules->end_with_key;
		break;
	case 3:
		rules->grace_sec = rules->warn_sec = 0;
		rules->max_age_sec = 0;
		break;
	case 4:
		*rules = session_rules_default();
		break;
	case 5:
		rules->over = SESSION_OVER_END_OLDEST;
		break;
	default:
		break;
	}
}

/* The record with one or two fields changed: what tenantctl's verbs change, and texts of every kind. */
static void change_record(struct change *change, uint8_t choice)
{
	const char *text = texts[choice % ARRAY_LEN(texts)];
	struct host_record *host = &change->record.host;

	switch (change->kind) {
	case RECORD_TENANT:
		change->record.tenant.name = text;
		if (change->record.tenant.id_next < change->record.tenant.id_first + change->record.tenant.id_count - 1)
			change->record.tenant.id_next++;
		change_sessions(&change->record.tenant.sessions, choice);
		break;
	case RECORD_PROJECT:
		change->record.project.slug = choice & 8 ? "other" : "slug";
		break;
	case RECORD_USER:
		change->record.user.status = choice & 8 ? USER_SUSPENDED : USER_ACTIVE;
		change->record.user.status_reason = choice & 8 ? text : "";
		break;
	case RECORD_MEMBER:
		change->record.member.role = choice & 8 ? "owner" : "viewer";
		break;
	case RECORD_KEY:
		change->record.key.label = text;
		change->record.key.revoked_at = choice & 8 ? 1795305600 : 0;
		change->record.key.revoked_reason = choice & 8 ? "gone" : "";
		break;
	case RECORD_IDP:
		change->record.idp.name = *text ? text : "idp";
		change->record.idp.preferred = choice & 8;
		break;
	case RECORD_GRANT:
		change->record.grant.reason = *text ? text : "why";
		change->record.grant.not_before = choice & 8 ? 1 : 0;
		break;
	case RECORD_TOKEN_KEY:
	case RECORD_REVOCATION:
		break;
	case RECORD_HOST:
		if (host->rule_count > ARRAY_LEN(change->rules))
			host->rule_count = 0;
		if (host->rule_count)
			memcpy(change->rules, host->rules, host->rule_count * sizeof(*change->rules));
		if (host->rule_count && choice & 8) {
			uint32_t gone = choice % host->rule_count;

			memmove(&change->rules[gone], &change->rules[gone + 1],
				(host->rule_count - gone - 1) * sizeof(*change->rules));
			host->rule_count--;
		} else if (host->rule_count < ARRAY_LEN(change->rules)) {
			change->rules[host->rule_count++] = (struct host_rule){.project_id = "prj_fuzz"};
		}
		host->rules = change->rules;
		break;
	}
}

static void choose(struct change *change, const struct unit *unit, uint8_t first, uint8_t second)
{
	uint32_t count;

	change->kind = kinds[first % ARRAY_LEN(kinds)];
	change->what = first / ARRAY_LEN(kinds) % 3;
	count = records_count(&unit->records, change->kind);
	/* What is appended resembles what is there. */
	if (count == 0) {
		change->what = APPEND;
		change->kind = RECORD_MEMBER;
		change->record.member = (struct member_record){"usr_a", "prj_a", "", "owner"};
		return;
	}
	change->index = second % count;
	memcpy(&change->record, records_at(&unit->records, change->kind, change->index), record_size(change->kind));
	if (change->what != REMOVE)
		change_record(change, second);
}

static int apply(struct edit *edit, struct change *change, struct problem *problem)
{
	switch (change->what) {
	case APPEND:
		return edit_append(edit, change->kind, &change->record, problem);
	case UPDATE:
		return edit_update(edit, change->kind, change->index, &change->record, problem);
	case REMOVE:
		return edit_remove(edit, change->kind, change->index, problem);
	}
	return -EINVAL;
}

/* Compared without the editor's own idea of it. */
static void check_kind(enum record_kind kind, const struct unit *before, const struct unit *after,
		       const struct change *changes, unsigned count)
{
	uint32_t at = 0, total = records_count(&after->records, kind);

	for (uint32_t i = 0; i < records_count(&before->records, kind); i++) {
		const void *wanted = records_at(&before->records, kind, i);
		bool gone = false;

		for (unsigned j = 0; j < count; j++) {
			if (changes[j].kind != kind || changes[j].what == APPEND || changes[j].index != i)
				continue;
			gone |= changes[j].what == REMOVE;
			wanted = &changes[j].record;
		}
		if (gone)
			continue;
		FUZZ_CHECK(at < total && record_equal(kind, wanted, records_at(&after->records, kind, at)));
		at++;
	}
	for (unsigned j = 0; j < count; j++)
		if (changes[j].kind == kind && changes[j].what == APPEND) {
			FUZZ_CHECK(at < total &&
				   record_equal(kind, &changes[j].record, records_at(&after->records, kind, at)));
			at++;
		}
	FUZZ_CHECK(at == total);
}

/* Lines that are nothing but a comment, which no edit may take away. */
static unsigned count_comment_lines(const char *text, size_t length)
{
	unsigned count = 0;
	bool blank = true;

	for (size_t i = 0; i < length; i++) {
		if (blank && text[i] == '#' && i + 1 < length && text[i + 1] == '#')
			count++;
		blank = text[i] == '\n' || (blank && text[i] == ' ');
	}
	return count;
}

static void check_result(const struct edit *edit, const struct unit *before, const uint8_t *data, size_t size,
			 const struct change *changes, unsigned count)
{
	const char *text = edit_text(edit);
	struct problem problem = {0};
	struct unit *after = NULL;
	bool removes = false;

	FUZZ_CHECK(directory_yaml_load_text("fuzz", text, strlen(text), &after, &problem) == 0);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		check_kind(kind, before, after, changes, count);
	for (unsigned i = 0; i < count; i++)
		removes |= changes[i].what != APPEND;
	if (!removes)
		FUZZ_CHECK(count_comment_lines(text, strlen(text)) == count_comment_lines((const char *)data, size));
	unit_unref(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct change changes[EDITS_MAX];
	struct unit *unit = NULL, *after = NULL;
	struct problem problem = {0};
	struct edit *edit = NULL;
	unsigned count, done = 0;
	int r = 0;

	if (size < CHOICE_BYTES ||
	    directory_yaml_load_text("fuzz", data + CHOICE_BYTES, size - CHOICE_BYTES, &unit, &problem) < 0)
		return 0;
	FUZZ_CHECK(edit_open_text("fuzz", data + CHOICE_BYTES, size - CHOICE_BYTES, unit, &edit) == 0);
	count = 1 + data[0] % EDITS_MAX;
	memset(changes, 0, sizeof(changes));
	for (; r == 0 && done < count; done++) {
		struct change *change = &changes[done];
		bool again = false;

		choose(change, unit, (uint8_t)(data[1] + 5 * done), (uint8_t)(data[2] + data[3] * done));
		/* One record is edited at most once: edit.h. */
		for (unsigned i = 0; i < done; i++)
			again |= changes[i].what != APPEND && change->what != APPEND &&
				 changes[i].kind == change->kind && changes[i].index == change->index;
		if (again)
			break;
		r = apply(edit, change, &problem);
	}
	if (r == 0)
		r = edit_finish(edit, &after, &problem);
	if (r == 0)
		check_result(edit, unit, data + CHOICE_BYTES, size - CHOICE_BYTES, changes, done);
	else
		FUZZ_CHECK(!after && (r == -EINVAL || r == -EOPNOTSUPP || r == -E2BIG) &&
			   (r != -EOPNOTSUPP || problem.text[0]));
	edit_free(edit);
	unit_unref(after);
	unit_unref(unit);
	return 0;
}
