/* SPDX-License-Identifier: MIT
 *
 * A server in this process, stepped by hand, over a spool whose disk is the test: every event is appended, and durable
 * when the test says so. For tests of answers that wait for the audit.
 */
#pragma once

#include "login_fixture.h"
#include "server/internal.h"
#include "server_fixture.h"

#define RIG_CLIENTS 600
#define EMIT                                                                                                      \
	"{\"method\":\"io.tenantd.Agent.Emit\",\"parameters\":{\"action\":\"job.start\",\"outcome\":\"success\"}" \
	"%s}"

struct audit_hold_rig {
	struct server *server;
	struct parts parts;
	uint64_t durable;
	char spool_problem[64];
};
extern struct audit_hold_rig rig;

int rig_begin_drop(void **state);
int rig_begin_refuse(void **state);
int rig_end(void **state);
#define DROP(function) cmocka_unit_test_setup_teardown(function, rig_begin_drop, rig_end)
#define REFUSE(function) cmocka_unit_test_setup_teardown(function, rig_begin_refuse, rig_end)

int rig_client(void); /* somebody who is connected */
void rig_hang_up(int fd);
void rig_work(void);
void rig_say(int fd, const char *text);
void rig_emit(int fd);         /* a call that has an event */
void rig_answer_wrong(int fd); /* one that is delayed besides */
void rig_expect_answer(int fd);
void rig_sync(void); /* the disk has everything that was written so far */
void rig_pass(uint64_t usec);
