/* SPDX-License-Identifier: MIT
 *
 * The table of nouns and their actions. docs/man/tenant-control.8 lists the same.
 */
#include "control_plane/cli/records.h"

#define TENANT                                                                 \
	{                                                                      \
		"--tenant", "TENANT", OPTION_TEXT, "the tenant, by id or slug" \
	}
#define WAIT                                                                                                    \
	{                                                                                                       \
		"--wait", "wait", OPTION_QUERY, "seconds to wait until all hosts have taken it in (at most 30)" \
	}
#define REASON                                                          \
	{                                                               \
		"--reason", "reason", OPTION_TEXT, "why; people see it" \
	}
#define OPTIONS(list) .options = (list), .option_count = ARRAY_LEN(list)
#define COLUMNS(...)                     \
	.columns = (const char *const[]) \
	{                                \
		__VA_ARGS__, NULL        \
	}
#define ONE(...) ((const struct record_option[]){__VA_ARGS__})
#define WITH(...) .options = ONE(__VA_ARGS__), .option_count = ARRAY_LEN(ONE(__VA_ARGS__))

#define NO_OPTIONS .options = NULL, .option_count = 0
#define T "/v1/tenants/{TENANT}"

static const struct record_option tenant_change[] = {
	{"--name", "name", OPTION_TEXT, "what people call it"},
	{"--allow-from", "allow_from", OPTION_LIST,
	 "address blocks that keys and sign-ins may come from; \"\": anywhere"},
	{"--policy", "policy", OPTION_JSON,
	 "{\"ssh_keys\": …, \"login_hours\": […], \"sudo\": {…}, …}, as in the feed's tenant"},
};
static const struct record_action tenant_actions[] = {
	{"list", "", "GET", "/v1/tenants", "all tenants", NO_OPTIONS, COLUMNS("id", "slug", "name", "suspended")},
	{"add", "SLUG=slug", "POST", "/v1/tenants", "a new tenant, with its feed and its block of uids and gids",
	 WITH({"--name", "name", OPTION_TEXT, "what people call it"},
	      {"--region", "region", OPTION_TEXT, "where its data lives (eu)"},
	      {"--ids", "ids", OPTION_NUMBER, "how many uids and gids (16384)"},
	      {"--allow-from", "allow_from", OPTION_LIST, "address blocks that keys and sign-ins may come from"},
	      {"--policy", "policy", OPTION_JSON, "as in `tenant set`"})},
	{"show", "TENANT", "GET", T, "one tenant", NO_OPTIONS},
	{"set", "TENANT", "PATCH", T, "changes it", OPTIONS(tenant_change)},
	{"suspend", "TENANT +suspended", "PATCH", T, "nobody of it signs in any more", WITH(WAIT)},
	{"resume", "TENANT -suspended", "PATCH", T, "takes that back", WITH(WAIT)},
	{"remove", "TENANT", "DELETE", T, "and all that it has; suspend it first", NO_OPTIONS},
};

static const struct record_option user_add[] = {
	TENANT,
	{"--kind", "kind", OPTION_TEXT, "person (default) or service"},
	{"--name", "name", OPTION_TEXT, "their name"},
	{"--email", "email", OPTION_TEXT, "by which people sign in"},
	{"--home", "home", OPTION_TEXT, "/home/LOGIN"},
	{"--shell", "shell", OPTION_TEXT, "/bin/bash"},
	{"--ssh-key", "ssh_keys", OPTION_ITEM, "a line of a .pub file"},
	{"--identity", "identities", OPTION_OWN, "ISSUER=SUBJECT: who they are at an identity provider"},
};
static const struct record_option user_set[] = {
	TENANT,
	{"--name", "name", OPTION_TEXT, "their name"},
	{"--email", "email", OPTION_TEXT, "by which people sign in"},
	{"--home", "home", OPTION_TEXT, "home directory"},
	{"--shell", "shell", OPTION_TEXT, "login shell"},
	{"--ssh-key", "ssh_keys", OPTION_ITEM, "these keys and no others"},
	{"--identity", "identities", OPTION_OWN, "ISSUER=SUBJECT: these and no others"},
};
static const struct record_action user_actions[] = {
	{"list", "", "GET", T "/users", "people and service accounts",
	 WITH(TENANT, {"--login", "login", OPTION_QUERY, "this one"}, {"--email", "email", OPTION_QUERY, "this one"},
	      {"--kind", "kind", OPTION_QUERY, "person or service"}),
	 COLUMNS("id", "login", "uid", "kind", "status", "email")},
	{"add", "LOGIN=login", "POST", T "/users", "a person or service account", OPTIONS(user_add)},
	{"show", "USER", "GET", T "/users/{USER}", "one, by id or login", WITH(TENANT)},
	{"set", "USER", "PATCH", T "/users/{USER}", "changes them", OPTIONS(user_set)},
	{"suspend", "USER", "POST", T "/users/{USER}/suspend", "lets them in no more, and ends what runs",
	 WITH(TENANT, REASON, WAIT)},
	{"resume", "USER", "POST", T "/users/{USER}/resume", "takes that back", WITH(TENANT, WAIT)},
	{"remove", "USER", "DELETE", T "/users/{USER}", "with their keys and roles, for ever", WITH(TENANT, WAIT)},
};

