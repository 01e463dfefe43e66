/* SPDX-License-Identifier: MIT
 *
 * RFC 5424 messages. The event itself is the message, as JSON; what programs sort by stands in the header and in
 * structured data.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/utf8.h"
#include "ship/internal.h"
#include "json/json_write.h"

#define FACILITY_AUDIT 13U /* "log audit" */
#define MESSAGE_BYTES_MAX 65536U
#define HOST_BYTES_MAX 255U
#define APP_BYTES_MAX 48U
#define MSGID_BYTES_MAX 32U
/* Ids without an '@' are IANA's to give. 32473 is the number that RFC 5612 keeps for whoever has none. */
#define ELEMENT_ID "tenantd@32473"

/* OCSF severity_id to that of syslog. */
static unsigned severity_of(uint32_t ocsf)
{
	static const unsigned severities[] = {6, 6, 5, 4, 3, 2, 1};

	return ocsf < ARRAY_LEN(severities) ? severities[ocsf] : 6;
}

/* A field of the header: printable ASCII, "-" for nothing. */
static void put_name(struct buffer *out, const char *text, size_t most)
{
	size_t length = text ? strnlen(text, most) : 0;

	if (length == 0)
		(void)buffer_add_char(out, '-');
	for (size_t i = 0; i < length; i++)
		(void)buffer_add(out, text[i] > ' ' && text[i] < 0x7f ? &text[i] : "_", 1);
	(void)buffer_add_char(out, ' ');
}

static void put_time(struct buffer *out, int64_t time_ms)
{
	time_t seconds = time_ms / 1000;
	struct tm parts;

	if (time_ms <= 0 || !gmtime_r(&seconds, &parts) || parts.tm_year + 1900 > 9999) {
		(void)buffer_add_text(out, "- ");
		return;
	}
	(void)buffer_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", parts.tm_year + 1900, parts.tm_mon + 1,
			    parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(time_ms % 1000));
}

/* A value of structured data: UTF-8 in which three characters have a backslash before them. */
static void put_parameter(struct buffer *out, const char *name, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length == 0)
		return;
	(void)buffer_printf(out, " %s=\"", name);
	for (size_t at = 0, step; at < length; at += step) {
		uint32_t c = 0;

		step = utf8_next(text + at, length - at, &c);
		if (step == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			step = MAX_OF(step, (size_t)1);
			(void)buffer_add_char(out, '?');
			continue;
		}
		if (c == '"' || c == '\\' || c == ']')
			(void)buffer_add_char(out, '\\');
		(void)buffer_add(out, text + at, step);
	}
	(void)buffer_add_char(out, '"');
}

static void put_header(struct buffer *out, uint32_t severity, int64_t time_ms, const char *host, const char *app_name,
		       const char *msgid)
{
	(void)buffer_printf(out, "<%u>1 ", FACILITY_AUDIT * 8 + severity_of(severity));
	put_time(out, time_ms);
	put_name(out, host, HOST_BYTES_MAX);
	put_name(out, app_name, APP_BYTES_MAX);
	(void)buffer_add_text(out, "- ");
	put_name(out, msgid, MSGID_BYTES_MAX);
}

/* The message with its length before it (RFC 6587, 3.4.1), not longer than it may be. */
static int put_frame(const struct buffer *message, struct buffer *ret)
{
	size_t length = message->length;

	if (message->failed)
		return -ENOMEM;
	if (length > MESSAGE_BYTES_MAX) {
		length = MESSAGE_BYTES_MAX;
		while (length > 0 && (message->data[length] & 0xc0) == 0x80)
			length--;
	}
	(void)buffer_printf(ret, "%zu ", length);
	(void)buffer_add(ret, message->data, length);
	return ret->failed ? -ENOMEM : 0;
}

int ship_syslog_write(const struct ship_event *event, const char *app_name, struct buffer *ret)
{
	_cleanup_(buffer_finish) struct buffer message = BUFFER_INIT;

	put_header(&message, event->severity, event->time_ms, event->host, app_name, event->kind);
	(void)buffer_add_text(&message, "[" ELEMENT_ID);
	put_parameter(&message, "id", event->id);
	put_parameter(&message, "tenant", event->tenant);
	(void)buffer_add_text(&message, "] ");
	/* Without the mark that RFC 5424 wants before UTF-8: those who read JSON stumble over it. As "any" it may be
	 * left out. */
	(void)buffer_add(&message, event->ocsf, event->ocsf_length);
	return put_frame(&message, ret);
}

int ship_syslog_write_checkpoint(const char *origin, const char *note, size_t length, const char *host,
				 const char *app_name, int64_t time_ms, struct buffer *ret)
{
	_cleanup_(buffer_finish) struct buffer message = BUFFER_INIT;
	struct json_writer w = json_writer(&message);

	put_header(&message, 1, time_ms, host, app_name, "checkpoint");
	(void)buffer_add_text(&message, "[" ELEMENT_ID);
	put_parameter(&message, "origin", origin);
	(void)buffer_add_text(&message, "] ");
	json_begin(&w, NULL, '{');
	json_put_string(&w, "origin", origin);
	json_put_string_n(&w, "note", note, length);
	json_end(&w, '}');
	return put_frame(&message, ret);
}
