/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define WORD_MAX_BYTES 48
#define PATH_MAX_BYTES 255
#define SUGGEST_MAX_BYTES 64
#define SUGGEST_DISTANCE 2

/* Users and groups of a plain Debian (base-passwd, systemd, sshd, dbus), of packages whose groups are as good as
 * root, of cloud images (their sudoers lines go by name), and our own. For logins and groups alike: a person's
 * private group has the person's name. */
static const char *const reserved_names[] = {
	"root",         "daemon",
	"bin",          "sys",
	"sync",         "games",
	"man",          "lp",
	"mail",         "news",
	"uucp",         "proxy",
	"www-data",     "backup",
	"list",         "irc",
	"gnats",        "nobody",
	"nogroup",      "adm",
	"tty",          "disk",
	"kmem",         "mem",
	"dialout",      "fax",
	"voice",        "cdrom",
	"floppy",       "tape",
	"sudo",         "wheel",
	"admin",        "audio",
	"video",        "dip",
	"operator",     "src",
	"shadow",       "utmp",
	"sasl",         "plugdev",
	"staff",        "users",
	"input",        "sgx",
	"kvm",          "render",
	"crontab",      "netdev",
	"halt",         "shutdown",
	"ftp",          "sshd",
	"_ssh",         "ssh",
	"messagebus",   "dbus",
	"polkitd",      "_apt",
	"tss",          "dnsmasq",
	"avahi",        "bluetooth",
	"tcpdump",      "uuidd",
	"rtkit",        "_chrony",
	"chrony",       "ntp",
	"nscd",         "ssl-cert",
	"systemd",      "pulse",
	"docker",       "podman",
	"containerd",   "lxd",
	"incus",        "incus-admin",
	"libvirt",      "libvirtd",
	"libvirt-qemu", "libvirt-dnsmasq",
	"qemu",         "microk8s",
	"vboxusers",    "wireshark",
	"lpadmin",      "scanner",
	"sambashare",   "google-sudoers",
	"sudoers",      "postfix",
	"mysql",        "postgres",
	"redis",        "nginx",
	"apache",       "munge",
	"slurm",        "nvidia-persistenced",
	"ubuntu",       "debian",
	"ec2-user",     "centos",
	"fedora",       "rocky",
	"almalinux",    "cloud-user",
	"azureuser",    "opc",
	"vagrant",      "tenantd",
	"tenantd-keys", "tenant-sudo",
	"tenant-users",
};

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

bool text_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_is_reserved_name(const char *name)
{
	/* In any case of letters: "Root" would only serve to deceive. Few begin alike, so most cost one comparison. */
	for (size_t i = 0; i < ARRAY_LEN(reserved_names); i++)
		if ((name[0] | 0x20) == (reserved_names[i][0] | 0x20) && strcasecmp(name, reserved_names[i]) == 0)
			return true;
	return strncasecmp(name, "systemd-", 8) == 0;
}

const char *text_login_name_fault(const char *text)
{
	size_t length = strnlen(text, NAME_MAX_BYTES + 1);
	bool letter = false;

	if (length == 0)
		return "is empty";
	if (length > NAME_MAX_BYTES)
		return "is longer than 32 bytes";
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c == '$' && i + 1 == length)
			return "ends with a '$'";
		if (!is_letter(c) && !is_digit(c) && c != '.' && c != '_' && c != '-')
			return "has a character other than A-Z a-z 0-9 . _ -";
		letter = letter || is_letter(c) || c == '_';
	}
	if (text[0] == '-')
		return "starts with a dash";
	if (text[0] == '.')
		return "starts with a dot";
	/* With dots and dashes too: chown reads 1000.1000 as two ids. */
	if (!letter)
		return "has no letter, so that it could be taken for a number";
	if (text_is_reserved_name(text))
		return "is a name that belongs to the system";
	return NULL;
}

bool text_is_login_name(const char *text)
{
	return text_login_name_fault(text) == NULL;
}

bool text_is_slug(const char *text)
{
	size_t length = strnlen(text, SLUG_MAX_BYTES + 1);
	bool letter = false;

	if (length == 0 || length > SLUG_MAX_BYTES || text[0] == '-' || text[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_lower(text[i]) && !is_digit(text[i]) && text[i] != '-')
			return false;
		letter = letter || is_lower(text[i]);
	}
	return letter;
}

