/* SPDX-License-Identifier: MIT
 *
 * First whether anybody can know, then what concerns the person, then what concerns the one session: the first that
 * says "end" is the cause.
 */
#include "reaper/verdict.h"

#include <string.h>

#include "base/text.h"
#include "login/book.h"
#include "login/flow.h"
#include "login/services.h"
#include "login/standing.h"
#include "policy/policy.h"

#define API_KEY "api-key:"
#define CODE "code:"
#define SSO "sso:"
#define TOKEN "token:"

/* ---- orders ------------------------------------------------------------------------------------------------------ */

static bool fits(const char *wanted, const char *is)
{
	return !*wanted || text_equal(wanted, is);
}

/* It ends what a host found when it learned of the order, so nothing that was opened with the order in sight. A service
 * manager and sudo go with the session around them, and are named by nobody but by their own ids. */
static bool is_meant(const struct verdict_world *world, const struct revocation_record *order,
		     const struct session *session)
{
	return verdict_is_named(session) && order->at > session->orders_known &&
	       fits(order->user_id, session->user_id) && fits(order->project_id, session->project_id) &&
	       fits(order->host_id, world->host_id ? world->host_id : "");
}

static const struct revocation_record *find_order(const struct verdict_world *world, const struct tenant_record *tenant,
						  const struct session *session)
{
	const struct revocation_record *order = directory_revocation(world->directory, tenant->id, session->id);
	uint32_t cursor = 0;

	if (order && order->of == REVOCATION_SESSION)
		return order;
	while ((order = directory_session_orders(world->directory, tenant->id, &cursor)))
		if (is_meant(world, order, session))
			return order;
	return NULL;
}

/* ---- the person ------------------------------------------------------------------------------------------------ */

static struct verdict ends(enum end_cause cause, const char *detail)
{
	return (struct verdict){.cause = cause, .detail = detail ? detail : ""};
}

static struct verdict goes_on(void)
{
	return (struct verdict){.cause = END_NONE, .detail = ""};
}

static struct verdict nobody_knows(void)
{
	return (struct verdict){.cause = END_NONE, .detail = "", .unknown = true};
}

static bool is_pending(const struct verdict_world *world, const char *tenant_id)
{
	return world->tenant_pending && world->tenant_pending(world->context, tenant_id);
}

/* By role alone: hours, networks, services and the age of the control plane's word are about coming in. */
static bool may_be_here(const struct verdict_world *world, const struct user_record *user,
			const struct project_record *project)
{
	const struct policy_request request = {
		.user = user,
		.project = project,
		.action = "host.login",
		.service = "",
		.local = true,
		.implied = true,
		.now = world->now,
	};
	struct policy_decision decision;

	policy_decide(world->directory, &request, &decision);
	switch ((int)decision.reason) {
	case REASON_HOST_SERVES_NOTHING:
	case REASON_NOT_A_MEMBER:
	case REASON_ROLE_TOO_LOW:
	case REASON_UNKNOWN_PROJECT:
		return false;
	default: /* a yes, or a no that is judged elsewhere or that nobody is sure of */
		return true;
	}
}

/* `grant_id`: of the session that is judged; NULL: any grant in force will do. */
static bool grant_stands(const struct verdict_world *world, const struct user_record *user, const char *grant_id)
{
	const struct grant_record *grant = directory_grant_of(world->directory, user->id);

	if (user->kind != USER_OPERATOR)
		return true;
	return grant && world->now >= grant->not_before && world->now < grant->not_after &&
	       (!grant_id || !*grant_id || text_equal(grant->id, grant_id));
}

static struct verdict judge_tenant(const struct verdict_world *world, const char *tenant_id)
{
	const struct tenant_record *tenant = directory_tenant(world->directory, tenant_id);

	/* Between the word that ends the host's service and the picture without the feeds' records. */
	if (tenant && world->host_disabled && directory_from_feed(world->directory, tenant_id))
		return ends(END_HOST_DISABLED, NULL);
	if (!tenant && is_pending(world, tenant_id))
		return nobody_knows();
	if (!tenant)
		return ends(world->host_disabled ? END_HOST_DISABLED : END_TENANT_GONE, NULL);
	return tenant->suspended ? ends(END_TENANT_SUSPENDED, NULL) : goes_on();
}

