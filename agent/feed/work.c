/* SPDX-License-Identifier: MIT */
#include "feed/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "feed/backoff.h"
#include "feed/report.h"
#include "feed/work_internal.h"

#define START_JITTER_USEC (1 * USEC_PER_SEC) /* of connections that begin with the agent */
#define SELF_USEC (90 * USEC_PER_SEC)        /* between two looks at what is assigned, and as much again at random */
#define SELF_SOON_USEC (1 * USEC_PER_SEC)    /* when a feed ended: it may be assigned no more */
#define PATH_SIZE 512

void work_look_soon(struct work *work)
{
	work->dirty = true;
	(void)sd_event_source_set_enabled(work->settle, SD_EVENT_ONESHOT);
}

void work_set_problem(struct work *work, const struct problem *problem)
{
	char text[FEED_PROBLEM_MAX];

	if (problem)
		problem_render(problem, text, sizeof(text));
	else
		text[0] = '\0';
	if (text_equal(text, work->problem))
		return;
	snprintf(work->problem, sizeof(work->problem), "%s", text);
	work_look_soon(work);
}

/* ---- feeds ------------------------------------------------------------------------------------------------ */

static const char *on_bearer(void *context)
{
	const struct work *work = context;

	return token_text(work->token);
}

static void on_rejected(void *context)
{
	const struct work *work = context;

	if (work->token)
		token_rejected(work->token);
}

static void on_changed(void *context, struct follow *follow)
{
	work_look_soon(context);
}

static void on_audit(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail)
{
	const struct work *work = context;

	work->hooks.audit(work->hooks.context, critical, tenant_id, fault, detail);
}

/* From inside a feed that must be freed: done at the next turn. */
static void on_disabled(void *context, const char *reason)
{
	struct work *work = context;

	snprintf(work->disabled, sizeof(work->disabled), "%s", reason && reason[0] ? reason : "no reason was given");
	work->disable = true;
	work_look_soon(work);
}

struct entry *work_find(const struct work *work, const char *tenant_id)
{
	for (struct entry *entry = work->entries; entry; entry = entry->next)
		if (text_equal(entry->tenant_id, tenant_id))
			return entry;
	return NULL;
}

void work_drop_given(struct entry *entry)
{
	for (uint32_t i = 0; i < entry->given_count; i++)
		unit_unref(entry->given[i]);
	free(entry->given);
	entry->given = NULL;
	entry->given_count = 0;
}

void work_remove_entry(struct work *work, struct entry *entry, bool wipe)
{
	struct entry **at = &work->entries;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	if (wipe && entry->follow)
		follow_wipe(entry->follow);
	follow_free(entry->follow);
	if (!entry->imported)
		work_follow_others(work, entry->tenant_id, false);
	work->lost_units |= entry->given_count > 0;
	work_drop_given(entry);
	free(entry);
	work_look_soon(work);
}

