/* SPDX-License-Identifier: MIT
 *
 * What is shipped, and what comes back: any text as an event (syslog stays one frame of the length it says, OTLP stays
 * JSON), as groups of the spool, and as a collector's answer.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ship/internal.h"
#include "shipping/batch.h"
#include "json/json_read.h"

static void try_syslog(const struct ship_event *event)
{
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	size_t length, digits;
	const char *text;

	FUZZ_CHECK(ship_syslog_write(event, "fuzz", &frame) == 0);
	text = buffer_text(&frame);
	digits = strspn(text, "0123456789");
	length = strtoul(text, NULL, 10);
	FUZZ_CHECK(text[digits] == ' ' && frame.length == digits + 1 + length && length <= 65536);
	/* A line end can stand in the message alone, where whoever wrote the event put it. */
	for (const char *at = text; at < text + frame.length && strncmp(at, "] ", 2) != 0; at++)
		FUZZ_CHECK(*at != '\n');
}

static void try_otlp(const struct ship_event *event)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *tree = NULL;
	struct problem problem;
	int r;

	FUZZ_CHECK(ship_otlp_write(event, 1, "fuzz", "1", &text) == 0);
	/* Deeper than is read elsewhere, or a text that has a NUL in it: still JSON. */
	r = json_read(text.data, text.length, &tree, &problem);
	if (r < 0)
		tree = json_loadb(text.data, text.length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), message[64];
	struct ship_event event = {.severity = size > 0 ? data[0] : 0};
	struct batch batch = {0};

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	event.id = event.kind = event.host = event.tenant = event.ocsf = text;
	event.ocsf_length = size;
	for (size_t i = 0; i < size && i < sizeof(event.time_ms); i++)
		event.time_ms = (int64_t)((uint64_t)event.time_ms << 8 | data[i]);
	try_syslog(&event);
	try_otlp(&event);
	(void)ship_otlp_rejected(text, size, message, sizeof(message));
	(void)batch_read(&batch, text, size, "h");
	batch_finish(&batch);
	free(text);
	return 0;
}
