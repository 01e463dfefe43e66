/* SPDX-License-Identifier: MIT
 *
 * The HTTP client on an sd-event loop.
 */
#pragma once

#include <systemd/sd-event.h>

#include "http/http.h"

struct http_loop;

int http_loop_new(sd_event *event, const struct http_options *options, struct http_loop **ret);
void http_loop_free(struct http_loop *loop); /* takes NULL */
DEFINE_CLEANUP(struct http_loop, http_loop_free)
struct http *http_loop_client(struct http_loop *loop);
