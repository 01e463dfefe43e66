/* SPDX-License-Identifier: MIT */
#include "feed/witness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "feed/backoff.h"
#include "feed/witness_log.h"
#include "feed/witness_words.h"
#include "tlog/checkpoint.h"

#define EVERY_USEC (60 * USEC_PER_SEC)
#define SETTLE_USEC (300 * USEC_PER_SEC)
#define HOUR_USEC (3600 * USEC_PER_SEC)
#define REFUSED_USEC (600 * USEC_PER_SEC) /* until what was refused as it stands is asked for again */
#define ANSWER_BYTES_MAX (128U * 1024)
#define URL_MAX 1024U

struct watched {
	struct watched *next;
	struct witness *witness;
	struct witness_log log;
	struct witness_question question; /* of the request under way */
	struct http_transfer *transfer, *handing;
	sd_event_source *timer;
	struct backoff backoff;
	bool followed, waits;
	int64_t good_at;             /* wall clock */
	uint64_t told_size, told_at; /* by `seen` */
	uint64_t fork_told_at;       /* CLOCK_BOOTTIME; 0: not in this process */
	char fault[32];              /* told last by `refused` */
	char problem[256];
};
struct witness {
	sd_event *event;
	struct witness_options options;
	struct witness_hooks hooks;
	struct http *http; /* NULL: not connected */
	const struct host_identity *identity;
	struct note_key authority;
	bool has_authority;
	struct watched *logs;
	struct witness_view view;
};

static void arm(struct watched *watched, uint64_t usec)
{
	if (sd_event_source_set_time(watched->timer, clock_boottime_usec() + usec) >= 0)
		(void)sd_event_source_set_enabled(watched->timer, SD_EVENT_ONESHOT);
}

static void arm_next(struct watched *watched)
{
	uint64_t every = watched->witness->options.every_usec;

	arm(watched, every + backoff_jitter(every / 2));
}

static void wait_longer(struct watched *watched, uint64_t usec)
{
	watched->waits = true;
	arm(watched, MAX_OF(usec, watched->witness->options.every_usec));
}

static void note_problem(struct watched *watched, const char *text)
{
	(void)snprintf(watched->problem, sizeof(watched->problem), "%.*s", (int)sizeof(watched->problem) - 1, text);
	watched->witness->hooks.changed(watched->witness->hooks.context);
}

static void store(struct watched *watched)
{
	const struct witness_options *options = &watched->witness->options;
	int r = options->seal_key ? witness_log_store(options->state_dir, options->seal_key, &watched->log) : 0;

	if (r < 0)
		log_error("what was seen of an audit log cannot be kept in %s: %s", options->state_dir,
			  strerrordesc_np(-r));
}

