/* SPDX-License-Identifier: MIT
 *
 * Ownership and small conveniences.
 *
 * A variable marked `_cleanup_(f)` is handed to f (by address) when it goes out of scope; TAKE_PTR
 * and TAKE_FD hand the value on and leave nothing behind to clean. Destructors take NULL and
 * half-built objects, so an early return is always safe.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _unused_ __attribute__((unused))
#define _public_ __attribute__((visibility("default")))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#define TAKE_PTR(p)                   \
	({                            \
		__auto_type p_ = (p); \
		(p) = NULL;           \
		p_;                   \
	})
#define TAKE_FD(fd)             \
	({                      \
		int fd_ = (fd); \
		(fd) = -1;      \
		fd_;            \
	})

/* Declares `<destroy>p(T **)` for _cleanup_ from a destructor that takes NULL. */
#define DEFINE_CLEANUP(type, destroy)                         \
	static inline _unused_ void destroy##p(type **object) \
	{                                                     \
		if (*object)                                  \
			destroy(*object);                     \
	}

static inline _unused_ void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline _unused_ void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
