/* SPDX-License-Identifier: MIT
 *
 * A start whose files do not load goes on with what was accepted last, with nothing older, and with nothing that
 * somebody touched.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "directory/compiled.h"
#include "directory/compiled_io.h"
#include "directory/files.h"
#include "directory/last_good.h"
#include "directory/source_file.h"
#include "directory_fixture.h"

#define WAIT_USEC (3 * USEC_PER_SEC)
#define BROKEN "version: 1\nusers: [\n"
#define DROP_INS 200U

static const struct seal_key key = {.bytes = {9}};

struct world {
	char *folder, path[80], drop_ins[96], cache[96], record[128];
	struct directory_files_options options;
	sd_event *event;
	struct source_file *source;
	unsigned pictures, problems;
};

static void open_world(struct world *w)
{
	_cleanup_(freep) char *wide = NULL;

	*w = (struct world){.folder = make_folder()};
	snprintf(w->path, sizeof(w->path), "%s/directory.yaml", w->folder);
	snprintf(w->drop_ins, sizeof(w->drop_ins), "%s.d", w->path);
	snprintf(w->cache, sizeof(w->cache), "%s/cache", w->folder);
	snprintf(w->record, sizeof(w->record), "%s/%s", w->cache, LAST_GOOD_NAME);
	assert_int_equal(mkdir(w->cache, 0700), 0);
	assert_int_equal(mkdir(w->drop_ins, 0755), 0);
	w->options = (struct directory_files_options){
		.path = w->path, .cache_dir = w->cache, .seal_key = &key, .host_name = "gpu-1"};
	assert_true(sd_event_new(&w->event) >= 0);
	wide = replaced(sample_directory, "next: 1879048300", "next: 1879050000");
	write_file(w->path, wide);
}

static void close_world(struct world *w)
{
	source_file_destroy(w->source);
	sd_event_unref(w->event);
	remove_folder(w->folder);
}

static void write_drop_in(const struct world *w, unsigned number, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%03u.yaml", w->drop_ins, number);
	write_file(path, text);
}

static void write_user(const struct world *w, unsigned number)
{
	char text[160];

	snprintf(text, sizeof(text), "version: 1\nusers: [{id: u%u, tenant: ten_acme, login: p%u, uid: %u}]\n", number,
		 number, 1879048400 + number);
	write_drop_in(w, number, text);
}

/* What an agent does that starts, and is stopped again: accept the files and store them. */
static void accept_files(const struct world *w)
{
	struct directory_files *files;
	struct problem problem = {0};

	assert_result(directory_files_new(&w->options, &files), 0);
	if (directory_files_refresh(files, &problem) != FILES_CHANGED)
		fail_msg("%s: %s", problem.file, problem.text);
	directory_files_compile(files);
	directory_files_free(files);
}

static int fall_back(const struct world *w, struct directory **ret)
{
	struct directory_files *files;
	int r;

	assert_result(directory_files_new(&w->options, &files), 0);
	r = directory_files_fall_back(files);
	if (r == 0 && ret)
		*ret = directory_ref(directory_files_picture(files));
	if (r < 0)
		assert_null(directory_files_picture(files));
	directory_files_free(files);
	return r;
}

static unsigned count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned count = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void changed(void *context, struct directory *picture, const struct problem *problem)
{
	struct world *w = context;

	w->pictures += picture != NULL;
	w->problems += picture == NULL;
}

static void run_until(struct world *w, unsigned pictures)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;

	while (w->pictures < pictures) {
		uint64_t now = clock_boottime_usec();

		if (now >= end)
			fail_msg("no picture came");
		sd_event_run(w->event, end - now);
	}
}

static int start(struct world *w, struct directory **ret, struct problem *problem)
{
	const struct source_file_options options = {.path = w->path,
						    .cache_dir = w->options.cache_dir,
						    .seal_key = w->options.seal_key,
						    .host_name = "gpu-1"};

	source_file_destroy(w->source);
	w->source = NULL;
	assert_result(source_file_create(w->event, &options, changed, w, &w->source), 0);
	*problem = (struct problem){0};
	return source_file_load(w->source, ret, problem);
}

static void stop(struct world *w)
{
	source_file_destroy(w->source);
	w->source = NULL;
}

