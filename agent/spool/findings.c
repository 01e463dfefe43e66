/* SPDX-License-Identifier: MIT
 *
 * What the caller is told of, on its own thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "spool/internal.h"

void spool_wake_loop(const struct spool *spool)
{
	uint64_t one = 1;

	while (write(spool->loop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void finding_add(struct spool *spool, enum spool_finding what, uint64_t first, uint64_t count, const char *format, ...)
{
	struct finding *finding = calloc(1, sizeof(*finding));
	va_list arguments;

	if (!finding)
		return; /* what it is about is mended all the same */
	finding->what = what;
	finding->first = first;
	finding->count = count;
	va_start(arguments, format);
	(void)vsnprintf(finding->detail, sizeof(finding->detail), format, arguments);
	va_end(arguments);
	*spool->findings_last = finding;
	spool->findings_last = &finding->next;
	spool_wake_loop(spool);
}

void finding_dispatch(struct spool *spool)
{
	struct finding *finding;

	pthread_mutex_lock(&spool->lock);
	finding = spool->findings;
	spool->findings = NULL;
	spool->findings_last = &spool->findings;
	pthread_mutex_unlock(&spool->lock);
	while (finding) {
		struct finding *next = finding->next;

		if (spool->hooks.found)
			spool->hooks.found(spool->hooks.context, finding->what, finding->first, finding->count,
					   finding->detail);
		free(finding);
		finding = next;
	}
}