static struct verdict judge_user(const struct verdict_world *world, const struct user_record *user,
				 const char *grant_id)
{
	if (user->status != USER_ACTIVE)
		return ends(END_USER_SUSPENDED, user->status_reason);
	if (!grant_stands(world, user, grant_id))
		return directory_left_out(world->directory, RECORD_GRANT, user->id) ? nobody_knows()
										    : ends(END_GRANT_ENDED, NULL);
	if (!may_be_here(world, user, NULL))
		return ends(END_ROLE_LOST, NULL);
	return goes_on();
}

/* Was it opened before the person's sign-ins were ended? By the picture's own number where the session kept it, so that
 * no clocks of two machines are compared. */
static bool sign_in_ended(const struct user_record *user, const struct session *session)
{
	int64_t valid_from = session->valid_from;

	if (session->sign_in.at)
		valid_from = session->sign_in.valid_from;
	else if (valid_from < 0)
		valid_from = session->opened;
	return user->sessions_valid_from > valid_from;
}

/* ---- what opened it --------------------------------------------------------------------------------------------- */

static const char *revoked_reason(const struct verdict_world *world, const struct user_record *user, const char *name)
{
	const struct revocation_record *revocation;
	const struct key_record *key;

	if (text_starts(name, API_KEY)) {
		key = directory_key(world->directory, name + strlen(API_KEY));
		return key && text_equal(key->user_id, user->id) ? key->revoked_reason : "";
	}
	if (!text_starts(name, TOKEN))
		return "";
	revocation = directory_revocation(world->directory, user->tenant_id, name + strlen(TOKEN));
	return revocation ? revocation->reason : "";
}

static bool has_provider(const struct verdict_world *world, const struct user_record *user, const char *idp_id)
{
	const struct idp_record *idp;
	uint32_t cursor = 0;

	while ((idp = directory_idps(world->directory, user->tenant_id, &cursor)))
		if (text_equal(idp->id, idp_id))
			return true;
	return false;
}

/* Of an identity provider's: with single sign-on turned off here nobody remembers whom first sign-ins bound, and what
 * began before goes on. */
static struct verdict judge_provider(const struct verdict_world *world, const struct user_record *user,
				     const char *name, const char *idp_id)
{
	bool token = text_starts(name, TOKEN);
	const struct key_record *key;

	if (directory_left_out(world->directory, RECORD_IDP, idp_id))
		return nobody_knows();
	if (!has_provider(world, user, idp_id))
		return ends(token ? END_TOKEN_REVOKED : END_IDENTITY_REMOVED, NULL);
	if (!world->book || !login_book_sso(world->book))
		return goes_on();
	switch ((int)credential_stands(world->book, world->directory, user, name, idp_id, world->now, &key)) {
	case REASON_SSO_NOT_BOUND:
		return ends(END_IDENTITY_REMOVED, NULL);
	case REASON_TOKEN_REVOKED:
		return ends(END_TOKEN_REVOKED, revoked_reason(world, user, name));
	default:
		return goes_on();
	}
}

static struct verdict judge_credential(const struct verdict_world *world, const struct user_record *user,
				       const struct session *session)
{
	const struct service_rule *rule = service_rule(session->service);
	const char *name = session->credential ? session->credential : "";
	const char *provider = session->provider ? session->provider : "";
	const struct key_record *key;

	/* sudo's is the one of who asked, and a service manager shows none. */
	if (rule->of_requester || rule->implied)
		return goes_on();
	if (text_starts(name, CODE)) /* it goes on as what it came from */
		name = session->sign_in.credential;
	if (text_starts(name, SSO))
		return judge_provider(world, user, name, name + strlen(SSO));
	if (text_starts(name, TOKEN) && *provider) {
		const struct revocation_record *revocation =
			directory_revocation(world->directory, user->tenant_id, name + strlen(TOKEN));

		if (!revocation || revocation->of != REVOCATION_TOKEN)
			return judge_provider(world, user, name, provider);
	}
	if (text_starts(name, API_KEY) && directory_left_out(world->directory, RECORD_KEY, name + strlen(API_KEY)))
		return nobody_knows();
	switch ((int)credential_stands(world->book, world->directory, user, name, "", world->now, &key)) {
	case REASON_KEY_REVOKED:
	case REASON_SSH_KEY_NOT_REGISTERED:
		return ends(END_KEY_REVOKED, revoked_reason(world, user, name));
	case REASON_TOKEN_REVOKED:
		return ends(END_TOKEN_REVOKED, revoked_reason(world, user, name));
	default: /* one that has ended by itself is the limits' matter */
		return goes_on();
	}
}