static void test_restart(void **state)
{
	_cleanup_(freep) char *wide = NULL;
	struct problem problem;
	struct directory *d;
	struct world w;

	open_world(&w);
	write_user(&w, 1);
	assert_result(start(&w, &d, &problem), SOURCE_FILE_LOADED);
	directory_unref(d);
	stop(&w);
	write_drop_in(&w, 2, BROKEN);
	assert_result(start(&w, &d, &problem), SOURCE_FILE_FELL_BACK);
	assert_non_null(strstr(problem.file, "002.yaml"));
	assert_non_null(directory_user_by_login(d, "alice"));
	assert_non_null(directory_user_by_login(d, "p1"));
	assert_string_equal(directory_host(d)->name, "gpu-*");
	directory_unref(d);
	/* as often as one likes */
	stop(&w);
	assert_result(start(&w, &d, &problem), SOURCE_FILE_FELL_BACK);
	directory_unref(d);
	/* mended to what is in force already: told all the same */
	write_drop_in(&w, 2, "version: 1\n");
	run_until(&w, 1);
	/* and from then on changes are seen, and recorded */
	write_user(&w, 3);
	run_until(&w, 2);
	assert_int_equal(w.problems, 0);
	stop(&w);
	write_file(w.path, BROKEN);
	assert_result(start(&w, &d, &problem), SOURCE_FILE_FELL_BACK);
	assert_non_null(directory_user_by_login(d, "p3"));
	directory_unref(d);
	/* exactly what was recorded */
	wide = replaced(sample_directory, "next: 1879048300", "next: 1879050000");
	write_file(w.path, wide);
	run_until(&w, 3);
	close_world(&w);
}

/* What every way of being unreadable is while an agent runs, it is at a start. */
static void test_untrusted_file(void **state)
{
	struct problem problem;
	struct directory *d;
	struct world w;

	open_world(&w);
	accept_files(&w);
	assert_int_equal(chmod(w.path, 0666), 0);
	assert_result(start(&w, &d, &problem), SOURCE_FILE_FELL_BACK);
	assert_non_null(strstr(problem.text, "others than its owner may write it"));
	directory_unref(d);
	close_world(&w);
}

static void test_revocation_stays(void **state)
{
	_cleanup_(freep) char *suspended =
		replaced(sample_directory, "login: bob", "login: bob, status: suspended, status_reason: gone");
	struct directory *d;
	struct world w;

	open_world(&w);
	accept_files(&w);
	write_file(w.path, suspended);
	accept_files(&w);
	write_file(w.path, BROKEN);
	assert_result(fall_back(&w, &d), 0);
	assert_int_equal(directory_user_by_login(d, "bob")->status, USER_SUSPENDED);
	directory_unref(d);
	close_world(&w);
}

/* Suspended while no agent ran, and then another file broke: the first counts. */
static void test_revocation_while_stopped(void **state)
{
	_cleanup_(freep) char *suspended = NULL;
	struct directory *d;
	struct world w;
	_cleanup_(freep) char *wide = NULL;

	open_world(&w);
	wide = replaced(sample_directory, "next: 1879048300", "next: 1879050000");
	suspended = replaced(wide, "login: bob", "login: bob, status: suspended, status_reason: gone");
	write_user(&w, 1);
	write_user(&w, 2);
	accept_files(&w);
	write_file(w.path, suspended);
	write_drop_in(&w, 1, BROKEN);
	write_drop_in(&w, 2, "version: 1\n");
	for (unsigned i = 0; i < 2; i++) { /* and so at the next start, from what was kept of the first */
		assert_result(fall_back(&w, &d), 0);
		assert_int_equal(directory_user_by_login(d, "bob")->status, USER_SUSPENDED);
		assert_non_null(directory_user_by_login(d, "p1"));
		assert_null(directory_user_by_login(d, "p2"));
		directory_unref(d);
		write_file(w.path, BROKEN);
	}
	close_world(&w);
}

/* Killed between accepting and storing, or with a full disk: nothing is better than something older. */
static void test_nothing_older(void **state)
{
	struct directory_files *files;
	struct problem problem = {0};
	struct world w;

	open_world(&w);
	accept_files(&w);
	assert_int_equal(access(w.record, F_OK), 0);
	write_user(&w, 9);
	assert_result(directory_files_new(&w.options, &files), 0);
	assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
	assert_int_equal(access(w.record, F_OK), -1);
	assert_result(fall_back(&w, NULL), -ENOENT);
	/* the same while running */
	directory_files_compile(files);
	assert_result(fall_back(&w, NULL), 0);
	write_user(&w, 1);
	assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
	assert_result(fall_back(&w, NULL), -ENOENT);
	/* a broken look changes nothing */
	directory_files_compile(files);
	write_drop_in(&w, 2, BROKEN);
	assert_result(directory_files_refresh(files, &problem), -EINVAL);
	assert_result(fall_back(&w, NULL), 0);
	directory_files_free(files);
	close_world(&w);
}

