/* SPDX-License-Identifier: MIT
 *
 * Modules by libqrencode, drawn as text.
 */
#include "login/qr.h"

#include <qrencode.h>
#include <string.h>

#include "base/macros.h"

#define MARGIN 2
#define FULL "\xe2\x96\x88"
#define UPPER "\xe2\x96\x80"
#define LOWER "\xe2\x96\x84"

static const char *const form_words[] = {
	[QR_FORM_UTF8] = "utf8",
	[QR_FORM_ASCII] = "ascii",
	[QR_FORM_OFF] = "off",
};

bool qr_form_parse(const char *word, enum qr_form *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(form_words); i++)
		if (strcmp(word, form_words[i]) == 0) {
			*ret = (enum qr_form)i;
			return true;
		}
	return false;
}

struct drawing {
	const QRcode *code;
	char *out;
	size_t size, length; /* length may pass size: then it did not fit */
};

static void put(struct drawing *drawing, const char *text)
{
	size_t length = strlen(text);

	if (drawing->length + length < drawing->size)
		memcpy(drawing->out + drawing->length, text, length);
	drawing->length += length;
}

/* Also true in the margin, and false below it: what is not drawn there ends the picture. */
static bool is_light(const struct drawing *drawing, int x, int y)
{
	int width = drawing->code->width;

	if (y >= width + MARGIN)
		return false;
	if (x < 0 || y < 0 || x >= width || y >= width)
		return true;
	return !(drawing->code->data[y * width + x] & 1);
}

static void draw_half_blocks(struct drawing *drawing)
{
	static const char *const blocks[2][2] = {{" ", LOWER}, {UPPER, FULL}};
	int end = drawing->code->width + MARGIN;

	for (int y = -MARGIN; y < end; y += 2) {
		for (int x = -MARGIN; x < end; x++)
			put(drawing, blocks[is_light(drawing, x, y)][is_light(drawing, x, y + 1)]);
		put(drawing, "\n");
	}
}

static void draw_signs(struct drawing *drawing)
{
	int end = drawing->code->width + MARGIN;

	for (int y = -MARGIN; y < end; y++) {
		for (int x = -MARGIN; x < end; x++)
			put(drawing, is_light(drawing, x, y) ? "##" : "  ");
		put(drawing, "\n");
	}
}

size_t qr_render(enum qr_form form, const char *text, char *out, size_t size)
{
	struct drawing drawing = {.out = out, .size = size};
	unsigned side;
	QRcode *code;

	if (form == QR_FORM_OFF || !*text)
		return 0;
	code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	if (!code)
		return 0;
	drawing.code = code;
	side = (unsigned)code->width + 2 * MARGIN;
	if (form == QR_FORM_UTF8 && side <= QR_COLUMNS_MAX && (side + 1) / 2 <= QR_LINES_MAX)
		draw_half_blocks(&drawing);
	else if (form == QR_FORM_ASCII && 2 * side <= QR_COLUMNS_MAX)
		draw_signs(&drawing);
	QRcode_free(code);
	if (drawing.length >= size)
		return 0;
	out[drawing.length] = '\0';
	return drawing.length;
}
