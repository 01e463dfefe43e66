/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory …: a session on the directory's files. An editing session holds the folder's lock
 * from its beginning to its end, changes texts in memory, checks all files together, and only then writes.
 */
#pragma once

#include "ctl/ctl.h"
#include "directory/edit.h"
#include "directory/files.h"
#include "directory/unit.h"

#define DIR_FILES_MAX 4001U

struct dir {
	struct ctl *ctl;
	struct directory_files *files;
	struct directory *d; /* borrowed from files */
	int lock;
	uint32_t file_count;
	struct edit **edits; /* one a file, opened when first needed */
	struct problem problem;
};

/* Both: -1 go on; otherwise the exit code, everything told. dir_close takes half-opened ones. */
int dir_open(struct ctl *ctl, bool for_editing, struct dir *ret);
int dir_commit(struct dir *dir);
void dir_close(struct dir *dir);

/* Edits of records of the picture; the same results. `beside`: a record whose file the new one goes to, unless
 * `in` names another (NULL: none). Records must live until dir_commit. */
int dir_append(struct dir *dir, enum record_kind kind, const void *record, enum record_kind beside_kind,
	       const void *beside, const char *in);
int dir_update(struct dir *dir, enum record_kind kind, const void *old, const void *now);
int dir_remove(struct dir *dir, enum record_kind kind, const void *old);
const char *dir_file_of(const struct dir *dir, enum record_kind kind, const void *record);
const char *dir_path_of(const struct dir *dir, const char *in); /* of a file that --in names; "" */

/* Look-ups by what people type: login, slug ("acme/vision") or id. NULL: told, return CTL_NO. */
const struct tenant_record *dir_tenant(struct dir *dir, const char *name);
const struct project_record *dir_project(struct dir *dir, const char *name);
const struct user_record *dir_user(struct dir *dir, const char *name);
const struct key_record *dir_key(struct dir *dir, const char *name);
/* -1: go on; CTL_USAGE after telling when the word is an API key itself. */
int dir_refuse_secret(const struct ctl *ctl, const char *word);
/* "acme/vision" */
#define PROJECT_NAME_SIZE 64
const char *dir_project_name(const struct dir *dir, const struct project_record *project, char out[PROJECT_NAME_SIZE]);

/* Options to values. 0, or an exit code after telling. `out` items point into the options or the picture. */
int dir_cidrs(const struct ctl *ctl, const struct ctl_list *list, struct cidr_list *ret); /* items: free them */
int dir_new_id(const struct ctl *ctl, const char *prefix, const char *wanted, char *out, size_t size);
struct string_list dir_strings(const struct ctl_list *list);

/* Prints the outcome of a command without secrets: a sentence for people, an object for machines. */
int dir_done(const struct dir *dir, bool changed, const char *kind, const char *id, const char *file,
	     const char *format, ...) _printf_(6, 7);

/* The verbs, each in the file of its subject. */
int directory_check_verb(struct ctl *ctl, int argc, char **argv);
int directory_show_verb(struct ctl *ctl, int argc, char **argv);
int directory_init_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_tenant_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_project_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_user_verb(struct ctl *ctl, int argc, char **argv);
int directory_suspend_user_verb(struct ctl *ctl, int argc, char **argv);
int directory_resume_user_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_member_verb(struct ctl *ctl, int argc, char **argv);
int directory_remove_member_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_key_verb(struct ctl *ctl, int argc, char **argv);
int directory_rotate_key_verb(struct ctl *ctl, int argc, char **argv);
int directory_revoke_key_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_host_verb(struct ctl *ctl, int argc, char **argv);
int directory_remove_host_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_provider_verb(struct ctl *ctl, int argc, char **argv);
int directory_set_provider_verb(struct ctl *ctl, int argc, char **argv);
int directory_remove_provider_verb(struct ctl *ctl, int argc, char **argv);
int directory_bind_verb(struct ctl *ctl, int argc, char **argv);
int directory_unbind_verb(struct ctl *ctl, int argc, char **argv);
int directory_set_sudo_verb(struct ctl *ctl, int argc, char **argv);
int directory_set_sessions_verb(struct ctl *ctl, int argc, char **argv);
int directory_add_grant_verb(struct ctl *ctl, int argc, char **argv);
int directory_remove_grant_verb(struct ctl *ctl, int argc, char **argv);