static const struct record_action project_actions[] = {
	{"list", "", "GET", T "/projects", "all projects", WITH(TENANT), COLUMNS("id", "slug", "gid")},
	{"add", "SLUG=slug", "POST", T "/projects", "a new project, with its groups",
	 WITH(TENANT, {"--allow-from", "allow_from", OPTION_LIST, "address blocks"})},
	{"show", "PROJECT", "GET", T "/projects/{PROJECT}", "one, by id or slug", WITH(TENANT)},
	{"set", "PROJECT", "PATCH", T "/projects/{PROJECT}", "changes it",
	 WITH(TENANT, {"--slug", "slug", OPTION_TEXT, "names its groups, too"},
	      {"--allow-from", "allow_from", OPTION_LIST, "address blocks"})},
	{"remove", "PROJECT", "DELETE", T "/projects/{PROJECT}", "with its members, and keys for it alone",
	 WITH(TENANT, WAIT)},
};

static const struct record_option member_where[] = {
	TENANT,
	{"--project", "PROJECT", OPTION_TEXT, "in this project; without it: in the tenant"},
	WAIT,
};
static const struct record_action member_actions[] = {
	{"list", "", "GET", T "[/projects/{PROJECT}]/members", "who has which role", OPTIONS(member_where),
	 COLUMNS("user", "role", "version")},
	{"of", "USER", "GET", T "/users/{USER}/memberships", "where a user has a role", WITH(TENANT),
	 COLUMNS("project", "role")},
	{"add", "USER ROLE=role", "PUT", T "[/projects/{PROJECT}]/members/{USER}", "gives a role",
	 OPTIONS(member_where)},
	{"set", "USER ROLE=role", "PUT", T "[/projects/{PROJECT}]/members/{USER}", "gives another one",
	 OPTIONS(member_where)},
	{"show", "USER", "GET", T "[/projects/{PROJECT}]/members/{USER}", "one member", OPTIONS(member_where)},
	{"remove", "USER", "DELETE", T "[/projects/{PROJECT}]/members/{USER}", "takes the role away",
	 OPTIONS(member_where)},
};

static const struct record_option key_add[] = {
	TENANT,
	{"--label", "label", OPTION_TEXT, "what it is for"},
	{"--project", "projects", OPTION_LIST, "only these projects (ids)"},
	{"--action", "actions", OPTION_LIST, "only these actions"},
	{"--service", "services", OPTION_LIST, "only these services"},
	{"--from", "from", OPTION_LIST, "only from these address blocks"},
	{"--not-before", "not_before", OPTION_TIME, "from when on"},
	{"--not-after", "not_after", OPTION_TIME, "until when, or how long (90d)"},
};
static const struct record_action key_actions[] = {
	{"list", "", "GET", T "/keys", "API keys", WITH(TENANT, {"--user", "user", OPTION_QUERY, "of this user"}),
	 COLUMNS("id", "user", "label", "not_after", "revoked_at")},
	{"add", "USER=user", "POST", T "/keys", "a new key; its text is shown once", OPTIONS(key_add)},
	{"show", "KEY", "GET", T "/keys/{KEY}", "one key, without its secret", WITH(TENANT)},
	{"set", "KEY", "PATCH", T "/keys/{KEY}", "another label",
	 WITH(TENANT, {"--label", "label", OPTION_TEXT, "what it is for"})},
	{"rotate", "KEY", "POST", T "/keys/{KEY}/rotate", "a new key in its place",
	 WITH(TENANT, {"--grace", "grace", OPTION_SPAN, "how long the old one still works (7d)"},
	      {"--not-after", "not_after", OPTION_TIME, "until when the new one works"})},
	{"revoke", "KEY", "POST", T "/keys/{KEY}/revoke", "at once, everywhere", WITH(TENANT, REASON, WAIT)},
};

