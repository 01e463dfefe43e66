/* SPDX-License-Identifier: MIT
 *
 * Files of notes and of lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "trail/verify_internal.h"

#define READ_BYTES 65536U
#define NOTES_BYTES_MAX (64U * 1024 * 1024)
#define SIGNATURE_START "\xE2\x80\x94 " /* an em dash and a space */

int line_reader_open(struct line_reader *ret, const char *path)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	*ret = (struct line_reader){.fd = fd, .data = {.wipe = true}};
	return 0;
}

void line_reader_close(struct line_reader *reader)
{
	if (reader->fd >= 0)
		(void)close(reader->fd);
	reader->fd = -1;
	buffer_finish(&reader->data);
}

/* More of the file behind what is there. */
static int read_more(struct line_reader *reader)
{
	char *room;
	ssize_t n;

	buffer_consume(&reader->data, reader->at);
	reader->at = 0;
	room = buffer_reserve(&reader->data, READ_BYTES);
	if (!room)
		return -ENOMEM;
	do
		n = read(reader->fd, room, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	reader->data.length += (size_t)n;
	reader->ended = n == 0;
	return 0;
}

int line_reader_next(struct line_reader *reader, const char **ret_line, size_t *ret_length)
{
	size_t seen = 0;

	for (;;) {
		const char *start = reader->data.data ? reader->data.data + reader->at : "";
		size_t room = reader->data.length - reader->at;
		const char *stop = room > seen ? memchr(start + seen, '\n', room - seen) : NULL;
		int r;

		if (stop || (reader->ended && room > 0)) {
			*ret_line = start;
			*ret_length = stop ? (size_t)(stop - start) : room;
			reader->at += *ret_length + (stop ? 1 : 0);
			return 0;
		}
		if (reader->ended)
			return 1;
		if (room > EXPORT_LINE_MAX)
			return -EMSGSIZE;
		seen = room;
		r = read_more(reader);
		if (r < 0)
			return r;
	}
}

int line_reader_peek(struct line_reader *reader, const char **ret_line, size_t *ret_length)
{
	int r = line_reader_next(reader, ret_line, ret_length);

	/* Nothing is moved before more is read, so it lies at the beginning, or where it lay. */
	if (r == 0)
		reader->at = (size_t)(*ret_line - reader->data.data);
	return r;
}

void kept_notes_finish(struct kept_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		free(notes->items[i].text);
	free(notes->items);
	*notes = (struct kept_notes){0};
}

int kept_notes_add(struct kept_notes *notes, const char *file, const char *text, size_t length, bool of_export)
{
	struct kept_note note = {.file = file, .length = length, .of_export = of_export};

	if (checkpoint_origin(text, length, note.origin) < 0)
		return -EBADMSG;
	if (notes->count == notes->capacity) {
		size_t capacity = MAX_OF(2 * notes->capacity, (size_t)16);
		struct kept_note *more = realloc(notes->items, capacity * sizeof(*more));

		if (!more)
			return -ENOMEM;
		notes->items = more;
		notes->capacity = capacity;
	}
	note.text = malloc(length);
	if (!note.text)
		return -ENOMEM;
	memcpy(note.text, text, length);
	notes->items[notes->count++] = note;
	return 0;
}

static bool is_signature(const char *line, const char *end)
{
	size_t start = strlen(SIGNATURE_START);

	return (size_t)(end - line) >= start && memcmp(line, SIGNATURE_START, start) == 0;
}

/* The end of the note that begins here: past the signatures that follow its first empty line. NULL: there is none. */
static const char *end_of_note(const char *note, const char *end)
{
	const char *at = memmem(note, (size_t)(end - note), "\n\n", 2);

	if (!at)
		return NULL;
	at += 2;
	if (!is_signature(at, end))
		return NULL;
	while (is_signature(at, end)) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			return NULL;
		at = stop + 1;
	}
	return at;
}

/* All that is left of a file. */
static int read_rest(struct line_reader *reader, struct problem *problem)
{
	int r = 0;

	while (r == 0 && !reader->ended && reader->data.length - reader->at <= NOTES_BYTES_MAX)
		r = read_more(reader);
	if (r == 0 && !reader->ended)
		r = -EFBIG;
	return r < 0 ? problem_set(problem, -r, "cannot read it: %s", strerrordesc_np(-r)) : 0;
}

int kept_notes_read(struct kept_notes *notes, const char *file, struct line_reader *reader, struct problem *problem)
{
	const char *at, *end;
	unsigned count = 0;
	int r;

	r = read_rest(reader, problem);
	if (r < 0)
		return r;
	at = reader->data.data ? reader->data.data + reader->at : "";
	end = at + (reader->data.length - reader->at);
	while (at < end) {
		const char *stop = end_of_note(at, end);

		r = stop ? kept_notes_add(notes, file, at, (size_t)(stop - at), false) : -EBADMSG;
		if (r == -EBADMSG)
			return problem_set(problem, EBADMSG,
					   "checkpoint %u of the file is none, and this is no export either",
					   count + 1);
		if (r < 0)
			return r;
		count++;
		/* Who appends them may leave lines between. */
		for (at = stop; at < end && *at == '\n';)
			at++;
	}
	return count > 0 ? 0 : problem_set(problem, EBADMSG, "there is nothing in it");
}
