/* SPDX-License-Identifier: MIT
 *
 * What other programs of this host are set up to do with our people: sshd, PAM, NSS, sudo; and who may read our files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "ctl/doctor.h"
#include "records/records.h"
#include "seal_source.h"

#define SSHD "/usr/sbin/sshd"
#define PROGRAM_SECONDS 15U
#define TEXT_MAX 262144U
#define PAM_FOLDER "/etc/pam.d"
#define SUDOERS_FILE "/etc/sudoers.d/tenantd"

static bool read_text(const char *path, struct buffer *ret)
{
	return file_read(AT_FDCWD, path, TEXT_MAX, FILE_TRUST_ANY, 0, ret, NULL) == 0 && buffer_text(ret);
}

void doctor_sshd(struct doctor *doctor)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT, err = BUFFER_INIT;
	const struct sshd_wants wants = {.person = doctor->person,
					 .sso_timeout_sec =
						 doctor->config->sso.enabled ? doctor->config->sso.timeout_sec : 0};
	char connection[128];
	const char *const argv[] = {SSHD, "-T", "-C", connection, NULL};
	int status, r;

	if (access(SSHD, X_OK) < 0) {
		findings_add(&doctor->findings, FINDING_OK, "sshd", NULL, "there is no sshd on this host");
		return;
	}
	if (!doctor->person[0]) {
		findings_add(&doctor->findings, FINDING_WARNING, "sshd", "give --user LOGIN",
			     "not looked at: nobody of the directory is known to try it with");
		return;
	}
	snprintf(connection, sizeof(connection), "user=%s,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22",
		 doctor->person);
	r = run_program(SSHD, argv, PROGRAM_SECONDS, &out, &err, &status);
	if (r == 0 && status == 0) {
		doctor_judge_sshd(&doctor->findings, buffer_text(&out), &wants);
		return;
	}
	if (r == 0)
		err.data[strcspn(err.data, "\n")] = '\0';
	if (r == 0 && strstr(err.data, "privilege separation directory"))
		findings_add(&doctor->findings, FINDING_WARNING, "sshd", "systemctl start ssh.service, and look again",
			     "sshd does not run, and its configuration cannot be looked at: %s", err.data);
	else
		findings_add(&doctor->findings, FINDING_PROBLEM, "sshd", "run `sshd -T` and mend what it says",
			     "its configuration cannot be read: %s", r < 0 ? strerrordesc_np(-r) : err.data);
}

void doctor_pam(struct doctor *doctor)
{
	static const char *const services[] = {"sshd", "login", "su", "su-l", "sudo", "sudo-i", "cron"};
	glob_t found = {0};

	if (glob("/lib/*/security/pam_tenant.so", 0, NULL, &found) != 0)
		findings_add(&doctor->findings, FINDING_PROBLEM, "pam", "apt-get install libpam-tenant",
			     "pam_tenant.so is not installed");
	else if (found.gl_pathc > 1)
		findings_add(&doctor->findings, FINDING_WARNING, "pam", "remove the one that no package owns",
			     "there are %zu pam_tenant.so: %s, %s …", found.gl_pathc, found.gl_pathv[0],
			     found.gl_pathv[1]);
	globfree(&found);
	if (access("/usr/share/pam-configs/tenant", F_OK) < 0)
		findings_add(
			&doctor->findings, FINDING_WARNING, "pam", "reinstall libpam-tenant",
			"the profile for pam-auth-update is not there: the next run takes tenantd out of the stacks");
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		doctor_judge_pam(&doctor->findings, PAM_FOLDER, services[i]);
}

void doctor_names(struct doctor *doctor)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct passwd *entry;

	if (!read_text("/etc/nsswitch.conf", &text))
		findings_add(&doctor->findings, FINDING_PROBLEM, "nsswitch", NULL, "/etc/nsswitch.conf cannot be read");
	else
		doctor_judge_nsswitch(&doctor->findings, buffer_text(&text));
	if (!doctor->person[0])
		return;
	entry = getpwnam(doctor->person);
	if (!entry)
		findings_add(&doctor->findings, FINDING_PROBLEM, "nsswitch",
			     "is libnss-tenant installed, and tenant in /etc/nsswitch.conf? A running nscd keeps old "
			     "answers",
			     "this host does not know %s, who is in the directory", doctor->person);
	else if (entry->pw_uid < MANAGED_ID_FIRST || entry->pw_uid > MANAGED_ID_LAST)
		findings_add(&doctor->findings, FINDING_PROBLEM, "nsswitch", "rename one of the two",
			     "%s is a local account (uid %u) as well: the directory's person is never meant",
			     doctor->person, (unsigned)entry->pw_uid);
	else
		findings_add(&doctor->findings, FINDING_OK, "nsswitch", NULL, "%s is known, uid %u", doctor->person,
			     (unsigned)entry->pw_uid);
}

