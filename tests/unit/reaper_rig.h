/* SPDX-License-Identifier: MIT
 *
 * A reaper over a real table of sessions of real processes, with a helper that only writes down what it is asked, a
 * clock that stands until it is moved, and an idle time that the test says.
 */
#pragma once

#include "helper/request.h"
#include "reaper/internal.h"
#include "unit.h"

/* Not the ids that other tests have processes with on the same machine. */
#define ALICE 1999962130U
#define EDITH 1999962131U
#define NOBODYS 1999962199U /* in the tenant's block */
#define SECOND USEC_PER_SEC
#define RIG_NOW 1800000000 /* 2027-01-15T08:00:00Z, a Friday */
#define RIG_KEY "key_0123456789abcdef"
#define RIG_OTHER_KEY "key_00000000000000ff"
#define BY_KEY "api-key:" RIG_KEY
#define BY_OTHER_KEY "api-key:" RIG_OTHER_KEY

/* Tenant acme: alice, owner of vision, with two keys; edith, editor there; the host serves it. */
extern const char rig_yaml[];

struct asked {
	struct helper_request request;
	uint64_t tag;
	bool answered;
};
extern struct asked *asked; /* all that the helper was asked, in order */
extern unsigned asked_count;
extern int helper_result; /* of helper_client_call: below 0 nothing is asked */

extern struct reaper *reaper;
extern struct session_table *table;
extern struct directory *picture;
extern struct host_limits limits;
extern sd_event *event;

extern const char *pending_tenant;        /* NULL: none; "": all */
extern bool host_disabled, local_account; /* all others than those three are local in any case */
extern unsigned events_ending, audits, failures;
extern char last_cause[32], last_detail[256];
struct told {
	uint64_t tag;
	int result;
};
extern struct told told[64];
extern unsigned told_count;
extern uint64_t idle_since; /* what is answered; 0: nobody can say */
extern unsigned idle_questions;
extern uint32_t rig_terminal; /* of every session; 0: none */

int rig_setup(void **state); /* with rig_yaml in force, and started */
int rig_teardown(void **state);
#define RIG_TEST(function) cmocka_unit_test_setup_teardown(function, rig_setup, rig_teardown)

/* The agent dies, and another one comes: sessions are found again. Sessions of before are other pointers. */
void rig_restart(void);
void rig_show(const char *yaml);                   /* a new picture; as many turns as it takes */
void rig_change(const char *from, const char *to); /* of the text that is in force */
const struct session *rig_open(const char *user, const char *credential);
const struct session *rig_open_as(const char *user, const char *credential, const char *service);
void rig_kill(const struct session *session); /* its leader; the table has heard of it afterwards */
void rig_turns(void);                         /* what is due now */
void rig_move(uint64_t usec);                 /* the clock, and what is due then */
/* Of all requests so far: how many with this verb (and uid, where it is not 0). */
unsigned rig_count(enum helper_verb verb, uint32_t uid);
const struct asked *rig_last(enum helper_verb verb);
void rig_answer_all(int result); /* whatever waits, and what is due by it */
unsigned rig_begun(void);        /* files of people whose end was begun */
