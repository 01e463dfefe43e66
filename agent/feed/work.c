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

static void look_soon(struct work *work)
{
	work->dirty = true;
	(void)sd_event_source_set_enabled(work->settle, SD_EVENT_ONESHOT);
}

static void set_problem(struct work *work, const struct problem *problem)
{
	char text[FEED_PROBLEM_MAX];

	if (problem)
		problem_render(problem, text, sizeof(text));
	else
		text[0] = '\0';
	if (text_equal(text, work->problem))
		return;
	snprintf(work->problem, sizeof(work->problem), "%s", text);
	look_soon(work);
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
	look_soon(context);
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
	look_soon(work);
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

static void remove_entry(struct work *work, struct entry *entry, bool wipe)
{
	struct entry **at = &work->entries;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	if (wipe && entry->follow)
		follow_wipe(entry->follow);
	follow_free(entry->follow);
	if (!entry->imported)
		session_reports_follow(work->sessions, entry->tenant_id, false);
	work->lost_units |= entry->given_count > 0;
	work_drop_given(entry);
	free(entry);
	look_soon(work);
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
		session_reports_follow(work->sessions, tenant_id, true);
	look_soon(work);
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
static void assign(struct work *work, const struct assignments *assignments)
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
		remove_entry(work, entry, false);
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
			remove_entry(work, entry, false);
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
		assign(work, &assignments);
	assignments_finish(&assignments);
	set_problem(work, r < 0 ? &problem : NULL);
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
		set_problem(work, NULL);
	for (struct entry *entry = work->entries; entry; entry = entry->next)
		if (!entry->imported)
			follow_wake(entry->follow);
	ask_self_after(work, 0);
	report_soon(work->report);
	session_reports_wake(work->sessions);
}

static void on_no_token(void *context, const char *fault, const struct problem *problem)
{
	set_problem(context, problem);
}

/* ---- enrolment --------------------------------------------------------------------------------------------------- */

static int connect_host(struct work *work)
{
	const struct token_hooks hooks = {on_token, on_no_token, on_disabled, work, work->options.host_token};
	int r = token_new(work->event, http_loop_client(work->http), &work->identity, &hooks, &work->token);

	if (r >= 0)
		r = report_new(work->event, http_loop_client(work->http), work->identity.url, work, &work->report);
	if (r >= 0)
		session_reports_connect(work->sessions, http_loop_client(work->http), work->identity.url);
	return r;
}

static void disconnect_host(struct work *work)
{
	http_cancel(TAKE_PTR(work->self));
	(void)sd_event_source_set_enabled(work->self_timer, SD_EVENT_OFF);
	session_reports_disconnect(work->sessions);
	report_free(TAKE_PTR(work->report));
	token_free(TAKE_PTR(work->token));
}

static void drop_assigned(struct work *work, bool imported_too)
{
	for (struct entry *entry = work->entries, *next; entry; entry = next) {
		next = entry->next;
		if (!entry->imported || imported_too)
			remove_entry(work, entry, true);
	}
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
	look_soon(work);
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
		disconnect_host(work);
		drop_assigned(work, false);
		work->identity = *identity;
		work->identity.tenant_count = 0;
		work->disbelieved = false;
		work->enrolled = true;
		work->disabled[0] = '\0';
		set_problem(work, NULL);
		assign(work, assignments);
		result = connect_host(work);
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
	look_soon(work);
}

void work_forget(struct work *work)
{
	enrol_free(TAKE_PTR(work->enrol));
	disconnect_host(work);
	drop_assigned(work, false);
	host_identity_wipe(work->options.state_dir);
	host_identity_finish(&work->identity);
	work->enrolled = work->disbelieved = false;
	work->disabled[0] = '\0';
	set_problem(work, NULL);
	look_soon(work);
}

static void keep_rest(const struct work *work, const struct host_identity *rest)
{
	if (!work->options.seal_key || host_identity_store(work->options.state_dir, work->options.seal_key, rest) < 0)
		host_identity_wipe(work->options.state_dir);
}

/* A signed feed, or the authority itself, says that this host is out of service. */
static void disable(struct work *work)
{
	struct host_identity rest = {0};

	enrol_free(TAKE_PTR(work->enrol));
	disconnect_host(work);
	/* Without the key; only so that a restart still says why, and goes on wiping where this was cut short. */
	snprintf(rest.url, sizeof(rest.url), "%s", work->identity.url);
	snprintf(rest.host_id, sizeof(rest.host_id), "%s", work->identity.host_id);
	snprintf(rest.disabled, sizeof(rest.disabled), "%s", work->disabled);
	for (const struct entry *entry = work->entries; entry && rest.tenant_count < HOST_TENANTS_MAX;
	     entry = entry->next)
		snprintf(rest.tenants[rest.tenant_count++], sizeof(rest.tenants[0]), "%s", entry->tenant_id);
	keep_rest(work, &rest);
	drop_assigned(work, true);
	rest.tenant_count = 0;
	/* Should it fail, the next start finds nothing to wipe. */
	if (work->options.seal_key)
		(void)host_identity_store(work->options.state_dir, work->options.seal_key, &rest);
	host_identity_finish(&work->identity);
	work->identity = rest;
	work->enrolled = false;
	work->hooks.disabled(work->hooks.context, work->disabled);
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
			remove_entry(work, entry, false);
	}
	for (uint32_t i = 0; i < work->folder_count; i++) {
		if (work->folders[i].tenant_id[0])
			import_one(work, &work->folders[i]);
		else
			log_problem(LOG_ERR, "a folder with a feed cannot be used", &work->folders[i].problem);
	}
	look_soon(work);
}

/* ---- for feeds.c
 * ------------------------------------------------------------------------------------------------------ */

static void note_states(struct work *work)
{
	for (struct entry *entry = work->entries; entry; entry = entry->next) {
		struct feed_view view;

		follow_view(entry->follow, &view);
		if (view.state == entry->state)
			continue;
		entry->state = view.state;
		report_soon(work->report);
		if (view.state == FEED_LIVE)
			session_reports_wake(work->sessions);
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
		disable(work);
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
			remove_entry(work, entry, true);
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
		look_soon(work);
	*ret = work;
	return 0;
}

void work_start(struct work *work)
{
	work->started = true;
	if (!work->enrolled)
		return;
	for (struct entry *entry = work->entries; entry; entry = entry->next)
		if (!entry->imported)
			follow_start(entry->follow);
	if (connect_host(work) < 0)
		log_error("cannot connect to the control plane");
}

void work_free(struct work *work)
{
	if (!work)
		return;
	enrol_free(TAKE_PTR(work->enrol));
	disconnect_host(work);
	while (work->entries)
		remove_entry(work, work->entries, false);
	session_reports_free(work->sessions);
	http_loop_free(work->http);
	sd_event_source_disable_unref(work->settle);
	sd_event_source_disable_unref(work->self_timer);
	sd_event_unref(work->event);
	host_identity_finish(&work->identity);
	free(work->folders);
	free(work);
}
