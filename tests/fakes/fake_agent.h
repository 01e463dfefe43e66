/* SPDX-License-Identifier: MIT
 *
 * An agent that says what the test wrote down: a thread that listens on a socket in a folder of its own. The
 * test thread may change the script at any time between calls. Failures to set up abort the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum fake_how {
	FAKE_REPLY,   /* the text, which may be several messages, one a line */
	FAKE_LATE,    /* the same, three seconds later */
	FAKE_STALL,   /* takes the call and says nothing */
	FAKE_HANG_UP, /* takes the call and closes */
	FAKE_HALF,    /* the first half of the text, then closes */
	FAKE_DRIBBLE, /* the first half of the text, then nothing more */
	FAKE_GARBAGE, /* bytes that are no JSON, as one message */
	FAKE_FLOOD,   /* more than a message may be, without an end */
};

struct fake_agent;

struct fake_agent *fake_agent_start(void);
void fake_agent_stop(struct fake_agent *agent); /* takes NULL */
const char *fake_agent_path(const struct fake_agent *agent);

/* What calls of a method ("Login", without its interface) get from now on. A method that nothing was
 * written down for gets MethodNotFound. A second line for a method is for the calls after the first, and
 * so on; the last one stays. */
void fake_agent_say(struct fake_agent *agent, const char *method, enum fake_how how, const char *text);
/* Forgets the script, the calls and the connections. */
void fake_agent_reset(struct fake_agent *agent);
/* Closes what is connected, as an agent that is restarted does. */
void fake_agent_cut(struct fake_agent *agent);

unsigned fake_agent_connections(struct fake_agent *agent); /* accepted since the reset */
unsigned fake_agent_open(struct fake_agent *agent);        /* of them, not closed yet */
unsigned fake_agent_calls(struct fake_agent *agent, const char *method);
/* The text of a method's nth call since the reset; NULL. Borrowed until the reset. */
const char *fake_agent_call(struct fake_agent *agent, const char *method, unsigned n);
