/* SPDX-License-Identifier: MIT
 *
 * A program that signs people in: the real libpam with a private configuration folder, the built
 * pam_tenant.so, and a person who types prepared answers. Who exists is this file's getpwnam_r and who runs
 * the program its getuid, which take the C library's place for everything in the process.
 */
#pragma once

#include <security/pam_appl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PAM_HOST_ANSWERS 16
#define PAM_HOST_SAID_MAX 20000

struct pam_host {
	char folder[32];
	char module[512];
	char arguments[512];                   /* behind the module's name, for the next pam_host_start */
	const char *answers[PAM_HOST_ANSWERS]; /* one a prompt; NULL: the conversation fails */
	const char *always;                    /* the answer where those have run out */
	bool hidden_only;                      /* a program that answers hidden prompts alone */
	bool earlier_module;                   /* one stands before ours that asks for a password and keeps it */
	size_t prompts;                        /* asked so far */
	char prompt[PAM_HOST_SAID_MAX];        /* the last prompt */
	int style;                             /* of the last prompt */
	char said[PAM_HOST_SAID_MAX];          /* messages, each with 'I' or 'E' before and a newline behind */
	bool fail_messages;                    /* a conversation that refuses messages, as systemd's */
	unsigned delay_usec;                   /* the longest delay that was asked for */
};

void pam_host_init(struct pam_host *host);
void pam_host_finish(struct pam_host *host);
/* pam_start; the module with `arguments` in every stage of the service. */
pam_handle_t *pam_host_start(struct pam_host *host, const char *service, const char *user);

/* Whom getpwnam_r knows: "root", "local" (1000), "alice" (managed), "lowest", "highest" (the range's ends), "below",
 * "above" (just outside), "long" (managed, with a record that needs a large buffer); "failing" gives EIO and
 * "absent" ENOENT. While `alice` is false she is unknown. */
struct pam_people {
	bool alice;
	uid_t caller; /* what getuid gives */
};
extern struct pam_people pam_people;
