/* SPDX-License-Identifier: MIT */
#include "reaper/limits.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/text.h"
#include "login/services.h"
#include "records/hours.h"

#define SECONDS_PER_DAY 86400
#define SPAN_MAX (1LL << 40) /* seconds */
#define SECONDS_PER_WEEK (7 * SECONDS_PER_DAY)
#define API_KEY "api-key:"
#define CODE "code:"

struct host_limits host_limits_none(void)
{
	return (struct host_limits){
		.rules = {.grace_sec = SESSION_GRACE_MAX_SEC, .over = SESSION_OVER_DENY},
	};
}

struct session_rules limits_rules(const struct host_limits *host, const struct tenant_record *tenant)
{
	struct session_rules none;

	if (!tenant) {
		none = session_rules_default();
		return host ? session_rules_stricter(&host->rules, &none) : none;
	}
	return host ? session_rules_stricter(&host->rules, &tenant->sessions) : tenant->sessions;
}

/* ---- one more --------------------------------------------------------------------------------------------------- */

struct census {
	uint32_t user, tenant, host;
	const struct session *oldest_of_user, *oldest_of_tenant;
};

static void note_oldest(const struct session **oldest, const struct session *session)
{
	if (!*oldest || session->opened < (*oldest)->opened)
		*oldest = session;
}

static bool is_of_tenant(const struct session *session, const struct tenant_record *tenant)
{
	if (!tenant)
		return false;
	if (session->tenant_id && *session->tenant_id)
		return text_equal(session->tenant_id, tenant->id);
	return text_equal(session->tenant, tenant->slug);
}

static struct census count(const struct session_table *table, const struct tenant_record *tenant, const char *user_id,
			   bool (*counts)(const struct session *session))
{
	struct census census = {0};
	const struct session *session;
	uint32_t cursor = 0;

	while ((session = session_next(table, &cursor))) {
		if (session->ending || session->left_behind || !counts(session))
			continue;
		census.host++;
		if (is_of_tenant(session, tenant)) {
			census.tenant++;
			note_oldest(&census.oldest_of_tenant, session);
		}
		if (text_equal(session->user_id, user_id)) {
			census.user++;
			note_oldest(&census.oldest_of_user, session);
		}
	}
	return census;
}

enum whose { OF_USER, OF_TENANT, OF_HOST };

/* One limit's word; a "deny" stands whatever the others say. */
static void apply(struct limits_admission *ret, enum whose whose, const struct census *census, uint32_t most,
		  enum session_over over, const char *by)
{
	uint32_t is = whose == OF_USER ? census->user : whose == OF_TENANT ? census->tenant : census->host;
	const struct session *oldest = census->oldest_of_user;

	if (!most || is < most || ret->answer == LIMITS_DENY)
		return;
	if (!oldest && whose != OF_USER)
		oldest = census->oldest_of_tenant;
	if (over == SESSION_OVER_END_OLDEST && oldest) {
		ret->answer = LIMITS_END_OLDEST;
		ret->oldest = oldest;
		return;
	}
	*ret = (struct limits_admission){.answer = LIMITS_DENY};
	switch (whose) {
	case OF_USER:
		(void)snprintf(ret->message, sizeof(ret->message),
			       "you have %u sessions here, and %s allows one person %u; end one first", is, by, most);
		break;
	case OF_TENANT:
		(void)snprintf(ret->message, sizeof(ret->message),
			       "your tenant has %u sessions here, and %s allows it %u; wait until one has ended", is,
			       by, most);
		break;
	case OF_HOST:
		(void)snprintf(ret->message, sizeof(ret->message),
			       "this host has as many sessions as it takes (%u); wait until one has ended", most);
		break;
	}
}

void limits_admit(const struct host_limits *host, const struct tenant_record *tenant, const struct session_table *table,
		  const char *user_id, bool (*counts)(const struct session *session), struct limits_admission *ret)
{
	const struct session_rules *own = tenant ? &tenant->sessions : NULL, *rules = host ? &host->rules : NULL;
	struct limits_admission admission = {.answer = LIMITS_FINE};
	struct census census;

	if ((own && (own->max_per_user || own->max_per_tenant)) ||
	    (host && (host->max || rules->max_per_user || rules->max_per_tenant))) {
		census = count(table, tenant, user_id, counts);
		if (own) {
			apply(&admission, OF_USER, &census, own->max_per_user, own->over, "your tenant");
			apply(&admission, OF_TENANT, &census, own->max_per_tenant, own->over, "its policy");
		}
		if (host) {
			apply(&admission, OF_USER, &census, rules->max_per_user, rules->over, "this host");
			apply(&admission, OF_TENANT, &census, rules->max_per_tenant, rules->over, "this host");
			apply(&admission, OF_HOST, &census, host->max, rules->over, "this host");
		}
	}
	*ret = admission;
}

/* ---- hours ---------------------------------------------------------------------------------------------------- */

static int64_t midnight_before(int64_t time)
{
	int64_t second = time % SECONDS_PER_DAY;

	return time - second - (second < 0 ? SECONDS_PER_DAY : 0);
}

