/* SPDX-License-Identifier: MIT
 *
 * The feeds of an agent, and a control plane inside the same process that they speak to.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "../fakes/fake_control.h"
#include "feed/feeds.h"
#include "records/records.h"
#include "spool/spool.h"

#define ACME "ten_acme0000000000"
#define BETA "ten_beta0000000000"
#define BLOCK 0x70010000U

struct rig {
	char state_dir[64], import_dir[96];
	struct seal_key key;
	bool without_key;
	struct fake_control *control;
	sd_event *event;
	struct feeds *feeds;
	struct spool *spool;                /* NULL: none */
	uint64_t witness_usec, settle_usec; /* 0: as usual */
	bool apply;                         /* says at once that units are in force */
	/* what the hooks told */
	unsigned unit_calls, enrolled_calls, audits, critical, looked;
	unsigned looked_at; /* the test's own count */
	uint32_t unit_count;
	int enrolled;
	uint64_t enrolled_tag;
	unsigned found[FEEDS_FINDING_COUNT]; /* by feeds_finding */
	char found_detail[512], found_change[32], found_tenant[64], found_data[8192];
	char host_id[64], problem[1024], disabled[256], fault[32];
	struct unit *const *units;
};

int rig_set_up(void **state);
int rig_tear_down(void **state);
/* As the agent does it when it starts and ends: what is on disk stays. */
void rig_start(struct rig *rig);
void rig_stop(struct rig *rig);

/* Runs the agent's loop until it is so. */
void rig_run_until(struct rig *rig, bool (*is_so)(const struct rig *rig), const char *what);
#define UNTIL(rig, condition) rig_run_until(rig, condition, #condition)

/* Waits for the outcome and gives it. */
int rig_enroll(struct rig *rig, const char *url, const char *token);
/* Enrolled and live, with acme's feed. */
struct fake_feed *rig_enroll_acme(struct rig *rig);
/* One revision more. */
void rig_put_user(struct fake_feed *feed);

struct host_view rig_host(const struct rig *rig);
const struct feed_view *rig_feed(const struct rig *rig, const char *tenant_id); /* NULL: none */
bool rig_is_live(const struct rig *rig, const char *tenant_id, uint64_t revision);
bool rig_acme_is_live(const struct rig *rig);
unsigned rig_records(const struct rig *rig, enum record_kind kind); /* that the units bring */
bool rig_exists(const struct rig *rig, const char *name);           /* below the state directory */
