/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/buffer.h"
#include "server/parts.h"

/* What Metrics says of single sign-on. */
void gauge_sso(struct buffer *out, const struct parts *parts);
