/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/password.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"

#define PREFIX "$y$"
#define AT_ONCE_MOST 4 /* other requests need workers and memory, too */

static atomic_uint at_once;

static bool enter(void)
{
	if (atomic_fetch_add(&at_once, 1) < AT_ONCE_MOST)
		return true;
	atomic_fetch_sub(&at_once, 1);
	return false;
}

static void leave(void)
{
	atomic_fetch_sub(&at_once, 1);
}

/* What the password becomes under the setting, or hash. 0; -EIO. */
static int run_crypt(const char *password, const char *setting, char out[PASSWORD_HASH_SIZE])
{
	void *room = NULL;
	int size = 0, r = -EIO;
	const char *hash = crypt_ra(password, setting, &room, &size);

	if (hash && hash[0] != '*' && strlen(hash) < PASSWORD_HASH_SIZE) {
		memcpy(out, hash, strlen(hash) + 1);
		r = 0;
	}
	secret_wipe(room, size > 0 ? (size_t)size : 0);
	free(room);
	return r;
}

static int make_setting(char out[CRYPT_GENSALT_OUTPUT_SIZE])
{
	return crypt_gensalt_rn(PREFIX, PASSWORD_COST, NULL, 0, out, CRYPT_GENSALT_OUTPUT_SIZE) ? 0 : -EIO;
}

int password_hash(const char *password, char out[PASSWORD_HASH_SIZE])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	int r = make_setting(setting);

	if (r < 0)
		return r;
	if (!enter())
		return -EBUSY;
	r = run_crypt(password, setting, out);
	leave();
	return r;
}

/* Nobody's hash: what unknown people are measured by, so that the time says nothing about who is known. */
static char nobody[PASSWORD_HASH_SIZE];
static pthread_once_t nobody_once = PTHREAD_ONCE_INIT;

static void make_nobody(void)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], random[33];
	uint8_t bytes[16];

	if (random_bytes(bytes, sizeof(bytes)) == 0 && make_setting(setting) == 0) {
		text_to_hex(bytes, sizeof(bytes), random);
		(void)run_crypt(random, setting, nobody);
	}
}

int password_verify(const char *password, const char *hash)
{
	bool known = hash && *hash;
	char made[PASSWORD_HASH_SIZE] = "";
	const char *setting;
	int r;

	if (pthread_once(&nobody_once, make_nobody) != 0 || nobody[0] == '\0')
		return -EIO;
	/* Longer than anybody may choose: cut before it costs anything, and never right. */
	if (strlen(password) > PASSWORD_BYTES_MOST) {
		password = "";
		known = false;
	}
	setting = known ? hash : nobody;
	if (!enter())
		return -EBUSY;
	r = run_crypt(password, setting, made);
	leave();
	if (r < 0)
		return r;
	r = strlen(made) == strlen(setting) && secret_equal(made, setting, strlen(setting)) && known;
	secret_wipe(made, sizeof(made));
	return r;
}

static bool is_name(const char *password, const char *name)
{
	return name && *name && strcasecmp(password, name) == 0;
}

static bool is_one_character(const char *password)
{
	return strspn(password, (const char[]){password[0], '\0'}) == strlen(password);
}

int password_judge(const char *password, const struct password_owner *owner, struct problem *problem)
{
	size_t length = strlen(password);

	if (length < PASSWORD_BYTES_LEAST) {
		problem_remedy(problem, "a sentence of four or five words is easy to remember and hard to guess");
		return problem_set(problem, EINVAL, "shorter than %d characters", PASSWORD_BYTES_LEAST);
	}
	if (length > PASSWORD_BYTES_MOST)
		return problem_set(problem, EINVAL, "longer than %d bytes", PASSWORD_BYTES_MOST);
	if (!text_is_printable(password, length))
		return problem_set(problem, EINVAL, "has characters that cannot be typed");
	if (is_one_character(password))
		return problem_set(problem, EINVAL, "the same character again and again");
	if (is_name(password, owner->login) || is_name(password, owner->email) || is_name(password, owner->name))
		return problem_set(problem, EINVAL, "is the person's own name or address");
	return 0;
}
