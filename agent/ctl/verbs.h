/* SPDX-License-Identifier: MIT
 *
 * The verbs that ask the agent, each in the file that says so. They follow the rules of ctl.h.
 */
#pragma once

#include "ctl/ctl.h"

int ctl_status(struct ctl *ctl, int argc, char **argv);   /* ask.c */
int ctl_reload(struct ctl *ctl, int argc, char **argv);   /* ask.c */
int ctl_metrics(struct ctl *ctl, int argc, char **argv);  /* ask.c */
int ctl_whoami(struct ctl *ctl, int argc, char **argv);   /* ask.c */
int ctl_check(struct ctl *ctl, int argc, char **argv);    /* ask.c */
int ctl_verify(struct ctl *ctl, int argc, char **argv);   /* verify.c */
int ctl_ssh_keys(struct ctl *ctl, int argc, char **argv); /* ssh_keys.c */
int ctl_code(struct ctl *ctl, int argc, char **argv);     /* code.c */
int ctl_sessions(struct ctl *ctl, int argc, char **argv); /* sessions.c */
int ctl_audit(struct ctl *ctl, int argc, char **argv);    /* audit.c */
int ctl_watch(struct ctl *ctl, int argc, char **argv);    /* watch.c */
int ctl_enroll(struct ctl *ctl, int argc, char **argv);   /* enroll.c */
int ctl_unenroll(struct ctl *ctl, int argc, char **argv); /* enroll.c */
int ctl_sso(struct ctl *ctl, int argc, char **argv);      /* sso.c */
int ctl_doctor(struct ctl *ctl, int argc, char **argv);   /* doctor.c */
int ctl_feed(struct ctl *ctl, int argc, char **argv);     /* feed.c: asks nobody */
