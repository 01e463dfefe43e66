/* SPDX-License-Identifier: MIT
 *
 * How this host comes to a control plane, leaves it, and is taken out of service.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "feed/work_internal.h"

static void drop_assigned(struct work *work, bool imported_too)
{
	for (struct entry *entry = work->entries, *next; entry; entry = next) {
		next = entry->next;
		if (!entry->imported || imported_too)
			work_remove_entry(work, entry, true);
	}
}

/* Nobody takes what this host writes down any more, and what was seen is no other control plane's. */
static void leave_log(struct work *work)
{
	audit_reports_leave(work->audit);
	witness_leave(work->witness);
}

static void tell_enrolled(struct work *work, uint64_t tag, int result, const struct problem *problem)
{
	work->hooks.enrolled(work->hooks.context, tag, result, result == 0 ? work->identity.host_id : "", problem);
}

static void on_enrolled(void *context, int result, const struct host_identity *identity,
			const struct assignments *assignments, const struct problem *problem)
{
	struct work *work = context;
	struct problem own = {0};

	work->enrol = NULL;
	work_look_soon(work);
	if (result == 0) {
		/* From here on the new one is what a restart finds; before it, nothing of the old was touched. */
		result = host_identity_store(work->options.state_dir, work->options.seal_key, identity);
		if (result < 0) {
			problem_set(&own, -result, "cannot keep this host's identity in %s: %s",
				    work->options.state_dir, strerror(-result));
			problem = &own;
		}
	}
	if (result == 0) {
		work_disconnect(work);
		drop_assigned(work, false);
		leave_log(work);
		work->identity = *identity;
		work->identity.tenant_count = 0;
		work->disbelieved = false;
		work->enrolled = true;
		work->disabled[0] = '\0';
		work_set_problem(work, NULL);
		work_assign(work, assignments);
		result = work_connect(work);
		if (result < 0) {
			problem_set(&own, -result, "enrolled, but cannot connect: %s", strerror(-result));
			problem = &own;
		}
	}
	tell_enrolled(work, work->enrol_tag, result, problem);
}

void work_enroll(struct work *work, const char *url, const char *token, uint64_t tag)
{
	struct problem problem = {0};
	char plain_url[sizeof(work->identity.url)];
	int r = enrol_url(url, work->options.allow_plain_http, plain_url, sizeof(plain_url), &problem);

	if (r == 0 && work->enrolled && text_equal(plain_url, work->identity.url)) {
		tell_enrolled(work, tag, 0, NULL);
		return;
	}
	if (r == 0)
		r = enrol_token_check(token, &problem);
	if (r == 0 && work->enrol)
		r = problem_set(&problem, EBUSY, "an enrolment is under way");
	if (r == 0 && !work->options.seal_key) {
		problem_remedy(&problem, "see tenantd(8), SEALING KEY");
		r = problem_set(&problem, ENOKEY, "there is no sealing key, so an identity cannot be kept");
	}
	if (r == 0) {
		work->enrol_tag = tag;
		r = enrol_start(http_loop_client(work->http), plain_url, token, work->options.host_name, on_enrolled,
				work, &work->enrol);
		if (r < 0)
			problem_set(&problem, -r, "cannot begin: %s", strerror(-r));
	}
	if (r < 0)
		tell_enrolled(work, tag, r, &problem);
	work_look_soon(work);
}

void work_forget(struct work *work)
{
	enrol_free(TAKE_PTR(work->enrol));
	work_disconnect(work);
	drop_assigned(work, false);
	leave_log(work);
	host_identity_wipe(work->options.state_dir);
	host_identity_finish(&work->identity);
	work->enrolled = work->disbelieved = false;
	work->disabled[0] = '\0';
	work_set_problem(work, NULL);
	work_look_soon(work);
}

static void keep_rest(const struct work *work, const struct host_identity *rest)
{
	if (!work->options.seal_key || host_identity_store(work->options.state_dir, work->options.seal_key, rest) < 0)
		host_identity_wipe(work->options.state_dir);
}

/* A signed feed, or the authority itself, says that this host is out of service. */
void work_disable(struct work *work)
{
	struct host_identity rest = {0};

	enrol_free(TAKE_PTR(work->enrol));
	work_disconnect(work);
	/* Without the key; only so that a restart still says why, and goes on wiping where this was cut short. */
	snprintf(rest.url, sizeof(rest.url), "%s", work->identity.url);
	snprintf(rest.host_id, sizeof(rest.host_id), "%s", work->identity.host_id);
	snprintf(rest.disabled, sizeof(rest.disabled), "%s", work->disabled);
	for (const struct entry *entry = work->entries; entry && rest.tenant_count < HOST_TENANTS_MAX;
	     entry = entry->next)
		snprintf(rest.tenants[rest.tenant_count++], sizeof(rest.tenants[0]), "%s", entry->tenant_id);
	keep_rest(work, &rest);
	drop_assigned(work, true);
	leave_log(work);
	rest.tenant_count = 0;
	/* Should it fail, the next start finds nothing to wipe. */
	if (work->options.seal_key)
		(void)host_identity_store(work->options.state_dir, work->options.seal_key, &rest);
	host_identity_finish(&work->identity);
	work->identity = rest;
	work->enrolled = false;
	work->hooks.disabled(work->hooks.context, work->disabled);
}
