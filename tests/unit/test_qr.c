/* SPDX-License-Identifier: MIT
 *
 * QR pictures: what a camera reads from a terminal, on dark and on light ground, and what does not fit.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "login/qr.h"

#define SCALE 6 /* pixels of a module */
#define SIDE_MAX 100

/* The modules of a picture as a terminal shows them: true where its foreground colour is. */
struct screen {
	bool on[2 * SIDE_MAX][2 * SIDE_MAX];
	unsigned rows, columns;
};

static void type_half_blocks(const char *text, struct screen *screen)
{
	static const struct {
		const char *sign;
		bool upper, lower;
	} blocks[] = {{"\xe2\x96\x88", true, true},
		      {"\xe2\x96\x80", true, false},
		      {"\xe2\x96\x84", false, true},
		      {" ", false, false}};
	unsigned column = 0;

	memset(screen, 0, sizeof(*screen));
	while (*text) {
		size_t i;

		if (*text == '\n') {
			assert_true(screen->columns == 0 || screen->columns == column);
			screen->columns = column;
			screen->rows += 2;
			column = 0;
			text++;
			continue;
		}
		for (i = 0; i < ARRAY_LEN(blocks); i++)
			if (strncmp(text, blocks[i].sign, strlen(blocks[i].sign)) == 0)
				break;
		assert_true(i < ARRAY_LEN(blocks)); /* nothing else is in it, no escape sequences above all */
		screen->on[screen->rows][column] = blocks[i].upper;
		screen->on[screen->rows + 1][column++] = blocks[i].lower;
		text += strlen(blocks[i].sign);
	}
	assert_int_equal(column, 0); /* it ends with a newline */
}

static void type_signs(const char *text, struct screen *screen)
{
	unsigned column = 0;

	memset(screen, 0, sizeof(*screen));
	for (; *text; text++) {
		if (*text == '\n') {
			assert_true(column % 2 == 0 && (screen->columns == 0 || screen->columns == column / 2));
			screen->columns = column / 2;
			screen->rows++;
			column = 0;
			continue;
		}
		assert_true(*text == '#' || *text == ' ');
		if (column % 2)
			assert_int_equal(screen->on[screen->rows][column / 2], *text == '#');
		screen->on[screen->rows][column++ / 2] = *text == '#';
	}
	assert_int_equal(column, 0);
}

/* What zbar sees of it, with as much ground around as a terminal has. `dark`: a terminal of light text on dark ground.
 */
