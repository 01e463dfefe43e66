/* SPDX-License-Identifier: MIT */
#include "login/flow.h"

struct credential_context login_credentials(const struct login_book *book, const struct directory *d, int64_t realtime,
					    struct credential_providers *room)
{
	const struct login_sso *sso = login_book_sso(book);

	if (sso && sso->keys)
		*room = (struct credential_providers){
			.keys = sso->keys,
			.remembered = sso->remembered,
			.owner = sso->owner,
			.context = sso->context,
		};
	return (struct credential_context){.d = d, .now = realtime, .providers = sso && sso->keys ? room : NULL};
}
