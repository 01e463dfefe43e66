/* SPDX-License-Identifier: MIT
 *
 * Must this session end, by what the directory says? Pure, and by state instead of by change: asked again after a
 * restart, or after any number of changes that nobody saw, it answers the same.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "directory/directory.h"
#include "login/login.h"
#include "reaper/cause.h"
#include "session/session.h"

struct verdict_world {
	const struct directory *directory;
	const struct login_book *book; /* for identities that a first sign-in bound; may be NULL in tests */
	const char *host_id;           /* of the control plane; "" */
	int64_t now;                   /* seconds since the epoch */
	/* Is the tenant's part of the picture missing because it could not be read, and not because it was taken away?
	 * Then nobody knows, and nothing ends. `tenant_id` "": any tenant's at all. */
	bool (*tenant_pending)(void *context, const char *tenant_id);
	bool host_disabled;
	void *context;
};

struct verdict {
	enum end_cause cause;
	const char *detail; /* the reason that somebody gave (an order's, a suspension's), "" where none; borrowed */
	bool unknown;       /* nobody can know now: END_NONE, and to be asked again when what is known changes */
};

/* Of one session. END_NONE wherever nobody can know: a contested record, a tenant that is pending. */
struct verdict verdict_session(const struct verdict_world *world, const struct session *session);
/* Of whatever else runs as the uid: a cause of the user's, or END_NONE. A uid in the managed range that no picture
 * names is END_USER_REMOVED, unless any tenant is pending. */
struct verdict verdict_user(const struct verdict_world *world, uint32_t uid);
/* Has somebody signed in to it, by something that was theirs? What cron, su or a service manager opened says nothing
 * about who is there now. */
bool verdict_is_sign_in(const struct session *session);
/* Is it one of the person's to whoever looks from elsewhere: listed, and meant where an order says whose? Also what
 * they became by su, which may be within a session of somebody else's, and go on when all of their own have ended. */
bool verdict_is_named(const struct session *session);
/* Is it one of their own, and not what somebody became within another session (su, sudo), or a service manager? */
bool verdict_is_own(const struct session *session);
