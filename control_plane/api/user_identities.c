/* SPDX-License-Identifier: MIT */
#include "control_plane/api/user_identities.h"

#include <errno.h>
#include <string.h>

#include "control_plane/api/events.h"

/* What the texts may be is judged with the user's body. */
static int check_shape(struct request *request, const json_t *identities)
{
	size_t index;
	json_t *one;

	if (json_array_size(identities) > USER_IDENTITIES_MAX) {
		respond_invalid(request, "identities", "at most %u", USER_IDENTITIES_MAX);
		return 1;
	}
	json_array_foreach(identities, index, one)
	{
		if (json_is_object(one) && json_object_size(one) == 2 &&
		    json_is_string(json_object_get(one, "issuer")) && json_is_string(json_object_get(one, "subject")))
			continue;
		respond_invalid(request, "identities", "each is an issuer and a subject, and nothing else");
		return 1;
	}
	return 0;
}

/* What there was, as JSON. */
static int take_out(struct request *request, const char *user_id, json_t **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(
		request->tx, &rows,
		"WITH gone AS (DELETE FROM control.user_identities WHERE tenant_id = $1 AND user_id = $2 RETURNING "
		"issuer, subject) SELECT coalesce(jsonb_agg(jsonb_build_object('issuer', issuer, 'subject', subject) "
		"ORDER BY issuer, subject), '[]') FROM gone",
		request->tenant_id, user_id);

	return r < 0 ? r : record_json(rows, 0, 0, ret);
}

static int check_kind(struct request *request, const char *user_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT kind = 'person' FROM control.users WHERE tenant_id = $1 AND id = $2",
		       request->tenant_id, user_id);

	if (r < 0 || db_row_count(rows) == 0 || db_bool(rows, 0, 0))
		return r;
	respond_invalid(request, "identities", "a service account has API keys and no identities");
	return 1;
}

int user_identities_put(struct request *request, const char *user_id, json_t *identities)
{
	_cleanup_(json_decrefp) json_t *before = NULL;
	const char *text;
	int r = 0;

	if (!identities)
		return 0;
	r = check_shape(request, identities);
	if (r == 0 && json_array_size(identities) > 0)
		r = check_kind(request, user_id);
	if (r == 0)
		r = record_json_text(request, identities, &text);
	if (r == 0)
		r = take_out(request, user_id, &before);
	if (r == 0)
		r = db_run(request->tx, NULL,
			   "INSERT INTO control.user_identities (tenant_id, user_id, issuer, subject) SELECT $1, $2, e "
			   "->> "
			   "'issuer', e ->> 'subject' FROM jsonb_array_elements($3::jsonb) e",
			   request->tenant_id, user_id, text);
	if (r != 0)
		return r;
	return event_write(request, "user.identities", user_id,
			   json_pack("{s:O, s:O}", "before", before, "after", identities));
}
