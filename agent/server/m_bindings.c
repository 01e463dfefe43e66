/* SPDX-License-Identifier: MIT
 *
 * Identities that first sign-ins bound on this host: Bindings, Unbind. What single sign-on says in Metrics.
 */
#include "server/m_bindings.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "server/call.h"
#include "server/methods.h"
#include "sso/bindings.h"
#include "sso/sso.h"

#define PAGE 500U /* of one reply */

/* A login name, or an id: people who are gone have only that. */
static const char *user_id_of(const struct call *call, const char *user)
{
	const struct user_record *record =
		call->parts->directory ? directory_user_by_login(call->parts->directory, user) : NULL;

	return record ? record->id : user;
}

static void put_binding(const struct call *call, struct json_writer *w, const struct binding_entry *entry)
{
	const struct directory *d = call->parts->directory;
	const struct user_record *user = d ? directory_user(d, entry->user_id) : NULL;
	const struct tenant_record *tenant = d ? directory_tenant(d, entry->tenant_id) : NULL;

	json_begin(w, NULL, '{');
	json_put_string_if(w, "user", user ? user->login : NULL);
	json_put_string(w, "user_id", entry->user_id);
	json_put_string_if(w, "tenant", tenant ? tenant->slug : NULL);
	json_put_string(w, "tenant_id", entry->tenant_id);
	json_put_string(w, "issuer", entry->issuer);
	json_put_string(w, "subject", entry->subject);
	json_put_i64(w, "at", entry->at);
	json_end(w, '}');
}

int m_bindings(struct call *call)
{
	struct {
		const char *user;
		uint32_t from;
	} p = {0};
	static const struct json_field fields[] = {
		{"user", JSON_FIELD_STRING, 0, JSON_FIELD_NULLABLE},
		{"from", JSON_FIELD_U32, sizeof(char *), JSON_FIELD_NULLABLE},
	};
	const struct binding_entry *entry = NULL;
	const char *user_id;
	struct json_writer *w;
	uint32_t count = 0;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &p) < 0)
		return 0;
	if (!call->parts->bindings)
		return call_broken(call, NULL);
	user_id = p.user ? user_id_of(call, p.user) : NULL;
	w = call_reply(call);
	json_begin(w, "bindings", '[');
	while (count < PAGE && (entry = bindings_next(call->parts->bindings, &p.from))) {
		if (user_id && !text_equal(entry->user_id, user_id))
			continue;
		put_binding(call, w, entry);
		count++;
	}
	json_end(w, ']');
	if (entry)
		json_put_u64(w, "next", p.from);
	return call_reply_end(call, false);
}

static void audit_unbound(const struct call *call, const char *user_id, const char *issuer)
{
	const struct directory *d = call->parts->directory;
	const struct user_record *user = d ? directory_user(d, user_id) : NULL;
	const struct tenant_record *tenant = user ? directory_tenant(d, user->tenant_id) : NULL;

	audit_write(call->parts->audit, &(struct audit_event){
						.kind = AUDIT_IDENTITY_UNBOUND,
						.reason = REASON_ALLOWED,
						.tenant = tenant ? tenant->slug : NULL,
						.tenant_id = user ? user->tenant_id : NULL,
						.user = user ? user->login : NULL,
						.user_id = user_id,
						.uid = user ? user->uid : 0,
						.has_uid = user != NULL,
						.detail = issuer[0] ? issuer : NULL,
					});
}

int m_unbind(struct call *call)
{
	struct {
		const char *user, *issuer;
	} p = {.issuer = ""};
	static const struct json_field fields[] = {
		{"user", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED},
		{"issuer", JSON_FIELD_STRING, sizeof(char *), JSON_FIELD_NULLABLE},
	};
	uint32_t removed = 0;
	const char *user_id;
	int r;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &p) < 0)
		return 0;
	if (!call->parts->bindings)
		return call_broken(call, NULL);
	user_id = user_id_of(call, p.user);
	r = bindings_remove(call->parts->bindings, user_id, p.issuer, &removed);
	if (r == -EROFS)
		return call_broken(call,
				   "what is bound cannot be changed: there is no sealing key, or the file cannot be "
				   "read (tenantctl status)");
	if (r < 0)
		return call_broken(call, strerrordesc_np(-r));
	if (removed == 0)
		return call_error(call, AGENT_ERROR_NOT_FOUND, "what", "identity");
	audit_unbound(call, user_id, p.issuer);
	call->parts->credentials_changed(call->parts->context);
	json_put_u64(call_reply(call), "removed", removed);
	return call_reply_end(call, false);
}

void gauge_sso(struct buffer *out, const struct parts *parts)
{
	static const char *const ends[] = {
		[FLOW_PROVEN] = "proven",       [FLOW_DENIED] = "denied",   [FLOW_EXPIRED] = "expired",
		[FLOW_BAD_TOKEN] = "bad-token", [FLOW_REFUSED] = "refused", [FLOW_UNREACHABLE] = "unreachable",
	};
	const struct sso_counts *counts;

	_Static_assert(ARRAY_LEN(ends) == FLOW_END_COUNT, "a word for each end");
	if (!parts->sso)
		return;
	counts = sso_counts(parts->sso);
	buffer_printf(
		out,
		"# TYPE tenantd_sso_waiting gauge\n# HELP tenantd_sso_waiting Sign-ins at identity providers under "
		"way.\ntenantd_sso_waiting %u\n"
		"# TYPE tenantd_sso_started counter\n# HELP tenantd_sso_started Sign-ins begun at identity "
		"providers.\ntenantd_sso_started_total %llu\n"
		"# TYPE tenantd_sso_ended counter\n# HELP tenantd_sso_ended How they ended there.\n",
		sso_flow_count(parts->sso), (unsigned long long)counts->started);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		buffer_printf(out, "tenantd_sso_ended_total{end=\"%s\"} %llu\n", ends[i],
			      (unsigned long long)counts->ended[i]);
	buffer_printf(out, "tenantd_sso_ended_total{end=\"cancelled\"} %llu\n", (unsigned long long)counts->cancelled);
}
