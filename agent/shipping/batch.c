/* SPDX-License-Identifier: MIT */
#include "shipping/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "trail/chain.h"

#define GROUP_WORD "group "
#define NUMBER_CHARS 12U

void batch_finish(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++)
		free((char *)(uintptr_t)batch->events[i].ocsf);
	free(batch->events);
	free(batch->texts);
	*batch = (struct batch){0};
}

static int grow(struct batch *batch)
{
	uint32_t capacity = batch->capacity ? batch->capacity * 2 : 64;
	struct batch_texts *texts;
	struct ship_event *events;

	if (batch->count < batch->capacity)
		return 0;
	events = realloc(batch->events, capacity * sizeof(*events));
	if (!events)
		return -ENOMEM;
	batch->events = events;
	texts = realloc(batch->texts, capacity * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	batch->texts = texts;
	batch->capacity = capacity;
	return 0;
}

/* The event as one line, malloc'd: merged, or the leaf alone where that is all there is. */
static char *whole_event(const char *leaf, size_t leaf_length, const struct personal_list *personal)
{
	_cleanup_(json_decrefp) json_t *merged = leaf_merge(leaf, leaf_length, personal);
	char *line = merged ? json_dumps(merged, JSON_COMPACT) : NULL;

	return line ? line : strndup(leaf, leaf_length);
}

static int add_record(struct batch *batch, const char *leaf, size_t leaf_length, const char *line, size_t line_length,
		      const char *host)
{
	_cleanup_(personal_finish) struct personal_list personal = {0};
	struct problem ignored;
	struct batch_texts *texts;
	struct ship_event *event;
	struct leaf read = {0};
	int result = grow(batch);

	if (result < 0)
		return result;
	if (leaf_read(leaf, leaf_length, &read, &ignored) == 0)
		(void)personal_read(line, line_length, &read, &personal, &ignored);
	else
		(void)snprintf(read.kind, sizeof(read.kind), "malformed");
	event = &batch->events[batch->count];
	texts = &batch->texts[batch->count];
	(void)snprintf(texts->id, sizeof(texts->id), "%s", read.id);
	(void)snprintf(texts->kind, sizeof(texts->kind), "%s", read.kind);
	(void)snprintf(texts->tenant, sizeof(texts->tenant), "%s", read.tenant_id);
	*event = (struct ship_event){.host = host, .severity = read.severity_id, .time_ms = read.time_ms};
	event->ocsf = whole_event(leaf, leaf_length, &personal);
	if (!event->ocsf)
		return -ENOMEM;
	event->ocsf_length = strlen(event->ocsf);
	batch->bytes += event->ocsf_length;
	batch->count++;
	return 0;
}

static int take_number(const char **at, const char *end, char stop, uint32_t *ret)
{
	const char *mark = memchr(*at, stop, (size_t)(end - *at));
	char text[NUMBER_CHARS];

	if (!mark || (size_t)(mark - *at) >= sizeof(text))
		return -EBADMSG;
	memcpy(text, *at, (size_t)(mark - *at));
	text[mark - *at] = '\0';
	*at = mark + 1;
	return parse_u32(text, ret) < 0 ? -EBADMSG : 0;
}

/* The spool has opened and checked them: their signatures are for the control plane. */
static int read_groups(struct batch *batch, const char *data, size_t length, const char *host)
{
	const char *at = data, *end = data + length;

	while (at < end) {
		uint32_t note, body;
		const char *body_end;

		if ((size_t)(end - at) < strlen(GROUP_WORD) || strncmp(at, GROUP_WORD, strlen(GROUP_WORD)) != 0)
			return -EBADMSG;
		at += strlen(GROUP_WORD);
		if (take_number(&at, end, ' ', &note) < 0 || take_number(&at, end, '\n', &body) < 0 ||
		    (uint64_t)note + body > (uint64_t)(end - at))
			return -EBADMSG;
		at += note;
		body_end = at + body;
		while (at < body_end) {
			struct group_record record;
			int result = group_take_record(&at, body_end, &record)
					     ? add_record(batch, record.leaf, record.leaf_length, record.personal,
							  record.personal_length, host)
					     : -EBADMSG;

			if (result < 0)
				return result;
		}
	}
	return 0;
}

int batch_read(struct batch *batch, const char *data, size_t length, const char *host)
{
	int result = read_groups(batch, data, length, host);

	/* Only now, since growing moves the texts; also where those before something that cannot be read are sent. */
	for (uint32_t i = 0; i < batch->count; i++) {
		batch->events[i].id = batch->texts[i].id;
		batch->events[i].kind = batch->texts[i].kind;
		batch->events[i].tenant = batch->texts[i].tenant;
	}
	return result;
}
