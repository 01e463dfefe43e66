/* SPDX-License-Identifier: MIT
 *
 * Decisions: who may do what, where. Pure: a picture and a question in, a decision out; no clock, no
 * sockets, no files.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "directory/directory.h"
#include "policy/freshness.h"

/* Why. Each has a word for machines (reason_word) and a sentence for the person (reason_text).
 * REASON_ALLOWED is the only yes. */
enum reason {
	REASON_ALLOWED,
	REASON_UNKNOWN_USER,
	REASON_USER_SUSPENDED,
	REASON_TENANT_SUSPENDED,
	REASON_GRANT_ENDED,         /* an operator's account without a grant in force */
	REASON_HOST_SERVES_NOTHING, /* no host record names this host */
	REASON_NOT_A_MEMBER,        /* of any project (or of the project asked for) that this host serves */
	REASON_ROLE_TOO_LOW,        /* a member, but the role does not allow it */
	REASON_SERVICE_NOT_ALLOWED, /* host rule */
	REASON_SOURCE_NOT_ALLOWED,  /* tenant, project or key allowlist; or no source known while one is required */
	REASON_OUTSIDE_HOURS,
	REASON_UNKNOWN_PROJECT,
	REASON_UNKNOWN_ACTION,
	REASON_KEY_UNKNOWN,
	REASON_KEY_MALFORMED,  /* checksum: mistyped or cut */
	REASON_KEY_WRONG,      /* id known, secret wrong */
	REASON_KEY_OTHER_USER, /* a valid key of somebody else */
	REASON_KEY_NOT_YET,
	REASON_KEY_EXPIRED,
	REASON_KEY_REVOKED,
	REASON_KEY_SCOPE_PROJECT,
	REASON_KEY_SCOPE_ACTION,
	REASON_KEY_SCOPE_SERVICE,
	REASON_KEY_SCOPE_SOURCE,
	REASON_TOKEN_WRONG, /* no token of a control plane that this host follows, or changed */
	REASON_TOKEN_NOT_YET,
	REASON_TOKEN_EXPIRED,
	REASON_TOKEN_REVOKED,
	REASON_SSO_DENIED,        /* the person said no at the provider */
	REASON_SSO_EXPIRED,       /* nobody approved in time */
	REASON_SSO_TOKEN_REFUSED, /* what the provider sent does not hold */
	REASON_SSO_OTHER_PERSON,  /* it is somebody, but not this user */
	REASON_SSO_NOT_BOUND,     /* the identity is not known, and may not be bound by itself */
	REASON_SSO_NOT_OFFERED,   /* the tenant has no provider */
	REASON_CODE_WRONG,        /* one-time code: unknown, used, too old, for somebody else or another service */
	REASON_SSH_KEY_NOT_REGISTERED,
	REASON_CREDENTIAL_UNSUPPORTED, /* a kind that this host does not take */
	REASON_CREDENTIAL_STALE,       /* issued before sessions_valid_from */
	REASON_TOO_MANY_ATTEMPTS,
	REASON_TOO_MANY_SESSIONS,
	REASON_LOGIN_EXPIRED, /* the login id is too old or of somebody else */
	REASON_NOT_PERMITTED, /* the caller may not ask this */
	/* These are no denials: we could not decide (reason_is_broken). */
	REASON_TOKEN_UNDECIDED, /* an identity provider's token, whose keys are on their way */
	REASON_SSO_UNREACHABLE, /* the provider does not answer, or not so that it can be read */
	REASON_SSO_REFUSED,     /* the provider does not know this client any more, or what it is set up for */
	REASON_STALE, /* the control plane is out of reach, and the tenant's policy does not allow this role meanwhile
		       */
	REASON_AUDIT_FULL, /* it cannot be written down, and the operator wants nobody let in then */
	REASON_BROKEN,
	REASON_COUNT,
};
const char *reason_word(enum reason reason); /* "role-too-low" */
const char *reason_text(enum reason reason); /* "your role in the project does not allow signing in on this host" */

bool reason_is_broken(enum reason reason);

/* A question. Strings may be NULL or "" where not known. */
struct policy_request {
	const struct user_record *user;       /* required */
	const struct key_record *key;         /* the API key used, NULL: none (SSH key, cron …) */
	const struct project_record *project; /* NULL: any that fits (host logins) */
	const char *action;                   /* "host.login", "dataset.write" … */
	const char *service;                  /* PAM service, or the asking service's name */
	bool has_source;
	struct in6_addr source; /* v4-mapped where IPv4 */
	bool local;             /* no network source by nature: console, su, sudo, cron */
	bool implied;           /* part of a session that was let in already (systemd-user): no rule
				 * about services or hours is asked again */
	int64_t now;
	const struct freshness *freshness;    /* NULL: there are no feeds */
	uint64_t boot_now;                    /* CLOCK_BOOTTIME, microseconds; for freshness */
	const struct string_list *host_hours; /* of the host itself, beside the tenant's; NULL: always */
	bool sign_in_ended; /* the person's sign-ins were ended after this one's credential was given */
};
struct policy_decision {
	enum reason reason;
	const struct project_record *project; /* the one it was decided for; NULL when none */
	const struct tenant_record *tenant;
	const char *role; /* in that project (or tenant); NULL */
	bool stale;       /* decided without fresh word of the tenant's control plane, whichever way it fell */
};
/* Host decisions (host.login, host.sudo) go by the host's rules; all others by role alone. A rule's
 * `services` limit host.login only: its `sudo` list says by itself who may sudo.
 *
 * Without an action the question is whether the person (and key) is good at all; with a project, also
 * whether they belong to it. An action without a project is about the tenant as a whole.
 *
 * Sources: where an allowlist is in force, a request without a source is refused, unless it is `local`,
 * which passes the tenant's and project's lists, but never a key's own.
 *
 * Of several reasons for a no, the first of this order is given: account, key, key scope, network, hours,
 * and then that of the project that came nearest to a yes. A project of another tenant is unknown to the
 * asker, whatever its state or theirs: that comes first of all, as it does for a project that is not there.
 *
 * An operator's account (USER_OPERATOR) is viewer where it is anything, and nobody without a grant in force. Of the
 * host's rules only the project, the services and the networks matter for it, and it never becomes root.
 *
 * Of a stale tenant only holders of its stale_roles, in the project that is decided for (or in any, where none is), get
 * a yes; what would be a yes for others is REASON_STALE. A no stays the no that it is. */
void policy_decide(const struct directory *d, const struct policy_request *request, struct policy_decision *ret);
/* Is the key itself in force now, for this owner? REASON_ALLOWED or a KEY_ reason. */
enum reason policy_key_in_force(const struct key_record *key, int64_t now);
/* Would host.sudo be granted to this user (whose group is made from it), time and place aside? */
/* Is there a grant by which the operator's account is somebody now? NULL: no. */
const struct grant_record *policy_grant_in_force(const struct directory *d, const struct user_record *user,
						 int64_t now);
bool policy_may_sudo(const struct directory *d, const struct user_record *user);
/* "this key ends in 3 days; its successor is laptop-2" and the like; false: nothing to say. */
bool policy_key_warning(const struct directory *d, const struct key_record *key, int64_t now, char *out, size_t size);