static const struct record_action role_actions[] = {
	{"list", "", "GET", T "/roles", "roles of the tenant's own", WITH(TENANT), COLUMNS("name", "kind", "groups")},
	{"add", "NAME=name", "POST", T "/roles", "a new role",
	 WITH(TENANT, {"--kind", "kind", OPTION_TEXT, "project or tenant"},
	      {"--action", "actions", OPTION_LIST, "what it allows"},
	      {"--groups", "groups", OPTION_TEXT, "whose Unix groups: none, viewer, editor, owner"})},
	{"show", "ROLE", "GET", T "/roles/{ROLE}", "one role", WITH(TENANT)},
	{"set", "ROLE", "PATCH", T "/roles/{ROLE}", "changes it",
	 WITH(TENANT, {"--action", "actions", OPTION_LIST, "these actions and no others"},
	      {"--groups", "groups", OPTION_TEXT, "whose Unix groups"}, WAIT)},
	{"remove", "ROLE", "DELETE", T "/roles/{ROLE}", "when nobody has it any more", WITH(TENANT)},
};

#define SERVES                                                                                         \
	{                                                                                              \
		"--serves", "serves", OPTION_JSON,                                                     \
			"several projects: [{\"project\": …, \"login\": [\"owner\"], \"sudo\": [], " \
			"\"services\": []}, …]"                                                      \
	}
static const struct record_option rule_add[] = {
	TENANT,
	{"--project", "serves.project", OPTION_TEXT, "what the hosts serve, by id or slug"},
	{"--login", "serves.login", OPTION_LIST, "project roles that sign in (owner,editor)"},
	{"--sudo", "serves.sudo", OPTION_LIST, "project roles that become root there"},
	{"--service", "serves.services", OPTION_LIST, "PAM services that may be used; without it: all"},
	SERVES,
};
static const struct record_option rule_set[] = {
	TENANT,
	{"--name", "name", OPTION_TEXT, "a host's name, or its beginning and '*'"},
	SERVES,
};
static const struct record_action rule_actions[] = {
	{"list", "", "GET", T "/host-rules", "which hosts serve which projects", WITH(TENANT),
	 COLUMNS("id", "name", "version")},
	{"add", "NAME=name", "POST", T "/host-rules", "a new rule for hosts of this name; * at its end stands for any",
	 OPTIONS(rule_add)},
	{"show", "RULE", "GET", T "/host-rules/{RULE}", "one rule", WITH(TENANT)},
	{"set", "RULE", "PATCH", T "/host-rules/{RULE}", "changes it", OPTIONS(rule_set)},
	{"remove", "RULE", "DELETE", T "/host-rules/{RULE}", "these hosts let nobody in for it any more",
	 WITH(TENANT, WAIT)},
};

