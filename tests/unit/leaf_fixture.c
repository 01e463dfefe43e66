/* SPDX-License-Identifier: MIT */
#include "leaf_fixture.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ocsf_check.h"
#include "json/json_read.h"

struct kept kept;
struct audit *kept_audit;
struct buffer kept_journal;
unsigned kept_journal_count;
uint64_t kept_now;
json_t *kept_schema;

static int store_next(void *context, struct leaf_link *ret)
{
	if (kept.full)
		return -ENOSPC;
	*ret = (struct leaf_link){
		.chain = "0123456789abcdef", .boot = "00112233445566778899aabbccddeeff", .sequence = kept.count + 1};
	memcpy(ret->prev, kept.head.bytes, sizeof(ret->prev));
	return 0;
}

static int store_append(void *context, const char *leaf, size_t leaf_length, const char *personal,
			size_t personal_length)
{
	assert_ptr_equal(context, &kept);
	if (kept.no_memory)
		return -ENOMEM;
	assert_true(kept.count < KEPT_MAX);
	assert_result(buffer_add(&kept.leaf[kept.count], leaf, leaf_length), 0);
	assert_result(buffer_add(&kept.personal[kept.count], personal, personal_length), 0);
	assert_result(tlog_leaf_hash(leaf, leaf_length, &kept.head), 0);
	kept.count++;
	return 0;
}

static void store_told(void *context, uint64_t count)
{
	kept.told += count;
	kept.told_times++;
}

static const struct audit_store store = {store_next, store_append, store_told, &kept};

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	kept_journal_count++;
	buffer_clear(&kept_journal);
	buffer_add(&kept_journal, fields, length);
}

static uint64_t clock_now(void)
{
	return kept_now;
}

int kept_setup(void **state)
{
	memset(&kept, 0, sizeof(kept));
	kept_journal_count = 0;
	kept_now = 1000 * MINUTE;
	kept_schema = ocsf_schema();
	assert_result(audit_create("gpu-1", &kept_audit), 0);
	audit_divert(kept_audit, hear, NULL, clock_now);
	audit_set_store(kept_audit, &store);
	assert_result(audit_set_host_id(kept_audit, "hst_0123456789abcdef"), 0);
	return 0;
}

void kept_forget(void)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		buffer_finish(&kept.leaf[i]);
		buffer_finish(&kept.personal[i]);
	}
	kept.count = 0;
}

int kept_teardown(void **state)
{
	audit_destroy(kept_audit);
	kept_forget();
	buffer_finish(&kept_journal);
	json_decref(kept_schema);
	return 0;
}

/* Every kind with everything set. */
struct audit_event kept_full_event(enum audit_kind kind)
{
	return (struct audit_event){
		.kind = kind,
		.reason = REASON_ROLE_TOO_LOW,
		.tenant = "acme",
		.tenant_id = "ten_acme",
		.project = "vision",
		.project_id = "prj_vision",
		.role = "viewer",
		.user = "secret-victor",
		.user_id = "usr_victor",
		.operator_name = "secret-olga@example.org",
		.grant = "grt_1",
		.grant_reason = "secret-ticket",
		.uid = 1879048212,
		.has_uid = true,
		.target_user = "secret-target",
		.target_user_id = "usr_target",
		.service = "sshd",
		.source = "192.0.2.99",
		.terminal = "secret-pts",
		.host_session = "0123456789abcdef",
		.credential = "api-key:secret-key",
		.action = "host.login",
		.record_kind = "user",
		.record_id = "usr_victor",
		.change = "added",
		.detail = "secret-detail",
		.data_json = "{\"run\":\"secret-data\"}",
		.caller_user_id = "usr_caller",
		.caller_pid = 4711,
		.caller_uid = 1879048299,
		.has_caller = true,
		.count = 1,
		.directory_generation = 12,
	};
}

json_t *kept_journal_object(void)
{
	const char *at = strstr(buffer_text(&kept_journal), "\nOCSF=");
	struct problem problem = {0};
	json_t *object = NULL;

	assert_non_null(at);
	at += strlen("\nOCSF=");
	if (json_read(at, strcspn(at, "\n"), &object, &problem) < 0)
		fail_msg("%s", problem.text);
	return object;
}

/* The last event is in order in all of its forms: the leaf by itself, its personal data, the two merged, the journal.
 */
struct leaf kept_check_last(struct personal_list *ret_personal)
{
	struct buffer *leaf = &kept.leaf[kept.count - 1], *personal = &kept.personal[kept.count - 1];
	_cleanup_(json_decrefp) json_t *alone = NULL, *merged = NULL, *journal = NULL;
	_cleanup_(personal_finish) struct personal_list list = {0};
	struct problem problem = {0};
	char text[256];
	struct leaf read;

	if (leaf_read(leaf->data, leaf->length, &read, &problem) < 0)
		fail_msg("%s: %s", problem.text, buffer_text(leaf));
	if (personal_read(personal->data, personal->length, &read, &list, &problem) < 0)
		fail_msg("%s: %s", problem.text, buffer_text(personal));
	assert_result(json_read(leaf->data, leaf->length, &alone, &problem), 0);
	if (ocsf_fault(kept_schema, alone, text, sizeof(text)))
		fail_msg("leaf of %s: %s\n%s", read.kind, text, buffer_text(leaf));
	merged = leaf_merge(leaf->data, leaf->length, &list);
	assert_non_null(merged);
	if (ocsf_fault(kept_schema, merged, text, sizeof(text)))
		fail_msg("%s: %s", read.kind, text);
	journal = kept_journal_object();
	if (!json_equal(merged, journal))
		fail_msg("%s: the journal has another event\n%s\n%s", read.kind, json_dumps(merged, JSON_SORT_KEYS),
			 json_dumps(journal, JSON_SORT_KEYS));
	if (ret_personal) {
		*ret_personal = list;
		list.count = 0;
	}
	return read;
}
