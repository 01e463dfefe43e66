/* SPDX-License-Identifier: MIT
 *
 * One attempt to enrol this host: makes its key, shows the enrolment token, and reads what the control plane gives.
 * Changes nothing by itself: the owner replaces what was there after success.
 */
#pragma once

#include "feed/assignment.h"
#include "feed/host.h"
#include "http/http.h"

struct enrol;
/* 0 with identity and assignments (borrowed, for the time of the call); else -EACCES: refused; -EHOSTUNREACH: no
 * answer; -EBADMSG: one that cannot be used … with the problem. The attempt is gone afterwards. */
typedef void (*enrol_fn)(void *context, int result, const struct host_identity *identity,
			 const struct assignments *assignments, const struct problem *problem);
/* The URL without slashes at its end. -EINVAL with the problem. */
int enrol_url(const char *url, bool allow_plain, char *out, size_t size, struct problem *problem);
/* Is this an enrolment token at all? -EINVAL with the problem. */
int enrol_token_check(const char *token, struct problem *problem);
/* `url` as enrol_url gives it. */
int enrol_start(struct http *http, const char *url, const char *token, const char *host_name, enrol_fn done,
		void *context, struct enrol **ret);
void enrol_free(struct enrol *enrol); /* takes NULL; `done` is not called any more */
