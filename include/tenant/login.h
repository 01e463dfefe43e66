/* SPDX-License-Identifier: MIT
 *
 * libtenant for sign-in front ends: what pam_tenant.so relays, for other programs that sign people in.
 * The agent takes these calls from root alone, leads the conversation and decides everything.
 *
 * One sign-in uses one handle (client.h) from tenant_login_start on: the agent drops a sign-in that is
 * not finished when its connection ends, so tenant_login_answer never reconnects. A finished one is named by `login`
 * and outlives the connection for a few minutes, so that the later stages may come from another process.
 *
 * Return values, deadlines, threads and ownership are those of client.h. Secrets are wiped from the
 * library's memory before a call returns; the caller wipes its own copy.
 */
#ifndef TENANT_LOGIN_H
#define TENANT_LOGIN_H

#include <tenant/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The ids that tenants' people and groups have; all others are never the agent's business. */
#define TENANT_MANAGED_ID_FIRST 0x70000000U
#define TENANT_MANAGED_ID_LAST 0x7ffffffeU

/* Who signs in where, as the front end knows it. All but user and service may be NULL or "". */
struct tenant_origin {
	const char *user;
	const char *service; /* the PAM service */
	const char *source;  /* the client's address or name */
	const char *terminal;
	const char *requesting_user; /* who asks, where that is another local user (su, sudo) */
	const char *ssh_auth_info;   /* sshd's SSH_AUTH_INFO_0 */
	/* The uids that getpwnam gives for `user` and `requesting_user`; 0: not looked up. Give them: when the agent
	 * means another person by the name, its answer is TENANT_BROKEN instead of a right for the wrong uid. */
	uid_t uid, requesting_uid;
};

enum tenant_login_step {
	TENANT_LOGIN_PROMPT = 1,  /* show `text` (up to 8 KiB, many lines), take one line (hidden unless `echo`), which
				   * may be empty, tenant_login_answer */
	TENANT_LOGIN_ALLOWED = 2, /* signed in: keep `login` for the later stages */
	TENANT_LOGIN_DENIED = 3,
	TENANT_LOGIN_BROKEN = 4, /* the agent could not decide */
};

struct tenant_login {
	enum tenant_login_step step;
	const char *login;  /* names this sign-in; NULL when it is over and refused */
	const char *text;   /* the prompt, or a message for the person; may be NULL */
	const char *reason; /* a word, where refused; may be NULL */
	int echo;
	int final; /* refused, and trying again at once is refused too */
};
void tenant_login_free(struct tenant_login *login);

int tenant_login_start(struct tenant *tenant, const struct tenant_origin *origin, struct tenant_login **ret);
/* How the pictures of addresses in the prompts of single sign-on are drawn in the sign-ins that this handle starts from
 * now on: "utf8" (half blocks), "ascii", "off"; NULL: as the agent is configured. -EINVAL: another word. */
int tenant_set_qr(struct tenant *tenant, const char *form);
/* Failed attempts are answered late, and later each time (half a minute and more), and an answer to a prompt of
 * single sign-on is held for up to 25 seconds while nobody has approved: set the timeout to a minute before. A thread
 * or process that gives up closes the connection (tenant_free), which ends the sign-in. -ENOTCONN: the connection of
 * tenant_login_start is gone, start anew. */
int tenant_login_answer(struct tenant *tenant, const char *login, const char *text, struct tenant_login **ret);

/* The answer to a later stage. */
struct tenant_grant {
	enum tenant_decision decision;
	const char *reason;
	const char *message;                 /* for the person; may be NULL */
	const char *warning;                 /* allowed, but: "this key ends in 3 days"; may be NULL */
	const char *tenant, *project, *role; /* where allowed; project and role may be NULL */
	const char *session;                 /* tenant_open_session: its id */
	const char *const *environment;      /* tenant_open_session: "NAME=value", NULL-terminated */
};
void tenant_grant_free(struct tenant_grant *grant);

/* PAM's account stage: may they be here now, whatever let them in? `login` may be NULL. */
int tenant_authorize(struct tenant *tenant, const struct tenant_origin *origin, const char *login,
		     struct tenant_grant **ret);
/* PAM's session stage: decides anew and registers the session, which ends with the process `leader`
 * (0: the calling process, as the kernel tells the agent). */
int tenant_open_session(struct tenant *tenant, const struct tenant_origin *origin, const char *login, pid_t leader,
			struct tenant_grant **ret);
/* A hint; the end of the leader is what counts. */
int tenant_close_session(struct tenant *tenant, const char *session);

#ifdef __cplusplus
}
#endif
#endif
