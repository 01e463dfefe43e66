/* SPDX-License-Identifier: MIT
 *
 * libtenant: ask the local agent whose credential this is and what they may do.
 *
 * Every call is synchronous and ends by its deadline (default 2 s; tenant_set_timeout). Calls return
 *   0                 the agent answered: look at the result's decision
 *   negative errno    nobody answered: -ECONNREFUSED and -ENOENT (no agent), -ECONNRESET (it went away),
 *                     -ETIMEDOUT, -EPROTO (nonsense came back), -EIO (it says that it is broken), -EBUSY (too many
 *                     calls of yours), -EOPNOTSUPP (an agent that does not know the call), -ENOMEM,
 *                     -EACCES (you may not ask this), -ENODATA (no such user, session …), -EINVAL (your arguments),
 *                     -EMSGSIZE (they are too long), -EINPROGRESS (tenant_end_session: not gone in time)
 * so a denial and a breakage can never be mixed up. Treat a negative value as "no", and as broken.
 *
 * A handle may be used by several threads; calls on it then wait for one another, at most until their
 * deadline. For parallel calls make one handle per thread. A handle reconnects by itself, and in a child
 * after fork() never touches its parent's connection; a child of a process with other threads makes a new one.
 * Strings are UTF-8; results belong to the caller and are released with their _free function, which
 * takes NULL. On failure outputs are untouched. The library never prints, exits, or touches signals,
 * locale, environment or stdio.
 */
#ifndef TENANT_CLIENT_H
#define TENANT_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENANT_SOCKET_PATH "/run/tenantd/agent.sock"
#define TENANT_TIMEOUT_DEFAULT_MSEC 2000U

struct tenant; /* a handle */

/* Makes a handle; connects at the first call. `socket_path` NULL: TENANT_SOCKET_PATH. */
int tenant_new(const char *socket_path, struct tenant **ret);
void tenant_free(struct tenant *tenant);
void tenant_set_timeout(struct tenant *tenant, unsigned milliseconds);
/* Why the last call on this handle (by this thread) failed, in words; "" when it did not. Valid until the next. */
const char *tenant_error(const struct tenant *tenant);

enum tenant_decision {
	TENANT_ALLOWED = 1,
	TENANT_DENIED = 2, /* somebody decided no */
	TENANT_BROKEN = 3, /* the agent could not decide: no, and tell the operator */
};

/* An answer. Strings may be NULL where they do not apply. */
struct tenant_answer {
	enum tenant_decision decision;
	const char *reason;  /* a word: "role-too-low" */
	const char *message; /* a sentence for the person */
	const char *warning; /* e.g. that the key ends soon */
	const char *user, *user_id;
	uid_t uid;      /* (uid_t)-1 where unknown */
	int is_service; /* a service account */
	const char *tenant, *tenant_id;
	const char *project, *project_id, *role;
	const char *key_id;
	const char *const *actions;           /* NULL-terminated: what the credential may do in the project */
	const char *operator_name, *grant_id; /* an operator of the platform, who looks in by a grant: who it is */
};
void tenant_answer_free(struct tenant_answer *answer);

/* Whose credential is this? `project`, `action`, `service`, `source` may be NULL; with a project and an
 * action the decision covers them. `source` is the client's address, for allowlists. */
int tenant_verify(struct tenant *tenant, const char *credential, const char *project, const char *action,
		  const char *service, const char *source, struct tenant_answer **ret);
/* May the person (by uid) do `action` in `project` (an id or "tenant/project"), by role? */
int tenant_check(struct tenant *tenant, uid_t uid, const char *project, const char *action, struct tenant_answer **ret);
int tenant_check_user(struct tenant *tenant, const char *user, const char *project, const char *action,
		      struct tenant_answer **ret);
/* The gate for a service's entry points: 0 only when allowed; -EPERM denied; other negatives broken.
 * `ret` may be NULL. */
int tenant_require_project(struct tenant *tenant, const char *credential, const char *project, const char *action,
			   struct tenant_answer **ret);

struct tenant_membership {
	const char *tenant, *project /* NULL: tenant-wide */, *project_id, *role;
};
struct tenant_identity {
	const char *user, *user_id, *tenant, *tenant_id;
	uid_t uid;
	int is_service;
	const struct tenant_membership *memberships;
	size_t membership_count;
	const char *operator_name, *grant_id; /* as in struct tenant_answer */
};
int tenant_whoami(struct tenant *tenant, struct tenant_identity **ret);
void tenant_identity_free(struct tenant_identity *identity);

