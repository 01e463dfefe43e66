/* SPDX-License-Identifier: MIT
 *
 * What one tenant is at one identity provider: the record, copied out of the directory so that it can be used on
 * another thread and outlive the picture it came from. Holds secrets: wiped with the last reference.
 */
#pragma once

#include "base/macros.h"
#include "records/records.h"

/* Counted by reference, atomically; `record` and all it points to are the client's own. */
struct oidc_client {
	struct idp_record record;
	uint8_t digest[SHA256_BYTES]; /* of all its fields: another record under the same id is another client */
};
/* NULL: out of memory. */
struct oidc_client *oidc_client_new(const struct idp_record *record);
struct oidc_client *oidc_client_ref(struct oidc_client *client);
void oidc_client_unref(struct oidc_client *client); /* takes NULL */
DEFINE_CLEANUP(struct oidc_client, oidc_client_unref)