static int add_entry(struct work *work, const char *tenant_id, bool imported, struct entry **ret)
{
	char directory[PATH_SIZE];
	struct follow_options options = {
		.event = work->event,
		.http = imported ? NULL : http_loop_client(work->http),
		.url = work->identity.url,
		.tenant_id = tenant_id,
		.host_id = work->identity.host_id,
		.directory = directory,
		.seal_key = work->options.seal_key,
		.max_records = work->options.max_records,
		.hooks = &work->follow_hooks,
	};
	struct entry *entry;
	int r;

	if ((size_t)snprintf(directory, sizeof(directory), "%s/feeds", work->options.state_dir) >= sizeof(directory))
		return -ENAMETOOLONG;
	if (work->options.seal_key && mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	if ((size_t)snprintf(directory, sizeof(directory), "%s/feeds/%s", work->options.state_dir, tenant_id) >=
	    sizeof(directory))
		return -ENAMETOOLONG;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->work = work;
	entry->imported = imported;
	snprintf(entry->tenant_id, sizeof(entry->tenant_id), "%s", tenant_id);
	options.first_delay_usec = work->started ? 0 : backoff_jitter(START_JITTER_USEC);
	r = follow_create(&options, &entry->follow);
	if (r < 0) {
		free(entry);
		return r;
	}
	entry->next = work->entries;
	work->entries = entry;
	if (!imported)
		work_follow_others(work, tenant_id, true);
	work_look_soon(work);
	*ret = entry;
	return 0;
}

/* What is kept of it, or the trust document that came with the assignment. */
static void begin_entry(struct entry *entry, const struct assignment *assignment)
{
	struct problem problem = {0};
	int r = follow_load(entry->follow, &problem);

	if (r == -ENOENT && assignment)
		r = follow_set_trust(entry->follow, assignment->trust, assignment->trust_length, &problem);
	if (r < 0 && r != -ENOENT)
		log_problem(LOG_ERR, "a feed cannot begin", &problem);
	entry->bare = r == -ENOENT;
	if (entry->bare && !entry->imported)
		log_warning("nothing is kept of the feed of tenant %s, which this host serves: it begins anew",
			    entry->tenant_id);
	entry->work->dirty = true;
}

/* Of an assigned feed nothing was kept: the agent was killed in the middle of enrolment, or somebody removed it. What
 * is there, and cannot be used, is another matter: no trust document that nobody signed for takes its place. */
static void take_first_trust(struct entry *entry, const struct assignment *assignment)
{
	struct problem problem = {0};

	if (!entry->bare)
		return;
	if (follow_set_trust(entry->follow, assignment->trust, assignment->trust_length, &problem) < 0)
		log_problem(LOG_ERR, "a feed cannot begin", &problem);
	entry->bare = false;
	follow_wake(entry->follow);
}

/* Makes the feeds those that are assigned. */
void work_assign(struct work *work, const struct assignments *assignments)
{
	bool changed = assignments->count != work->identity.tenant_count;

	for (struct entry *entry = work->entries, *next; entry; entry = next) {
		next = entry->next;
		if (entry->imported || assignments_find(assignments, entry->tenant_id))
			continue;
		/* It may come back: its trust document and last head stay, so that it never does as less than it was.
		 */
		log_notice("this host serves tenant %s no more: what it knew of it is wiped", entry->tenant_id);
		changed = true;
		follow_retire(entry->follow);
		work_remove_entry(work, entry, false);
	}
	for (uint32_t i = 0; i < assignments->count; i++) {
		const struct assignment *assignment = &assignments->tenants[i];
		struct entry *entry = work_find(work, assignment->tenant_id);
		int r;

		if (entry && !entry->imported) {
			take_first_trust(entry, assignment);
			continue;
		}
		changed = true;
		if (entry) /* what was imported is kept, and goes on from there */
			work_remove_entry(work, entry, false);
		r = add_entry(work, assignment->tenant_id, false, &entry);
		if (r < 0) {
			log_error("cannot follow the feed of tenant %s: %s", assignment->tenant_id, strerror(-r));
			continue;
		}
		begin_entry(entry, assignment);
		follow_start(entry->follow);
	}
	if (!changed)
		return;
	work->identity.tenant_count = assignments->count;
	for (uint32_t i = 0; i < assignments->count; i++)
		snprintf(work->identity.tenants[i], FEED_TENANT_ID_MAX, "%s", assignments->tenants[i].tenant_id);
	if (host_identity_store(work->options.state_dir, work->options.seal_key, &work->identity) < 0)
		log_error("cannot keep which tenants this host serves; after a restart it asks again");
}

/* ---- what is assigned ---------------------------------------------------------------------------------------- */

static void ask_self_after(struct work *work, uint64_t usec)
{
	if (sd_event_source_set_time(work->self_timer, clock_boottime_usec() + usec) >= 0)
		(void)sd_event_source_set_enabled(work->self_timer, SD_EVENT_ONESHOT);
}

/* Does the platform's authority say so? Kept before it is acted upon: whatever moment a crash takes, an older note is
 * refused afterwards, and this one is taken up again where it was left. */
static int believe(struct work *work, const struct assignments *assignments, struct problem *problem)
{
	struct feed_assignment note;
	struct host_identity next;
	int r = assignments_verify(assignments, work->identity.authority, work->identity.host_id, &note, problem);

	if (r == 0)
		r = assignments_follow(&note, &work->identity, problem);
	if (r < 0) {
		if (!work->disbelieved)
			work->hooks.audit(work->hooks.context, true, "", "assignment", problem->text);
		work->disbelieved = true;
		return r;
	}
	work->disbelieved = false;
	if (note.version == work->identity.assignment_version)
		return 0;
	next = work->identity;
	next.assignment_version = note.version;
	memcpy(next.assignment_digest, note.digest, sizeof(note.digest));
	r = host_identity_store(work->options.state_dir, work->options.seal_key, &next);
	if (r < 0)
		problem_set(problem, -r, "cannot keep what this host serves in %s: %s", work->options.state_dir,
			    strerror(-r));
	else
		work->identity = next;
	host_identity_finish(&next);
	return r;
}

static void on_self(void *context, const struct http_answer *answer)
{
	struct assignments assignments = {0};
	struct work *work = context;
	struct problem problem = {0};
	int r;

	work->self = NULL;
	if (answer->fault != HTTP_FINE) {
		problem_set(&problem, EHOSTUNREACH, "the control plane: %s (%s)", http_fault_text(answer->fault),
			    answer->error);
		r = -EHOSTUNREACH;
	} else if (answer->status == 401) {
		token_rejected(work->token); /* asked again when there is another */
		return;
	} else if (answer->status != 200) {
		assignments_refusal(answer->status, answer->body, answer->length, &problem);
		r = -EACCES;
	} else {
		r = assignments_read(answer->body, answer->length, "id", &assignments, &problem);
		if (r == 0 && !text_equal(assignments.host_id, work->identity.host_id))
			r = problem_set(&problem, EBADMSG, "the control plane's answer is about another host");
		if (r == 0)
			r = believe(work, &assignments, &problem);
	}
	if (r == 0 && assignments.disabled)
		r = problem_set(&problem, EACCES, "the control plane says that this host is disabled");
	if (r == 0)
		work_assign(work, &assignments);
	assignments_finish(&assignments);
	work_set_problem(work, r < 0 ? &problem : NULL);
	if (r == 0)
		work->self_backoff.failures = 0;
	ask_self_after(work, r == 0 ? SELF_USEC + backoff_jitter(SELF_USEC)
				    : backoff_next(&work->self_backoff, answer->retry_after));
}

static int on_self_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct work *work = context;
	struct http_request request = {
		.accept = "application/json",
		.limit = 8U * 1024 * 1024,
		.done = on_self,
		.context = work,
	};
	char url[600];

	request.bearer = token_text(work->token);
	if (!request.bearer || work->self)
		return 0;
	snprintf(url, sizeof(url), "%s/v1/hosts/self", work->identity.url);
	request.url = url;
	if (http_start(http_loop_client(work->http), &request, &work->self) < 0)
		ask_self_after(work, backoff_next(&work->self_backoff, -1));
	return 0;
}

