/* SPDX-License-Identifier: MIT */
#include "audit_trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/keep.h"
#include "base/log.h"

#define PATH_SIZE 512
#define PROBLEM_MAX 512

struct audit_trail {
	struct audit *audit;
	sd_event *event;           /* borrowed */
	struct spool *spool;       /* NULL: there is none */
	struct shipping *shipping; /* NULL: none, or no sinks */
	struct server *server;     /* NULL while the agent comes and goes */
	enum spool_when_full when_full;
	void (*changed)(void *context);
	void *context;
	char problem[PROBLEM_MAX], sinks_problem[PROBLEM_MAX];
};

static void on_durable(void *context, uint64_t sequence)
{
	const struct audit_trail *trail = context;

	if (trail->server)
		server_audit_durable(trail->server, sequence);
}

static void on_found(void *context, enum spool_finding finding, uint64_t first, uint64_t count, const char *detail)
{
	struct audit_trail *trail = context;

	switch (finding) {
	case SPOOL_BROKEN:
		snprintf(trail->problem, sizeof(trail->problem), "the audit spool takes no events: %s", detail);
		log_error("%s", trail->problem);
		break;
	case SPOOL_WHOLE:
		trail->problem[0] = '\0';
		log_notice("the audit spool takes events again");
		break;
	case SPOOL_CHAIN_BEGAN:
	case SPOOL_REPAIRED:
	case SPOOL_DAMAGED:
	case SPOOL_OVERWRITTEN:
	case SPOOL_FINDING_COUNT:
		break;
	}
	if (finding == SPOOL_CHAIN_BEGAN && trail->server)
		server_audit_anew(trail->server);
	audit_found(trail->audit, finding, first, count, detail);
	if (finding == SPOOL_BROKEN && trail->server)
		server_audit_broken(trail->server);
	if (finding == SPOOL_WHOLE && trail->server)
		server_audit_whole(trail->server);
	trail->changed(trail->context);
}

static void open_spool(struct audit_trail *trail, sd_event *event, const struct config *config,
		       const struct seal_key *seal_key)
{
	const struct spool_hooks hooks = {.durable = on_durable, .found = on_found, .context = trail};
	char path[PATH_SIZE], why[PROBLEM_MAX / 2];
	struct problem problem = {0};
	int result;

	result = snprintf(path, sizeof(path), "%s/audit", config->state_dir) < (int)sizeof(path) ? 0 : -ENAMETOOLONG;
	if (result >= 0)
		result = spool_create(event,
				      &(struct spool_options){
					      .directory = path,
					      .seal_key = seal_key,
					      .max_bytes = config->audit.spool_bytes,
					      .durability = config->audit.durability,
					      .when_full = config->audit.when_full,
				      },
				      &hooks, &trail->spool, &problem);
	if (result >= 0)
		return;
	if (!seal_key)
		problem_set(&problem, ENOKEY, "there is no sealing key");
	else if (!problem.text[0])
		problem_set(&problem, -result, "%s", strerror(-result));
	problem_render(&problem, why, sizeof(why));
	snprintf(trail->problem, sizeof(trail->problem), "audit events are kept in the journal alone: %s", why);
	log_error("%s", trail->problem);
}

static void on_dead(void *context, const char *sink, uint64_t count, const char *why)
{
	const struct audit_trail *trail = context;

	log_error("%llu audit events will never be taken by the sink %s: %s", (unsigned long long)count, sink, why);
	audit_write(trail->audit, &(struct audit_event){
					  .kind = AUDIT_DEAD_LETTER,
					  .reason = REASON_BROKEN,
					  .record_kind = "audit-sink",
					  .record_id = sink,
					  .change = sink,
					  .count = count,
					  .detail = why,
				  });
}

/* What waits for a sink that cannot be opened stays in the spool. */
static void open_sinks(struct audit_trail *trail, const struct config *config)
{
	const struct shipping_hooks hooks = {.dead = on_dead, .context = trail};
	struct problem problem = {0};
	char why[PROBLEM_MAX / 2];
	int result;

	trail->sinks_problem[0] = '\0';
	if (!trail->spool)
		return;
	result = shipping_create(trail->event, trail->spool, &config->audit.sinks, config->host_name, &hooks,
				 &trail->shipping, &problem);
	if (result >= 0)
		return;
	if (!problem.text[0])
		problem_set(&problem, -result, "%s", strerror(-result));
	problem_render(&problem, why, sizeof(why));
	snprintf(trail->sinks_problem, sizeof(trail->sinks_problem), "audit events are not shipped: %s", why);
	log_error("%s", trail->sinks_problem);
}

int audit_trail_create(sd_event *event, const struct config *config, const struct seal_key *seal_key,
		       struct audit *audit, void (*changed)(void *context), void *context, struct audit_trail **ret)
{
	struct audit_trail *trail = calloc(1, sizeof(*trail));

	if (!trail)
		return -ENOMEM;
	*trail = (struct audit_trail){.event = event,
				      .audit = audit,
				      .when_full = config->audit.when_full,
				      .changed = changed,
				      .context = context};
	open_spool(trail, event, config, seal_key);
	if (trail->spool)
		audit_keep_in(audit, trail->spool);
	open_sinks(trail, config);
	*ret = trail;
	return 0;
}

void audit_trail_destroy(struct audit_trail *trail)
{
	if (!trail)
		return;
	shipping_destroy(trail->shipping);
	spool_destroy(trail->spool);
	free(trail);
}

void audit_trail_set_server(struct audit_trail *trail, struct server *server)
{
	trail->server = server;
}

void audit_trail_configure(struct audit_trail *trail, const struct config *config)
{
	trail->when_full = config->audit.when_full;
	if (trail->spool)
		spool_set_policy(trail->spool, config->audit.spool_bytes, config->audit.durability,
				 config->audit.when_full);
	if (trail->shipping ? shipping_is(trail->shipping, &config->audit.sinks) : !trail->spool)
		return;
	shipping_destroy(TAKE_PTR(trail->shipping));
	open_sinks(trail, config);
}

struct spool *audit_trail_spool(struct audit_trail *trail)
{
	return trail->spool;
}

struct shipping *audit_trail_shipping(struct audit_trail *trail)
{
	return trail->shipping;
}

const char *audit_trail_problem(const struct audit_trail *trail)
{
	return trail->problem[0] ? trail->problem : trail->sinks_problem;
}

bool audit_trail_admits(void *context)
{
	const struct audit_trail *trail = context;

	if (trail->when_full != SPOOL_REFUSE)
		return true;
	return trail->spool && spool_admits(trail->spool) && !(trail->server && server_audit_is_stuck(trail->server));
}
