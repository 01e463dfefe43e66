/* SPDX-License-Identifier: MIT
 *
 * A TCP connection to a host by name, for what is not HTTP: made by libcurl, whose look-up of names can be ended.
 */
#pragma once

#include <stdint.h>

#include "base/problem.h"

/* A descriptor that does not block and is the caller's. -ETIMEDOUT; -ECANCELED: stop_fd (-1: none) became readable;
 * -EHOSTUNREACH: no such name, or nobody there; with the problem. */
int dial(const char *host, uint16_t port, uint32_t timeout_ms, int stop_fd, struct problem *problem);
