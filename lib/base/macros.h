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
/* Each argument is evaluated once. The number makes nested uses have variables of their own. */
#define MIN_OF(a, b) CHOOSE_OF_(<, __COUNTER__, a, b)
#define MAX_OF(a, b) CHOOSE_OF_(>, __COUNTER__, a, b)
#define CHOOSE_OF_(relation, n, a, b) CHOOSE_OF__(relation, n, a, b)
#define CHOOSE_OF__(relation, n, a, b)                \
	({                                            \
		__auto_type a_##n = (a);              \
		__auto_type b_##n = (b);              \
		a_##n relation b_##n ? a_##n : b_##n; \
	})

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
#define DEFINE_CLEANUP(type, destroy)                                                                          \
	static inline _unused_ void destroy##p(type **object) /* NOLINT(bugprone-macro-parentheses): a type */ \
	{                                                                                                      \
		if (*object)                                                                                   \
			destroy(*object);                                                                      \
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
