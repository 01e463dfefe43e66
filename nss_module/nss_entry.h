/* SPDX-License-Identifier: MIT
 *
 * The entry points, as glibc looks them up by name.
 */
#pragma once

#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <shadow.h>

#define NSS_ENTRY __attribute__((visibility("default")))

enum nss_status _nss_tenant_getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t size, int *errnop);
enum nss_status _nss_tenant_getpwuid_r(uid_t uid, struct passwd *pw, char *buffer, size_t size, int *errnop);
enum nss_status _nss_tenant_setpwent(int stayopen);
enum nss_status _nss_tenant_endpwent(void);
enum nss_status _nss_tenant_getpwent_r(struct passwd *pw, char *buffer, size_t size, int *errnop);
enum nss_status _nss_tenant_getgrnam_r(const char *name, struct group *gr, char *buffer, size_t size, int *errnop);
enum nss_status _nss_tenant_getgrgid_r(gid_t gid, struct group *gr, char *buffer, size_t size, int *errnop);
enum nss_status _nss_tenant_setgrent(int stayopen);
enum nss_status _nss_tenant_endgrent(void);
enum nss_status _nss_tenant_getgrent_r(struct group *gr, char *buffer, size_t size, int *errnop);
enum nss_status _nss_tenant_initgroups_dyn(const char *user, gid_t group, long *start, long *size, gid_t **groups,
					   long limit, int *errnop);
enum nss_status _nss_tenant_getspnam_r(const char *name, struct spwd *sp, char *buffer, size_t size, int *errnop);
enum nss_status _nss_tenant_setspent(int stayopen);
enum nss_status _nss_tenant_endspent(void);
enum nss_status _nss_tenant_getspent_r(struct spwd *sp, char *buffer, size_t size, int *errnop);
