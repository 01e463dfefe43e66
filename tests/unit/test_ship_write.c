/* SPDX-License-Identifier: MIT
 *
 * Events as OTLP's JSON and as syslog messages: what is there, and what hostile text cannot do.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ship/internal.h"
#include "unit.h"
#include "json/json_read.h"

#define OCSF                                                                                                    \
	"{\"class_uid\":3002,\"time\":1700000000123,\"user\":{\"name\":\"alice\"},\"list\":[1,true,null,-2.5]," \
	"\"big\":9007199254740993}"

static struct ship_event event_of(const char *ocsf)
{
	return (struct ship_event){
		.id = "abcdefghijklmnop-7",
		.kind = "login-denied",
		.host = "gpu-1",
		.tenant = "ten_acme",
		.severity = 3,
		.time_ms = 1700000000123,
		.ocsf = ocsf,
		.ocsf_length = strlen(ocsf),
	};
}

/* ---- OTLP ------------------------------------------------------------------------------------------ */

static json_t *otlp(const struct ship_event *events, uint32_t count)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct problem problem;
	json_t *tree = NULL;

	assert_result(ship_otlp_write(events, count, "tenantd", "1.2", &text), 0);
	assert_result(json_read(text.data, text.length, &tree, &problem), 0);
	return tree;
}

static json_t *record_of(json_t *tree, size_t host, size_t record)
{
	json_t *resource = json_array_get(json_object_get(tree, "resourceLogs"), host);
	json_t *scope = json_array_get(json_object_get(resource, "scopeLogs"), 0);

	return json_array_get(json_object_get(scope, "logRecords"), record);
}

/* The value of a key in a list of OTLP's pairs. */
static json_t *pair(json_t *list, const char *key)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(list, i), "key")), key) == 0)
			return json_object_get(json_array_get(list, i), "value");
	return NULL;
}

static const char *text_of(json_t *value, const char *kind)
{
	assert_non_null(value);
	assert_int_equal(json_object_size(value), 1);
	return json_string_value(json_object_get(value, kind));
}

static void otlp_numbers_are_as_protobuf_wants_them(void **state)
{
	const struct ship_event event = event_of(OCSF);
	_cleanup_(json_decrefp) json_t *tree = otlp(&event, 1);
	json_t *record = record_of(tree, 0, 0), *body, *list;

	assert_string_equal(json_string_value(json_object_get(record, "timeUnixNano")), "1700000000123000000");
	assert_int_equal(json_integer_value(json_object_get(record, "severityNumber")), 13);
	assert_string_equal(json_string_value(json_object_get(record, "severityText")), "WARN");
	assert_string_equal(json_string_value(json_object_get(record, "eventName")), "login-denied");
	assert_null(json_object_get(record, "traceId"));
	body = json_object_get(json_object_get(json_object_get(record, "body"), "kvlistValue"), "values");
	assert_string_equal(text_of(pair(body, "class_uid"), "intValue"), "3002");
	/* More than a double holds. */
	assert_string_equal(text_of(pair(body, "big"), "intValue"), "9007199254740993");
	list = json_object_get(json_object_get(pair(body, "list"), "arrayValue"), "values");
	assert_int_equal(json_array_size(list), 4);
	assert_string_equal(text_of(json_array_get(list, 0), "intValue"), "1");
	assert_true(json_is_true(json_object_get(json_array_get(list, 1), "boolValue")));
	assert_int_equal(json_object_size(json_array_get(list, 2)), 0);
	assert_true(json_real_value(json_object_get(json_array_get(list, 3), "doubleValue")) == -2.5);
}

static void otlp_says_what_and_whose_it_is(void **state)
{
	const struct ship_event event = event_of(OCSF);
	_cleanup_(json_decrefp) json_t *tree = otlp(&event, 1);
	json_t *attributes = json_object_get(record_of(tree, 0, 0), "attributes");
	json_t *resource = json_object_get(json_array_get(json_object_get(tree, "resourceLogs"), 0), "resource");

	assert_string_equal(text_of(pair(attributes, "log.record.uid"), "stringValue"), "abcdefghijklmnop-7");
	assert_string_equal(text_of(pair(attributes, "tenantd.tenant"), "stringValue"), "ten_acme");
	attributes = json_object_get(resource, "attributes");
	assert_string_equal(text_of(pair(attributes, "service.name"), "stringValue"), "tenantd");
	assert_string_equal(text_of(pair(attributes, "service.version"), "stringValue"), "1.2");
	assert_string_equal(text_of(pair(attributes, "host.name"), "stringValue"), "gpu-1");
}

