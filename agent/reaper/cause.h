/* SPDX-License-Identifier: MIT
 *
 * Why a session is ended. Each cause has a word for machines, a sentence for the person at the terminal, and a reach:
 * the session alone, or everything that runs as the user on this host.
 */
#pragma once

#include <stdbool.h>

enum end_cause {
	END_NONE, /* it may go on */
	/* Of one session. */
	END_ASKED,            /* by its owner, an owner of its project, root or a service that may */
	END_ORDERED,          /* by the control plane: a signed order in the tenant's feed */
	END_KEY_REVOKED,      /* the API key or SSH key that opened it is gone or revoked */
	END_KEY_EXPIRED,      /* where the tenant's rules say so (end_with_key) */
	END_TOKEN_REVOKED,    /* or the provider that issued it was taken away */
	END_IDENTITY_REMOVED, /* the provider, or the person's identity there */
	END_PROJECT_LOST,     /* no role any more that signs in for the session's project; for another one there is */
	END_TOO_OLD,
	END_IDLE,
	END_OUTSIDE_HOURS,
	END_TOO_MANY, /* the oldest gave way to a new one */
	/* Of everything that runs as the user. */
	END_SIGN_INS_ENDED, /* sessions_valid_from moved: a password change. What began later goes on */
	END_ROLE_LOST,      /* nothing is left that signs in on this host */
	END_USER_SUSPENDED,
	END_USER_REMOVED,
	END_TENANT_SUSPENDED,
	END_TENANT_GONE, /* the host serves the tenant no more: unenrolled, reassigned, taken out of the file */
	END_HOST_DISABLED,
	END_GRANT_ENDED, /* an operator's */
	END_CAUSE_COUNT,
};
const char *end_cause_word(enum end_cause cause); /* "key-revoked"; "" for END_NONE */
const char *end_cause_text(enum end_cause cause); /* "the key that opened it was revoked" */
/* END_NONE for a word that there is not (another release's state file). */
enum end_cause end_cause_from_word(const char *word);
/* Everything that runs as the user ends, in sessions or not. */
bool end_cause_is_of_user(enum end_cause cause);
/* The credential was taken away: whoever held it may have left things running outside the session. When no session of
 * the user's remains that stands, all that runs as the user ends with it. */
bool end_cause_is_of_credential(enum end_cause cause);
/* The directory says so, and may take it back. */
bool end_cause_is_of_directory(enum end_cause cause);