static const struct record_option connector_fields[] = {
	TENANT,
	{"--kind", "kind", OPTION_TEXT, "which third party"},
	{"--settings", "config", OPTION_JSON, "an object; nothing secret"},
	{"--secret", "secrets", OPTION_PAIR, "NAME=FILE: sealed, and never shown again"},
};
static const struct record_action connector_actions[] = {
	{"list", "", "GET", T "/connectors", "credentials of third parties", WITH(TENANT),
	 COLUMNS("id", "name", "kind")},
	{"add", "NAME=name", "POST", T "/connectors", "a new one", OPTIONS(connector_fields)},
	{"show", "CONNECTOR", "GET", T "/connectors/{CONNECTOR}", "one, with the names of its secrets", WITH(TENANT)},
	{"set", "CONNECTOR", "PATCH", T "/connectors/{CONNECTOR}", "changes it",
	 WITH(TENANT, {"--name", "name", OPTION_TEXT, "another name"},
	      {"--settings", "config", OPTION_JSON, "an object"},
	      {"--secret", "secrets", OPTION_PAIR, "NAME=FILE: in place of the old one"})},
	{"remove", "CONNECTOR", "DELETE", T "/connectors/{CONNECTOR}", "with its secrets", WITH(TENANT)},
};

#define PROVIDER_FIELDS                                                                                               \
	{"--client-id", "client_id", OPTION_TEXT, "as what the tenant is known there"},                               \
		{"--client-auth", "client_auth", OPTION_TEXT,                                                         \
		 "none, client_secret_basic, client_secret_post or private_key_jwt"},                                 \
		{"--client-secret-file", "client_secret", OPTION_FILE, "its first line; - is standard input"},        \
		{"--client-key-file", "client_key", OPTION_KEY, "a private JWK, for private_key_jwt"},                \
		{"--scope", "scopes", OPTION_LIST, "in place of the kind's"},                                         \
		{"--acr", "acr", OPTION_LIST, "ID tokens must say one of these"},                                     \
		{"--amr", "amr", OPTION_LIST, "ID tokens must say all of these"},                                     \
		{"--domain", "domains", OPTION_LIST, "of e-mail addresses that are the tenant's own"},                \
		{"--hosted-domain", "hosted_domain", OPTION_TEXT, "Google: the workspace"},                           \
		{"--token-audience", "token_audience", OPTION_TEXT, "its access tokens for it are credentials, too"}, \
		{"--bind", "bind", OPTION_TEXT, "listed (default) or verified_email"},                                \
	{                                                                                                             \
		"--max-age", "max_age", OPTION_SPAN, "people proved themselves there no longer ago"                   \
	}
static const struct record_option provider_add[] = {
	TENANT,
	{"--issuer", "issuer", OPTION_TEXT, "exactly as its tokens have it in \"iss\""},
	{"--name", "name", OPTION_TEXT, "what people call it"},
	PROVIDER_FIELDS,
};
static const struct record_option provider_set[] = {
	TENANT,
	{"--name", "name", OPTION_TEXT, "what people call it"},
	PROVIDER_FIELDS,
};
#define PROVIDER T "/identity-providers/{PROVIDER}"
static const struct record_action provider_actions[] = {
	{"list", "", "GET", T "/identity-providers", "where the tenant's people may sign in", WITH(TENANT),
	 COLUMNS("id", "name", "kind", "issuer", "preferred")},
	{"add", "KIND=kind", "POST", T "/identity-providers",
	 "oidc, google, microsoft, github, or tenantd: this control plane itself", OPTIONS(provider_add)},
	{"show", "PROVIDER", "GET", PROVIDER, "one, without its secrets", WITH(TENANT)},
	{"set", "PROVIDER", "PATCH", PROVIDER, "changes it; kind and issuer are for ever", OPTIONS(provider_set)},
	{"prefer", "PROVIDER +preferred", "PATCH", PROVIDER, "it is taken where nobody chooses", WITH(TENANT)},
	{"remove", "PROVIDER", "DELETE", PROVIDER, "nobody signs in by it any more", WITH(TENANT)},
};

