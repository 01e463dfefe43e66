/* SPDX-License-Identifier: MIT
 *
 * OTLP's JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): numbers of 64 bits are strings, enums are
 * numbers, names are in lowerCamelCase. The body of a record is the event as a tree of OTLP's own values, so that a
 * collector can look into it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "ship/internal.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define SCOPE "tenantd.audit"

/* OCSF severity_id to OTLP's SeverityNumber and the text that goes with it. */
static const struct {
	unsigned number;
	const char *text;
} severities[] = {
	{0, "UNSPECIFIED"}, {9, "INFO"}, {10, "INFO2"}, {13, "WARN"}, {17, "ERROR"}, {21, "FATAL"}, {24, "FATAL4"},
};

static void put_int_text(struct json_writer *w, const char *key, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	json_put_string(w, key, text);
}

static void put_nanoseconds(struct json_writer *w, const char *key, int64_t time_ms)
{
	/* Unsigned there, and 2262 is the last year that has a place. */
	if (time_ms > 0 && time_ms <= INT64_MAX / 1000000)
		put_int_text(w, key, time_ms * 1000000);
}

static void put_value(struct json_writer *w, const char *key, json_t *value);

static void put_members(struct json_writer *w, json_t *object)
{
	const char *name;
	json_t *member;

	json_begin(w, "kvlistValue", '{');
	json_begin(w, "values", '[');
	json_object_foreach(object, name, member)
	{
		json_begin(w, NULL, '{');
		json_put_string(w, "key", name);
		put_value(w, "value", member);
		json_end(w, '}');
	}
	json_end(w, ']');
	json_end(w, '}');
}

static void put_items(struct json_writer *w, json_t *array)
{
	json_begin(w, "arrayValue", '{');
	json_begin(w, "values", '[');
	for (size_t i = 0; i < json_array_size(array); i++)
		put_value(w, NULL, json_array_get(array, i));
	json_end(w, ']');
	json_end(w, '}');
}

/* AnyValue: an object with the one member that says which kind it is, or with none for null. */
static void put_value(struct json_writer *w, const char *key, json_t *value)
{
	char number[40];

	json_begin(w, key, '{');
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_members(w, value);
		break;
	case JSON_ARRAY:
		put_items(w, value);
		break;
	case JSON_STRING:
		json_put_string_n(w, "stringValue", json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		put_int_text(w, "intValue", json_integer_value(value));
		break;
	case JSON_REAL:
		(void)snprintf(number, sizeof(number), "%.17g", json_real_value(value));
		json_put_raw(w, "doubleValue", number, strlen(number));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		json_put_bool(w, "boolValue", json_is_true(value));
		break;
	case JSON_NULL:
		break;
	}
	json_end(w, '}');
}

static void put_attribute(struct json_writer *w, const char *name, const char *text)
{
	if (!text || !text[0])
		return;
	json_begin(w, NULL, '{');
	json_put_string(w, "key", name);
	json_begin(w, "value", '{');
	json_put_string(w, "stringValue", text);
	json_end(w, '}');
	json_end(w, '}');
}

static void put_body(struct json_writer *w, const struct ship_event *event)
{
	_cleanup_(json_decrefp) json_t *tree = NULL;
	struct problem ignored;

	/* What cannot be read as JSON is still an event. */
	if (json_read(event->ocsf, event->ocsf_length, &tree, &ignored) == 0) {
		put_value(w, "body", tree);
		return;
	}
	json_begin(w, "body", '{');
	json_put_string_n(w, "stringValue", event->ocsf, event->ocsf_length);
	json_end(w, '}');
}

static void put_record(struct json_writer *w, const struct ship_event *event)
{
	unsigned severity = event->severity < ARRAY_LEN(severities) ? event->severity : 0;

	json_begin(w, NULL, '{');
	put_nanoseconds(w, "timeUnixNano", event->time_ms);
	put_nanoseconds(w, "observedTimeUnixNano", event->time_ms);
	json_put_u64(w, "severityNumber", severities[severity].number);
	json_put_string(w, "severityText", severities[severity].text);
	json_put_string(w, "eventName", event->kind);
	put_body(w, event);
	json_begin(w, "attributes", '[');
	put_attribute(w, "log.record.uid", event->id); /* the same when it is sent twice */
	put_attribute(w, "tenantd.tenant", event->tenant);
	json_end(w, ']');
	json_end(w, '}');
}

/* Opens the list of records that are from one host … */
static void begin_host(struct json_writer *w, const char *host, const char *service, const char *version)
{
	json_begin(w, NULL, '{');
	json_begin(w, "resource", '{');
	json_begin(w, "attributes", '[');
	put_attribute(w, "service.name", service);
	put_attribute(w, "service.version", version);
	put_attribute(w, "host.name", host);
	json_end(w, ']');
	json_end(w, '}');
	json_begin(w, "scopeLogs", '[');
	json_begin(w, NULL, '{');
	json_begin(w, "scope", '{');
	json_put_string(w, "name", SCOPE);
	json_put_string(w, "version", version);
	json_end(w, '}');
	json_begin(w, "logRecords", '[');
}

/* … and closes it. */
static void end_host(struct json_writer *w)
{
	json_end(w, ']');
	json_end(w, '}');
	json_end(w, ']');
	json_end(w, '}');
}

int ship_otlp_write(const struct ship_event *events, uint32_t count, const char *service, const char *version,
		    struct buffer *ret)
{
	struct json_writer w = json_writer(ret);

	json_begin(&w, NULL, '{');
	json_begin(&w, "resourceLogs", '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i == 0 || !text_equal(events[i].host, events[i - 1].host)) {
			if (i > 0)
				end_host(&w);
			begin_host(&w, events[i].host, service, version);
		}
		put_record(&w, &events[i]);
	}
	if (count > 0)
		end_host(&w);
	json_end(&w, ']');
	json_end(&w, '}');
	return ret->failed ? -ENOMEM : 0;
}

uint64_t ship_otlp_rejected(const char *answer, size_t length, char *ret_message, size_t size)
{
	_cleanup_(json_decrefp) json_t *tree = NULL;
	struct problem ignored;
	const json_t *partial, *number;
	const char *message;
	uint64_t rejected = 0;

	if (length == 0 || json_read(answer, length, &tree, &ignored) < 0)
		return 0;
	partial = json_object_get(tree, "partialSuccess");
	number = json_object_get(partial, "rejectedLogRecords");
	message = json_string_value(json_object_get(partial, "errorMessage"));
	/* A string by the rules; some write a number. */
	if (json_is_integer(number))
		rejected = json_integer_value(number) > 0 ? (uint64_t)json_integer_value(number) : 0;
	else if (json_is_string(number) && parse_u64(json_string_value(number), &rejected) < 0)
		rejected = 0;
	(void)text_escape(message ? message : "", message ? strlen(message) : 0, ret_message, size);
	return rejected;
}
