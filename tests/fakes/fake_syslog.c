/* SPDX-License-Identifier: MIT */
#include "../fakes/fake_syslog.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/unit.h"
#include "base/file.h"

#define SLICE_MS 20
#define FLOOD_BYTES ((size_t)256 << 20)

static SSL_CTX *context_of(const struct fake_syslog *fake, bool old)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	BIO *key = BIO_new_mem_buf(fake->tls.key, -1), *certificate = BIO_new_mem_buf(fake->tls.certificate, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	X509 *x509 = PEM_read_bio_X509(certificate, NULL, NULL, NULL);

	SSL_CTX_use_certificate(context, x509);
	SSL_CTX_use_PrivateKey(context, pkey);
	if (old) {
		SSL_CTX_set_security_level(context, 0);
		SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
	}
	X509_free(x509);
	EVP_PKEY_free(pkey);
	BIO_free(key);
	BIO_free(certificate);
	return context;
}

/* Until the peer ends or the test is over. */
static void hold(struct fake_syslog *fake, int fd, bool until_peer)
{
	char bytes[4096];

	while (!atomic_load(&fake->stopping)) {
		struct pollfd p = {.fd = fd, .events = until_peer ? POLLIN : 0};

		if (poll(&p, 1, SLICE_MS) > 0 &&
		    (p.revents & (POLLERR | POLLHUP) || recv(fd, bytes, sizeof(bytes), 0) <= 0))
			return;
	}
}

static void end_badly(int fd)
{
	const struct linger linger = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void babble(SSL *ssl)
{
	char bytes[8192];

	memset(bytes, 'b', sizeof(bytes));
	for (unsigned i = 0; i < 32 && SSL_write(ssl, bytes, sizeof(bytes)) > 0; i++)
		;
}

/* Bytes that are no TLS: nobody is to look at them before it is too much. */
static void flood(const struct fake_syslog *fake, int fd)
{
	static char bytes[1 << 20];
	ssize_t sent = 0;

	for (size_t total = 0; total < FLOOD_BYTES && sent >= 0 && !atomic_load(&fake->stopping); total += (size_t)sent)
		sent = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

static void read_all(struct fake_syslog *fake, SSL *ssl, int fd)
{
	enum fake_syslog_manner manner = atomic_load(&fake->manner);
	uint32_t limit = atomic_load(&fake->limit), read = 0;
	bool limited = manner == FAKE_SYSLOG_RESETS || manner == FAKE_SYSLOG_LEAVES || manner == FAKE_SYSLOG_TURNS_AWAY;
	char bytes[4096];
	int length;

	while (!atomic_load(&fake->stopping)) {
		if (limited && read >= limit)
			break;
		length = SSL_read(ssl, bytes,
				  limited ? (int)MIN_OF(limit - read, (uint32_t)sizeof(bytes)) : (int)sizeof(bytes));
		if (length <= 0)
			break;
		read += (uint32_t)length;
		pthread_mutex_lock(&fake->lock);
		buffer_add(&fake->taken, bytes, (size_t)length);
		pthread_mutex_unlock(&fake->lock);
		if (manner == FAKE_SYSLOG_FLOODS) {
			flood(fake, fd);
			return;
		}
	}
	if (manner == FAKE_SYSLOG_RESETS)
		end_badly(fd);
	if (manner == FAKE_SYSLOG_TURNS_AWAY) {
		usleep(300000);
		(void)shutdown(fd, SHUT_WR);
		usleep(500000);
	}
	if (manner == FAKE_SYSLOG_BABBLES)
		babble(ssl);
	if (manner == FAKE_SYSLOG_NEVER_ENDS)
		while (!atomic_load(&fake->stopping))
			usleep(SLICE_MS * 1000);
}

static void take(struct fake_syslog *fake, int fd)
{
	enum fake_syslog_manner manner = atomic_load(&fake->manner);
	const struct timeval patience = {.tv_sec = 5};
	const int little = 4096;
	SSL_CTX *context;
	SSL *ssl;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (manner == FAKE_SYSLOG_TURNS_AWAY)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	if (manner == FAKE_SYSLOG_SILENT) {
		hold(fake, fd, true);
		return;
	}
	if (manner == FAKE_SYSLOG_PLAIN) {
		(void)send(fd, "hello\n", 6, MSG_NOSIGNAL);
		hold(fake, fd, true);
		return;
	}
	context = context_of(fake, manner == FAKE_SYSLOG_OLD);
	ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		atomic_fetch_add(&fake->connections, 1);
		read_all(fake, ssl, fd);
	}
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(context);
}

static void *run(void *argument)
{
	struct fake_syslog *fake = argument;

	while (!atomic_load(&fake->stopping)) {
		struct pollfd p = {.fd = fake->listener, .events = POLLIN};
		int fd = poll(&p, 1, SLICE_MS) > 0 ? accept(fake->listener, NULL, NULL) : -1;

		if (fd < 0)
			continue;
		take(fake, fd);
		close(fd);
	}
	return NULL;
}

void fake_syslog_start(struct fake_syslog *fake, const char *address)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(loopback);
	int fd;

	memset(fake, 0, sizeof(*fake));
	(void)signal(SIGPIPE, SIG_IGN); /* of this fake alone: ours raises none */
	fake_tls_make(address, &fake->tls);
	(void)snprintf(fake->ca_path, sizeof(fake->ca_path), "/tmp/fake-syslog-XXXXXX");
	fd = mkstemp(fake->ca_path);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, fake->tls.certificate, strlen(fake->tls.certificate)), 0);
	close(fd);
	pthread_mutex_init(&fake->lock, NULL);
	fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fake->listener >= 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&loopback, size), 0);
	assert_int_equal(listen(fake->listener, 8), 0);
	assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&loopback, &size), 0);
	fake->port = ntohs(loopback.sin_port);
	assert_int_equal(pthread_create(&fake->thread, NULL, run, fake), 0);
}

void fake_syslog_stop(struct fake_syslog *fake)
{
	atomic_store(&fake->stopping, true);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	(void)unlink(fake->ca_path);
	buffer_finish(&fake->taken);
	pthread_mutex_destroy(&fake->lock);
	fake_tls_finish(&fake->tls);
}

uint32_t fake_syslog_count(struct fake_syslog *fake, const char *text)
{
	uint32_t count = 0;

	pthread_mutex_lock(&fake->lock);
	for (size_t at = 0; fake->taken.length; count++) {
		const char *found = memmem(fake->taken.data + at, fake->taken.length - at, text, strlen(text));

		if (!found)
			break;
		at = (size_t)(found - fake->taken.data) + 1;
	}
	pthread_mutex_unlock(&fake->lock);
	return count;
}

bool fake_syslog_has(struct fake_syslog *fake, const char *text)
{
	return fake_syslog_count(fake, text) > 0;
}

void fake_syslog_forget(struct fake_syslog *fake)
{
	pthread_mutex_lock(&fake->lock);
	buffer_clear(&fake->taken);
	pthread_mutex_unlock(&fake->lock);
}