static void on_token(void *context)
{
	struct work *work = context;

	if (!work->disbelieved)
		work_set_problem(work, NULL);
	for (struct entry *entry = work->entries; entry; entry = entry->next)
		if (!entry->imported)
			follow_wake(entry->follow);
	ask_self_after(work, 0);
	report_soon(work->report);
	session_reports_wake(work->sessions);
	work_audit_wake(work);
}

static void on_no_token(void *context, const char *fault, const struct problem *problem)
{
	work_set_problem(context, problem);
}

/* ---- to the control plane --------------------------------------------------------------------------------------- */

int work_connect(struct work *work)
{
	const struct token_hooks hooks = {on_token, on_no_token, on_disabled, work, work->options.host_token};
	int r = token_new(work->event, http_loop_client(work->http), &work->identity, &hooks, &work->token);

	if (r >= 0)
		r = report_new(work->event, http_loop_client(work->http), work->identity.url, work, &work->report);
	if (r >= 0)
		session_reports_connect(work->sessions, http_loop_client(work->http), work->identity.url);
	if (r >= 0)
		work_audit_connect(work);
	return r;
}

void work_disconnect(struct work *work)
{
	http_cancel(TAKE_PTR(work->self));
	(void)sd_event_source_set_enabled(work->self_timer, SD_EVENT_OFF);
	session_reports_disconnect(work->sessions);
	audit_reports_disconnect(work->audit);
	witness_disconnect(work->witness);
	report_free(TAKE_PTR(work->report));
	token_free(TAKE_PTR(work->token));
}

