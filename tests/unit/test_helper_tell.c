/* SPDX-License-Identifier: MIT
 *
 * A line to a person's terminal: theirs, and nothing else; and no terminal holds the helper up.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "helper/tell.h"
#include "helper_world.h"

#define SOON_MSEC 1000

struct terminal {
	int master, slave;
	char path[64];
	uint32_t device;
};

static void open_terminal(struct terminal *terminal, uint32_t owner, bool utf8)
{
	struct termios settings;
	struct stat st;
	int number, unlocked = 0;

	terminal->master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->master >= 0);
	assert_int_equal(ioctl(terminal->master, TIOCGPTN, &number), 0);
	assert_int_equal(ioctl(terminal->master, TIOCSPTLCK, &unlocked), 0);
	snprintf(terminal->path, sizeof(terminal->path), "/dev/pts/%d", number);
	terminal->slave = open(terminal->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->slave >= 0);
	assert_int_equal(fchown(terminal->slave, owner, 5), 0);
	assert_int_equal(fchmod(terminal->slave, 0620), 0);
	assert_int_equal(fstat(terminal->slave, &st), 0);
	terminal->device = (uint32_t)st.st_rdev;
	assert_int_equal(tcgetattr(terminal->slave, &settings), 0);
	settings.c_iflag = utf8 ? settings.c_iflag | IUTF8 : settings.c_iflag & ~(tcflag_t)IUTF8;
	assert_int_equal(tcsetattr(terminal->slave, TCSANOW, &settings), 0);
}

static void close_terminal(struct terminal *terminal)
{
	close(terminal->slave);
	close(terminal->master);
}

static const char *shown(const struct terminal *terminal)
{
	static char text[8192];
	struct pollfd wait = {.fd = terminal->master, .events = POLLIN};
	size_t length = 0;

	while (length < sizeof(text) - 1 && poll(&wait, 1, 20) == 1 && wait.revents & POLLIN) {
		ssize_t got = read(terminal->master, text + length, sizeof(text) - 1 - length);

		if (got <= 0)
			break;
		length += (size_t)got;
	}
	text[length] = '\0';
	return text;
}

static void devices_have_names(void **state)
{
	static const struct {
		unsigned kind, number;
		const char *path;
	} cases[] = {
		{136, 0, "/dev/pts/0"}, {136, 255, "/dev/pts/255"}, {136, 70000, "/dev/pts/70000"}, {4, 1, "/dev/tty1"},
		{4, 63, "/dev/tty63"},  {4, 64, "/dev/ttyS0"},      {4, 67, "/dev/ttyS3"},
	};
	static const unsigned others[][2] = {{0, 0}, {1, 3}, {1, 5}, {4, 0},   {5, 0},
					     {5, 1}, {5, 2}, {8, 0}, {137, 1}, {10, 200}};
	char path[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(tell_path((uint32_t)makedev(cases[i].kind, cases[i].number), path, sizeof(path)), 0);
		assert_string_equal(path, cases[i].path);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(tell_path((uint32_t)makedev(others[i][0], others[i][1]), path, sizeof(path)), -ENODEV);
}

static void a_line_of_its_own_is_shown(void **state)
{
	struct terminal terminal;

	(void)state;
	WORLD_OR_SKIP();
	open_terminal(&terminal, WORLD_UID, true);
	assert_result(tell(WORLD_UID, 0, terminal.device, "Grüße: it ends"), 0);
	assert_string_equal(shown(&terminal), "\r\r\n\aGrüße: it ends\r\r\n");
	close_terminal(&terminal);
}

static void a_terminal_that_draws_by_itself_is_served_too(void **state)
{
	struct terminal terminal;
	struct termios settings;

	(void)state;
	WORLD_OR_SKIP();
	open_terminal(&terminal, WORLD_UID, true);
	assert_int_equal(tcgetattr(terminal.slave, &settings), 0);
	cfmakeraw(&settings);
	settings.c_iflag |= IUTF8;
	assert_int_equal(tcsetattr(terminal.slave, TCSANOW, &settings), 0);
	assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), 0);
	assert_string_equal(shown(&terminal), "\r\n\ait ends\r\n");
	close_terminal(&terminal);
}

/* Û is 0xc3 0x9b in UTF-8, and 0x9b begins a command where bytes are letters. */
static void a_terminal_without_utf8_gets_plain_letters(void **state)
{
	struct terminal terminal;

	(void)state;
	WORLD_OR_SKIP();
	open_terminal(&terminal, WORLD_UID, false);
	assert_result(tell(WORLD_UID, 0, terminal.device,
			   "a\xc3\x9b"
			   "31mb"),
		      0);
	assert_string_equal(shown(&terminal), "\r\r\n\aa??31mb\r\r\n");
	close_terminal(&terminal);
}

