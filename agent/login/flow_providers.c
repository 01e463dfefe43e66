/* SPDX-License-Identifier: MIT
 *
 * Providers of somebody's tenant.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "login/flow.h"
#include "oidc/client.h"

/* The preferred one first, then by name: the order may not depend on how the records came. */
static bool stands_before(const struct idp_record *a, const struct idp_record *b)
{
	int order;

	if (a->preferred != b->preferred)
		return a->preferred;
	order = strcmp(a->name, b->name);
	return order < 0 || (order == 0 && strcmp(a->id, b->id) < 0);
}

uint32_t login_providers(const struct directory *d, const struct user_record *user,
			 const struct idp_record *ret[IDP_PER_TENANT_MAX])
{
	const struct idp_record *idp;
	uint32_t cursor = 0, count = 0, at;

	while (count < IDP_PER_TENANT_MAX && (idp = directory_idps(d, user->tenant_id, &cursor))) {
		for (at = count++; at > 0 && stands_before(idp, ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = idp;
	}
	return count;
}

int login_provider_digest(const struct idp_record *idp, uint8_t digest[SHA256_BYTES])
{
	_cleanup_(oidc_client_unrefp) struct oidc_client *client = oidc_client_new(idp);

	if (!client)
		return -ENOMEM;
	memcpy(digest, client->digest, SHA256_BYTES);
	return 0;
}

const struct idp_record *login_provider_same(const struct directory *d, const struct user_record *user, const char *id,
					     const uint8_t digest[SHA256_BYTES])
{
	const struct idp_record *idp = directory_idp(d, id);
	uint8_t own[SHA256_BYTES];

	if (!idp || !text_equal(idp->tenant_id, user->tenant_id) || login_provider_digest(idp, own) < 0 ||
	    memcmp(own, digest, sizeof(own)) != 0)
		return NULL;
	return idp;
}