static const struct record_action host_actions[] = {
	{"list", "", "GET", "[" T "]{/v1}/hosts", "enrolled hosts",
	 WITH({"--tenant", "TENANT", OPTION_TEXT, "that serve this tenant"}),
	 COLUMNS("id", "name", "last_seen", "disabled_at")},
	{"show", "HOST", "GET", "/v1/hosts/{HOST}", "one, by id or name", NO_OPTIONS},
	{"set", "HOST", "PATCH", "/v1/hosts/{HOST}", "another name", WITH({"--name", "name", OPTION_TEXT, "its name"})},
	{"serve", "HOST TENANT", "PUT", "/v1/hosts/{HOST}/tenants/{TENANT}", "lets it serve a tenant", NO_OPTIONS},
	{"withdraw", "HOST TENANT", "DELETE", "/v1/hosts/{HOST}/tenants/{TENANT}", "takes that back", NO_OPTIONS},
	{"disable", "HOST", "POST", "/v1/hosts/{HOST}/disable",
	 "out of service: it wipes what it knows and lets nobody in", WITH(REASON, WAIT)},
	{"enable", "HOST", "POST", "/v1/hosts/{HOST}/enable", "it may enrol anew", NO_OPTIONS},
	{"remove", "HOST", "DELETE", "/v1/hosts/{HOST}", "a disabled host, for ever", NO_OPTIONS},
	{"tokens", "", "GET", "/v1/enrolment-tokens", "tokens by which hosts enrol", NO_OPTIONS,
	 COLUMNS("id", "host_name", "uses_left", "expires_at")},
	{"add-token", "", "POST", "/v1/enrolment-tokens", "a new token; its text is shown once",
	 WITH({"--tenant", "tenants", OPTION_LIST, "tenants that the host serves (ids or slugs)"},
	      {"--host-name", "host_name", OPTION_TEXT, "only a host of this name, or beginning and '*'"},
	      {"--uses", "uses", OPTION_NUMBER, "how many hosts (1)"},
	      {"--lifetime", "lifetime", OPTION_SPAN, "how long (1h)"})},
	{"remove-token", "TOKEN", "DELETE", "/v1/enrolment-tokens/{TOKEN}", "nobody enrols by it any more", NO_OPTIONS},
};

#define OPERATOR_KEY                                                            \
	{                                                                       \
		"--ssh-key", "ssh_keys", OPTION_ITEM,                           \
			"a line of a .pub file: these keys and no others; for " \
			"grants of impersonate"                                 \
	}
static const struct record_option session_whose[] = {
	TENANT,
	{"--user", "user", OPTION_TEXT, "all of this user, by id or login"},
	{"--project", "project", OPTION_TEXT, "all of this project, by id or slug"},
	{"--host", "host", OPTION_TEXT, "all on this host, by id or name"},
	{"--all", "all", OPTION_FLAG, "all of the tenant"},
	REASON,
	{"--wait", "wait", OPTION_QUERY, "seconds to wait until hosts know and the sessions are gone (at most 30)"},
};
static const struct record_action session_actions[] = {
	{"list", "", "GET", T "/sessions", "who is on which host, as the hosts report it",
	 WITH(TENANT, {"--user", "user", OPTION_QUERY, "of this user, by id or login"},
	      {"--project", "project", OPTION_QUERY, "of this project, by id or slug"},
	      {"--host", "host", OPTION_QUERY, "on this host, by id or name"},
	      {"--state", "state", OPTION_QUERY, "open, left-behind, ending or unknown"}),
	 COLUMNS("id", "login", "project_slug", "role", "host_name", "service", "source", "state", "opened_at")},
	{"show", "SESSION", "GET", T "/sessions/{SESSION}", "one session", WITH(TENANT)},
	{"end", "[SESSION]", "POST", T "/sessions[/{SESSION}]/end",
	 "one, or those of a user, a project, a host: of all that are given together", OPTIONS(session_whose)},
};

