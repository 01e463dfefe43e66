/* SPDX-License-Identifier: MIT
 *
 * What goes to the audit log from here, and what is seen of it, in one host's work with its control plane.
 */
#include "base/log.h"
#include "base/text.h"
#include "feed/work_internal.h"

static const char *on_bearer(void *context)
{
	const struct work *work = context;

	return work_bearer(work);
}

static void on_rejected(void *context)
{
	const struct work *work = context;

	if (work->token)
		token_rejected(work->token);
}

static void on_changed(void *context)
{
	work_look_soon(context);
}

static void on_taken(void *context, const struct group_record *record)
{
	const struct work *work = context;

	witness_taken(work->witness, record);
}

static void tell(const struct work *work, const struct feeds_found *found)
{
	work->hooks.found(work->hooks.context, found);
}

static void on_chain_ends(void *context, const char *chain, const char *detail)
{
	tell(context, &(struct feeds_found){FEEDS_CHAIN_ENDS, "", chain, "", detail, ""});
}

static void on_chain_forked(void *context, const char *chain, const char *detail)
{
	tell(context, &(struct feeds_found){FEEDS_CHAIN_FORKED, "", chain, "", detail, ""});
}

static void on_refused(void *context, const char *fault, const char *detail)
{
	const struct work *work = context;

	work->hooks.audit(work->hooks.context, true, "", fault, detail);
}

static const struct feed_trust *on_trust(void *context, const char *tenant_id)
{
	const struct entry *entry = work_find(context, tenant_id);

	return entry ? follow_trust(entry->follow) : NULL;
}

static void on_log_forked(void *context, const char *tenant_id, const char *origin, const char *change,
			  const char *detail, const char *data)
{
	tell(context, &(struct feeds_found){FEEDS_LOG_FORKED, tenant_id, origin, change, detail, data});
}

static void on_log_seen(void *context, const char *tenant_id, const char *origin, const char *detail, const char *data)
{
	tell(context, &(struct feeds_found){FEEDS_LOG_SEEN, tenant_id, origin, "", detail, data});
}

static void on_log_refused(void *context, const char *tenant_id, const char *fault, const char *detail)
{
	const struct work *work = context;

	work->hooks.audit(work->hooks.context, false, tenant_id, fault, detail);
}

int work_audit_new(struct work *work)
{
	const struct audit_reports_hooks reports = {on_bearer,       on_rejected, on_taken,   on_chain_ends,
						    on_chain_forked, on_refused,  on_changed, work};
	const struct witness_options options = {
		.state_dir = work->options.state_dir,
		.seal_key = work->options.seal_key,
		.spool = work->options.spool,
		.every_usec = work->options.witness_usec,
		.settle_usec = work->options.settle_usec,
	};
	const struct witness_hooks witness = {on_bearer,   on_rejected,    on_trust,   on_log_forked,
					      on_log_seen, on_log_refused, on_changed, work};
	int r = witness_new(work->event, &options, &witness, &work->witness);

	if (r >= 0 && work->options.spool && work->options.seal_key)
		r = audit_reports_new(work->event, work->options.spool, work->options.state_dir, work->options.seal_key,
				      &reports, &work->audit);
	return r;
}

void work_audit_connect(struct work *work)
{
	witness_connect(work->witness, http_loop_client(work->http), &work->identity);
	/* People sign in all the same; what is wrong stands in the view. */
	if (work->audit && audit_reports_connect(work->audit, http_loop_client(work->http), &work->identity) < 0)
		log_error("audit events cannot be brought to the control plane: they stay in the spool");
}

void work_follow_others(struct work *work, const char *tenant_id, bool followed)
{
	session_reports_follow(work->sessions, tenant_id, followed);
	witness_follow(work->witness, tenant_id, followed);
}

void work_audit_rest(struct work *work)
{
	/* An identity that cannot be read is not one that is not there. */
	if (!work->problem[0])
		audit_reports_leave(work->audit);
}

void work_audit_wake(struct work *work)
{
	audit_reports_wake(work->audit);
	witness_wake(work->witness);
}
