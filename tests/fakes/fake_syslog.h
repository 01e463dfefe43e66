/* SPDX-License-Identifier: MIT
 *
 * A receiver of syslog over TLS inside a test: a thread that takes one connection after the other, and can behave
 * badly.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "fake_tls.h"

enum fake_syslog_manner {
	FAKE_SYSLOG_GOOD,       /* reads to the end, then ends */
	FAKE_SYSLOG_RESETS,     /* after `limit` bytes, with what lies there unread */
	FAKE_SYSLOG_LEAVES,     /* ends in order, after `limit` bytes */
	FAKE_SYSLOG_TURNS_AWAY, /* ends its side after `limit` bytes, a moment later, and reads no more */
	FAKE_SYSLOG_NEVER_ENDS, /* reads to the end, and keeps the connection */
	FAKE_SYSLOG_SILENT,     /* says nothing, not even in TLS */
	FAKE_SYSLOG_BABBLES,    /* has much to say once all has come */
	FAKE_SYSLOG_FLOODS,     /* reads something, then sends without an end */
	FAKE_SYSLOG_PLAIN,      /* no TLS */
	FAKE_SYSLOG_OLD,        /* TLS 1.1 alone */
};
struct fake_syslog {
	struct fake_tls tls;
	char ca_path[64]; /* a file that holds its certificate */
	uint16_t port;
	_Atomic enum fake_syslog_manner manner;
	_Atomic uint32_t limit;
	_Atomic uint32_t connections; /* that came as far as TLS */
	_Atomic bool stopping;
	int listener;
	pthread_t thread;
	pthread_mutex_t lock;
	struct buffer taken; /* what was read, of all connections together */
};
/* `address`: of its certificate ("127.0.0.1"). */
void fake_syslog_start(struct fake_syslog *fake, const char *address);
void fake_syslog_stop(struct fake_syslog *fake);
/* Has this text been read? */
bool fake_syslog_has(struct fake_syslog *fake, const char *text);
/* How often. */
uint32_t fake_syslog_count(struct fake_syslog *fake, const char *text);
void fake_syslog_forget(struct fake_syslog *fake);
