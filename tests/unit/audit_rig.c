/* SPDX-License-Identifier: MIT */
#include "audit_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "unit.h"

#define WAIT_USEC (10 * USEC_PER_SEC)

static void on_durable(void *context, uint64_t sequence)
{
}

static void on_found(void *context, enum spool_finding finding, uint64_t first, uint64_t count, const char *detail)
{
}

static void open_spool(struct rig *rig)
{
	char directory[96];
	const struct spool_options options = {
		.directory = directory,
		.seal_key = &rig->key,
		.max_bytes = (uint64_t)64 << 20,
	};
	const struct spool_hooks hooks = {on_durable, on_found, rig};
	struct problem problem = {0};

	(void)snprintf(directory, sizeof(directory), "%s/audit", rig->state_dir);
	if (spool_create(rig->event, &options, &hooks, &rig->spool, &problem) < 0)
		fail_msg("%s", problem.text);
}

int audit_rig_set_up(void **state)
{
	struct rig *rig;

	assert_int_equal(rig_set_up(state), 0);
	rig = *state;
	rig_stop(rig);
	open_spool(rig);
	rig->witness_usec = 100 * USEC_PER_MSEC;
	rig->settle_usec = 200 * USEC_PER_MSEC;
	rig_start(rig);
	return 0;
}

int audit_rig_tear_down(void **state)
{
	struct rig *rig = *state;

	rig_stop(rig);
	spool_destroy(TAKE_PTR(rig->spool));
	return rig_tear_down(state);
}

void audit_rig_restart(struct rig *rig)
{
	rig_stop(rig);
	spool_destroy(TAKE_PTR(rig->spool));
	open_spool(rig);
	rig_start(rig);
}

void audit_rig_write(struct rig *rig, const char *tenant_id, const char *host_id)
{
	char leaf[2048], prev[2 * SHA256_BYTES + 1], tenant[96] = "", device[96] = "";
	struct leaf_link link;
	int length;

	assert_int_equal(spool_next(rig->spool, &link), 0);
	text_to_hex(link.prev, sizeof(link.prev), prev);
	if (*tenant_id)
		(void)snprintf(tenant, sizeof(tenant), ",\"tenant_uid\":\"%s\"", tenant_id);
	if (*host_id)
		(void)snprintf(device, sizeof(device), "\"device\":{\"type_id\":1,\"uid\":\"%s\"},", host_id);
	length = snprintf(
		leaf, sizeof(leaf),
		"{\"class_uid\":3002,\"category_uid\":3,\"activity_id\":1,\"type_uid\":300201,\"severity_id\":1,"
		"\"status_id\":1,\"time\":%" PRIu64
		",\"metadata\":{\"version\":\"1.3.0\",\"product\":{\"name\":\"tenantd\",\"vendor_name\":\"tenantd\"},"
		"\"uid\":\"%s-%" PRIu64 "\",\"event_code\":\"login-allowed\"%s},\"user\":{\"uid\":\"usr_1\"},%s"
		"\"unmapped\":{\"chain\":\"%s\",\"boot\":\"%s\",\"seq\":%" PRIu64 ",\"prev\":\"%s\"}}",
		clock_realtime_usec() / 1000, link.chain, link.sequence, tenant, device, link.chain, link.boot,
		link.sequence, prev);
	assert_in_range(length, 1, sizeof(leaf) - 1);
	assert_int_equal(spool_append(rig->spool, leaf, (size_t)length, "[]", 2), 0);
}

static void run_once(struct rig *rig, uint64_t end, const char *what)
{
	assert_true(sd_event_run(rig->event, 20 * USEC_PER_MSEC) >= 0);
	if (clock_boottime_usec() > end)
		fail_msg("%s (fault \"%s\", %" PRIu64 " not acknowledged, problem \"%s\")", what, rig->fault,
			 audit_rig_unacknowledged(rig), rig_host(rig).reports.problem);
}

void audit_rig_emit(struct rig *rig, const char *tenant_id, unsigned count)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;

	for (unsigned i = 0; i < count; i++)
		audit_rig_write(rig, tenant_id, "");
	while (spool_durable(rig->spool) < spool_last(rig->spool))
		run_once(rig, end, "events did not become durable");
}

uint64_t audit_rig_unacknowledged(const struct rig *rig)
{
	struct spool_state state;

	spool_state(rig->spool, &state);
	return state.consumers > 0 ? state.last + 1 - state.consumer[0].next : state.last;
}

void audit_rig_settle(struct rig *rig)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;

	while (audit_rig_unacknowledged(rig) > 0)
		run_once(rig, end, "not all was acknowledged");
}

void audit_rig_await(struct rig *rig, unsigned taken)
{
	audit_rig_settle(rig);
	assert_int_equal(fake_audit_taken(rig->control), taken);
}

void audit_rig_pass(struct rig *rig, uint64_t usec)
{
	uint64_t end = clock_boottime_usec() + usec;

	while (clock_boottime_usec() < end)
		assert_true(sd_event_run(rig->event, 20 * USEC_PER_MSEC) >= 0);
}

void audit_rig_await_fault(struct rig *rig, const char *fault)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;

	while (!text_equal(rig->fault, fault))
		run_once(rig, end, fault);
}