static void otlp_has_a_resource_for_each_host(void **state)
{
	struct ship_event events[3] = {event_of(OCSF), event_of(OCSF), event_of(OCSF)};
	_cleanup_(json_decrefp) json_t *tree = NULL;

	events[2].host = "gpu-2";
	tree = otlp(events, 3);
	assert_int_equal(json_array_size(json_object_get(tree, "resourceLogs")), 2);
	assert_non_null(record_of(tree, 0, 1));
	assert_null(record_of(tree, 0, 2));
	assert_non_null(record_of(tree, 1, 0));
}

static void otlp_of_nothing_is_empty(void **state)
{
	_cleanup_(json_decrefp) json_t *tree = otlp(NULL, 0);

	assert_int_equal(json_array_size(json_object_get(tree, "resourceLogs")), 0);
}

static void otlp_of_what_is_no_json_is_text(void **state)
{
	const struct ship_event event = event_of("{\"a\":1,\"a\":2}\xff\n");
	_cleanup_(json_decrefp) json_t *tree = otlp(&event, 1);

	assert_string_equal(text_of(json_object_get(record_of(tree, 0, 0), "body"), "stringValue"),
			    "{\"a\":1,\"a\":2}\xef\xbf\xbd\n");
}

static void otlp_of_unknown_severity_and_time_says_so(void **state)
{
	static const struct {
		uint32_t ocsf;
		unsigned otlp;
	} rows[] = {{0, 0}, {1, 9}, {2, 10}, {3, 13}, {4, 17}, {5, 21}, {6, 24}, {7, 0}, {99, 0}, {UINT32_MAX, 0}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ship_event event = event_of(OCSF);
		_cleanup_(json_decrefp) json_t *tree = NULL;

		event.severity = rows[i].ocsf;
		event.time_ms = i % 2 ? -1 : INT64_MAX;
		tree = otlp(&event, 1);
		assert_int_equal(json_integer_value(json_object_get(record_of(tree, 0, 0), "severityNumber")),
				 rows[i].otlp);
		assert_null(json_object_get(record_of(tree, 0, 0), "timeUnixNano"));
	}
}

static void otlp_answers_are_counted(void **state)
{
	static const struct {
		const char *answer;
		uint64_t rejected;
	} rows[] = {
		{"", 0},
		{"{}", 0},
		{"{\"partialSuccess\":{}}", 0},
		{"{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"no\"}}", 3},
		{"{\"partialSuccess\":{\"rejectedLogRecords\":3}}", 3},
		{"{\"partialSuccess\":{\"rejectedLogRecords\":\"0\",\"errorMessage\":\"slow\"}}", 0},
		{"{\"partialSuccess\":{\"rejectedLogRecords\":-3}}", 0},
		{"{\"partialSuccess\":{\"rejectedLogRecords\":\"-3\"}}", 0},
		{"{\"partialSuccess\":{\"rejectedLogRecords\":[3]}}", 0},
		{"{\"partialSuccess\":7}", 0},
		{"[]", 0},
		{"<html>", 0},
	};
	static const char hostile[] =
		"{\"partialSuccess\":{\"rejectedLogRecords\":1,\"errorMessage\":\"a\\nb\\u001b[2J\"}}";
	char message[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ship_otlp_rejected(rows[i].answer, strlen(rows[i].answer), message, sizeof(message)),
				 rows[i].rejected);
	assert_int_equal(ship_otlp_rejected(hostile, strlen(hostile), message, sizeof(message)), 1);
	assert_string_equal(message, "a\\x0ab\\x1b[2J");
}

/* ---- syslog ---------------------------------------------------------------------------------------- */

/* The message behind its length, which has to be right. */
static char *message_of(const struct ship_event *event)
{
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	char *end;
	size_t length;

	assert_result(ship_syslog_write(event, "tenantd", &frame), 0);
	assert_non_null(buffer_text(&frame));
	length = strtoul(frame.data, &end, 10);
	assert_int_equal(*end, ' ');
	assert_int_equal(frame.length, (size_t)(end + 1 - frame.data) + length);
	return strdup(end + 1);
}

static void syslog_is_as_the_rfc_says(void **state)
{
	const struct ship_event event = event_of("{\"a\":1}");
	_cleanup_(freep) char *message = message_of(&event);

	assert_string_equal(message, "<108>1 2023-11-14T22:13:20.123Z gpu-1 tenantd - login-denied "
				     "[tenantd@32473 id=\"abcdefghijklmnop-7\" tenant=\"ten_acme\"] {\"a\":1}");
}

