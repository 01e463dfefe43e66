/* SPDX-License-Identifier: MIT
 *
 * Every limit of the socket server, in one place. `limits:` of agent.yaml sets the numbers of connections.
 */
#pragma once

#include "base/clock.h"
#include "varlink/varlink.h"

/* One connection in this many is kept for root, the account of sshd's AuthorizedKeysCommand and the services
 * named in agent.yaml, so nobody can keep PAM out by filling the table. They may also have TRUSTED_FACTOR times as many
 * each; root has no limit of its own. */
#define RESERVED_SHARE 8U
#define TRUSTED_FACTOR 4U
#define SUBSCRIPTIONS_PER_UID 16U /* root and named services: four times as many */

/* Sessions of one person, whatever the policy says and su counts, so nobody can use up the host's (SESSIONS_MAX of
 * session.c), which are everybody's. */
#define SESSIONS_PER_USER 1024U

/* Connections that sign somebody in for one local person or terminal (su, sudo): each is root's, whose are as many as
 * the host's, and stays for as long as the program stands at its prompt. */
#define LOGINS_PER_LOCAL 256U

/* Work done for one wake-up and for one connection's turn, so nobody waits long behind somebody else. */
#define READY_PER_WAKEUP 64
#define ACCEPTS_PER_WAKEUP 16
#define CALLS_PER_TURN 4
#define STREAM_RECORDS_PER_TURN 512U /* records looked at for an enumeration */
#define EVENTS_PER_CHANGE 200U       /* directory changes beyond this are summed up as one "resync" */

/* Bytes. A connection whose peer does not read is not read from either; a subscriber that falls
 * SUBSCRIBER_BACKLOG behind is told so and dropped. */
#define INPUT_MAX (VARLINK_MESSAGE_MAX + 1U)
#define OUTPUT_PAUSE (64U * 1024U)
#define OUTPUT_MAX (512U * 1024U)
#define SUBSCRIBER_BACKLOG (256U * 1024U)
#define BUFFER_KEEP 4096U /* an idle connection keeps no more than this */
#define EMIT_DATA_MAX 16384U
#define EMIT_MESSAGE_MAX 1024U

/* How long each state may last. An idle connection may stay: a person may be typing. */
#define MESSAGE_USEC (5 * USEC_PER_SEC)     /* from a call's first byte to its last */
#define DRAIN_USEC (10 * USEC_PER_SEC)      /* without the peer taking a byte that waits for it */
#define CLOSING_USEC (2 * USEC_PER_SEC)     /* to take the last error before the connection is closed */
#define RELOAD_USEC (300 * USEC_PER_SEC)    /* until a Reload is answered */
#define END_WAIT_MAX_SEC 600U               /* that a caller may wait for sessions to be gone */
#define ENROLL_USEC (60 * USEC_PER_SEC)     /* until an Enroll is answered */
#define LOGIN_HELD_USEC (28 * USEC_PER_SEC) /* until an Answer is answered, whatever the login book does (25 s) */
#define AUDIT_HELD_USEC (5 * USEC_PER_SEC)  /* until an answer leaves that the disk should have taken events for */
#define ACCEPT_PAUSE_USEC USEC_PER_SEC      /* when the process is out of descriptors */
#define DELAY_MOST_USEC (45 * USEC_PER_SEC) /* libtenant waits a minute for an answer */

/* Refused calls and denied questions in the audit: this many at once and then one in so long, for each uid
 * and for all. What is left out is counted in the next one. */
#define REFUSED_BURST 10U
#define REFUSED_EVERY_USEC (10 * USEC_PER_SEC)
#define REFUSED_ALL_BURST 100U
#define REFUSED_ALL_EVERY_USEC USEC_PER_SEC
/* One-time codes that a person asks for, each an event in the audit. */
#define CODES_BURST 5U
#define CODES_EVERY_USEC (15 * USEC_PER_SEC)
#define UIDS_REMEMBERED 1024U
