/* SPDX-License-Identifier: MIT
 *
 * The records of a directory: what a host knows about tenants, people, projects and keys.
 * Plain data in an arena; strings are never NULL ("" when absent) and were checked by the loader.
 * Immutable once the unit that owns them is complete. Times are seconds since the epoch, 0: unset.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/parse.h"
#include "crypto/digest.h"
#include "records/session_rules.h"

/* Ids that tenantd may hand out. The last 256 are for groups of the host itself. */
#define MANAGED_ID_FIRST 0x70000000U
#define MANAGED_ID_LAST 0x7ffffffeU
#define MANAGED_ID_TENANT_LAST 0x7ffffeffU
#define HOST_SUDO_GID 0x7ffffffeU /* group "tenant-sudo": who may sudo on this host */
#define HOST_SUDO_GROUP "tenant-sudo"
#define HOST_USERS_GID 0x7ffffffdU /* group "tenant-users": all people of the directory; its list is left empty */
#define HOST_USERS_GROUP "tenant-users"

struct string_list {
	const char **items;
	uint32_t count;
};
struct cidr_list {
	struct cidr *items;
	uint32_t count;
};

/* Unix groups of a project are its gid and the three after it. */
enum group_level { GROUP_LEVEL_ALL, GROUP_LEVEL_VIEWER, GROUP_LEVEL_EDITOR, GROUP_LEVEL_OWNER, GROUP_LEVEL_COUNT };

/* A role that a tenant defined for itself, beside the shipped ones (records/matrix.h). */
struct role_record {
	const char *name;
	bool tenant_wide;       /* a tenant role, else a project role */
	enum group_level level; /* whose Unix groups its holders get (project roles) */
	struct string_list actions;
};

enum user_kind {
	USER_PERSON,
	USER_SERVICE,
	USER_OPERATOR, /* of the platform, who looks in by a grant (struct grant_record): viewer, never sudo */
};
#define OPERATOR_ROLE "viewer" /* what an operator is in projects, and nothing else */
enum user_status { USER_ACTIVE, USER_SUSPENDED };
enum ssh_key_policy {
	SSH_KEYS_DIRECTORY, /* only keys in the directory let a person in */
	SSH_KEYS_ANY,       /* sshd's own authorized_keys files count too */
};

/* What sudo wants to see before it acts, beside the right itself. "recent": a sign-in, or a proof given to sudo, in the
 * same session and on the same terminal, no older than sudo_within_sec. */
enum sudo_proof { SUDO_PROOF_ALWAYS, SUDO_PROOF_RECENT, SUDO_PROOF_NONE };

struct tenant_record {
	const char *id, *slug, *name, *region;
	uint32_t gid;      /* group <slug> */
	uint32_t id_first; /* the tenant's block of uids and gids … */
	uint32_t id_count;
	uint32_t id_next;            /* … and the first one never handed out yet */
	struct cidr_list allow_from; /* where keys and logins may come from; empty: anywhere */
	struct role_record *roles;
	uint32_t role_count;
	enum ssh_key_policy ssh_keys;
	struct session_rules sessions;
	uint32_t key_warn_days;         /* warn this long before a key ends */
	struct string_list login_hours; /* "mon-fri 08:00-18:00" in UTC; empty: always */
	uint32_t stale_offline_sec;     /* of a feed: so long after its head's end … */
	struct string_list stale_roles; /* … holders of these project roles are still let in; empty: nobody */
	enum sudo_proof sudo_proof;
	uint32_t sudo_within_sec; /* SUDO_PROOF_RECENT */
	bool suspended;
};

struct project_record {
	const char *id, *tenant_id, *slug;
	uint32_t gid; /* first of GROUP_LEVEL_COUNT */
	struct cidr_list allow_from;
};

/* Who somebody is at an identity provider: `subject` is that issuer's own immutable name ("sub", GitHub's numeric id),
 * never an e-mail address. Of one tenant's users at most one has the same two. */
#define USER_IDENTITIES_MAX 16U
struct identity_record {
	const char *issuer, *subject;
};

struct user_record {
	const char *id, *tenant_id, *login, *name, *email, *home, *shell;
	uint32_t uid; /* also the gid of the private group */
	enum user_kind kind;
	enum user_status status;
	uint32_t identity_count; /* here, where it takes no room: there may be a million users */
	const char *status_reason;
	int64_t sessions_valid_from;
	struct string_list ssh_keys; /* authorized_keys lines without options */
	struct identity_record *identities;
};

/* A user's role in a project, or (project_id "") in the tenant. Of one user there are at most so many: it is what a
 * host's map for NSS holds of one person (agent/map_writer/map_people.c). */
#define USER_MEMBERSHIPS_MAX 3000U
struct member_record {
	const char *user_id, *project_id, *tenant_id, *role;
};

struct key_record {
	const char *id; /* "key_" and the 16 digits that stand in the key text */
	const char *user_id, *label;
	uint8_t verifier[SHA256_BYTES];
	struct string_list projects; /* ids; empty: all of the owner's */
	struct string_list actions;  /* empty: all of the role's */
	struct string_list services; /* PAM or caller service names; empty: all */
	struct cidr_list from;       /* empty: anywhere */
	int64_t created, not_before, not_after;
	const char *successor; /* id of the key that replaces it; "" */
	int64_t revoked_at;    /* 0: in force */
	const char *revoked_reason;
};