/* Who may sign this log's checkpoints, and what it is called. -ENOKEY: that is not known. */
static int keys_of(const struct watched *watched, struct note_key keys[FEED_KEYS_MAX], uint32_t *ret_count,
		   char ret_origin[CHECKPOINT_ORIGIN_MAX])
{
	const struct witness *witness = watched->witness;
	const struct witness_hooks *hooks = &witness->hooks;
	const struct feed_trust *trust;

	if (!watched->log.tenant_id[0])
		return witness->has_authority ? witness_platform_key(&witness->authority, keys, ret_count, ret_origin)
					      : -ENOKEY;
	trust = hooks->trust(hooks->context, watched->log.tenant_id);
	return trust ? witness_tenant_keys(trust, keys, ret_count, ret_origin) : -ENOKEY;
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

static void tell_forked(struct watched *watched, const char *origin, enum witness_verdict verdict, const char *detail,
			const struct witness_answer *answer)
{
	struct witness *witness = watched->witness;
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	uint64_t now = clock_boottime_usec();

	witness->view.forks++;
	note_problem(watched, detail);
	if (watched->log.forked_at == 0) {
		watched->log.forked_at = clock_realtime_sec();
		store(watched);
	}
	if (watched->fork_told_at && now < watched->fork_told_at + HOUR_USEC)
		return;
	watched->fork_told_at = now;
	witness_write_evidence(&data, watched->log.note, answer->note, answer->length);
	witness->hooks.forked(witness->hooks.context, watched->log.tenant_id, origin, witness_verdict_word(verdict),
			      detail, data.failed ? NULL : buffer_text(&data));
}

static void tell_seen(struct watched *watched)
{
	const struct witness_hooks *hooks = &watched->witness->hooks;
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	const struct witness_log *log = &watched->log;
	uint64_t now = clock_boottime_usec();
	char detail[192], root[2 * SHA256_BYTES + 1];

	if (log->size == watched->told_size || (watched->told_at && now < watched->told_at + HOUR_USEC))
		return;
	watched->told_size = log->size;
	watched->told_at = now;
	text_to_hex(log->root.bytes, sizeof(log->root.bytes), root);
	(void)snprintf(detail, sizeof(detail), "%" PRIu64 " entries, root %s", log->size, root);
	witness_write_evidence(&data, log->note, NULL, 0);
	hooks->seen(hooks->context, log->tenant_id, log->origin, detail, data.failed ? NULL : buffer_text(&data));
}

static void refuse(struct watched *watched, const char *fault, const char *detail)
{
	const struct witness_hooks *hooks = &watched->witness->hooks;

	note_problem(watched, detail);
	if (!text_equal(watched->fault, fault)) {
		(void)snprintf(watched->fault, sizeof(watched->fault), "%s", fault);
		hooks->refused(hooks->context, watched->log.tenant_id, fault, detail);
	}
	wait_longer(watched, backoff_next(&watched->backoff, -1));
}

/* ---- cosigning ----------------------------------------------------------------------------------------------------
 */

static void on_handed(void *context, const struct http_answer *answer)
{
	struct watched *watched = context;
	struct witness *witness = watched->witness;

	watched->handing = NULL;
	if (answer->fault == HTTP_FINE && answer->status == 401)
		witness->hooks.rejected(witness->hooks.context);
	else if (answer->fault == HTTP_FINE && answer->status < 300)
		witness->view.cosigned++;
	/* Else nobody learns of this one: the next one says more. */
}

static int url_of(const struct watched *watched, char out[URL_MAX])
{
	const struct witness *witness = watched->witness;
	const char *tenant_id = watched->log.tenant_id;
	int length = tenant_id[0]
			     ? snprintf(out, URL_MAX, "%s/v1/feeds/%s/audit/witness", witness->identity->url, tenant_id)
			     : snprintf(out, URL_MAX, "%s/v1/hosts/self/audit/witness", witness->identity->url);

	return length > 0 && (unsigned)length < URL_MAX - 256 ? length : -ENAMETOOLONG;
}

static void cosign(struct watched *watched)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT;
	struct witness *witness = watched->witness;
	struct http_request request = {
		.method = "POST",
		.content_type = "application/json",
		.done = on_handed,
		.context = watched,
	};
	char url[URL_MAX];
	int r;

	request.bearer = witness->hooks.bearer(witness->hooks.context);
	if (!witness->options.spool || !request.bearer || watched->handing || url_of(watched, url) < 0)
		return;
	r = witness_write_cosignature(&body, witness->options.spool, witness->authority.name,
				      witness->identity->host_id, watched->log.note, watched->log.size);
	if (r == 0) {
		request.url = url;
		request.body = body.data;
		request.body_length = body.length;
		r = http_start(witness->http, &request, &watched->handing);
	}
	if (r < 0)
		log_error("a checkpoint of an audit log cannot be cosigned: %s", strerrordesc_np(-r));
}

/* ---- looking
 * --------------------------------------------------------------------------------------------------------- */

/* An event that was taken long enough ago, by chance: whoever withholds some cannot know which. */
static const struct witness_pick *choose(const struct watched *watched)
{
	uint64_t now = clock_boottime_usec(), settle = watched->witness->options.settle_usec;
	const struct witness_pick *fit[WITNESS_PICKS_MAX];
	uint32_t count = 0;

	/* What was not seen there yet comes first. */
	for (unsigned placed = 0; placed < 2 && count == 0; placed++)
		for (uint32_t i = 0; i < watched->log.pick_count; i++) {
			const struct witness_pick *pick = &watched->log.picks[i];

			if (pick->placed == (placed != 0) && (pick->placed || now >= pick->at_usec + settle))
				fit[count++] = pick;
		}
	return count > 0 ? fit[backoff_jitter(count - 1)] : NULL;
}