static void other_people_s_terminals_are_not_written_to(void **state)
{
	static const uint32_t owners[] = {0, WORLD_OTHER, WORLD_LOCAL};
	struct terminal terminal;

	(void)state;
	WORLD_OR_SKIP();
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		open_terminal(&terminal, owners[i], true);
		assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), -EACCES);
		/* Also when they let everybody write. */
		assert_int_equal(fchmod(terminal.slave, 0666), 0);
		assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), -EPERM);
		assert_string_equal(shown(&terminal), "");
		close_terminal(&terminal);
	}
}

static void what_is_no_terminal_is_none(void **state)
{
	struct terminal terminal;

	(void)state;
	WORLD_OR_SKIP();
	open_terminal(&terminal, WORLD_UID, true);
	close_terminal(&terminal);
	assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), -ENODEV);
	assert_result(tell(WORLD_UID, 0, (uint32_t)makedev(1, 3), "it ends"), -ENODEV);
	assert_result(tell(WORLD_UID, 0, 0, "it ends"), -ENODEV);
	assert_result(tell(0, 0, terminal.device, "it ends"), -EPERM);
}

static void assert_soon(uint64_t before)
{
	assert_true(clock_boottime_usec() - before < SOON_MSEC * USEC_PER_MSEC);
}

static void a_hostile_terminal_holds_nobody_up(void **state)
{
	struct terminal terminal;
	char filler[4096];
	uint64_t before;

	(void)state;
	WORLD_OR_SKIP();
	memset(filler, 'x', sizeof(filler));
	/* Its output is stopped (control-S). */
	open_terminal(&terminal, WORLD_UID, true);
	assert_int_equal(tcflow(terminal.slave, TCOOFF), 0);
	before = clock_boottime_usec();
	assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), -EAGAIN);
	assert_soon(before);
	close_terminal(&terminal);
	/* Nobody reads. */
	open_terminal(&terminal, WORLD_UID, true);
	assert_int_equal(fcntl(terminal.slave, F_SETFL, O_NONBLOCK), 0);
	/* What was written moves on to where it is read from, and makes room, a moment later. */
	for (unsigned round = 0; round < 5; round++) {
		while (write(terminal.slave, filler, sizeof(filler)) > 0 || write(terminal.slave, filler, 1) > 0)
			;
		usleep(20000);
	}
	before = clock_boottime_usec();
	assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), -EAGAIN);
	assert_soon(before);
	close_terminal(&terminal);
	/* Nobody else may open it. */
	open_terminal(&terminal, WORLD_UID, true);
	assert_int_equal(ioctl(terminal.slave, TIOCEXCL), 0);
	assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), -EBUSY);
	close_terminal(&terminal);
	/* The other side is gone. */
	open_terminal(&terminal, WORLD_UID, true);
	close(terminal.master);
	assert_true(tell(WORLD_UID, 0, terminal.device, "it ends") < 0);
	close(terminal.slave);
	/* Its owner lets nobody in. */
	open_terminal(&terminal, WORLD_UID, true);
	assert_int_equal(fchmod(terminal.slave, 0), 0);
	assert_result(tell(WORLD_UID, 0, terminal.device, "it ends"), -EACCES);
	close_terminal(&terminal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_have_names),
		cmocka_unit_test(a_line_of_its_own_is_shown),
		cmocka_unit_test(a_terminal_that_draws_by_itself_is_served_too),
		cmocka_unit_test(a_terminal_without_utf8_gets_plain_letters),
		cmocka_unit_test(other_people_s_terminals_are_not_written_to),
		cmocka_unit_test(what_is_no_terminal_is_none),
		cmocka_unit_test(a_hostile_terminal_holds_nobody_up),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
