/* SPDX-License-Identifier: MIT */
#include "control_plane/api/hosts_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control_plane/app.h"
#include "control_plane/feed/assignment.h"

struct served {
	json_t *list;
	struct feed_assignment wanted;
	bool too_many; /* a host refuses that many, and no note has room for them */
};

/* Feeds are rows of their tenants: the transaction looks at one after the other. */
static int add_tenant(struct db_tx *tx, const struct db_rows *tenants, uint32_t row, struct served *served)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id = db_text(tenants, row, 0), *trust;
	struct feed_assigned *assigned;
	int r = db_switch_tenant(tx, id);

	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT f.origin, t.note FROM control.feeds f JOIN control.feed_trust t "
			   "ON t.tenant_id = f.tenant_id AND t.version = f.trust_version WHERE f.tenant_id = $1",
			   id);
	if (r < 0 || db_row_count(rows) == 0)
		return r; /* no feed yet: the host asks again */
	trust = db_text(rows, 0, 1);
	if (json_array_append_new(served->list,
				  json_pack("{s:s, s:s, s:s, s:s}", "id", id, "slug", db_text(tenants, row, 1),
					    "origin", db_text(rows, 0, 0), "trust", trust)) < 0)
		return -ENOMEM;
	served->too_many |= served->wanted.tenant_count == FEED_ASSIGNED_MAX;
	if (served->too_many)
		return 0;
	assigned = &served->wanted.tenants[served->wanted.tenant_count++];
	(void)snprintf(assigned->tenant_id, sizeof(assigned->tenant_id), "%s", id);
	return sha256(trust, strlen(trust), assigned->trust);
}

static int read_served(struct db_tx *tx, const char *host_id, struct served *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	*ret = (struct served){.list = json_array()};
	if (!ret->list)
		return -ENOMEM;
	(void)snprintf(ret->wanted.host_id, sizeof(ret->wanted.host_id), "%s", host_id);
	/* By bytes, whatever the database's language: the note's lines are in that order. */
	r = db_run(tx, &rows,
		   "SELECT t.id, t.slug FROM control.host_tenants h JOIN control.tenants t ON t.id = h.tenant_id "
		   "WHERE h.host_id = $1 ORDER BY t.id COLLATE \"C\"",
		   host_id);
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		r = add_tenant(tx, rows, i, ret);
	return r;
}

/* In a transaction that may write. */
static int renew(struct publisher *publisher, struct db_tx *tx, const char *host_id, struct served *served,
		 struct assignment_note *ret)
{
	int r = assignment_lock(tx, host_id);

	if (r == 0)
		r = read_served(tx, host_id, served);
	if (r == 0 && !served->too_many)
		r = assignment_renew(publisher, tx, &served->wanted, ret);
	return r;
}

/* The note is not what is so any more: a transaction of our own makes another, since this one only reads. */
static int renew_apart(struct request *request, const char *host_id, struct served *served, struct assignment_note *ret)
{
	const struct db_scope scope = {.platform = true};
	struct db_tx *tx = NULL;
	int r = db_begin(request->app->db, &scope, &tx);

	if (r < 0)
		return r;
	r = renew(request->app->publisher, tx, host_id, served, ret);
	if (r < 0) {
		db_rollback(tx);
		return r;
	}
	return db_commit(tx);
}

static int put(json_t *answer, const struct served *served, struct assignment_note *note, bool enrolling)
{
	const char *text = served->too_many ? NULL : buffer_text(&note->note);

	if (json_object_set(answer, "tenants", served->list) < 0)
		return -ENOMEM;
	if (served->too_many)
		return 0;
	if (!text || json_object_set_new(answer, "assignment", json_string(text)) < 0)
		return -ENOMEM;
	return enrolling && json_object_set_new(answer, "authority", json_string(note->authority)) < 0 ? -ENOMEM : 0;
}

int hosts_view_served(struct request *request, const char *host_id, bool enrolling, json_t *answer)
{
	struct assignment_note note = {.note = BUFFER_INIT};
	struct served served = {0};
	int r;

	if (enrolling) {
		r = renew(request->app->publisher, request->tx, host_id, &served, &note);
	} else {
		r = read_served(request->tx, host_id, &served);
		if (r == 0 && !served.too_many)
			r = assignment_kept(request->app->publisher, request->tx, &served.wanted, &note);
		if (r == 1) {
			json_decref(served.list);
			r = renew_apart(request, host_id, &served, &note);
		}
	}
	if (r == 0)
		r = put(answer, &served, &note, enrolling);
	json_decref(served.list);
	buffer_finish(&note.note);
	return r;
}