/* Strings but for the first six may be NULL where they do not apply. */
struct tenant_session {
	const char *id;
	const char *state; /* "open", "left-behind" (its leader is gone, something it started is not), "ending" */
	const char *user, *user_id, *tenant, *service;
	const char *cause; /* why it is ending, a word: "key-revoked" */
	const char *tenant_id, *project, *project_id, *role, *source, *terminal, *credential;
	const char *provider; /* the identity provider behind the credential */
	/* An operator of the platform looks in: who it is, by which grant, and why. */
	const char *operator_name, *grant_id, *grant_reason;
	const char *scope; /* the number of logind's session */
	const char *tty;   /* "pts/3" */
	uid_t uid;
	pid_t leader;   /* 0: gone */
	int64_t opened; /* seconds since the epoch */
	int64_t idle;   /* seconds without a key pressed at its terminal; -1: nobody can tell */
};
struct tenant_sessions {
	const struct tenant_session *items;
	size_t count;
};
/* Sessions that the caller may see: their own, those of projects (or the tenant) where they hold session.manage; for
 * root and services that may, all. `user` (a login or an id) NULL: everybody's. */
int tenant_sessions(struct tenant *tenant, const char *user, struct tenant_sessions **ret);
/* The same, of one project ("tenant/project" or an id) as well. */
int tenant_sessions_of(struct tenant *tenant, const char *user, const char *project, struct tenant_sessions **ret);
void tenant_sessions_free(struct tenant_sessions *sessions);
/* Ends a session with everything that runs in it; for its owner, holders of session.manage, and root. `reason` (NULL:
 * none) is shown to the person and written to the audit. `wait_seconds` 0: gives 0 when it has begun; else waits at
 * most so long (600), whatever the handle's timeout, and gives 0 when nothing of it is left. -EINPROGRESS: it is being
 * ended and was not gone in time. -ENODATA: there is none of this id that the caller may end. */
int tenant_end_session(struct tenant *tenant, const char *session, const char *reason, unsigned wait_seconds);
/* The same for all sessions that the caller may end and that fit; one of `user` and `project` may be NULL.
 * `ret_count`: how many there were, set whenever the result is 0 or -EINPROGRESS; may be NULL. None is 0 where the
 * caller has the right to them. */
int tenant_end_sessions(struct tenant *tenant, const char *user, const char *project, const char *reason,
			unsigned wait_seconds, size_t *ret_count);

/* A one-time sign-in code. */
struct tenant_code {
	enum tenant_decision decision;
	const char *reason, *message;
	const char *code; /* where allowed; a secret, wiped by tenant_code_free */
	const char *user, *service /* NULL: any */;
	unsigned expires_in; /* seconds */
};
/* Signs `user` (NULL: oneself; others: root and services that may) in once on this host, at the PAM service `service`
 * (NULL: any). A new one takes the place of the one before. */
int tenant_code(struct tenant *tenant, const char *user, const char *service, struct tenant_code **ret);
void tenant_code_free(struct tenant_code *code);

/* Writes an audit event. `outcome_success` 0 or 1; `message` and `data_json` (an object) may be NULL. */
int tenant_emit(struct tenant *tenant, const char *action, int outcome_success, const char *user, const char *project,
		const char *message, const char *data_json);

struct tenant_event {
	const char *event; /* "key-revoked", "user-suspended", "role-changed", "directory-changed" … */
	const char *user, *user_id, *key_id, *project, *session;
	uint64_t generation;
	const char *cause; /* why a session ends, a word: "key-revoked" */
};
struct tenant_subscription; /* a connection of its own */
/* 0 when the agent has accepted it: from then on nothing is missed. */
int tenant_subscribe(struct tenant *tenant, struct tenant_subscription **ret);
/* Waits for the next event at most `milliseconds` (-1: for ever). 0 and an event, borrowed until the
 * next call; -ETIMEDOUT; another negative: the subscription is over, subscribe again and look anew. */
int tenant_subscription_next(struct tenant_subscription *subscription, int milliseconds,
			     const struct tenant_event **ret);
int tenant_subscription_fd(const struct tenant_subscription *subscription); /* readable: call _next */
void tenant_subscription_free(struct tenant_subscription *subscription);

#ifdef __cplusplus
}
#endif
#endif
