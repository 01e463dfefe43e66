/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void reserved_names(void **state)
{
	static const char *const reserved[] = {
		"root",   "docker", "wheel",           "sudo",     "lxd",         "libvirt", "kvm",         "disk",
		"shadow", "adm",    "systemd-journal", "ssl-cert", "render",      "video",   "input",       "nogroup",
		"users",  "staff",  "www-data",        "Docker",   "incus-admin", "ubuntu",  "tenant-users"};
	static const char *const free_names[] = {"acme", "dockers", "system", "roots", "systemd1", "", "ssl", "tenant"};

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (!text_is_reserved_name(reserved[i]) || text_is_login_name(reserved[i]))
			fail_msg("%s is not reserved", reserved[i]);
	for (size_t i = 0; i < ARRAY_LEN(free_names); i++)
		if (text_is_reserved_name(free_names[i]))
			fail_msg("\"%s\" is reserved", free_names[i]);
}

static void login_names(void **state)
{
	static const char *const good[] = {"a",  "alice",  "Alice", "a.b", "a_b-c", "_svc",  "al1ce",
					   "x9", "rooted", "1a",    "a.",  "a-",    "system"};
	static const char *const bad[] = {
		"",
		"-a",
		".a",
		".",
		"..",
		"-",
		"1",
		"0",
		"1234",
		"1.2",
		"1000.100",
		"1-2",
		"a b",
		"a:b",
		"a/b",
		"a\nb",
		"a$",
		"$",
		"a$b",
		"root",
		"ROOT",
		"Root",
		"daemon",
		"nobody",
		"sshd",
		"sudo",
		"tenantd",
		"wheel",
		"systemd-x",
		"shadow",
		"tenant-sudo",
		"\xC3\xA4rger",
		"a\x01",
		"a,b",
		"a;b",
		"a@b",
		"a+b",
		"a~",
		"a*",
		"a'b",
		"a\"b",
		"a\\b",
		"a%b",
		"www-data",
		"a\t",
		"123456789012345678901234567890123",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!text_is_login_name(good[i]))
			fail_msg("refused: %s: %s", good[i], text_login_name_fault(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (text_is_login_name(bad[i]))
			fail_msg("accepted: %s", bad[i]);
	assert_true(text_is_login_name("abcdefghijklmnopqrstuvwxyz012345")); /* 32 bytes */
	assert_false(text_is_login_name("abcdefghijklmnopqrstuvwxyz0123456"));
	assert_string_equal(text_login_name_fault("-x"), "starts with a dash");
	assert_string_equal(text_login_name_fault("x$"), "ends with a '$'");
	assert_string_equal(text_login_name_fault(""), "is empty");
	assert_null(text_login_name_fault("alice"));
}

static void slugs_ids_words(void **state)
{
	static const struct {
		const char *text;
		bool slug, id, word;
	} table[] = {
		{"", false, false, false},
		{"a", true, true, true},
		{"acme", true, true, true},
		{"Acme", false, true, true},
		{"acme-2", true, false, true},
		{"-acme", false, false, false},
		{"acme-", false, false, true},
		{"a--b", true, false, true},
		{"1", false, false, false},
		{"1-2", false, false, false},
		{"1a", true, false, false},
		{"a_b", false, true, true},
		{"usr_8Zk2", false, true, true},
		{"_usr", false, false, false},
		{"project.view", false, false, true},
		{".view", false, false, false},
		{"a b", false, false, false},
		{"a\n", false, false, false},
		{"\xC3\xA4", false, false, false},
		{"abcdefghijklmnopqrstuvwx", true, true, true},                             /* 24 */
		{"abcdefghijklmnopqrstuvwxy", false, true, true},                           /* 25 */
		{"abcdefghijklmnopqrstuvwxyzabcdefghijklmn", false, true, true},            /* 40 */
		{"abcdefghijklmnopqrstuvwxyzabcdefghijklmno", false, false, true},          /* 41 */
		{"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv", false, false, true},   /* 48 */
		{"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw", false, false, false}, /* 49 */
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (text_is_slug(table[i].text) != table[i].slug)
			fail_msg("slug: %s", table[i].text);
		if (text_is_id(table[i].text) != table[i].id)
			fail_msg("id: %s", table[i].text);
		if (text_is_word(table[i].text) != table[i].word)
			fail_msg("word: %s", table[i].text);
	}
}

static void printable(void **state)
{
	static const char *const good[] = {
		"",
		"plain ~",
		"\xC3\xA9t\xC3\xA9",
		"\xC2\xA0",         /* no-break space: the first after C1 */
		"\xE2\x80\xA7",     /* U+2027, just below the separators */
		"\xE2\x80\xAF",     /* U+202F, just above the overrides */
		"\xE2\x81\xA5",     /* U+2065 */
		"\xE2\x81\xAA",     /* U+206A */
		"\xE0\xA0\x80",     /* U+0800 */
		"\xDF\xBF",         /* U+07FF */
		"\xF0\x90\x80\x80", /* U+10000 */
		"\xED\x9F\xBF",     /* U+D7FF */
		"\xEE\x80\x80",     /* U+E000 */
		"\xF0\x9F\x98\x80", /* U+1F600 */
		"\xF4\x8F\xBF\xBF", /* U+10FFFF */
	};
	static const struct {
		const char *text;
		const char *what;
	} bad[] = {
		{"\x01", "C0"},
		{"a\tb", "tab"},
		{"a\nb", "newline"},
		{"\x1B[31m", "escape"},
		{"\x7F", "DEL"},
		{"\xC2\x80", "U+0080"},
		{"\xC2\x85", "U+0085 next line"},
		{"\xC2\x9B", "U+009B C1 escape"},
		{"\xC2\x9F", "U+009F"},
		{"\xD8\x9C", "U+061C Arabic letter mark"},
		{"\xE2\x80\x8E", "U+200E"},
		{"\xE2\x80\x8F", "U+200F"},
		{"\xE2\x80\xA8", "U+2028 line separator"},
		{"\xE2\x80\xA9", "U+2029 paragraph separator"},
		{"\xE2\x80\xAA", "U+202A"},
		{"\xE2\x80\xAE", "U+202E override"},
		{"\xE2\x81\xA6", "U+2066"},
		{"\xE2\x81\xA9", "U+2069"},
		{"\x80", "lone continuation"},
		{"\xC3", "cut"},
		{"\xC3x", "no continuation"},
		{"\xC0\xAF", "overlong 2"},
		{"\xC1\xBF", "overlong 2"},
		{"\xE0\x9F\xBF", "overlong 3"},
		{"\xF0\x8F\xBF\xBF", "overlong 4"},
		{"\xED\xA0\x80", "surrogate"},
		{"\xED\xBF\xBF", "surrogate"},
		{"\xF4\x90\x80\x80", "past U+10FFFF"},
		{"\xF5\x80\x80\x80", "F5"},
		{"\xFF", "FF"},
		{"\xE2\x82", "cut 3"},
		{"\xF0\x9F\x98", "cut 4"},
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!text_is_printable(good[i], strlen(good[i])))
			fail_msg("refused: number %zu", i);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char between[16];

		if (text_is_printable(bad[i].text, strlen(bad[i].text)))
			fail_msg("accepted: %s", bad[i].what);
		(void)snprintf(between, sizeof(between), "ab%sc", bad[i].text);
		if (text_is_printable(between, strlen(between)))
			fail_msg("accepted inside: %s", bad[i].what);
	}
	assert_false(text_is_printable("a\0b", 3));
	/* No look past the given length. */
	assert_false(text_is_printable("\xC3\xA9", 1));
}

static void passwd_fields_and_paths(void **state)
{
	static const char *const good[] = {"/", "/home/alice", "/home/a..b", "/..a", "/a/...", "/home/\xC3\xA9", "/a/"};
	static const char *const bad[] = {"",      "home", "./a",  "/..",   "/a/..",  "/a/../b", "//",
					  "/a//b", "/a//", "/a:b", "/a\nb", "/a\x7F", "/\xFF",   "/a/..//"};
	char path[300];

	assert_true(text_is_passwd_field("Alice Example"));
	assert_true(text_is_passwd_field(""));
	assert_false(text_is_passwd_field("a:b"));
	assert_false(text_is_passwd_field("a\nroot:x:0:0"));
	assert_false(text_is_passwd_field("\xE2\x80\xAE"));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!text_is_safe_path(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (text_is_safe_path(bad[i]))
			fail_msg("accepted: %s", bad[i]);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[255] = '\0';
	assert_true(text_is_safe_path(path));
	path[255] = 'a';
	path[256] = '\0';
	assert_false(text_is_safe_path(path));
}

static void escapes(void **state)
{
	char out[32];

	assert_string_equal(text_escape("a\nb", 3, out, sizeof(out)), "a\\x0ab");
	assert_string_equal(text_escape("\xC3\xA9\x80", 3, out, sizeof(out)), "\xC3\xA9\\x80");
	assert_string_equal(text_escape("\xE2\x80\xAE", 3, out, sizeof(out)), "\\xe2\\x80\\xae");
	assert_string_equal(text_escape("a\0b", 3, out, sizeof(out)), "a\\x00b");
	/* Cuts between characters and never in an escape. */
	for (size_t size = 1; size <= sizeof(out); size++) {
		const char *text = "x\xC3\xA9\n\xF0\x9F\x98\x80";
		size_t length;

		memset(out, '#', sizeof(out));
		(void)text_escape(text, strlen(text), out, size);
		length = strnlen(out, sizeof(out));
		assert_true(length < size);
		assert_true(text_is_printable(out, length));
		assert_true(length == 0 || length == 1 || length == 3 || length == 7 || length == 11);
	}
	out[0] = '#';
	(void)text_escape("abc", 3, out, 0);
	assert_int_equal(out[0], '#');
}

static void keys_are_hidden(void **state)
{
	static const char *const table[][2] = {
		{"", ""},
		{"nothing to hide", "nothing to hide"},
		{"tnt_", "tnt_"},
		{"tnt_pk_0123456789abcdef_", "tnt_pk_0123456789abcdef_"},
		{"tnt_pk_0123456789abcdef_SecretSecret", "tnt_pk_0123456789abcdef_************"},
		{"\"tnt_sk_0123456789abcdef_Secret\", and tnt_pk_0123456789abcdef_S!",
		 "\"tnt_sk_0123456789abcdef_******\", and tnt_pk_0123456789abcdef_*!"},
		{"xtnt_tnt_pk_0123456789abcdef_Secret", "xtnt_tnt_pk_0123456789abc**********"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char text[128];

		strcpy(text, table[i][0]);
		text_hide_keys(text);
		assert_string_equal(text, table[i][1]);
	}
}

static void suggests(void **state)
{
	static const char *const words[] = {"tenants", "projects", "users", "members", "keys", "hosts"};

	assert_string_equal(text_suggest("tenant", words, ARRAY_LEN(words)), "tenants");
	assert_string_equal(text_suggest("memebrs", words, ARRAY_LEN(words)), "members"); /* swap: one edit */
	assert_string_equal(text_suggest("usres", words, ARRAY_LEN(words)), "users");
	assert_string_equal(text_suggest("prjects", words, ARRAY_LEN(words)), "projects");
	assert_null(text_suggest("policies", words, ARRAY_LEN(words)));
	assert_null(text_suggest("ky", words, ARRAY_LEN(words))); /* two edits of two letters mean nothing */
	{
		/* A candidate that is too long to compare is passed over. */
		static const char *const odd[] = {
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "users"};

		assert_string_equal(text_suggest("usrs", odd, ARRAY_LEN(odd)), "users");
	}
	assert_null(text_suggest("", words, ARRAY_LEN(words)));
	assert_null(text_suggest("users", words, 0));
	assert_null(text_suggest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
				 words, ARRAY_LEN(words)));
}

static void hex(void **state)
{
	static const char *const bad[] = {"", "0", "000", "00ff0", "00FF", "0g00", "00 0", "00ff00", "-0ff", "0x00"};
	unsigned char out[2] = {1, 2};
	char text[5];

	text_to_hex("\x00\xff", 2, text);
	assert_string_equal(text, "00ff");
	assert_result(text_from_hex("0aff", out, 2), 0);
	assert_memory_equal(out, "\x0a\xff", 2);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		out[0] = 1;
		if (text_from_hex(bad[i], out, 2) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(out[0], 1);
	}
	assert_result(text_from_hex("", out, 0), 0);
}

static void small_ones(void **state)
{
	const char *a = "a", *b = "b";

	assert_true(text_equal(NULL, NULL));
	assert_false(text_equal(NULL, ""));
	assert_false(text_equal("", NULL));
	assert_true(text_equal("a", "a"));
	assert_false(text_equal("a", "ab"));
	assert_true(text_starts("tnt_pk", "tnt_"));
	assert_true(text_starts("x", ""));
	assert_false(text_starts("tn", "tnt_"));
	assert_true(text_compare(&a, &b) < 0);
	assert_true(text_compare(&b, &a) > 0);
	assert_int_equal(text_compare(&a, &a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_names),
		cmocka_unit_test(login_names),
		cmocka_unit_test(slugs_ids_words),
		cmocka_unit_test(printable),
		cmocka_unit_test(passwd_fields_and_paths),
		cmocka_unit_test(escapes),
		cmocka_unit_test(keys_are_hidden),
		cmocka_unit_test(suggests),
		cmocka_unit_test(hex),
		cmocka_unit_test(small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