bool text_is_id(const char *text)
{
	size_t length = strnlen(text, ID_MAX_BYTES + 1);

	if (length == 0 || length > ID_MAX_BYTES || !is_letter(text[0]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '_')
			return false;
	return true;
}

bool text_is_word(const char *text)
{
	size_t length = strnlen(text, WORD_MAX_BYTES + 1);

	if (length == 0 || length > WORD_MAX_BYTES || !is_letter(text[0]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '_' && text[i] != '.' && text[i] != '-')
			return false;
	return true;
}

static bool is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7F && c <= 0x9F)) /* C0, DEL, C1 */
		return false;
	if (c < 0x61C)
		return true;
	/* Marks, embeddings, overrides and isolates of the bidirectional algorithm. */
	if (c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069))
		return false;
	return c != 0x2028 && c != 0x2029; /* line and paragraph separator */
}

bool text_is_printable(const char *text, size_t length)
{
	while (length > 0) {
		uint32_t c;
		size_t n = utf8_next(text, length, &c);

		if (n == 0 || !is_printable(c))
			return false;
		text += n;
		length -= n;
	}
	return true;
}

bool text_is_passwd_field(const char *text)
{
	return !strchr(text, ':') && text_is_printable(text, strlen(text));
}

bool text_is_safe_path(const char *text)
{
	size_t length = strnlen(text, PATH_MAX_BYTES + 1);

	if (text[0] != '/' || length > PATH_MAX_BYTES || strchr(text, ':') || !text_is_printable(text, length))
		return false;
	for (const char *p = text; p; p = strchr(p + 1, '/')) {
		if (p[1] == '/')
			return false;
		if (p[1] == '.' && p[2] == '.' && (p[3] == '/' || p[3] == '\0'))
			return false;
	}
	return true;
}

char *text_escape(const char *text, size_t length, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *p = out, *end = out + size;

	if (size == 0)
		return out;
	while (length > 0) {
		uint32_t c;
		size_t n = utf8_next(text, length, &c);
		bool plain = n > 0 && is_printable(c);

		if (n == 0)
			n = 1;
		/* Whole characters only, so that the cut text is valid too. */
		if ((size_t)(end - p) <= (plain ? n : 4 * n))
			break;
		if (plain) {
			memcpy(p, text, n);
			p += n;
		} else {
			for (size_t i = 0; i < n; i++) {
				unsigned char byte = (unsigned char)text[i];

				*p++ = '\\';
				*p++ = 'x';
				*p++ = digits[byte >> 4];
				*p++ = digits[byte & 15];
			}
		}
		text += n;
		length -= n;
	}
	*p = '\0';
	return out;
}

/* Edits between a and b: insert, delete, change, swap of neighbours. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][SUGGEST_MAX_BYTES + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		last[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *oldest = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN_OF(best, last[j] + 1);
			best = MIN_OF(best, now[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN_OF(best, before[j - 2] + 1);
			now[j] = best;
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[b_length];
}

void text_hide_keys(char *text)
{
	/* The scheme's name, two letters of kind, 16 digits of id, each with its underscore: all of that is public. */
	static const char scheme[] = "tnt_";
	static const size_t public_part = sizeof("tnt_pk_0123456789abcdef_") - 1;
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

	for (char *at = text; (at = strstr(at, scheme));) {
		size_t length = strspn(at, digits);

		for (size_t i = public_part; i < length; i++)
			at[i] = '*';
		at += length;
	}
}

const char *text_suggest(const char *word, const char *const *candidates, size_t count)
{
	size_t length = strnlen(word, SUGGEST_MAX_BYTES + 1);
	unsigned best = SUGGEST_DISTANCE + 1;
	const char *found = NULL;

	if (length > SUGGEST_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strnlen(candidates[i], SUGGEST_MAX_BYTES + 1);
		unsigned d;

		if (other > SUGGEST_MAX_BYTES)
			continue;
		d = distance(word, length, candidates[i], other);
		if (d < best && 2 * d < length) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}

void text_to_hex(const void *data, size_t length, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < length; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int text_from_hex(const char *hex, void *out, size_t length)
{
	unsigned char *p = out;

	if (length > SIZE_MAX / 2 - 1 || strnlen(hex, 2 * length + 1) != 2 * length)
		return -EINVAL;
	/* Looked at first, so that `out` stays untouched on failure. */
	for (size_t i = 0; i < 2 * length; i++)
		if (hex_digit(hex[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < length; i++)
		p[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	return 0;
}

int text_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}
