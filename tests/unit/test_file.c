/* SPDX-License-Identifier: MIT
 *
 * As root also what needs it: foreign owners, and a full disk (a tmpfs of its own, in a mount namespace of its
 * own).
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

static char folder[64];
static int folder_fd = -1;

static int make_folder(void **state)
{
	strcpy(folder, "/tmp/test-file.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder_fd < 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
	DIR *d = opendir(folder);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		(void)unlinkat(folder_fd, entry->d_name, 0);
	if (d)
		(void)closedir(d);
	closep(&folder_fd);
	return rmdir(folder);
}

static unsigned entries_in(const char *path)
{
	DIR *d = opendir(path);
	unsigned count = 0;

	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	(void)closedir(d);
	return count;
}

static void put(const char *name, const char *content, mode_t mode)
{
	int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_result(fd_write_all(fd, content, strlen(content)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_content(int dirfd, const char *name, const char *expected)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;

	assert_result(file_read(dirfd, name, 1 << 20, FILE_TRUST_ANY, 0, &b, NULL), 0);
	assert_string_equal(buffer_text(&b), expected);
}

static void read_whole(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;
	struct stat st = {0};

	put("a", "0123456789", 0640);
	assert_result(buffer_add_text(&b, "before "), 0);
	assert_result(file_read(folder_fd, "a", 10, FILE_TRUST_OWNER, geteuid(), &b, &st), 0);
	assert_string_equal(buffer_text(&b), "before 0123456789");
	assert_int_equal(st.st_mode & 07777, 0640);
	put("empty", "", 0600);
	assert_result(file_read(folder_fd, "empty", 0, FILE_TRUST_OWNER, geteuid(), &b, NULL), 0);
	/* Files whose size the kernel does not tell. */
	buffer_clear(&b);
	assert_result(file_read(AT_FDCWD, "/proc/self/status", 65536, FILE_TRUST_ANY, 0, &b, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_true(b.length > 100);
	buffer_clear(&b);
	assert_result(file_read(AT_FDCWD, "/proc/self/status", 100, FILE_TRUST_ANY, 0, &b, NULL), -EFBIG);
}

static void read_refusals(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = {.wipe = true}, small = {.limit = 4};
	char path[128];
	struct stat st = {.st_size = 42};

	assert_result(buffer_add_text(&b, "kept"), 0);
	put("a", "0123456789", 0600);
	assert_result(file_read(folder_fd, "a", 9, FILE_TRUST_ANY, 0, &b, &st), -EFBIG);
	assert_result(file_read(folder_fd, "a", 0, FILE_TRUST_ANY, 0, &b, &st), -EFBIG);
	assert_result(file_read(folder_fd, "none", 9, FILE_TRUST_ANY, 0, &b, &st), -ENOENT);
	assert_result(file_read(folder_fd, ".", 9, FILE_TRUST_ANY, 0, &b, &st), -EINVAL);
	assert_result(file_read(AT_FDCWD, "/dev/zero", 9, FILE_TRUST_ANY, 0, &b, &st), -EINVAL);
	(void)snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_result(file_read(AT_FDCWD, path, 9, FILE_TRUST_ANY, 0, &b, &st), -EINVAL); /* and does not hang */
	assert_int_equal(symlinkat("a", folder_fd, "link"), 0);
	assert_result(file_read(folder_fd, "link", 99, FILE_TRUST_OWNER, geteuid(), &b, &st), -ELOOP);
	/* Who else may write. */
	put("group", "x", 0620);
	put("others", "x", 0602);
	assert_result(file_read(folder_fd, "group", 99, FILE_TRUST_OWNER, geteuid(), &b, &st), -EPERM);
	assert_result(file_read(folder_fd, "others", 99, FILE_TRUST_OWNER, geteuid(), &b, &st), -EPERM);
	assert_int_equal(st.st_size, 42);
	assert_string_equal(buffer_text(&b), "kept");
	assert_result(file_read(folder_fd, "link", 99, FILE_TRUST_ANY, 0, &b, &st), 0);
	/* The buffer's own limit is one too, and does not stay as a failure. */
	assert_result(file_read(folder_fd, "a", 99, FILE_TRUST_ANY, 0, &small, NULL), -EFBIG);
	assert_false(small.failed);
	assert_int_equal(small.length, 0);
}

static void read_foreign_owner(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;

	if (geteuid() != 0)
		skip();
	put("foreign", "x", 0600);
	assert_int_equal(fchownat(folder_fd, "foreign", 12345, 12345, 0), 0);
	assert_result(file_read(folder_fd, "foreign", 9, FILE_TRUST_OWNER, 0, &b, NULL), -EPERM);
	assert_result(file_read(folder_fd, "foreign", 9, FILE_TRUST_OWNER, 54321, &b, NULL), -EPERM);
	assert_result(file_read(folder_fd, "foreign", 9, FILE_TRUST_OWNER, 12345, &b, NULL), 0);
	put("roots", "x", 0600);
	assert_result(file_read(folder_fd, "roots", 9, FILE_TRUST_OWNER, 12345, &b, NULL), 0);
}

static void replaces(void **state)
{
	char path[128];
	struct stat st;
	mode_t mask = umask(077);

	assert_result(file_replace(folder_fd, "new", "one", 3, 0644, NULL), 0);
	assert_content(folder_fd, "new", "one");
	assert_int_equal(fstatat(folder_fd, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644); /* whatever the umask */
	(void)snprintf(path, sizeof(path), "%s/new", folder);
	assert_result(file_replace(AT_FDCWD, path, "", 0, 0600, &st), 0);
	assert_content(folder_fd, "new", "");
	assert_int_equal(fstatat(folder_fd, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(entries_in(folder), 1);
	/* A symbolic link is replaced, not followed. */
	put("victim", "safe", 0600);
	assert_int_equal(symlinkat("victim", folder_fd, "link"), 0);
	assert_result(file_replace(folder_fd, "link", "new", 3, 0600, NULL), 0);
	assert_content(folder_fd, "victim", "safe");
	assert_content(folder_fd, "link", "new");
	(void)umask(mask);
}

static void replace_keeps_owner(void **state)
{
	struct stat st, after;

	if (geteuid() != 0)
		skip();
	put("owned", "old", 0640);
	assert_int_equal(fchownat(folder_fd, "owned", 0, 12345, 0), 0);
	assert_int_equal(fstatat(folder_fd, "owned", &st, 0), 0);
	assert_result(file_replace(folder_fd, "owned", "new", 3, 0600, &st), 0);
	assert_int_equal(fstatat(folder_fd, "owned", &after, 0), 0);
	assert_int_equal(after.st_uid, 0);
	assert_int_equal(after.st_gid, 12345);
	assert_int_equal(after.st_mode, st.st_mode);
	assert_int_not_equal(after.st_ino, st.st_ino);
}

static void replace_refusals(void **state)
{
	char long_name[400];

	assert_result(file_replace(folder_fd, "", "x", 1, 0600, NULL), -EINVAL);
	assert_result(file_replace(folder_fd, ".", "x", 1, 0600, NULL), -EINVAL);
	assert_result(file_replace(folder_fd, "..", "x", 1, 0600, NULL), -EINVAL);
	assert_result(file_replace(folder_fd, "a/", "x", 1, 0600, NULL), -EINVAL);
	assert_result(file_replace(folder_fd, "none/a", "x", 1, 0600, NULL), -ENOENT);
	memset(long_name, 'n', sizeof(long_name));
	long_name[300] = '\0';
	assert_result(file_replace(folder_fd, long_name, "x", 1, 0600, NULL), -ENAMETOOLONG);
	/* A name that is itself as long as a name may be leaves room for the temporary one. */
	long_name[255] = '\0';
	assert_result(file_replace(folder_fd, long_name, "x", 1, 0600, NULL), 0);
	assert_int_equal(unlinkat(folder_fd, long_name, 0), 0);
	/* Fails at the last step: a folder stands where the file should go. */
	assert_int_equal(mkdirat(folder_fd, "taken", 0700), 0);
	assert_result(file_replace(folder_fd, "taken", "x", 1, 0600, NULL), -EISDIR);
	assert_int_equal(entries_in(folder), 1);
	assert_int_equal(unlinkat(folder_fd, "taken", AT_REMOVEDIR), 0);
}

/* Runs in a child, so that limits, ids and mounts end with it. */
static void in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static unsigned count_quietly(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned count = 0;

	for (struct dirent *entry; d && (entry = readdir(d));)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (d)
		(void)closedir(d);
	return count;
}

static int full_disk(void)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;
	static char large[256 * 1024];
	struct stat st;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=64k") < 0)
		return 77;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || file_replace(fd, "f", "old", 3, 0600, NULL) < 0 || fstatat(fd, "f", &st, 0) < 0)
		return 1;
	memset(large, 'x', sizeof(large));
	if (file_replace(fd, "f", large, sizeof(large), 0600, &st) != -ENOSPC)
		return 2;
	if (count_quietly(fd) != 1)
		return 3;
	if (file_read(fd, "f", 100, FILE_TRUST_ANY, 0, &b, NULL) < 0 || b.length != 3 || memcmp(b.data, "old", 3) != 0)
		return 4;
	/* And when there is room again, it goes on. */
	return file_replace(fd, "f", large, 1000, 0600, &st) < 0 ? 5 : 0;
}

static void replace_on_full_disk(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(full_disk);
	assert_int_equal(entries_in(folder), 0);
}

/* Writing fails in the middle, after a short write: what a quota does too. */
static int file_size_limit(void)
{
	static char large[8192];
	const struct rlimit limit = {4096, 4096};

	(void)signal(SIGXFSZ, SIG_IGN);
	if (file_replace(folder_fd, "f", "old", 3, 0600, NULL) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	if (file_replace(folder_fd, "f", large, sizeof(large), 0600, NULL) != -EFBIG)
		return 2;
	return count_quietly(folder_fd) == 1 ? 0 : 3;
}

static void replace_short_write(void **state)
{
	in_child(file_size_limit);
	assert_content(folder_fd, "f", "old");
}

static int foreign_like(void)
{
	struct stat like = {.st_uid = 0, .st_gid = 0, .st_mode = S_IFREG | 0600};

	if (fchmod(folder_fd, 0777) < 0 || setgid(12345) < 0 || setuid(12345) < 0)
		return 77;
	if (file_replace(folder_fd, "f", "x", 1, 0600, &like) != -EPERM)
		return 1;
	if (count_quietly(folder_fd) != 0)
		return 2;
	/* One's own file needs no privileges. */
	if (file_replace(folder_fd, "mine", "x", 1, 0640, NULL) < 0 || fstatat(folder_fd, "mine", &like, 0) < 0)
		return 3;
	if (file_replace(folder_fd, "mine", "y", 1, 0600, &like) < 0)
		return 4;
	return like.st_uid == 12345 && (like.st_mode & 07777) == 0640 ? 0 : 5;
}

static void replace_without_privilege(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(foreign_like);
}

static int write_to_pipe(void)
{
	static char large[300000];
	int ends[2];
	size_t total = 0;
	pid_t pid;

	if (pipe(ends) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		_exit(fd_write_all(ends[1], large, sizeof(large)) == 0 ? 0 : 1);
	}
	close(ends[1]);
	for (;;) {
		char some[777];
		ssize_t n = read(ends[0], some, sizeof(some));

		if (n <= 0)
			break;
		total += (size_t)n;
	}
	return total == sizeof(large) ? 0 : 2;
}

static void write_all(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_result(fd_write_all(fd, "x", 1), -ENOSPC);
	assert_result(fd_write_all(fd, NULL, 0), 0);
	close(fd);
	assert_result(fd_write_all(-1, "x", 1), -EBADF);
	in_child(write_to_pipe);
}

static void locks(void **state)
{
	char path[128];
	uint64_t start;
	struct stat st;
	int fd, other;

	(void)snprintf(path, sizeof(path), "%s/lock", folder);
	fd = file_lock(path, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_result(file_lock(path, 0), -EWOULDBLOCK);
	start = clock_boottime_usec();
	assert_result(file_lock(path, 1), -EWOULDBLOCK);
	assert_in_range(clock_boottime_usec() - start, 900 * USEC_PER_MSEC, 3000 * USEC_PER_MSEC);
	/* A lock file that was removed keeps nobody out; the next one is the lock. */
	assert_int_equal(unlink(path), 0);
	other = file_lock(path, 0);
	assert_true(other >= 0);
	close(fd);
	assert_result(file_lock(path, 0), -EWOULDBLOCK);
	close(other);
	fd = file_lock(path, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_result(file_lock(path, 0), -ELOOP);
	assert_result(file_lock("/nonexistent/lock", 0), -ENOENT);
	assert_result(file_lock(folder, 0), -EISDIR);
}

#define with_folder(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_folder(read_whole),
		with_folder(read_refusals),
		with_folder(read_foreign_owner),
		with_folder(replaces),
		with_folder(replace_keeps_owner),
		with_folder(replace_refusals),
		with_folder(replace_on_full_disk),
		with_folder(replace_short_write),
		with_folder(replace_without_privilege),
		with_folder(write_all),
		with_folder(locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