static void test_full_disk(void **state)
{
	struct rlimit usual, none;
	struct directory_files *files;
	struct problem problem = {0};
	struct world w;

	open_world(&w);
	assert_result(directory_files_new(&w.options, &files), 0);
	assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
	directory_files_compile(files);
	assert_int_equal(access(w.record, F_OK), 0);
	write_user(&w, 1);
	assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
	/* No file takes a byte, as on a full disk. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = usual.rlim_max};
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	directory_files_compile(files);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
	assert_int_equal(count_files(w.cache), 0);
	assert_result(fall_back(&w, NULL), -ENOENT);
	/* and as soon as there is room */
	directory_files_compile(files);
	assert_result(fall_back(&w, NULL), 0);
	directory_files_free(files);
	close_world(&w);
}

static void test_removed_on_purpose(void **state)
{
	struct problem problem;
	struct directory *d;
	struct world w;

	open_world(&w);
	accept_files(&w);
	assert_int_equal(unlink(w.path), 0);
	assert_result(start(&w, &d, &problem), -ENOENT);
	assert_int_equal(access(w.record, F_OK), -1);
	stop(&w);
	write_file(w.path, BROKEN);
	assert_result(start(&w, &d, &problem), -EINVAL);
	close_world(&w);
}

/* No key to seal with: nothing is kept, as before. */
static void test_without_cache(void **state)
{
	struct problem problem;
	struct directory *d;
	struct world w;

	open_world(&w);
	accept_files(&w);
	w.options.cache_dir = NULL;
	w.options.seal_key = NULL;
	assert_result(fall_back(&w, NULL), -ENOENT);
	write_file(w.path, BROKEN);
	assert_result(start(&w, &d, &problem), -EINVAL);
	close_world(&w);
}

/* One file for however many small ones, written when something changed and not at each start. */
static void test_few_files(void **state)
{
	struct stat before, after;
	struct directory *d;
	struct world w;

	open_world(&w);
	for (unsigned i = 0; i < DROP_INS; i++)
		write_user(&w, i);
	accept_files(&w);
	assert_int_equal(count_files(w.cache), 1);
	assert_int_equal(stat(w.record, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0600);
	accept_files(&w);
	assert_int_equal(stat(w.record, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	write_drop_in(&w, 5, BROKEN);
	assert_result(fall_back(&w, &d), 0);
	assert_int_equal(directory_counts(d).users, 4 + DROP_INS);
	directory_unref(d);
	close_world(&w);
}

/* A large file's form lies apart, and is as much needed. */
static void test_large_apart(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char form[400] = "";
	struct directory *d;
	struct world w;
	DIR *dir;

	open_world(&w);
	buffer_add_text(&text, "version: 1\nusers:\n");
	for (unsigned i = 0; i < 500; i++)
		buffer_printf(&text, "  - {id: x%u, tenant: ten_acme, login: x%u, uid: %u, name: Somebody}\n", i, i,
			      1879048500 + i);
	write_drop_in(&w, 1, buffer_text(&text));
	accept_files(&w);
	assert_int_equal(count_files(w.cache), 2);
	write_drop_in(&w, 1, BROKEN);
	assert_result(fall_back(&w, &d), 0);
	assert_non_null(directory_user_by_login(d, "x499"));
	directory_unref(d);
	dir = opendir(w.cache);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, LAST_GOOD_NAME) != 0)
			snprintf(form, sizeof(form), "%s/%s", w.cache, entry->d_name);
	closedir(dir);
	assert_int_equal(truncate(form, 1000), 0);
	assert_result(fall_back(&w, NULL), -EBADMSG);
	assert_int_equal(unlink(form), 0);
	assert_result(fall_back(&w, NULL), -EBADMSG);
	close_world(&w);
}

static void put_record(const struct world *w, const char *data, size_t length)
{
	int fd = open(w->record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, length), 0);
	close(fd);
}

