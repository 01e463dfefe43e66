/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory set-sudo, set-sessions.
 */
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "ctl/directory.h"
#include "records/rules.h"
#include "records/values.h"

#define NO_LIMIT "none"

/* What the tenant says from now on, unless it says so already. -1: the sentence is the caller's; else the exit code. */
static int change_tenant(struct dir *dir, const struct tenant_record *tenant, const struct tenant_record *changed)
{
	int code;

	if (record_equal(RECORD_TENANT, tenant, changed))
		return dir_done(dir, false, "tenant", tenant->id, "", "tenant %s has it so already", tenant->slug);
	code = dir_update(dir, RECORD_TENANT, tenant, changed);
	return code < 0 ? dir_commit(dir) : code;
}

int directory_set_sudo_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"What sudo wants to see of a tenant's people before it acts, beside the right itself: always a key or\n"
		"single sign-on; recent: only when neither was given in the same session and terminal within a while;\n"
		"none: nothing more.\n"
		"\nExamples:\n"
		"  tenantctl directory set-sudo acme recent --within 15min\n"
		"  tenantctl directory set-sudo acme always\n";
	const char *within = NULL;
	const struct ctl_option options[] = {{"within", "SPAN", "with recent (default 15min)", .value = &within}};
	const struct ctl_command command = {.name = "directory set-sudo",
					    .usage = "TENANT always|recent|none [--within SPAN]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 2,
					    .max = 2};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct tenant_record *tenant;
	struct problem problem = {0};
	struct tenant_record changed;
	struct value_fault fault;
	uint64_t seconds = RULES_SUDO_WITHIN_SEC;
	uint32_t proof;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	if (value_choice(argv[1], value_sudo_words, &proof, &fault) < 0)
		return ctl_fail(ctl, CTL_USAGE, "\"%s\" is none of the words it may be; %s", argv[1], fault.remedy);
	if (within && (parse_duration(within, &seconds) < 0 || seconds > UINT32_MAX))
		return ctl_fail(ctl, CTL_USAGE, "--within \"%s\" is not a span of time such as 15min", within);
	code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	tenant = dir_tenant(&dir, argv[0]);
	if (!tenant)
		return CTL_NO;
	changed = *tenant;
	changed.sudo_proof = (enum sudo_proof)proof;
	changed.sudo_within_sec = proof == SUDO_PROOF_RECENT || within ? (uint32_t)seconds : 0;
	if (rules_sudo(&changed, &problem) < 0)
		return ctl_fail_problem(ctl, CTL_USAGE, &problem);
	code = change_tenant(&dir, tenant, &changed);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "tenant", tenant->id, dir_file_of(&dir, RECORD_TENANT, tenant),
			"sudo asks people of %s: %s", tenant->slug, value_sudo_words[proof]);
}

/* Options as they were given; NULL: not. */
struct wanted {
	const char *max_per_user, *max_per_tenant, *over, *max_age, *idle, *warn, *grace, *end_outside_hours,
		*end_with_key;
};

static int wrong(const struct ctl *ctl, const char *option, const char *text, const char *remedy)
{
	return ctl_fail(ctl, CTL_USAGE, "--%s \"%s\" cannot be: %s", option, text, remedy);
}

/* 0, or the exit code after telling; so for the others. */
static int take_number(const struct ctl *ctl, const char *option, const char *text, uint32_t *ret)
{
	uint32_t value = 0;

	if (!text)
		return 0;
	if (strcmp(text, NO_LIMIT) != 0 && (parse_u32(text, &value) < 0 || value == 0))
		return wrong(ctl, option, text, "it is a number from 1, or none");
	*ret = value;
	return 0;
}

static int take_span(const struct ctl *ctl, const char *option, const char *text, bool limit, uint32_t *ret)
{
	uint64_t seconds = 0;

	if (!text)
		return 0;
	if (!(limit && strcmp(text, NO_LIMIT) == 0) &&
	    (parse_duration(text, &seconds) < 0 || seconds > UINT32_MAX || (limit && seconds == 0)))
		return wrong(ctl, option, text,
			     limit ? "it is a span of time such as 12h, or none" : "it is a span of time such as 30s");
	*ret = (uint32_t)seconds;
	return 0;
}