/* What one host, or hosts by a pattern, serve. */
struct host_rule {
	const char *project_id;
	struct string_list login;    /* project roles that sign in */
	struct string_list sudo;     /* project roles that may become root */
	struct string_list services; /* PAM services that may be used; empty: all */
};
struct host_record {
	const char *id, *tenant_id; /* of a feed; "" in a file, where one record speaks for all tenants */
	const char *name;           /* exact, or with one '*' at its end; the longest match wins */
	struct host_rule *rules;
	uint32_t rule_count;
};

/* A public key by which access tokens of the control plane are checked (ES256: P-256, RFC 7518). */
#define P256_COORDINATE_BYTES 32
struct token_key_record {
	const char *id, *tenant_id; /* id: the `kid` of token headers */
	const char *issuer;
	uint8_t x[P256_COORDINATE_BYTES], y[P256_COORDINATE_BYTES];
	int64_t not_after; /* 0: none */
};

/* A token that ended before its time, a host that was taken out of service, or sessions that are to end. */
enum revocation_of {
	REVOCATION_TOKEN,
	REVOCATION_HOST,
	REVOCATION_SESSION,  /* the one session with this id */
	REVOCATION_SESSIONS, /* the tenant's sessions that fit user_id, project_id and host_id, and that were opened
			      * before a host knew of this record: it says nothing about later ones */
};
struct revocation_record {
	const char *id,
		*tenant_id; /* id: the token's `jti`, the host's id, the session's id; for sessions one of its own */
	enum revocation_of of;
	int64_t at, until; /* until: when it can be forgotten; 0: never */
	const char *reason;
	const char *user_id, *project_id, *host_id; /* of sessions: whose; "": any */
};

/* By which an operator of the platform may look into a tenant, for a while. `user_id` is the operator's account there
 * (USER_OPERATOR), which without a grant in force is nobody; of one user there is at most one. */
struct grant_record {
	const char *id, *tenant_id; /* grt_… */
	const char *user_id;
	const char *operator_id, *operator_name; /* opr_…; who it is, for people: an e-mail address or a name */
	const char *reason;                      /* never "" */
	int64_t not_before, not_after;           /* not_after is never 0 */
};

/* An identity provider by which a tenant's people may sign in. What the kinds have in advance (scopes, how GitHub is
 * asked, which claims say that an address is verified) is in oidc/preset.h. */
enum idp_kind {
	IDP_OIDC, /* any OpenID provider, by discovery */
	IDP_GOOGLE,
	IDP_MICROSOFT, /* Entra: one directory, so an issuer with its id, not "common" */
	IDP_GITHUB,    /* OAuth without ID tokens: the user API's word over TLS */
	IDP_TENANTD,   /* the tenant's control plane: its `sub` is the user's id, so nothing needs binding */
};
enum idp_client_auth {
	IDP_CLIENT_NONE, /* a public client */
	IDP_CLIENT_SECRET_BASIC,
	IDP_CLIENT_SECRET_POST,
	IDP_CLIENT_PRIVATE_KEY_JWT, /* RFC 7523 */
};
enum idp_bind {
	IDP_BIND_LISTED,         /* only identities that the user's record lists */
	IDP_BIND_VERIFIED_EMAIL, /* the first sign-in may bind: its verified address is the user's, in one of `domains`
				  */
};
#define IDP_PER_TENANT_MAX 16U
struct idp_record {
	const char *id, *tenant_id; /* idp_… */
	const char *name;           /* for people: "Google"; never "" */
	const char *issuer;         /* https URL, exactly as in `iss`; GitHub: the site, "https://github.com" */
	enum idp_kind kind;
	const char *client_id;
	enum idp_client_auth client_auth;
	const char *client_secret;  /* secret; "" */
	const char *client_key;     /* a private JWK (P-256 or RSA) as text, for private_key_jwt; secret; "" */
	struct string_list scopes;  /* empty: the kind's */
	struct string_list acr;     /* the token must say one of these; empty: anything */
	struct string_list amr;     /* the token must say all of these */
	struct string_list domains; /* of e-mail addresses that are the tenant's own */
	const char *hosted_domain;  /* `hd` must be this; "" */
	const char *token_audience; /* its access tokens (JWT) for this audience are credentials too; "": none are */
	enum idp_bind bind;
	uint32_t max_age_sec; /* the person proved themself to it no longer ago; 0: whenever */
	bool preferred;       /* taken where the person does not choose; of a tenant at most one */
};

/* In the order in which a snapshot has them. */
enum record_kind {
	RECORD_TENANT,
	RECORD_PROJECT,
	RECORD_USER,
	RECORD_MEMBER,
	RECORD_KEY,
	RECORD_HOST,
	RECORD_TOKEN_KEY,
	RECORD_REVOCATION,
	RECORD_IDP,
	RECORD_GRANT,
};
#define RECORD_KIND_COUNT (RECORD_GRANT + 1)

/* Room for one of any kind. */
union any_record {
	struct tenant_record tenant;
	struct project_record project;
	struct user_record user;
	struct member_record member;
	struct key_record key;
	struct host_record host;
	struct token_key_record token_key;
	struct revocation_record revocation;
	struct idp_record idp;
	struct grant_record grant;
};

/* The records that came from one place (a file or a feed), and their lists. */
struct record_set {
	struct tenant_record *tenants;
	struct project_record *projects;
	struct user_record *users;
	struct member_record *members;
	struct key_record *keys;
	struct host_record *hosts;
	struct token_key_record *token_keys;
	struct revocation_record *revocations;
	struct idp_record *idps;
	struct grant_record *grants;
	uint32_t tenant_count, project_count, user_count, member_count, key_count, host_count, token_key_count,
		revocation_count, idp_count, grant_count;
};
