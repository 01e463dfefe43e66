/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

/* Pages of its own for each secret, since mlock and madvise work on whole pages. */
struct locked {
	size_t mapped;
	size_t length;
	char text[];
};

void secret_wipe(void *data, size_t length)
{
	if (data && length > 0)
		explicit_bzero(data, length);
}

char *secret_dup(const char *text, size_t length)
{
	struct locked *l;
	size_t mapped;

	if (length > SIZE_MAX / 2)
		return NULL;
	mapped = sizeof(*l) + length + 1;
	l = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l == MAP_FAILED)
		return NULL;
	/* Best effort, as the header says. */
	(void)mlock(l, mapped);
	(void)madvise(l, mapped, MADV_DONTDUMP);
	l->mapped = mapped;
	l->length = length;
	if (length > 0)
		memcpy(l->text, text, length);
	return l->text;
}

void secret_free(char *secret)
{
	struct locked *l;

	if (!secret)
		return;
	l = (struct locked *)(void *)(secret - offsetof(struct locked, text));
	secret_wipe(l->text, l->length);
	(void)munmap(l, l->mapped);
}

void secret_free_heap(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

void secret_free_block(void *memory)
{
	if (memory)
		secret_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

bool secret_equal(const void *a, const void *b, size_t length)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char different = 0;

	for (size_t i = 0; i < length; i++)
		different |= (unsigned char)(x[i] ^ y[i]);
	return different == 0;
}

void secret_process_harden(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int random_bytes(void *out, size_t length)
{
	unsigned char *p = out;

	while (length > 0) {
		ssize_t n = getrandom(p, length, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		length -= (size_t)n;
	}
	return 0;
}
