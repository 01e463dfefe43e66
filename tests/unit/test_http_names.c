/* SPDX-License-Identifier: MIT
 *
 * What may be asked, and who answers for whom: addresses, the system's resolver (this program brings a slow one), the
 * system's authorities.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fakes/fake_provider.h"
#include "../fakes/fake_tls.h"
#include "base/clock.h"
#include "base/text.h"
#include "http/http.h"
#include "unit.h"

static unsigned ends;
static enum http_fault fault;

static void on_done(void *context, const struct http_answer *answer)
{
	ends++;
	fault = answer->fault;
}

static const struct http_options plain = {.allow_plain = true, .proxy = ""};

static int refused_url(const struct http_options *options, const char *url)
{
	_cleanup_(http_destroyp) struct http *http = NULL;
	struct problem problem = {0};
	int result;

	assert_int_equal(http_create(options, NULL, &http), 0);
	result = http_start(http, &(struct http_request){.url = url, .done = on_done}, NULL);
	assert_int_equal(http_url_check(url, options->allow_plain, &problem), result);
	assert_int_equal(result < 0, problem.text[0] != '\0');
	return result;
}

static void test_only_https(void **state)
{
	const struct http_options strict = {0};

	assert_int_equal(refused_url(&strict, "http://127.0.0.1:1/"), -EINVAL);
	assert_int_equal(refused_url(&strict, "file:///etc/passwd"), -EINVAL);
	assert_int_equal(refused_url(&strict, "ftp://example.org/"), -EINVAL);
	assert_int_equal(refused_url(&strict, "example.org"), -EINVAL);
	assert_int_equal(refused_url(&strict, ""), -EINVAL);
	assert_int_equal(refused_url(&strict, "https://user:word@example.org/"), -EINVAL);
	assert_int_equal(refused_url(&strict, "https://exam ple.org/"), -EINVAL);
	assert_int_equal(refused_url(&strict, "https://example.org/x"), 0);
	/* Plain text goes no further than this host. */
	assert_int_equal(refused_url(&plain, "http://192.0.2.1/"), -EINVAL);
	assert_int_equal(refused_url(&plain, "http://127.example.org/"), -EINVAL);
	assert_int_equal(refused_url(&plain, "http://[2001:db8::1]/"), -EINVAL);
	assert_int_equal(refused_url(&plain, "http://localhost.example.org/"), -EINVAL);
	assert_int_equal(refused_url(&plain, "http://127.0.0.1/"), 0);
	assert_int_equal(refused_url(&plain, "http://[::1]:80/"), 0);
	assert_int_equal(refused_url(&plain, "http://localhost/"), 0);
}

static void test_headers_carry_no_line_end(void **state)
{
	_cleanup_(http_destroyp) struct http *http = NULL;
	struct http_request request = {.url = "http://127.0.0.1:1/", .bearer = "a\r\nX-Other: b", .done = on_done};

	assert_int_equal(http_create(&plain, NULL, &http), 0);
	assert_int_equal(http_start(http, &request, NULL), -EINVAL);
	request.bearer = NULL;
	request.authorization = "Basic a\nX-Other: b";
	assert_int_equal(http_start(http, &request, NULL), -EINVAL);
	/* Two of them are one too many. */
	request.bearer = "a";
	request.authorization = "Basic b";
	assert_int_equal(http_start(http, &request, NULL), -EINVAL);
}

static enum http_fault ask(const struct http_options *options, const char *url)
{
	_cleanup_(http_destroyp) struct http *http = NULL;

	if (http_create(options, NULL, &http) < 0 ||
	    http_start(http, &(struct http_request){.url = url, .done = on_done}, NULL) < 0 ||
	    http_wait(http, 20000) < 0)
		return HTTP_OTHER;
	return fault;
}

#define ASK "--ask"

/* In a process that sees a folder of authorities of its own, with the certificate under this name. It is this program
 * once more: a thread of the provider may hold any lock at the fork, and the child would wait for it for ever. */
static enum http_fault ask_with_authority(const char *name, const char *certificate, const char *issuer)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	const size_t length = strlen(certificate);
	char path[256];
	pid_t child;
	int status;

	snprintf(path, sizeof(path), "%s/%s", curl->capath, name);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd;

		if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", curl->capath, "tmpfs", 0, NULL) < 0 ||
		    (fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) < 0 ||
		    write(fd, certificate, length) != (ssize_t)length)
			_exit(100);
		execl("/proc/self/exe", "test_http_names", ASK, issuer, NULL);
		_exit(101);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return (enum http_fault)WEXITSTATUS(status);
}