static const struct project_record *project_of(const struct verdict_world *world, const struct session *session)
{
	char name[2 * SLUG_MAX_BYTES + 2];

	if (session->project_id && *session->project_id)
		return directory_project(world->directory, session->project_id);
	/* What an older agent opened knows names alone. */
	if (!session->tenant || strlen(session->tenant) > SLUG_MAX_BYTES || strlen(session->project) > SLUG_MAX_BYTES)
		return NULL;
	(void)stpcpy(stpcpy(stpcpy(name, session->tenant), "/"), session->project);
	return directory_project_by_name(world->directory, name);
}

static bool is_in_project(const struct session *session)
{
	return (session->project_id && *session->project_id) || (session->project && *session->project);
}

static struct verdict judge_session(const struct verdict_world *world, const struct tenant_record *tenant,
				    const struct user_record *user, const struct session *session)
{
	const struct service_rule *rule = service_rule(session->service);
	const struct revocation_record *order = find_order(world, tenant, session);
	const struct project_record *project;
	struct verdict verdict;

	if (order)
		return ends(END_ORDERED, order->reason);
	verdict = judge_credential(world, user, session);
	if (verdict.cause != END_NONE || verdict.unknown || rule->privilege || rule->implied || !is_in_project(session))
		return verdict;
	project = project_of(world, session);
	if (!project && session->project_id &&
	    directory_left_out(world->directory, RECORD_PROJECT, session->project_id))
		return nobody_knows();
	return project && may_be_here(world, user, project) ? goes_on() : ends(END_PROJECT_LOST, NULL);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* Ids that stay; what an older agent opened has its person's, or the tenant's name. "": nobody can say. */
static const char *tenant_id_of(const struct verdict_world *world, const struct session *session,
				const struct user_record *user)
{
	const struct tenant_record *tenant;

	if (session->tenant_id && *session->tenant_id)
		return session->tenant_id;
	if (user)
		return user->tenant_id;
	tenant = session->tenant ? directory_tenant_by_slug(world->directory, session->tenant) : NULL;
	return tenant ? tenant->id : "";
}

struct verdict verdict_session(const struct verdict_world *world, const struct session *session)
{
	const struct directory *d = world->directory;
	const struct user_record *user;
	struct verdict verdict;
	const char *tenant_id;

	if (!d)
		return nobody_knows();
	user = directory_user(d, session->user_id);
	tenant_id = tenant_id_of(world, session, user);
	if (directory_is_contested(d, tenant_id, session->user_id))
		return nobody_knows();
	verdict = judge_tenant(world, tenant_id);
	if (verdict.cause != END_NONE || verdict.unknown)
		return verdict;
	/* An account that has another uid by now has left what runs as the old one to nobody. */
	if (!user || !text_equal(user->tenant_id, tenant_id) || user->uid != session->uid)
		return ends(END_USER_REMOVED, NULL);
	verdict = judge_user(world, user, session->grant_id);
	if (verdict.cause != END_NONE || verdict.unknown)
		return verdict;
	if (sign_in_ended(user, session))
		return ends(END_SIGN_INS_ENDED, NULL);
	return judge_session(world, directory_tenant(d, tenant_id), user, session);
}

struct verdict verdict_user(const struct verdict_world *world, uint32_t uid)
{
	const struct directory *d = world->directory;
	const struct user_record *user;
	struct verdict verdict;

	if (uid < MANAGED_ID_FIRST || uid > MANAGED_ID_TENANT_LAST)
		return goes_on();
	if (!d)
		return nobody_knows();
	user = directory_user_by_uid(d, uid);
	if (!user) {
		/* Whoever is left out for now may be the one whose uid it is; what else somebody claims is not asked.
		 */
		if (directory_uid_left_out(d, uid) || is_pending(world, ""))
			return nobody_knows();
		return ends(world->host_disabled ? END_HOST_DISABLED : END_USER_REMOVED, NULL);
	}
	if (directory_is_contested(d, user->tenant_id, user->id))
		return nobody_knows();
	verdict = judge_tenant(world, user->tenant_id);
	return verdict.cause != END_NONE || verdict.unknown ? verdict : judge_user(world, user, NULL);
}

bool verdict_is_own(const struct session *session)
{
	const struct service_rule *rule = service_rule(session->service);

	return !rule->privilege && !rule->implied;
}

bool verdict_is_named(const struct session *session)
{
	const struct service_rule *rule = service_rule(session->service);

	return !rule->implied && !rule->of_requester;
}

bool verdict_is_sign_in(const struct session *session)
{
	const char *credential = session->credential ? session->credential : "";

	return verdict_is_own(session) && *credential && !text_equal(credential, "none");
}
