/* SPDX-License-Identifier: MIT */
#pragma once

#include "trail/verify.h"

/* The lines of a file, one after the other, each up to EXPORT_LINE_MAX. */
struct line_reader {
	int fd;
	struct buffer data; /* wiped */
	size_t at;          /* of what is not handed out yet */
	bool ended;
};
int line_reader_open(struct line_reader *ret, const char *path); /* "-": standard input; 0, -errno */
void line_reader_close(struct line_reader *reader);
/* 0; 1: that was all; -EMSGSIZE: a line too long; -errno. The line is borrowed until the next call. */
int line_reader_next(struct line_reader *reader, const char **ret_line, size_t *ret_length);
/* The same, and the line comes once more. */
int line_reader_peek(struct line_reader *reader, const char **ret_line, size_t *ret_length);

/* A checkpoint as somebody kept it, or as an export has it. */
struct kept_note {
	const char *file; /* borrowed */
	char *text;       /* owned */
	size_t length;
	char origin[CHECKPOINT_ORIGIN_MAX];
	bool of_export;
	bool good; /* signed by a key that counts */
	struct checkpoint checkpoint;
};
struct kept_notes {
	struct kept_note *items;
	size_t count, capacity;
};
void kept_notes_finish(struct kept_notes *notes);
int kept_notes_add(struct kept_notes *notes, const char *file, const char *text, size_t length, bool of_export);
/* The notes of a file, one after the other: each ends with its last signature line. Appends. 0, -EBADMSG, -errno. */
int kept_notes_read(struct kept_notes *notes, const char *file, struct line_reader *reader, struct problem *problem);
