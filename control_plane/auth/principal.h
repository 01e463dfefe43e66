/* SPDX-License-Identifier: MIT
 *
 * Who makes a request. Plain value; texts are the request's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "records/records.h"

enum principal_kind {
	PRINCIPAL_NONE,
	PRINCIPAL_USER,     /* a tenant's person or service account, by access token or API key */
	PRINCIPAL_OPERATOR, /* of the platform */
	PRINCIPAL_HOST,     /* an enrolled host */
	PRINCIPAL_INTERNAL, /* the shared secret of /internal */
	PRINCIPAL_LOCAL,    /* tenant-control's own command line, as root: like an operator */
};

struct principal {
	enum principal_kind kind;
	const char *id, *name;   /* usr_…, opr_…, hst_…; login name, e-mail or host name */
	const char *tenant_id;   /* users' own; NULL for others */
	const char *tenant_role; /* users' role in their tenant; NULL */
	const char *credential;  /* "api-key:key_…", "token:<jti>", "local" */
	const char *token_id;    /* jti; NULL for keys */
	int64_t token_expires;
	bool service;                    /* a service account's */
	bool tenant_suspended;           /* users' own tenant */
	const struct tenant_record *own; /* users': only roles, those of their tenant's own making that count */
	const struct key_record *key;    /* the API key's scopes; NULL */
};
