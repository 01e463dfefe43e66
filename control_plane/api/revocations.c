/* SPDX-License-Identifier: MIT */
#include "control_plane/api/revocations.h"

#include <errno.h>

#include "control_plane/api/record.h"
#include "control_plane/feed/change.h"

int revocations_lock(struct request *request)
{
	return db_later(request->tx, "SELECT FROM control.feeds WHERE tenant_id = $1 FOR UPDATE", request->tenant_id);
}

/* Hosts refuse a version that they have, so what is revoked again gets another. */
static int next_version(struct request *request, const char *id, uint64_t *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = revocations_lock(request);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT coalesce(max(version), 0) + 1 FROM control.feed_records WHERE tenant_id = $1 AND "
			   "kind = $2::smallint AND id = $3",
			   request->tenant_id, record_number(request, RECORD_REVOCATION), id);
	if (r == 0)
		*ret = (uint64_t)db_i64(rows, 0, 0);
	return r;
}

int revocations_publish(struct request *request, const char *id, json_t *body)
{
	_cleanup_(json_decrefp) json_t *own = body;
	uint64_t version;
	int r = own ? next_version(request, id, &version) : -ENOMEM;

	if (r < 0)
		return r;
	change_revoke(request->change, RECORD_REVOCATION, id, version, json_incref(own), json_deep_copy(own));
	return 0;
}