static struct watched *find(const struct witness *witness, const char *tenant_id)
{
	for (struct watched *watched = witness->logs; watched; watched = watched->next)
		if (text_equal(watched->log.tenant_id, tenant_id))
			return watched;
	return NULL;
}

/* Into which log an event went depends on whether the control plane took this host for one that serves its tenant, and
 * it may have known of a change before this host did. So one that is not in the log where it was looked for first may
 * be in the other one: the platform's, or its tenant's. From there it can go nowhere. */
static bool moves_on(struct watched *watched)
{
	struct witness_pick pick = watched->question.pick;
	bool of_tenant = watched->log.tenant_id[0];
	struct watched *other = find(watched->witness, of_tenant ? "" : pick.tenant_id);

	if (pick.moved || (of_tenant ? !other : !pick.tenant_id[0]))
		return false;
	witness_log_drop_pick(&watched->log, pick.id);
	if (!other || !other->followed) /* nobody here can look */
		return true;
	pick.at_usec = clock_boottime_usec();
	pick.moved = true;
	pick.tenant_id[0] = '\0';
	witness_log_add_pick(&other->log, &pick);
	return true;
}

static void take(struct watched *watched, const struct checkpoint *shown, const struct witness_answer *answer)
{
	bool grown = shown->size != watched->log.size || !watched->log.note, placed = watched->question.about_event;
	int r = witness_log_take(&watched->log, shown, answer, &watched->question);

	if (r < 0) {
		wait_longer(watched, backoff_next(&watched->backoff, -1));
		return;
	}
	watched->backoff.failures = 0;
	watched->good_at = clock_realtime_sec();
	watched->fault[0] = watched->problem[0] = '\0';
	watched->witness->hooks.changed(watched->witness->hooks.context);
	if (grown || placed)
		store(watched);
	if (grown)
		cosign(watched);
	tell_seen(watched);
	arm_next(watched);
}

static void judge(struct watched *watched, const struct witness_answer *answer)
{
	struct note_key keys[FEED_KEYS_MAX];
	char origin[CHECKPOINT_ORIGIN_MAX];
	enum witness_verdict verdict = WITNESS_UNSURE;
	struct checkpoint shown;
	struct problem problem = {0};
	uint32_t count;

	if (keys_of(watched, keys, &count, origin) < 0)
		(void)problem_set(&problem, ENOKEY, "no key is known by which its checkpoints are signed");
	else
		verdict =
			witness_judge(&watched->log, origin, keys, count, &watched->question, answer, &shown, &problem);
	if (verdict == WITNESS_ABSENT && !moves_on(watched)) {
		(void)problem_set(&problem, EBADMSG,
				  "event %s of this host, for which there is a receipt, is in no log",
				  watched->question.pick.id);
		verdict = WITNESS_LACKING;
	}
	switch (verdict) {
	case WITNESS_FINE:
	case WITNESS_ABSENT:
		take(watched, &shown, answer);
		break;
	case WITNESS_UNSURE:
		refuse(watched, "audit-checkpoint", problem.text);
		break;
	case WITNESS_SHRUNK:
	case WITNESS_REWRITTEN:
	case WITNESS_UNPROVED:
	case WITNESS_LACKING:
	case WITNESS_VERDICT_COUNT:
		tell_forked(watched, origin, verdict, problem.text, answer);
		arm_next(watched);
		break;
	}
}

static void on_shown(struct watched *watched, const struct http_answer *answer)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct witness_answer shown;
	struct problem problem = {0};

	watched->witness->view.looks++;
	if (witness_answer_read(answer->body, answer->length, &json, &shown, &problem) < 0)
		refuse(watched, "audit-witness", problem.text);
	else
		judge(watched, &shown);
}