static void test_authorities_of_the_system(void **state)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	struct fake_provider *provider;
	struct fake_tls tls, other;
	char by_hash[32], other_hash[32];
	BIO *bio;
	X509 *certificate;

	if (geteuid() != 0 || !curl->capath || !curl->cainfo || !text_starts(curl->cainfo, curl->capath))
		skip();
	fake_tls_make("127.0.0.1", &tls);
	fake_tls_make("127.0.0.1", &other);
	bio = BIO_new_mem_buf(tls.certificate, -1);
	certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_non_null(certificate);
	snprintf(by_hash, sizeof(by_hash), "%08lx.0", X509_subject_name_hash(certificate));
	snprintf(other_hash, sizeof(other_hash), "%08lx.0", X509_subject_name_hash(certificate) ^ 1);
	X509_free(certificate);
	BIO_free(bio);
	provider = fake_provider_start(&tls, NULL);
	/* By its hash; or, where no file is named so, in the one file of them all. */
	assert_int_equal(ask_with_authority(by_hash, tls.certificate, fake_provider_issuer(provider)), HTTP_FINE);
	assert_int_equal(
		ask_with_authority(strrchr(curl->cainfo, '/') + 1, tls.certificate, fake_provider_issuer(provider)),
		HTTP_FINE);
	assert_int_equal(ask_with_authority(by_hash, other.certificate, fake_provider_issuer(provider)), HTTP_BAD_PEER);
	assert_int_equal(ask_with_authority(other_hash, tls.certificate, fake_provider_issuer(provider)),
			 HTTP_BAD_PEER);
	assert_int_equal(ask_with_authority("some.pem", tls.certificate, fake_provider_issuer(provider)),
			 HTTP_BAD_PEER);
	fake_provider_stop(provider);
	fake_tls_finish(&tls);
	fake_tls_finish(&other);
}

#define SLOW_NAME "slow.example"
#define SLOW_SEC 3

_public_ int getaddrinfo(const char *name, const char *service, const struct addrinfo *req, struct addrinfo **pai)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");

	if (name && strcmp(name, SLOW_NAME) == 0) {
		sleep(SLOW_SEC);
		return EAI_AGAIN;
	}
	return real(name, service, req, pai);
}

/* One loop serves many: nobody waits for a name that somebody else gave up on. */
static void test_a_slow_resolver_holds_nobody_up(void **state)
{
	_cleanup_(http_destroyp) struct http *http = NULL;
	struct http_transfer *transfer;
	struct http_request request = {.url = "https://" SLOW_NAME "/", .timeout_ms = 300, .done = on_done};
	uint64_t begun = clock_boottime_usec();

	ends = 0;
	assert_int_equal(http_create(&(struct http_options){.proxy = ""}, NULL, &http), 0);
	assert_int_equal(http_start(http, &request, NULL), 0);
	assert_int_equal(http_wait(http, 20000), 0);
	assert_int_equal(fault, HTTP_TIMED_OUT);
	assert_true(clock_boottime_usec() - begun < 1500 * USEC_PER_MSEC);
	request.timeout_ms = 20000;
	assert_int_equal(http_start(http, &request, &transfer), 0);
	assert_int_equal(http_wait(http, 100), -ETIMEDOUT);
	http_cancel(transfer);
	assert_int_equal(http_start(http, &request, NULL), 0);
	assert_int_equal(http_wait(http, 100), -ETIMEDOUT);
	http_destroy(TAKE_PTR(http));
	assert_true(clock_boottime_usec() - begun < SLOW_SEC * USEC_PER_SEC - 500 * USEC_PER_MSEC);
	assert_int_equal(ends, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_https),
		cmocka_unit_test(test_headers_carry_no_line_end),
		cmocka_unit_test(test_authorities_of_the_system),
		cmocka_unit_test(test_a_slow_resolver_holds_nobody_up),
	};

	if (argc == 3 && strcmp(argv[1], ASK) == 0)
		return (int)ask(&(struct http_options){.proxy = ""}, argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