static void syslog_priorities_are_the_severities(void **state)
{
	static const struct {
		uint32_t ocsf;
		const char *begins;
	} rows[] = {{0, "<110>"}, {1, "<110>"}, {2, "<109>"}, {3, "<108>"}, {4, "<107>"},
		    {5, "<106>"}, {6, "<105>"}, {7, "<110>"}, {99, "<110>"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ship_event event = event_of("{}");
		_cleanup_(freep) char *message = NULL;

		event.severity = rows[i].ocsf;
		message = message_of(&event);
		assert_memory_equal(message, rows[i].begins, 5);
	}
}

static void syslog_names_cannot_break_the_header(void **state)
{
	struct ship_event event = event_of("{}");
	_cleanup_(freep) char *message = NULL;

	event.host = "gpu 1\n<0>1";
	event.kind = "a kind that is longer than thirty-two bytes";
	event.id = "x\"] [evil y=\"\\";
	event.tenant = "ten\x1b[31m\xff\xc2\x85";
	message = message_of(&event);
	assert_string_equal(message, "<108>1 2023-11-14T22:13:20.123Z gpu_1_<0>1 tenantd - "
				     "a_kind_that_is_longer_than_thirt "
				     "[tenantd@32473 id=\"x\\\"\\] [evil y=\\\"\\\\\" tenant=\"ten?[31m??\"] {}");
}

static void syslog_of_nothing_known_has_dashes(void **state)
{
	struct ship_event event = {.severity = 1, .ocsf = "{}", .ocsf_length = 2};
	_cleanup_(freep) char *message = message_of(&event);

	assert_string_equal(message, "<110>1 - - tenantd - - [tenantd@32473] {}");
}

static void syslog_of_years_that_have_no_place_has_no_time(void **state)
{
	static const int64_t times[] = {0, -1, INT64_MIN, INT64_MAX, 253402300800000};

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct ship_event event = event_of("{}");
		_cleanup_(freep) char *message = NULL;

		event.time_ms = times[i];
		message = message_of(&event);
		assert_memory_equal(message, "<108>1 - gpu-1", 14);
	}
}

static void syslog_is_cut_between_characters(void **state)
{
	for (size_t shift = 0; shift < 4; shift++) {
		_cleanup_(freep) char *text = malloc(80001), *message = NULL;
		struct ship_event event;
		size_t length;

		assert_non_null(text);
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 <= 80000; i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		event = event_of(text);
		event.ocsf_length = strlen(text);
		message = message_of(&event);
		length = strlen(message);
		assert_in_range(length, 65536 - 3, 65536);
		assert_memory_equal(message + length - 3, "\xe2\x82\xac", 3);
	}
}

static void checkpoints_are_one_line(void **state)
{
	static const char note[] = "log.example/audit/x\n3\nAAAA\n\n\xe2\x80\x94 k sig\n";
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *tree = NULL;
	const char *json;

	assert_result(ship_syslog_write_checkpoint("log.example/audit/x", note, strlen(note), NULL, "tenant-control",
						   1700000000123, &frame),
		      0);
	assert_null(memchr(frame.data, '\n', frame.length));
	json = strstr(buffer_text(&frame), "] {") + 2;
	tree = json_loads(json, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(tree, "note")), note);
	assert_string_equal(json_string_value(json_object_get(tree, "origin")), "log.example/audit/x");
}

static void pauses_grow_and_end(void **state)
{
	for (unsigned i = 0; i < 200; i++) {
		assert_in_range(ship_pause_ms(1, 0), 0, 1000);
		assert_in_range(ship_pause_ms(3, 0), 0, 4000);
		assert_in_range(ship_pause_ms(40, 0), 0, 300000);
		assert_in_range(ship_pause_ms(UINT32_MAX, UINT32_MAX), 300000, 600000);
		assert_in_range(ship_pause_ms(1, 5000), 5000, 6000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(otlp_numbers_are_as_protobuf_wants_them),
		cmocka_unit_test(otlp_says_what_and_whose_it_is),
		cmocka_unit_test(otlp_has_a_resource_for_each_host),
		cmocka_unit_test(otlp_of_nothing_is_empty),
		cmocka_unit_test(otlp_of_what_is_no_json_is_text),
		cmocka_unit_test(otlp_of_unknown_severity_and_time_says_so),
		cmocka_unit_test(otlp_answers_are_counted),
		cmocka_unit_test(syslog_is_as_the_rfc_says),
		cmocka_unit_test(syslog_priorities_are_the_severities),
		cmocka_unit_test(syslog_names_cannot_break_the_header),
		cmocka_unit_test(syslog_of_nothing_known_has_dashes),
		cmocka_unit_test(syslog_of_years_that_have_no_place_has_no_time),
		cmocka_unit_test(syslog_is_cut_between_characters),
		cmocka_unit_test(checkpoints_are_one_line),
		cmocka_unit_test(pauses_grow_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