static char *scan(const struct screen *screen, bool dark)
{
	static char seen[1024];
	char path[] = "/tmp/tenantd-qr-XXXXXX.pgm";
	unsigned around = 8, width = (screen->columns + 2 * around) * SCALE,
		 height = (screen->rows + 2 * around) * SCALE;
	int fd = mkstemps(path, 4), out[2], status;
	FILE *file = fdopen(fd, "w");
	ssize_t got;
	pid_t child;

	assert_non_null(file);
	fprintf(file, "P5\n%u %u\n255\n", width, height);
	for (unsigned y = 0; y < height; y++)
		for (unsigned x = 0; x < width; x++) {
			unsigned row = y / SCALE - around, column = x / SCALE - around;
			bool on = row < screen->rows && column < screen->columns && screen->on[row][column];

			fputc(on == dark ? 235 : 20, file);
		}
	assert_int_equal(fclose(file), 0);
	assert_int_equal(pipe(out), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(out[1], 1);
		close(out[0]);
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
		execlp("zbarimg", "zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "-Stest-inverted=1",
		       path, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	memset(seen, 0, sizeof(seen));
	for (size_t length = 0; (got = read(out[0], seen + length, sizeof(seen) - 1 - length)) > 0;)
		length += (size_t)got;
	close(out[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	unlink(path);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		fail_msg("zbarimg is not there: apt-get install zbar-tools");
	seen[strcspn(seen, "\n")] = '\0';
	return seen;
}

static void a_camera_reads_it(void **state)
{
	static const char *const texts[] = {
		"https://www.google.com/device",
		"https://github.com/login/device",
		"https://login.acme.example/realms/staff/device?user_code=WDJB-MJHT",
		"https://login.acme.example/device?user_code=WDJB-MJHT&tenant=acme%2Fvision",
		"A",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		static struct screen screen;
		char text[8192];
		size_t length;

		length = qr_render(QR_FORM_UTF8, texts[i], text, sizeof(text));
		assert_int_equal(length, strlen(text));
		assert_true(length > 0);
		type_half_blocks(text, &screen);
		assert_string_equal(scan(&screen, true), texts[i]);
		/* The other way round cameras read it as well, where they look for that. */
		assert_string_equal(scan(&screen, false), texts[i]);
		length = qr_render(QR_FORM_ASCII, texts[i], text, sizeof(text));
		assert_int_equal(length, strlen(text));
		assert_true(length > 0);
		type_signs(text, &screen);
		assert_string_equal(scan(&screen, true), texts[i]);
	}
}

/* A picture that lost a part is not read as something else: so the test above says something. */
static void a_damaged_one_is_not_read(void **state)
{
	static struct screen screen;
	char text[8192];

	assert_true(qr_render(QR_FORM_UTF8, "https://github.com/login/device", text, sizeof(text)) > 0);
	type_half_blocks(text, &screen);
	for (unsigned y = 10; y < 24; y++)
		for (unsigned x = 10; x < 24; x++)
			screen.on[y][x] = (x + y) % 2;
	assert_string_equal(scan(&screen, true), "");
}

static void light_all_around(void **state)
{
	static struct screen screen;
	char text[8192];

	assert_true(qr_render(QR_FORM_UTF8, "https://github.com/login/device", text, sizeof(text)) > 0);
	type_half_blocks(text, &screen);
	for (unsigned i = 0; i < screen.columns; i++)
		for (unsigned margin = 0; margin < 2; margin++) {
			assert_true(screen.on[margin][i]);
			assert_true(screen.on[i][margin]);
			assert_true(screen.on[i][screen.columns - 1 - margin]);
			assert_true(screen.on[screen.columns - 1 - margin][i]);
		}
	/* The usual address takes a screen of 24 lines together with what is said around it. */
	assert_in_range(screen.rows / 2, 1, 20);
}

static void what_does_not_fit(void **state)
{
	static char out[16384];
	char longer[1200], tiny[64];
	size_t length, fits = 0, fits_ascii = 0;

	for (size_t i = 1; i < sizeof(longer); i++) {
		memset(longer, 'x', i);
		longer[i] = '\0';
		length = qr_render(QR_FORM_UTF8, longer, out, sizeof(out));
		if (length) {
			assert_int_equal(fits, i - 1); /* none fits that is longer than one that does not */
			fits = i;
			assert_in_range(length, 1, 7000); /* with room for the rest of a prompt */
		}
		length = qr_render(QR_FORM_ASCII, longer, out, sizeof(out));
		if (length) {
			assert_int_equal(fits_ascii, i - 1);
			fits_ascii = i;
			assert_in_range(strcspn(out, "\n"), 1, QR_COLUMNS_MAX);
		}
	}
	assert_in_range(fits, 250, 400);
	assert_in_range(fits_ascii, 60, 90);
	assert_int_equal(qr_render(QR_FORM_UTF8, "https://github.com", tiny, sizeof(tiny)), 0);
	assert_int_equal(qr_render(QR_FORM_UTF8, "", out, sizeof(out)), 0);
	assert_int_equal(qr_render(QR_FORM_OFF, "https://github.com", out, sizeof(out)), 0);
}

static void every_size_of_memory(void **state)
{
	char *whole = malloc(8192), *out;
	size_t length = qr_render(QR_FORM_UTF8, "https://github.com/login/device", whole, 8192);

	for (size_t size = length > 40 ? length - 40 : 0; size < length + 3; size++) {
		out = malloc(size + 1); /* the sanitizer sees a byte too many */
		out[size] = 'Z';
		assert_int_equal(qr_render(QR_FORM_UTF8, "https://github.com/login/device", out, size),
				 size > length ? length : 0);
		assert_int_equal(out[size], 'Z');
		free(out);
	}
	free(whole);
}

static void words(void **state)
{
	enum qr_form form = QR_FORM_OFF;

	assert_true(qr_form_parse("utf8", &form));
	assert_int_equal(form, QR_FORM_UTF8);
	assert_true(qr_form_parse("ascii", &form));
	assert_int_equal(form, QR_FORM_ASCII);
	assert_true(qr_form_parse("off", &form));
	assert_int_equal(form, QR_FORM_OFF);
	assert_false(qr_form_parse("", &form));
	assert_false(qr_form_parse("utf-8", &form));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_camera_reads_it),    cmocka_unit_test(a_damaged_one_is_not_read),
		cmocka_unit_test(light_all_around),     cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(every_size_of_memory), cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
