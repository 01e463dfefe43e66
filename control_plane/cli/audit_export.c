/* SPDX-License-Identifier: MIT
 *
 * tenant-control audit export: the log as a file on standard output, as the API gives it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control_plane/cli/audit.h"
#include "control_plane/http/request.h"
#include "control_plane/http/stream.h"

#define PIECE_BYTES 65536U
#define WAIT_NSEC 2000000L
#define PATH_BYTES 256U
#define LAST_LINE "{\"end\":true"

/* The beginning of the line that is read just now, as much as tells the last one. */
struct line {
	char text[sizeof(LAST_LINE)];
	size_t length;
	bool last;
};

static void look(struct line *line, const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n') {
			line->last = line->length >= strlen(LAST_LINE) &&
				     strncmp(line->text, LAST_LINE, strlen(LAST_LINE)) == 0;
			line->length = 0;
		} else if (line->length < strlen(LAST_LINE)) {
			line->text[line->length++] = data[i];
		}
	}
}

/* Nobody wakes us here: what is not there yet is asked for again. */
static int write_stream(struct stream *stream)
{
	const struct timespec pause = {.tv_nsec = WAIT_NSEC};
	static char piece[PIECE_BYTES];
	struct line line = {0};
	ssize_t count;
	bool written = true;

	while (written && (count = stream->class->read(stream, piece, sizeof(piece))) != STREAM_END) {
		if (count == 0) {
			(void)nanosleep(&pause, NULL);
			continue;
		}
		look(&line, piece, (size_t)count);
		written = fwrite(piece, 1, (size_t)count, stdout) == (size_t)count;
	}
	if (written && !line.last)
		fputs("tenant-control audit export: it was cut off\n", stderr);
	return written && fflush(stdout) == 0 && line.last ? CLI_OK : CLI_FAILED;
}

int audit_verb_export(int argc, char **argv)
{
	_cleanup_(audit_call_finish) struct audit_call call = {0};
	struct stream *stream = NULL;
	char path[PATH_BYTES];
	bool done;
	struct cli cli;
	int status = audit_call_read(argc, argv, NULL, &call, &done);

	if (done)
		return status;
	status = cli_open(&call.options, false, &cli);
	if (status != CLI_OK)
		return status;
	(void)snprintf(path, sizeof(path), "audit/logs/%s/export", call.log ? call.log : "");
	status = audit_ask_stream(&cli, &call, "export", call.log ? path : "audit/export", &stream);
	if (status == CLI_OK) {
		status = write_stream(stream);
		stream->class->close(stream);
	}
	cli_close(&cli);
	return status;
}