static void test_damage(void **state)
{
	static const struct seal_key other_key = {.bytes = {8}};
	_cleanup_(buffer_finish) struct buffer whole = BUFFER_INIT;
	struct world w;

	open_world(&w);
	write_user(&w, 1);
	accept_files(&w);
	assert_result(file_read(AT_FDCWD, w.record, 1 << 20, FILE_TRUST_ANY, 0, &whole, NULL), 0);
	assert_result(fall_back(&w, NULL), 0);
	for (size_t i = 0; i < whole.length; i++) {
		whole.data[i] ^= 1;
		put_record(&w, whole.data, whole.length);
		assert_result(fall_back(&w, NULL), -EBADMSG);
		whole.data[i] ^= 1;
	}
	for (size_t length = 0; length < whole.length; length++) {
		put_record(&w, whole.data, length);
		assert_result(fall_back(&w, NULL), -EBADMSG);
	}
	put_record(&w, whole.data, whole.length);
	assert_result(fall_back(&w, NULL), 0);
	w.options.seal_key = &other_key;
	assert_result(fall_back(&w, NULL), -EBADMSG);
	w.options.seal_key = &key;
	/* one of another directory */
	w.options.path = "/etc/tenantd/other.yaml";
	assert_result(fall_back(&w, NULL), -EBADMSG);
	w.options.path = w.path;
	/* one that others could have written, and a link */
	assert_int_equal(chmod(w.record, 0666), 0);
	assert_result(fall_back(&w, NULL), -EPERM);
	assert_int_equal(unlink(w.record), 0);
	assert_int_equal(symlink(w.path, w.record), 0);
	assert_result(fall_back(&w, NULL), -ELOOP);
	close_world(&w);
}

/* The inside of the record when only the seal protects it: every cut and turned byte is refused or harmless. */
static void test_sealed_nonsense(void **state)
{
	static const char head[8 + SHA256_BYTES] = "TNTLAST1";
	static const struct {
		const char *bytes;
		size_t length;
	} bodies[] = {
		{"", 0},
		{"\0\0\0\0", 4},         /* no file */
		{"\1\0\0\0", 4},         /* one, and nothing of it */
		{"\377\377\377\377", 4}, /* four thousand million */
		{"\1\0\0\0\377\377\377\377aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64},
		{"\1\0\0\0\1\0\0\0a0123456789abcdef0123456789abcdef\377\0\0\0", 45},
		{"\1\0\0\0\1\0\0\0a0123456789abcdef0123456789abcdef\0\0\0\0", 45},
		{"\1\0\0\0\1\0\0\0\0000123456789abcdef0123456789abcdef\0\0\0\0", 45},
	};
	struct world w;

	open_world(&w);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		_cleanup_(buffer_finish) struct buffer plain = BUFFER_INIT, sealed = BUFFER_INIT;

		buffer_add(&plain, head, sizeof(head));
		buffer_add(&plain, bodies[i].bytes, bodies[i].length);
		buffer_add(&sealed, head, sizeof(head));
		assert_result(seal(&key, "directory-last", plain.data, plain.length, &sealed), 0);
		put_record(&w, sealed.data, sealed.length);
		if (fall_back(&w, NULL) != -EBADMSG)
			fail_msg("body %zu", i);
	}
	close_world(&w);
}

/* An upgrade reads what the release before accepted. */
static void test_other_build(void **state)
{
	_cleanup_(buffer_finish) struct buffer form = BUFFER_INIT;
	struct unit *unit = load_text("f", sample_directory), *back = NULL;

	assert_result(compiled_write(unit, &form), 0);
	form.data[COMPILED_MAGIC_BYTES] ^= 1;
	assert_result(compiled_read("f", unit->source_hash, form.data, form.length, &back), -EBADMSG);
	assert_result(compiled_read_last("f", unit->source_hash, form.data, form.length, &back), 0);
	assert_int_equal(unit_records(back)->user_count, 4);
	unit_unref(back);
	form.data[0] ^= 1;
	assert_result(compiled_read_last("f", unit->source_hash, form.data, form.length, &back), -EBADMSG);
	unit_unref(unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_untrusted_file),
		cmocka_unit_test(test_revocation_stays),
		cmocka_unit_test(test_revocation_while_stopped),
		cmocka_unit_test(test_nothing_older),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_removed_on_purpose),
		cmocka_unit_test(test_without_cache),
		cmocka_unit_test(test_few_files),
		cmocka_unit_test(test_large_apart),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_sealed_nonsense),
		cmocka_unit_test(test_other_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