/* The first moment after `from` at which a line of the list ends, whichever day it means; INT64_MAX: none. */
static int64_t next_boundary(const struct string_list *list, int64_t from)
{
	int64_t best = INT64_MAX;
	struct hours hours;

	for (uint32_t i = 0; i < list->count; i++) {
		int64_t at;

		if (hours_parse(list->items[i], &hours) < 0)
			continue;
		at = midnight_before(from) + (int64_t)hours.last * 60;
		while (at <= from)
			at += SECONDS_PER_DAY;
		best = MIN_OF(best, at);
	}
	return best;
}

/* When they are over, from now on; 0: not within a week, so never. */
static int64_t hours_end(const struct string_list *list, int64_t now)
{
	int64_t at = now;

	while (hours_allow(list, at)) {
		at = next_boundary(list, at);
		if (at == INT64_MAX || at > now + SECONDS_PER_WEEK + SECONDS_PER_DAY)
			return 0;
	}
	return at;
}

/* ---- ends that can be foreseen ------------------------------------------------------------------------------------
 */

struct search {
	struct limits_deadline best;
	const struct limits_clock *now;
	uint64_t warn_usec;
};

/* `span_usec`: how long the limit is, where half of it bounds the warning; 0: it is a point in time. */
static void consider(struct search *search, enum end_cause cause, uint64_t at, uint64_t span_usec)
{
	uint64_t warn = search->warn_usec;

	if (search->best.cause != END_NONE && search->best.at <= at)
		return;
	if (span_usec && warn > span_usec / 2)
		warn = span_usec / 2;
	search->best = (struct limits_deadline){.cause = cause, .at = at};
	if (warn)
		search->best.warn_at = at > warn ? at - warn : 1;
}

static uint64_t boot_of(const struct limits_clock *now, int64_t realtime)
{
	int64_t left = realtime - now->realtime;
	uint64_t ago;

	if (left > SPAN_MAX) /* nobody lives to see it, and the sum would begin anew */
		left = SPAN_MAX;
	if (left >= 0)
		return now->boot_usec + (uint64_t)left * USEC_PER_SEC;
	ago = (uint64_t)-left * USEC_PER_SEC;
	return now->boot_usec > ago ? now->boot_usec - ago : 1;
}

uint64_t limits_opened(const struct session *session, const struct limits_clock *now)
{
	if (session->opened_usec)
		return MIN_OF(session->opened_usec, now->boot_usec);
	return boot_of(now, MIN_OF(session->opened, now->realtime));
}

static void consider_hours(struct search *search, const struct string_list *list)
{
	int64_t end = list->count ? hours_end(list, search->now->realtime) : 0;

	if (end)
		consider(search, END_OUTSIDE_HOURS, boot_of(search->now, end), 0);
}

static const struct key_record *key_of(const struct directory *d, const struct session *session)
{
	const char *name = session->credential ? session->credential : "";
	const struct key_record *key;

	if (text_starts(name, CODE)) /* it goes on as what it came from */
		name = session->sign_in.credential;
	if (!text_starts(name, API_KEY))
		return NULL;
	key = directory_key(d, name + strlen(API_KEY));
	return key && text_equal(key->user_id, session->user_id) ? key : NULL;
}

struct limits_deadline limits_next(const struct host_limits *host, const struct directory *d,
				   const struct session *session, uint64_t idle_since_usec,
				   const struct limits_clock *now)
{
	const struct user_record *user = d ? directory_user(d, session->user_id) : NULL;
	const struct tenant_record *tenant = user ? directory_tenant(d, user->tenant_id) : NULL;
	const struct service_rule *service = service_rule(session->service);
	const struct session_rules rules = limits_rules(host, tenant);
	struct search search = {.now = now, .warn_usec = rules.warn_sec * USEC_PER_SEC};
	const struct grant_record *grant;
	const struct key_record *key;

	if (!tenant) /* whom the directory does not show the verdict is about */
		return search.best;
	/* The person's matter, and so everything's: of a service manager that lingers there is nothing else. */
	grant = user->kind == USER_OPERATOR ? directory_grant_of(d, user->id) : NULL;
	if (grant)
		consider(&search, END_GRANT_ENDED, boot_of(now, grant->not_after), 0);
	if (service->privilege || service->implied) /* they belong to the session around them */
		return search.best;
	if (rules.max_age_sec)
		consider(&search, END_TOO_OLD, limits_opened(session, now) + rules.max_age_sec * USEC_PER_SEC,
			 rules.max_age_sec * USEC_PER_SEC);
	if (rules.idle_sec && idle_since_usec && !session->left_behind)
		consider(&search, END_IDLE, idle_since_usec + rules.idle_sec * USEC_PER_SEC,
			 rules.idle_sec * USEC_PER_SEC);
	if (rules.end_outside_hours) {
		consider_hours(&search, &tenant->login_hours);
		if (host)
			consider_hours(&search, &host->hours);
	}
	key = rules.end_with_key ? key_of(d, session) : NULL;
	if (key && key->not_after)
		consider(&search, END_KEY_EXPIRED, boot_of(now, key->not_after), 0);
	return search.best;
}