static int take_choice(const struct ctl *ctl, const char *option, const char *text, const char *const *words,
		       uint32_t *ret)
{
	struct value_fault fault;

	return text && value_choice(text, words, ret, &fault) < 0 ? wrong(ctl, option, text, fault.remedy) : 0;
}

static int take_all(const struct ctl *ctl, const struct wanted *wanted, struct session_rules *rules)
{
	static const char *const yes_words[] = {"no", "yes", NULL};
	uint32_t over = rules->over, hours = rules->end_outside_hours, key = rules->end_with_key;
	int code = take_number(ctl, "max-per-user", wanted->max_per_user, &rules->max_per_user);

	if (code == 0)
		code = take_number(ctl, "max-per-tenant", wanted->max_per_tenant, &rules->max_per_tenant);
	if (code == 0)
		code = take_choice(ctl, "over", wanted->over, value_over_words, &over);
	if (code == 0)
		code = take_span(ctl, "max-age", wanted->max_age, true, &rules->max_age_sec);
	if (code == 0)
		code = take_span(ctl, "idle", wanted->idle, true, &rules->idle_sec);
	if (code == 0)
		code = take_span(ctl, "warn", wanted->warn, false, &rules->warn_sec);
	if (code == 0)
		code = take_span(ctl, "grace", wanted->grace, false, &rules->grace_sec);
	if (code == 0)
		code = take_choice(ctl, "end-outside-hours", wanted->end_outside_hours, yes_words, &hours);
	if (code == 0)
		code = take_choice(ctl, "end-with-key", wanted->end_with_key, yes_words, &key);
	rules->over = (enum session_over)over;
	rules->end_outside_hours = hours == 1;
	rules->end_with_key = key == 1;
	return code;
}

int directory_set_sessions_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"How many sessions a tenant's people may have on one host, and how long those last. What is not given\n"
		"stays; \"none\" takes a limit away. A host's own limits (agent.yaml) count as well, the stricter of "
		"each.\n"
		"\nExamples:\n"
		"  tenantctl directory set-sessions acme --max-per-user 10 --max-age 12h --idle 30min\n"
		"  tenantctl directory set-sessions acme --idle none --over end-oldest\n";
	struct wanted wanted = {0};
	const struct ctl_option options[] = {
		{"max-per-user", "N", "of one person at once", .value = &wanted.max_per_user},
		{"max-per-tenant", "N", "of all the tenant's people at once", .value = &wanted.max_per_tenant},
		{"over", "deny|end-oldest", "what one more than that means", .value = &wanted.over},
		{"max-age", "SPAN", "from opening to end", .value = &wanted.max_age},
		{"idle", "SPAN", "so long without a key pressed", .value = &wanted.idle},
		{"warn", "SPAN", "said so long before", .value = &wanted.warn},
		{"grace", "SPAN", "between asking programs to stop and killing them", .value = &wanted.grace},
		{"end-outside-hours", "yes|no", "end with the login hours", .value = &wanted.end_outside_hours},
		{"end-with-key", "yes|no", "end with the key that opened them", .value = &wanted.end_with_key},
	};
	const struct ctl_command command = {.name = "directory set-sessions",
					    .usage = "TENANT OPTIONS",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct tenant_record *tenant;
	struct problem problem = {0};
	struct tenant_record changed;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	tenant = dir_tenant(&dir, argv[0]);
	if (!tenant)
		return CTL_NO;
	changed = *tenant;
	code = take_all(ctl, &wanted, &changed.sessions);
	if (code > 0)
		return code;
	if (rules_sessions(&changed.sessions, &problem) < 0)
		return ctl_fail_problem(ctl, CTL_USAGE, &problem);
	code = change_tenant(&dir, tenant, &changed);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "tenant", tenant->id, dir_file_of(&dir, RECORD_TENANT, tenant),
			"changed the rules of %s's sessions", tenant->slug);
}