static const struct record_action operator_actions[] = {
	{"list", "", "GET", "/v1/operators", "operators of the platform", NO_OPTIONS,
	 COLUMNS("id", "email", "name", "status")},
	{"add", "EMAIL=email", "POST", "/v1/operators", "a new operator, without any grant yet",
	 WITH({"--name", "name", OPTION_TEXT, "their name"}, OPERATOR_KEY)},
	{"show", "OPERATOR", "GET", "/v1/operators/{OPERATOR}", "one, by id or e-mail address", NO_OPTIONS},
	{"set", "OPERATOR", "PATCH", "/v1/operators/{OPERATOR}", "changes them",
	 WITH({"--email", "email", OPTION_TEXT, "address"}, {"--name", "name", OPTION_TEXT, "name"},
	      {"--status", "status", OPTION_TEXT, "active or suspended"}, OPERATOR_KEY)},
	{"remove", "OPERATOR", "DELETE", "/v1/operators/{OPERATOR}", "with their grants", NO_OPTIONS},
	{"grants", "OPERATOR", "GET", "/v1/operators/{OPERATOR}/grants", "what they may do", NO_OPTIONS,
	 COLUMNS("id", "role", "tenant", "not_after", "login", "reason")},
	{"grant", "OPERATOR ROLE=role", "POST", "/v1/operators/{OPERATOR}/grants",
	 "admin, support (reads), hosts, or impersonate: look into a tenant's hosts as viewer",
	 WITH({"--tenant", "tenant", OPTION_TEXT, "only in this tenant"},
	      {"--not-after", "not_after", OPTION_TIME, "until when, or how long (2h)"},
	      {"--project", "projects", OPTION_LIST, "impersonate: only these projects"}, REASON, WAIT)},
	{"revoke", "OPERATOR GRANT", "DELETE", "/v1/operators/{OPERATOR}/grants/{GRANT}", "takes a grant back",
	 WITH(WAIT)},
};

static const struct record_action impersonation_actions[] = {
	{"list", "", "GET", T "/impersonations", "who looks in just now, why, and until when", WITH(TENANT),
	 COLUMNS("id", "operator_name", "login", "not_after", "reason")},
	{"end", "GRANT", "DELETE", T "/impersonations/{GRANT}", "shows an operator out", WITH(TENANT, WAIT)},
};

static const struct record_action event_actions[] = {
	{"list", "", "GET", "[" T "]{/v1}/events", "what happened, newest first",
	 WITH({"--tenant", "TENANT", OPTION_TEXT, "in this tenant; without it: on the platform"},
	      {"--kind", "kind", OPTION_QUERY, "only these, such as key.revoke"}),
	 COLUMNS("at", "kind", "outcome", "actor", "target", "source")},
};

#define NOUN(name_, about_, actions_)                              \
	{                                                          \
		(name_), (about_), (actions_), ARRAY_LEN(actions_) \
	}
const struct record_noun record_nouns[] = {
	NOUN("tenant", "Tenants: organisations, each with its people, projects and feed.", tenant_actions),
	NOUN("user", "A tenant's people and service accounts. One number (uid) each, never given twice.", user_actions),
	NOUN("project", "A tenant's projects: what people have roles in and hosts serve.", project_actions),
	NOUN("member",
	     "Roles: owner, admin, analyst, viewer in the tenant; owner, editor, viewer in a project;\n"
	     "and those of the tenant's own (`role`). A tenant always keeps an owner.",
	     member_actions),
	NOUN("key",
	     "API keys. Rotating leaves the old key working for a while; revoking ends it at once, and\n"
	     "--wait says when all hosts know.",
	     key_actions),
	NOUN("role", "Roles of a tenant's own making, beside those that all tenants have.", role_actions),
	NOUN("host-rule", "Which hosts serve which projects, and which roles may sign in or become root there.",
	     rule_actions),
	NOUN("connector", "A tenant's credentials of third parties. Secrets go in from files and never come out.",
	     connector_actions),
	NOUN("provider",
	     "Identity providers: where a tenant's people sign in with a browser. Kind tenantd is this\n"
	     "control plane, with e-mail address and password; it needs nothing else.",
	     provider_actions),
	NOUN("host", "Enrolled hosts. `host add-token`, then `tenantctl enroll URL TOKEN` on the host.", host_actions),
	NOUN("session",
	     "Sessions of a tenant's people on all hosts. Ending them is an order in the tenant's feed: a host\n"
	     "that is away hears of it when it comes back. It is about what runs by then, not what begins later.",
	     session_actions),
	NOUN("operator", "People who run the platform. They belong to no tenant; grants say what they may do.",
	     operator_actions),
	NOUN("impersonation",
	     "Operators who look into a tenant's hosts by a grant (`operator grant OPERATOR impersonate`): in\n"
	     "accounts of their own, as viewers, for a time.",
	     impersonation_actions),
	NOUN("event", "Who did what: sign-ins that failed, permissions that changed, keys that were rotated.",
	     event_actions),
};
const size_t record_noun_count = ARRAY_LEN(record_nouns);
