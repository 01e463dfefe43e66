/* SPDX-License-Identifier: MIT */
#include "audit/session_event.h"

struct audit_event session_event(enum audit_kind kind, const struct session *session)
{
	return (struct audit_event){
		.kind = kind,
		.tenant = session->tenant,
		.tenant_id = session->tenant_id,
		.project = session->project,
		.project_id = session->project_id,
		.role = session->role,
		.user = session->login,
		.user_id = session->user_id,
		.uid = session->uid,
		.has_uid = true,
		.operator_name = session->operator,
		.grant = session->grant_id,
		.grant_reason = session->grant_reason,
		.service = session->service,
		.host_session = session->id,
	};
}
