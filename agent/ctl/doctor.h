/* SPDX-License-Identifier: MIT
 *
 * tenantctl doctor: what it looks at, one file for each subject. The parts that judge are given texts, and are tested
 * by themselves; the parts that fetch the texts are in doctor.c and doctor_host.c.
 */
#pragma once

#include <stdint.h>

#include "config.h"
#include "ctl/ctl.h"
#include "ctl/findings.h"

struct doctor {
	struct ctl *ctl;
	const struct config *config;
	struct findings findings;
	char person[40]; /* somebody of the directory to try things with; "" */
	bool has_providers;
	char control_url[512]; /* where this host is enrolled; "" */
};

/* doctor_sshd.c: sshd's effective configuration for somebody of the directory, as `sshd -T` prints it. */
struct sshd_wants {
	const char *person;
	uint32_t sso_timeout_sec; /* 0: there is no single sign-on */
};
void doctor_judge_sshd(struct findings *findings, const char *settings, const struct sshd_wants *wants);
/* The value of a key in it, in lower case as sshd prints it; "" */
const char *sshd_value(const char *settings, const char *key, char *out, size_t size);

/* doctor_pam.c: what a service's stacks come to, with all that they include. `folder`: /etc/pam.d. */
void doctor_judge_pam(struct findings *findings, const char *folder, const char *service);

/* doctor_nsswitch.c: the text of nsswitch.conf. */
void doctor_judge_nsswitch(struct findings *findings, const char *text);

/* doctor_agent.c */
void doctor_agent(struct doctor *doctor);                 /* running, state, feeds, providers */
void doctor_map(struct doctor *doctor, const char *path); /* readable; finds a person */
/* doctor_host.c */
void doctor_sshd(struct doctor *doctor);
void doctor_pam(struct doctor *doctor);
void doctor_names(struct doctor *doctor);
void doctor_sudo(struct doctor *doctor);
void doctor_files(struct doctor *doctor);
/* doctor_net.c */
void doctor_clock(struct doctor *doctor);
void doctor_online(struct doctor *doctor); /* can the providers be reached? */

/* run_program.c: runs it without a shell and collects what it prints. 0 and its exit status; -ETIMEDOUT (it was
 * killed), -ENOENT …. */
int run_program(const char *path, const char *const *argv, unsigned seconds, struct buffer *out, struct buffer *err,
		int *ret_status);