/* A line that reads the folder: "@includedir /etc/sudoers.d", "#includedir …" */
static bool includes_folder(const char *sudoers)
{
	for (const char *line = sudoers; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		line += strspn(line, " \t");
		if ((text_starts(line, "@includedir") || text_starts(line, "#includedir")) &&
		    text_starts(line + strcspn(line, " \t") + strspn(line + strcspn(line, " \t"), " \t"),
				"/etc/sudoers.d"))
			return true;
	}
	return false;
}

void doctor_sudo(struct doctor *doctor)
{
	_cleanup_(buffer_finish) struct buffer sudoers = BUFFER_INIT, ours = BUFFER_INIT;
	struct stat st;

	if (access("/usr/bin/sudo", X_OK) < 0) {
		findings_add(&doctor->findings, FINDING_OK, "sudo", NULL, "there is no sudo on this host");
		return;
	}
	if (!read_text("/etc/sudoers", &sudoers) || !includes_folder(buffer_text(&sudoers)))
		findings_add(&doctor->findings, FINDING_PROBLEM, "sudo",
			     "add the line @includedir /etc/sudoers.d, by visudo",
			     "/etc/sudoers does not read /etc/sudoers.d, or cannot be read");
	else if (stat(SUDOERS_FILE, &st) < 0 || !read_text(SUDOERS_FILE, &ours))
		findings_add(&doctor->findings, FINDING_PROBLEM, "sudo", "reinstall tenantd, or put it back",
			     SUDOERS_FILE " is not there: nobody of the directory may use sudo");
	else if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		findings_add(&doctor->findings, FINDING_PROBLEM, "sudo", "chown root:root and chmod 0440 it",
			     SUDOERS_FILE " is not root's alone to write, so sudo does not read it");
	else if (!strstr(buffer_text(&ours), "%tenant-sudo"))
		findings_add(&doctor->findings, FINDING_WARNING, "sudo",
			     "take the package's lines over, or leave it so",
			     SUDOERS_FILE " does not name the group tenant-sudo: nobody of the directory may use sudo");
	else if (!strstr(buffer_text(&ours), "timestamp_timeout=0"))
		findings_add(&doctor->findings, FINDING_WARNING, "sudo",
			     "set Defaults:%tenant-sudo timestamp_timeout=0",
			     "sudo's own tickets stand before the tenants' policy");
	else
		findings_add(&doctor->findings, FINDING_OK, "sudo", NULL,
			     "the group tenant-sudo may use it, by " SUDOERS_FILE);
}

static void judge_file(struct doctor *doctor, const char *path, bool secret, bool *bad)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		findings_add(&doctor->findings, FINDING_PROBLEM, "files",
			     "chown root:tenantd and chmod 0640 it (folders 0750)",
			     "others than its owner may write %s", path);
		*bad = true;
	} else if (secret && !S_ISDIR(st.st_mode) && (st.st_mode & S_IRWXO)) {
		findings_add(&doctor->findings, FINDING_PROBLEM, "files", "chown root:tenantd and chmod 0640 it",
			     "everybody may read %s, in which secrets can stand", path);
		*bad = true;
	} else if (st.st_uid != 0) {
		findings_add(&doctor->findings, FINDING_WARNING, "files", "chown root:tenantd it",
			     "%s belongs to uid %u and not to root", path, (unsigned)st.st_uid);
		*bad = true;
	}
}

static void judge_folder(struct doctor *doctor, const char *path, bool *bad)
{
	DIR *folder = opendir(path);
	char name[4096];

	judge_file(doctor, path, false, bad);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (entry->d_name[0] == '.' ||
		    snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= (int)sizeof(name))
			continue;
		judge_file(doctor, name, true, bad);
	}
	if (folder)
		closedir(folder);
}

void doctor_files(struct doctor *doctor)
{
	const char *directory = doctor->config->directory_path;
	struct problem problem = {0};
	struct seal_key key = {0};
	char drop_ins[4096], text[1024];
	bool bad = false;
	int r;

	snprintf(drop_ins, sizeof(drop_ins), "%s.d", directory);
	judge_file(doctor, "/etc/tenantd", false, &bad);
	judge_file(doctor, directory, true, &bad);
	judge_folder(doctor, drop_ins, &bad);
	judge_folder(doctor, doctor->config->import_dir, &bad);
	judge_file(doctor, doctor->config->seal_key_path, true, &bad);
	if (!bad)
		findings_add(&doctor->findings, FINDING_OK, "files", NULL,
			     "directory, feeds and seal key are root's to write and not everybody's to read");
	r = seal_source_read(doctor->config->seal_key_path, &key, &problem);
	explicit_bzero(&key, sizeof(key));
	if (r == 0)
		findings_add(&doctor->findings, FINDING_OK, "seal key", NULL, "there");
	else if (r == -ENOENT)
		findings_add(&doctor->findings, FINDING_WARNING, "seal key",
			     "head -c 32 /dev/urandom > FILE, root:tenantd 0640; then restart tenantd",
			     "there is none (%s): nothing is kept over a restart, and no feed can be followed",
			     doctor->config->seal_key_path);
	else
		findings_add(&doctor->findings, FINDING_PROBLEM, "seal key", problem.remedy, "%s",
			     problem.text[0] ? problem.text : problem_render(&problem, text, sizeof(text)));
}