/* ---- folders -------------------------------------------------------------------------------------------------------
 */

static void import_one(struct work *work, struct import_folder *folder)
{
	struct entry *entry = work_find(work, folder->tenant_id);
	struct problem problem = {0};
	int r;

	if (!entry) {
		r = add_entry(work, folder->tenant_id, true, &entry);
		if (r < 0) {
			problem_at(&folder->problem, folder->path, 0, 0);
			problem_set(&folder->problem, -r, "cannot follow this feed: %s", strerror(-r));
			return;
		}
		if (work->options.seal_key)
			begin_entry(entry, NULL);
	}
	entry->import_problem = (struct problem){0};
	if (follow_import(entry->follow, folder->path, &problem) != FEED_FINE) {
		entry->import_problem = problem;
		log_problem(LOG_ERR, "a feed that lies here as files was refused", &problem);
	}
}

static void import_all(struct work *work)
{
	free(TAKE_PTR(work->folders));
	work->folder_count = 0;
	if (work->disabled[0] || !work->options.import_dir)
		return;
	if (import_scan(work->options.import_dir, &work->folders, &work->folder_count) < 0)
		log_error("cannot look into %s", work->options.import_dir);
	for (struct entry *entry = work->entries, *next; entry; entry = next) {
		bool there = false;

		next = entry->next;
		for (uint32_t i = 0; i < work->folder_count; i++)
			/* A folder that cannot be read may be this one's: what it brought before stays. */
			there |= !work->folders[i].tenant_id[0] ||
				 text_equal(work->folders[i].tenant_id, entry->tenant_id);
		/* What is kept on disk stays, and with it how far that feed was: it must not come back older. */
		if (entry->imported && !there)
			work_remove_entry(work, entry, false);
	}
	for (uint32_t i = 0; i < work->folder_count; i++) {
		if (work->folders[i].tenant_id[0])
			import_one(work, &work->folders[i]);
		else
			log_problem(LOG_ERR, "a folder with a feed cannot be used", &work->folders[i].problem);
	}
	work_look_soon(work);
}

/* ---- for feeds.c ------------------------------------------------------------------------------------------ */

static void note_states(struct work *work)
{
	for (struct entry *entry = work->entries; entry; entry = entry->next) {
		struct feed_view view;

		follow_view(entry->follow, &view);
		if (view.state == entry->state)
			continue;
		entry->state = view.state;
		report_soon(work->report);
		if (view.state == FEED_LIVE) {
			session_reports_wake(work->sessions);
			work_audit_wake(work);
		}
		if (view.state == FEED_RECONNECT && !entry->imported)
			ask_self_after(work, backoff_jitter(SELF_SOON_USEC));
	}
}

const char *work_bearer(const struct work *work)
{
	return token_text(work->token);
}

void work_settle(struct work *work)
{
	if (work->disable) {
		work->disable = false;
		work_disable(work);
	}
	if (!work->dirty)
		return;
	work->dirty = false;
	note_states(work);
	work->hooks.changed(work->hooks.context);
}

