/* SPDX-License-Identifier: MIT */
#include "control_plane/api/hosts_view.h"

#include <errno.h>

/* Feeds are rows of their tenants: the transaction looks at one after the other. */
static int add_tenant(struct request *request, const struct db_rows *tenants, uint32_t row, json_t *list)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = db_text(tenants, row, 0);
	int r = db_switch_tenant(request->tx, id);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT f.origin, t.note FROM control.feeds f JOIN control.feed_trust t "
			   "ON t.tenant_id = f.tenant_id AND t.version = f.trust_version WHERE f.tenant_id = $1",
			   id);
	if (r < 0 || db_row_count(rows) == 0)
		return r; /* no feed yet: the host asks again */
	return json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "slug", db_text(tenants, row, 1),
						     "origin", db_text(rows, 0, 0), "trust", db_text(rows, 0, 1))) < 0
		       ? -ENOMEM
		       : 0;
}

int hosts_view_tenants(struct request *request, const char *host_id, json_t **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *list = json_array();
	int r = list ? 0 : -ENOMEM;

	if (r == 0)
		r = db_run(
			request->tx, &rows,
			"SELECT t.id, t.slug FROM control.host_tenants h JOIN control.tenants t ON t.id = h.tenant_id "
			"WHERE h.host_id = $1 ORDER BY t.id",
			host_id);
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		r = add_tenant(request, rows, i, list);
	if (r == 0)
		*ret = json_incref(list);
	return r;
}
