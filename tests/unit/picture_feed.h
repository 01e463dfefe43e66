/* SPDX-License-Identifier: MIT
 *
 * Feeds' records as tests write them: "user usr_a 1 {…}" lines into a feed_picture.
 */
#pragma once

#include "directory/feed_picture.h"

/* Lines "put|del|revoke kind id version body", committed as one change (`replace`: a snapshot). 0, or the result of
 * the first operation that failed, rolled back. */
int feed_lines(struct feed_picture *picture, bool replace, const char *lines, struct problem *problem);
/* A feed of tenant <id>, slug <slug>, with project prj_<slug> "main" and users from `logins` ("a b"),
 * usr_<slug>_<login>, members of the project, each with a key. `block` numbers the tenant's block of ids. */
struct feed_picture *feed_of(const char *tenant_id, const char *slug, unsigned block, const char *logins);
#define FEED_BLOCK(number) (1879048192U + 16384U * (number))