static void on_done(void *context, const struct http_answer *answer)
{
	struct watched *watched = context;
	struct witness *witness = watched->witness;
	char problem[128];

	watched->transfer = NULL;
	if (answer->fault == HTTP_FINE && answer->status == 200) {
		on_shown(watched, answer);
		return;
	}
	if (answer->fault == HTTP_FINE && answer->status == 401) { /* goes on when there is another token */
		watched->waits = true;
		witness->hooks.rejected(witness->hooks.context);
		return;
	}
	(void)snprintf(problem, sizeof(problem), "the control plane shows no checkpoint (%s %u)",
		       answer->fault == HTTP_FINE ? "status" : http_fault_text(answer->fault), answer->status);
	note_problem(watched, problem);
	if (answer->fault != HTTP_FINE || answer->status >= 500 || answer->status == 429)
		wait_longer(watched, backoff_next(&watched->backoff, answer->retry_after));
	else if (answer->status == 404) /* none yet, or this host does not serve the tenant any more */
		arm_next(watched);
	else
		wait_longer(watched, REFUSED_USEC + backoff_jitter(REFUSED_USEC));
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct watched *watched = context;
	struct witness *witness = watched->witness;
	struct http_request request = {
		.accept = "application/json", .limit = ANSWER_BYTES_MAX, .done = on_done, .context = watched};
	const struct witness_pick *pick = choose(watched);
	struct witness_question *question = &watched->question;
	char url[URL_MAX];
	int length;

	watched->waits = false;
	if (!witness->http || !watched->followed || watched->transfer)
		return 0;
	length = url_of(watched, url);
	request.bearer = witness->hooks.bearer(witness->hooks.context);
	if (!request.bearer || length < 0)
		return 0;
	*question = (struct witness_question){.from = watched->log.size, .about_event = pick != NULL};
	if (pick)
		question->pick = *pick;
	length += snprintf(url + length, sizeof(url) - (size_t)length, "?from=%" PRIu64, question->from);
	if (pick && pick->placed)
		(void)snprintf(url + length, sizeof(url) - (size_t)length, "&index=%" PRIu64, pick->index);
	else if (pick)
		(void)snprintf(url + length, sizeof(url) - (size_t)length, "&id=%s", pick->id);
	request.url = url;
	if (http_start(witness->http, &request, &watched->transfer) < 0)
		wait_longer(watched, backoff_next(&watched->backoff, -1));
	return 0;
}

/* ---- which logs
 * -------------------------------------------------------------------------------------------------------- */

static int watched_of(struct witness *witness, const char *tenant_id, struct watched **ret)
{
	struct watched *watched = find(witness, tenant_id);
	int r;

	if (watched) {
		*ret = watched;
		return 0;
	}
	watched = calloc(1, sizeof(*watched));
	if (!watched)
		return -ENOMEM;
	watched->witness = witness;
	(void)snprintf(watched->log.tenant_id, sizeof(watched->log.tenant_id), "%s", tenant_id);
	r = sd_event_add_time(witness->event, &watched->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_time, watched);
	if (r >= 0)
		r = sd_event_source_set_enabled(watched->timer, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(watched->timer);
		free(watched);
		return r;
	}
	r = witness->options.seal_key
		    ? witness_log_load(witness->options.state_dir, witness->options.seal_key, &watched->log)
		    : -ENOENT;
	if (r < 0 && r != -ENOENT)
		log_error("what was seen of the audit log of %s cannot be read (%s): it is seen as for the first time",
			  tenant_id[0] ? tenant_id : "the platform", strerrordesc_np(-r));
	/* How long ago their receipts came is not known any more. */
	for (uint32_t i = 0; i < watched->log.pick_count; i++)
		watched->log.picks[i].at_usec = clock_boottime_usec();
	watched->told_size = watched->log.size;
	watched->next = witness->logs;
	witness->logs = watched;
	*ret = watched;
	return 0;
}

static void hurry(struct watched *watched)
{
	struct witness *witness = watched->witness;
	int armed = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(watched->timer, &armed);
	if (!witness->http || !watched->followed || watched->transfer || (armed != SD_EVENT_OFF && !watched->waits))
		return;
	watched->waits = false;
	arm(watched, backoff_jitter(MIN_OF(witness->options.every_usec / 4, 5 * USEC_PER_SEC)));
}

static void stop(struct watched *watched)
{
	http_cancel(TAKE_PTR(watched->transfer));
	http_cancel(TAKE_PTR(watched->handing));
	(void)sd_event_source_set_enabled(watched->timer, SD_EVENT_OFF);
	watched->waits = false;
	watched->backoff.failures = 0;
	watched->problem[0] = '\0';
}

