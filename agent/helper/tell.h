/* SPDX-License-Identifier: MIT
 *
 * A line to a person's terminal. It is opened with the person's own rights and must be theirs, so that nobody else's
 * terminal, and nothing that is none, can be written to; and nothing is waited for, since the terminal may be hostile:
 * stopped, full, or gone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `device`: its number as the kernel shows it; `text` as request_check wants it. 0: written, or what there was room
 * for; -ENODEV: no terminal has this number; -EACCES, -EPERM: it is not theirs; -EAGAIN: it takes nothing. */
int tell(uint32_t uid, unsigned slot, uint32_t device, const char *text);

/* Its name under /dev; -ENODEV. For tests, too. */
int tell_path(uint32_t device, char *out, size_t size);
