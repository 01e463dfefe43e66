/* SPDX-License-Identifier: MIT
 *
 * What a PAM service means: which right it asks for, of whom, and where its people sit.
 */
#pragma once

#include <stdbool.h>

#include "session/place.h"

enum service_place {
	SERVICE_NETWORK, /* by rhost; without a usable one, allowlists refuse */
	SERVICE_CONSOLE, /* local where a terminal is given and no rhost */
	SERVICE_LOCAL,   /* always local: an rhost (sudo gives the host's own name) says nothing */
};

struct service_rule {
	const char *name;
	const char *action; /* host.login or host.sudo */
	enum service_place place;
	bool of_requester; /* the right is asked of the requesting user, not of who they become */
	bool root_may;     /* root, as the requesting user, needs nobody's leave */
	bool needs_proof;  /* account without a finished login is good only with a public key (sshd) */
	bool implied;      /* part of a session that was let in already */
	bool privilege;    /* becoming somebody else: the audit calls it privilege use */
};

/* What a session of this service is for a process in it (session/place.h): one that somebody signed in to counts; what
 * su and sudo open stands in front of it, and the person's service manager does not. */
enum place_rule service_place_rule(const struct session *session);
/* Where somebody sits who comes by it. "login" without a terminal is no console: JupyterHub calls itself so, for
 * visitors from anywhere. */
enum service_place service_place(const struct service_rule *rule, const char *source, const char *terminal);
/* Never NULL: an unknown service signs people in from the network. */
const struct service_rule *service_rule(const char *service);
