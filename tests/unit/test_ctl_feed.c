/* SPDX-License-Identifier: MIT
 *
 * The built tenantctl on files of a feed: what is in order, and each thing that may be wrong with them.
 */
#include "directory_fixture.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macros.h"
#include "feed_fixture.h"
#include "program_fixture.h"

#define TENANT "ten_8fJ2kQpL0aZx4TyB"
#define TENANT_BODY \
	"{\"slug\":\"acme\",\"gid\":1879048192,\"ids\":{\"first\":1879048192,\"count\":16384,\"next\":1879048200}}"

static char tenantctl[PATH_MAX], *folder;
static struct signer signer, stranger;
static struct published feed;

/* Runs `tenantctl feed verify WORDS…` in the folder; gives its exit code and output. */
static int run(const char *words, char *out, size_t size)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "feed verify %s", words);
	return program_run_words(tenantctl, line, folder, out, size);
}

static void assert_run(const char *words, int code, const char *part)
{
	char out[8192];
	int got = run(words, out, sizeof(out));

	if (got != code || (part && !strstr(out, part)))
		fail_msg("%s: %d\n%s", words, got, out);
}

static void put_file(const char *name, const void *data, size_t length)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_result(file_replace(AT_FDCWD, path, data, length, 0600, NULL), 0);
}

static void put_trust(const char *name, uint64_t version, const struct signer *by, const struct signer *also)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_trust trust = feed_trust_of(version, 1, by, NULL);

	assert_result(feed_trust_write(&trust, &note), 0);
	feed_sign(&note, by, also);
	put_file(name, note.data, note.length);
}

static void put_head(const char *name, const struct published *of)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	published_head(of, FEED_NOW, 300, &note);
	put_file(name, note.data, note.length);
}

static void put_deltas(const char *name, const char *const *bodies, size_t count)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char id[32];

	for (size_t i = 0; i < count; i++) {
		const struct buffer *delta;

		(void)snprintf(id, sizeof(id), "prj_%016zu", i);
		delta = published_put(&feed, "project", id, 1, bodies[i]);
		assert_result(buffer_add(&text, delta->data, delta->length), 0);
		assert_result(buffer_add_char(&text, '\n'), 0);
	}
	put_file(name, text.data, text.length);
}

static const char *const projects[] = {"{\"slug\":\"one\",\"gid\":1879048193}",
				       "{\"slug\":\"two\",\"gid\":1879048197}"};

static int setup(void **state)
{
	static const struct line_of lines[] = {{"tenant", TENANT, 1, TENANT_BODY}};
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT, note = BUFFER_INIT;
	struct feed_snapshot snapshot = {.origin = FEED_ORIGIN, .epoch = 1, .revision = 1, .issued = FEED_NOW};

	folder = make_folder();
	signer = signer_of(FEED_ORIGIN, 1);
	stranger = signer_of(FEED_ORIGIN, 3);
	published_init(&feed, FEED_ORIGIN, 1, &signer);
	(void)published_put(&feed, "tenant", TENANT, 1, TENANT_BODY);
	memcpy(snapshot.chain, feed.chain, SHA256_BYTES);
	feed_snapshot_of(&snapshot, lines, 1, &frame);
	assert_result(feed_snapshot_write(&snapshot, &note), 0);
	feed_sign(&note, &signer, NULL);
	put_trust("trust.1", 1, &signer, NULL);
	put_file("snapshot", note.data, note.length);
	put_file("snapshot.zst", frame.data, frame.length);
	put_deltas("deltas", projects, ARRAY_LEN(projects));
	put_head("head", &feed);
	return 0;
}

static int teardown(void **state)
{
	published_finish(&feed);
	remove_folder(folder);
	return 0;
}

#define NOW " --now 2026-09-21T14:14:00Z"

static void in_order(void **state)
{
	assert_run("." NOW, 0, "epoch 1, revision 3, until 2026-09-21T14:18:20Z");
	assert_run("deltas head snapshot.zst trust.1 snapshot" NOW, 0, "revisions 2 to 3");
	assert_run("--json ." NOW, 0, "\"fine\":true,\"origin\":\"" FEED_ORIGIN "\",\"epoch\":1,\"revision\":3");
	assert_run("head --trust trust.1" NOW, 0, "fine");
	assert_run("trust.1", 0, "version 1, epoch 1, 1 key");
}

static void times(void **state)
{
	assert_run("."
		   " --now 2026-09-21T14:18:20Z",
		   1, "expired");
	assert_run("."
		   " --now 2026-09-21T14:00:00Z",
		   1, "future");
	assert_run("."
		   " --now soon",
		   2, "--now");
}

static void wrong_files(void **state)
{
	struct published other = feed;

	assert_run("head" NOW, 1, "there is no good trust document for it");
	assert_run("snapshot.zst trust.1" NOW, 1, "there is no good snapshot note for it");
	assert_run("missing" NOW, 3, "missing");
	assert_run("/dev/null" NOW, 3, NULL);
	put_file("other", "text", 4);
	assert_run("other" NOW, 1, "no file of a feed");
	assert_run("" NOW, 2, NULL);
	/* By a stranger; of another history. */
	other.signer = stranger;
	put_head("bad-head", &other);
	assert_run("trust.1 bad-head" NOW, 1, "unsigned");
	assert_run("--json trust.1 bad-head" NOW, 1, "\"kind\":\"head\",\"result\":\"unsigned\"");
	other = feed;
	other.chain[0] ^= 1;
	put_head("bad-head", &other);
	assert_run("trust.1 snapshot snapshot.zst deltas bad-head" NOW, 1, "other-chain");
	assert_run("trust.1 snapshot snapshot.zst head" NOW, 1, "gap"); /* no deltas */
	put_trust("trust.2", 2, &stranger, NULL);
	assert_run("trust.1 trust.2" NOW, 1, "unsigned");
	assert_run("trust.2 --trust trust.1" NOW, 1, "unsigned");
	put_trust("trust.2", 2, &stranger, &signer);
	assert_run("trust.2 trust.1" NOW, 0, "version 2");
	assert_run("trust.1 --trust trust.2" NOW, 1, "rollback");
}

/* Signed for, and a record that no host would take. */
static void bad_records(void **state)
{
	static const char *const bad[] = {"{\"slug\":\"Not A Slug\",\"gid\":1879048201}"};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	put_deltas("bad-last", bad, 1);
	for (unsigned i = 2; i <= 4; i++) {
		assert_result(buffer_add(&text, feed.deltas[i].data, feed.deltas[i].length), 0);
		assert_result(buffer_add_char(&text, '\n'), 0);
	}
	put_file("bad-deltas", text.data, text.length);
	put_head("bad-head", &feed);
	assert_run("trust.1 snapshot snapshot.zst bad-deltas bad-head" NOW, 1, "bad-record");
}

int main(void)
{
	char self[PATH_MAX] = "";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(times),
		cmocka_unit_test(wrong_files),
		cmocka_unit_test(bad_records),
	};

	/* The program of this build: <build>/tests/unit/this, <build>/tenantctl. */
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	(void)snprintf(tenantctl, sizeof(tenantctl), "%.4000s/../../tenantctl", dirname(self));
	return cmocka_run_group_tests(tests, setup, teardown);
}