void witness_follow(struct witness *witness, const char *tenant_id, bool followed)
{
	struct watched *watched;

	if (watched_of(witness, tenant_id, &watched) < 0) {
		log_error("out of memory: an audit log is not looked at");
		return;
	}
	if (watched->followed == followed)
		return;
	watched->followed = followed;
	if (followed)
		hurry(watched);
	else
		stop(watched);
}

void witness_connect(struct witness *witness, struct http *http, const struct host_identity *identity)
{
	witness_disconnect(witness);
	witness->http = http;
	witness->identity = identity;
	witness->has_authority =
		note_key_parse(identity->authority, strlen(identity->authority), &witness->authority) == 0;
	if (witness->has_authority)
		witness_follow(witness, "", true);
	witness_wake(witness);
}

void witness_disconnect(struct witness *witness)
{
	if (!witness)
		return;
	witness->http = NULL;
	witness->identity = NULL;
	for (struct watched *watched = witness->logs; watched; watched = watched->next)
		stop(watched);
}

static void watched_free(struct watched *watched)
{
	http_cancel(watched->transfer);
	http_cancel(watched->handing);
	sd_event_source_disable_unref(watched->timer);
	witness_log_finish(&watched->log);
	free(watched);
}

void witness_leave(struct witness *witness)
{
	if (!witness)
		return;
	witness_disconnect(witness);
	for (struct watched *watched = witness->logs, *next; watched; watched = next) {
		next = watched->next;
		watched_free(watched);
	}
	witness->logs = NULL;
	if (witness->options.seal_key)
		witness_wipe(witness->options.state_dir);
}

void witness_wake(struct witness *witness)
{
	if (!witness)
		return;
	for (struct watched *watched = witness->logs; watched; watched = watched->next)
		hurry(watched);
}

void witness_taken(struct witness *witness, const struct group_record *record)
{
	struct witness_pick pick = {.hash = record->hash, .at_usec = clock_boottime_usec()};
	struct problem problem;
	struct watched *watched;
	struct leaf leaf;

	/* What is not in order is in no log as it is, and neither is what this host wrote under another id. */
	if (leaf_read(record->leaf, record->leaf_length, &leaf, &problem) < 0 ||
	    (leaf.host_id[0] && (!witness->identity || !text_equal(leaf.host_id, witness->identity->host_id))))
		return;
	(void)snprintf(pick.id, sizeof(pick.id), "%s", leaf.id);
	watched = find(witness, leaf.tenant_id);
	if (!watched || !watched->followed) {
		(void)snprintf(pick.tenant_id, sizeof(pick.tenant_id), "%s", leaf.tenant_id);
		watched = find(witness, "");
	}
	if (watched)
		witness_log_add_pick(&watched->log, &pick);
}

void witness_view(const struct witness *witness, struct witness_view *ret)
{
	bool first = true;

	*ret = (struct witness_view){0};
	if (!witness)
		return;
	*ret = witness->view;
	for (const struct watched *watched = witness->logs; watched; watched = watched->next) {
		if (!watched->followed)
			continue;
		ret->logs++;
		ret->forked += watched->log.forked_at != 0;
		if (first || watched->good_at < ret->last_good)
			ret->last_good = watched->good_at;
		first = false;
		if (watched->problem[0])
			memcpy(ret->problem, watched->problem, sizeof(ret->problem));
	}
}

int witness_new(sd_event *event, const struct witness_options *options, const struct witness_hooks *hooks,
		struct witness **ret)
{
	struct witness *witness = calloc(1, sizeof(*witness));

	if (!witness)
		return -ENOMEM;
	witness->event = sd_event_ref(event);
	witness->options = *options;
	if (!witness->options.every_usec)
		witness->options.every_usec = EVERY_USEC;
	if (!witness->options.settle_usec)
		witness->options.settle_usec = SETTLE_USEC;
	witness->hooks = *hooks;
	*ret = witness;
	return 0;
}

void witness_free(struct witness *witness)
{
	if (!witness)
		return;
	for (struct watched *watched = witness->logs, *next; watched; watched = next) {
		next = watched->next;
		watched_free(watched);
	}
	sd_event_unref(witness->event);
	free(witness);
}
