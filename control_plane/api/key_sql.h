/* SPDX-License-Identifier: MIT
 *
 * An API key as the feed has it, and as the API shows it: without its verifier.
 */
#pragma once

#include "control_plane/api/record.h"

/* Of control.api_keys. A pair of JSON a line; clang-format cuts strings in such a sequence into splinters. */
/* clang-format off */
#define KEY_SCOPES_SQL \
	"'label', " SQL_TEXT("label") \
	", 'projects', " SQL_LIST("projects") \
	", 'actions', " SQL_LIST("actions") \
	", 'services', " SQL_LIST("services") \
	", 'from', " SQL_LIST("allow_from") \
	", 'created', created" \
	", 'not_before', " SQL_NUMBER("not_before") \
	", 'not_after', " SQL_NUMBER("not_after") \
	", 'successor', " SQL_TEXT("successor") \
	", 'revoked_at', " SQL_NUMBER("revoked_at") \
	", 'revoked_reason', " SQL_TEXT("revoked_reason")
/* clang-format on */
#define KEY_BODY_SQL                                                                                       \
	"jsonb_strip_nulls(jsonb_build_object('user', user_id, 'verifier', 'sha256:' || encode(verifier, " \
	"'hex'), " KEY_SCOPES_SQL "))"
#define KEY_VIEW_SQL \
	"jsonb_strip_nulls(jsonb_build_object('id', id, 'version', version, 'user', user_id, " KEY_SCOPES_SQL "))"
#define KEY_COLUMNS_SQL "version, " KEY_BODY_SQL ", " KEY_VIEW_SQL