static int on_settle(sd_event_source *source, void *context)
{
	work_settle(context);
	return 0;
}

void work_retry(struct work *work)
{
	if (work->token) {
		token_retry(work->token);
		ask_self_after(work, 0);
		work_audit_wake(work);
	}
	for (struct entry *entry = work->entries; entry; entry = entry->next)
		if (!entry->imported)
			follow_wake(entry->follow);
	import_all(work);
}

static void load_identity(struct work *work)
{
	int r;

	if (!work->options.seal_key)
		return;
	r = host_identity_load(work->options.state_dir, work->options.seal_key, &work->identity);
	if (r == -ENOENT)
		return;
	if (r < 0) {
		snprintf(work->problem, sizeof(work->problem),
			 "this host's identity cannot be read (%s): enrol it again", strerror(-r));
		log_error("%s", work->problem);
		return;
	}
	snprintf(work->disabled, sizeof(work->disabled), "%s", work->identity.disabled);
	work->enrolled = !work->disabled[0];
	for (uint32_t i = 0; i < work->identity.tenant_count; i++) {
		struct entry *entry;

		if (add_entry(work, work->identity.tenants[i], false, &entry) < 0)
			continue;
		if (work->enrolled)
			begin_entry(entry, NULL);
		else /* it was killed while it wiped */
			work_remove_entry(work, entry, true);
	}
}

int work_new(sd_event *event, const struct feeds_options *options, const struct work_hooks *hooks, struct work **ret)
{
	const struct http_options http = {
		.ca_file = options->ca_file,
		.pin = options->pin,
		.proxy = options->proxy,
		.allow_plain = options->allow_plain_http,
	};
	struct work *work = calloc(1, sizeof(*work));
	int r;

	if (!work)
		return -ENOMEM;
	work->event = sd_event_ref(event);
	work->options = *options;
	work->hooks = *hooks;
	work->follow_hooks = (struct follow_hooks){on_bearer, on_rejected, on_changed, on_audit, on_disabled, work};
	r = http_loop_new(event, &http, &work->http);
	if (r >= 0)
		r = session_reports_new(event, &(struct session_reports_hooks){on_bearer, on_rejected, work},
					&work->sessions);
	if (r >= 0)
		r = work_audit_new(work);
	if (r >= 0)
		r = sd_event_add_defer(event, &work->settle, on_settle, work);
	if (r >= 0)
		r = sd_event_source_set_enabled(work->settle, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &work->self_timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_self_time, work);
	if (r >= 0)
		r = sd_event_source_set_enabled(work->self_timer, SD_EVENT_OFF);
	if (r < 0) {
		work_free(work);
		return r;
	}
	load_identity(work);
	import_all(work);
	/* What is kept may hold the word that this host is out of service. */
	if (work->disable)
		work_look_soon(work);
	*ret = work;
	return 0;
}

void work_start(struct work *work)
{
	work->started = true;
	if (!work->enrolled) {
		work_audit_rest(work);
		return;
	}
	for (struct entry *entry = work->entries; entry; entry = entry->next)
		if (!entry->imported)
			follow_start(entry->follow);
	if (work_connect(work) < 0)
		log_error("cannot connect to the control plane");
}

void work_free(struct work *work)
{
	if (!work)
		return;
	enrol_free(TAKE_PTR(work->enrol));
	work_disconnect(work);
	while (work->entries)
		work_remove_entry(work, work->entries, false);
	session_reports_free(work->sessions);
	audit_reports_free(work->audit);
	witness_free(work->witness);
	http_loop_free(work->http);
	sd_event_source_disable_unref(work->settle);
	sd_event_source_disable_unref(work->self_timer);
	sd_event_unref(work->event);
	host_identity_finish(&work->identity);
	free(work->folders);
	free(work);
}
