/* SPDX-License-Identifier: MIT */
#include "helper/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper/as_user.h"
#include "helper/request.h"

#define WAIT_MSEC 100
#define CONSOLES 64U /* tty0 … tty63; after them the serial lines */

struct message {
	uint32_t uid, device;
	const char *text;
};

int tell_path(uint32_t device, char *out, size_t size)
{
	unsigned kind = major(device), number = minor(device);

	if (kind == UNIX98_PTY_SLAVE_MAJOR)
		snprintf(out, size, "/dev/pts/%u", number);
	else if (kind == TTY_MAJOR && number > 0 && number < CONSOLES)
		snprintf(out, size, "/dev/tty%u", number);
	else if (kind == TTY_MAJOR && number >= CONSOLES)
		snprintf(out, size, "/dev/ttyS%u", number - CONSOLES);
	else
		return -ENODEV;
	return 0;
}

/* A terminal that is not known to read UTF-8 may take some of its bytes for commands. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			*text = '?';
}

static int write_line(void *data, _unused_ uint32_t *count)
{
	const struct message *message = data;
	char path[32], text[HELPER_TEXT_MAX], line[HELPER_TEXT_MAX + 16];
	struct termios settings;
	struct stat st;
	int length, fd = -1, result = tell_path(message->device, path, sizeof(path));

	if (result < 0)
		return result;
	fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENXIO || errno == EIO ? -ENODEV : -errno;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != message->device || tcgetattr(fd, &settings) < 0)
		return -ENODEV;
	if (st.st_uid != message->uid)
		return -EPERM;
	snprintf(text, sizeof(text), "%s", message->text);
	if (!(settings.c_iflag & IUTF8))
		make_plain(text);
	/* Programs that draw the whole screen have the terminal as it comes: both ends of the line are said. */
	length = snprintf(line, sizeof(line), "\r\n\a%s\r\n", text);
	return write(fd, line, (size_t)length) < 0 ? -errno : 0;
}

int tell(uint32_t uid, unsigned slot, uint32_t device, const char *text)
{
	struct message message = {.uid = uid, .device = device, .text = text};

	return as_user(uid, slot, WAIT_MSEC, write_line, &message, NULL);
}
