/* SPDX-License-Identifier: MIT
 *
 * JSON that holds secrets.
 */
#pragma once

#include <jansson.h>

/* Overwrites all strings in it, then lets go of it; takes NULL inside. For _cleanup_. Nothing in it may be shared. */
void json_forget(json_t **value);
