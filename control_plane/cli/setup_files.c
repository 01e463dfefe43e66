/* SPDX-License-Identifier: MIT
 *
 * The files that init makes: a drop-in of the configuration, the key that seals secrets, a certificate. Nothing that is
 * there is ever replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/secret.h"
#include "control_plane/cli/certificate.h"
#include "control_plane/cli/setup.h"
#include "crypto/seal.h"

#define MADE_CERTIFICATE "/etc/tenant-control/tls.crt"
#define MADE_KEY "/etc/tenant-control/tls.key"
#define PATH_SIZE 512

static void _printf_(1, 2) say(const char *format, ...)
{
	char line[PATH_SIZE + 128];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	setup_say(line);
}

/* Readable by the service and nobody else. */
static int write_private(const char *path, const void *data, size_t length, struct problem *problem)
{
	const struct passwd *account = getpwnam(CLI_USER);
	struct stat like = {.st_mode = S_IFREG | 0640, .st_gid = account ? account->pw_gid : getegid()};
	int result;

	like.st_uid = geteuid();
	result = file_replace(AT_FDCWD, path, data, length, 0640, &like);
	if (result < 0)
		return problem_set(problem, -result, "%s: %s", path, strerror(-result));
	return 0;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* The port that the URL names, and whether it is of this machine alone. */
static unsigned url_port(const char *url, bool *ret_loopback)
{
	const char *host = strstr(url, "://");
	const char *colon;
	size_t length;

	host = host ? host + 3 : url;
	*ret_loopback =
		strncmp(host, "localhost", 9) == 0 || strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0;
	length = strcspn(host, "/");
	colon = memrchr(host, ':', length);
	if (colon && !memchr(colon, ']', length - (size_t)(colon - host)))
		return (unsigned)strtoul(colon + 1, NULL, 10);
	return strncmp(url, "http:", 5) == 0 ? 80 : 443;
}

int setup_write_config(const char *config_path, const char *url, const char *certificate, const char *key,
		       struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char folder[PATH_SIZE], path[PATH_SIZE];
	bool loopback;
	unsigned port;
	int result;

	if ((size_t)snprintf(folder, sizeof(folder), "%s.d", config_path) >= sizeof(folder) ||
	    (size_t)snprintf(path, sizeof(path), "%s/00-init.yaml", folder) >= sizeof(path))
		return problem_set(problem, ENAMETOOLONG, "the configuration's path is too long");
	if (exists(path)) {
		say("configuration %s: found, left as it is", path);
		return 0;
	}
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c == '\'' || *c == '"' || *c == 0x7f)
			return problem_set(problem, EINVAL, "--url is not an address");
	port = url_port(url, &loopback);
	(void)buffer_printf(&text,
			    "# Written by `tenant-control init`. Yours to change: it is not written again.\n"
			    "url: '%s'\nlisten:\n  address: '%s'\n  port: %u\n",
			    url, loopback ? "127.0.0.1" : "::", port);
	if (strncmp(url, "http:", 5) != 0)
		(void)buffer_printf(&text, "tls:\n  certificate: '%s'\n  key: '%s'\n",
				    certificate ? certificate : MADE_CERTIFICATE, key ? key : MADE_KEY);
	if (!buffer_text(&text))
		return problem_set(problem, ENOMEM, "out of memory");
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return problem_set(problem, errno, "%s: %s", folder, strerror(errno));
	result = file_replace(AT_FDCWD, path, text.data, text.length, 0644, NULL);
	if (result < 0)
		return problem_set(problem, -result, "%s: %s", path, strerror(-result));
	say("configuration %s: written", path);
	return 0;
}

int setup_seal_key(const struct config *config, bool needed, struct problem *problem)
{
	const char *path = config->seal_key_path;
	uint8_t key[SEAL_KEY_BYTES];
	struct stat st;
	int result;

	if (stat(path, &st) == 0) {
		if (st.st_size != SEAL_KEY_BYTES)
			return problem_set(problem, EINVAL, "%s: a key has %d bytes, this file has %lld", path,
					   SEAL_KEY_BYTES, (long long)st.st_size);
		say("seal key %s: found", path);
		return 0;
	}
	if (needed) {
		problem_remedy(problem, "bring it back from where it is kept; nothing else opens the signing keys");
		return problem_set(problem, ENOKEY, "%s is missing, and the database holds secrets sealed by it", path);
	}
	result = random_bytes(key, sizeof(key));
	if (result == 0)
		result = write_private(path, key, sizeof(key), problem);
	secret_wipe(key, sizeof(key));
	if (result < 0)
		return result;
	say("seal key %s: made; keep a copy apart from the database's backups", path);
	return 0;
}

int setup_certificate(const struct config *config, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer certificate = BUFFER_INIT, key = {.wipe = true};
	const char *paths[] = {config->tls_certificate, config->tls_key};
	int result;

	if (!paths[0]) {
		setup_say("certificate: none; plain HTTP");
		return 0;
	}
	if (exists(paths[0]) && exists(paths[1])) {
		say("certificate %s: found", paths[0]);
		return 0;
	}
	if (exists(paths[0]) || exists(paths[1])) {
		problem_remedy(problem, "a certificate and its key belong together; nothing is replaced here");
		return problem_set(problem, ENOENT, "%s: missing", exists(paths[0]) ? paths[1] : paths[0]);
	}
	result = certificate_make(config->url, &certificate, &key, problem);
	if (result == 0)
		result = write_private(paths[1], key.data, key.length, problem);
	if (result == 0) {
		result = file_replace(AT_FDCWD, paths[0], certificate.data, certificate.length, 0644, NULL);
		if (result < 0)
			result = problem_set(problem, -result, "%s: %s", paths[0], strerror(-result));
	}
	if (result < 0)
		return result;
	say("certificate %s: made, signed by itself; hosts are told to trust it when they enrol", paths[0]);
	return 0;
}
