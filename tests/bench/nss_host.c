/* SPDX-License-Identifier: MIT */
#include "nss_host.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSCD "/usr/sbin/nscd"
#define START_TRIES 100
#define START_NAP_USEC 50000

static pid_t nscd;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_nss: %s: %s\n", what, strerror(errno));
	exit(1);
}

static FILE *create(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		die(path);
	return file;
}

static void put_over(const char *fresh, const char *path)
{
	if (mount(fresh, path, NULL, MS_BIND, NULL) < 0)
		die(path);
}

static void write_files(void)
{
	FILE *passwd = create("/run/bench/passwd"), *group = create("/run/bench/group"),
	     *nsswitch = create("/run/bench/nsswitch.conf"), *conf = create("/run/bench/nscd.conf");

	fputs("root:x:0:0:root:/root:/bin/bash\n", passwd);
	fputs("root:x:0:\n", group);
	for (unsigned i = 0; i < NSS_HOST_LOCAL; i++) {
		fprintf(passwd, "local%06u:x:%u:%u:Person %06u:/home/local%06u:/bin/bash\n", i, 2000 + i, 2000 + i, i,
			i);
		fprintf(group, "tenant0-prj%05u-owner:x:%u:", i, 2000 + i);
		for (unsigned k = 0; k < 5; k++)
			fprintf(group, "%slocal%06u", k ? "," : "", (i + k) % NSS_HOST_LOCAL);
		fputc('\n', group);
	}
	fputs("passwd: files\ngroup: files\nshadow: files\n", nsswitch);
	for (unsigned i = 0; i < 2; i++) {
		const char *kind = i ? "group" : "passwd";

		fprintf(conf,
			"enable-cache %s yes\npositive-time-to-live %s 3600\nnegative-time-to-live %s 3600\n"
			"suggested-size %s 1009\ncheck-files %s no\npersistent %s no\nshared %s yes\n"
			"max-db-size %s 33554432\n",
			kind, kind, kind, kind, kind, kind, kind, kind);
	}
	if (fclose(passwd) || fclose(group) || fclose(nsswitch) || fclose(conf))
		die("/run/bench");
}

void nss_host_enter(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("a mount namespace (are you root?)");
	if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=8g") < 0)
		die("tmpfs on /run");
	umask(022);
	if (mkdir("/run/tenantd", 0755) < 0 || mkdir("/run/nscd", 0755) < 0 || mkdir("/run/bench", 0755) < 0)
		die("/run");
	write_files();
	put_over("/run/bench/passwd", "/etc/passwd");
	put_over("/run/bench/group", "/etc/group");
	put_over("/run/bench/nsswitch.conf", "/etc/nsswitch.conf");
}

bool nss_host_start_nscd(void)
{
	struct passwd pw, *found;
	char buffer[1024];

	if (access(NSCD, X_OK) < 0)
		return false;
	nscd = fork();
	if (nscd < 0)
		die("fork");
	if (nscd == 0) {
		execl(NSCD, NSCD, "-F", "-f", "/run/bench/nscd.conf", (char *)NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < START_TRIES; i++) {
		if (waitpid(nscd, NULL, WNOHANG) == nscd) {
			nscd = 0;
			return false;
		}
		if (access("/run/nscd/socket", F_OK) == 0)
			return getpwnam_r("local000000", &pw, buffer, sizeof(buffer), &found) == 0 && found;
		usleep(START_NAP_USEC);
	}
	return false;
}

void nss_host_stop_nscd(void)
{
	if (nscd > 0) {
		kill(nscd, SIGTERM);
		waitpid(nscd, NULL, 0);
		nscd = 0;
	}
}

void *nss_host_open_module(void)
{
	char path[PATH_MAX + 64], *slash;
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	void *module;

	if (n < 0)
		die("/proc/self/exe");
	path[n] = '\0';
	for (unsigned i = 0; i < 3; i++) { /* …/tests/bench/bench_nss */
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	}
	strcat(path, "/libnss_tenant.so.2");
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module) {
		fprintf(stderr, "bench_nss: %s\n", dlerror());
		exit(1);
	}
	return module;
}
