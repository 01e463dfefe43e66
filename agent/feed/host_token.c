/* SPDX-License-Identifier: MIT */
#include "feed/host_token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"

struct host_token {
	pthread_mutex_t lock;
	char *url, *text;    /* NULL: none */
	uint64_t good_until; /* CLOCK_BOOTTIME */
};

struct host_token *host_token_new(void)
{
	struct host_token *token = calloc(1, sizeof(*token));

	if (token)
		pthread_mutex_init(&token->lock, NULL);
	return token;
}

static void drop(struct host_token *token)
{
	free(token->url);
	secret_free(token->text);
	token->url = token->text = NULL;
}

void host_token_free(struct host_token *token)
{
	if (!token)
		return;
	drop(token);
	pthread_mutex_destroy(&token->lock);
	free(token);
}

void host_token_set(struct host_token *token, const char *url, const char *text, uint64_t good_until)
{
	pthread_mutex_lock(&token->lock);
	drop(token);
	if (text) {
		token->url = strdup(url);
		token->text = secret_dup(text, strlen(text));
		token->good_until = good_until;
	}
	pthread_mutex_unlock(&token->lock);
}

bool host_token_get(struct host_token *token, const char *url, struct buffer *ret)
{
	bool good;

	pthread_mutex_lock(&token->lock);
	good = token->url && token->text && text_equal(token->url, url) && clock_boottime_usec() < token->good_until &&
	       buffer_add_text(ret, token->text) >= 0;
	pthread_mutex_unlock(&token->lock);
	return good;
}
