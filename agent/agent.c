/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "audit_trail.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "changes.h"
#include "config.h"
#include "configure.h"
#include "directory/source_file.h"
#include "feed/host_token.h"
#include "map_writer/map_writer.h"
#include "policy/policy.h"
#include "seal_source.h"
#include "server/server.h"
#include "session_ends.h"
#include "single_sign_on.h"
#include "sockets.h"
#include "sources.h"
#include "trim.h"

#define PUBLISH_AGAIN_USEC (10 * USEC_PER_SEC) /* after a map that could not be written */
#define PATH_SIZE 512

struct agent {
	sd_event *event;
	sd_event_source *tick_source, *publish_source, *trim_source;
	char *config_path; /* NULL: the usual place */
	struct config *config;
	struct seal_key seal_key;
	bool has_seal_key;
	struct source_file *source;
	struct sources *sources; /* the files' picture goes through it, and comes back joined with the feeds */
	struct map_writer *map;
	struct audit *audit;
	struct audit_trail *trail;
	struct login_book *logins;
	struct session_ends *ends;
	struct server *server;
	struct single_sign_on *sso;
	struct parts parts; /* what the server sees of all this */
	/* What is wrong at the moment, "" where nothing is. */
	char config_problem[PARTS_PROBLEM_MAX], directory_problem[PARTS_PROBLEM_MAX], map_problem[PARTS_PROBLEM_MAX],
		feed_problem[PARTS_PROBLEM_MAX];
	bool has_files; /* there was a directory file in order */
	uint64_t tick_armed;
	bool reloading;
	bool config_changed; /* by the reload under way */
	bool started;        /* STARTED is in the audit */
};

/* ---- what is told about the state ----------------------------------------------------------- */

/* A host that has feeds may do without a directory file; one that had it and lost it may not. */
static bool needs_no_files(const struct agent *agent)
{
	return !agent->has_files && sources_has_feeds(agent->sources) &&
	       access(agent->config->directory_path, F_OK) < 0 && errno == ENOENT;
}

static void update_state(struct agent *agent)
{
	struct parts *parts = &agent->parts;
	const char *problem;
	struct directory_counts counts;

	if (needs_no_files(agent))
		agent->directory_problem[0] = '\0';
	sources_problem(agent->sources, agent->feed_problem, sizeof(agent->feed_problem));
	problem = agent->directory_problem[0] ? agent->directory_problem
		  : agent->config_problem[0]  ? agent->config_problem
		  : agent->map_problem[0]     ? agent->map_problem
		  : agent->feed_problem[0]    ? agent->feed_problem
					      : single_sign_on_problem(agent->sso);
	if (!problem[0])
		problem = audit_trail_problem(agent->trail);
	snprintf(parts->problem, sizeof(parts->problem), "%s", problem);
	if (!parts->directory)
		parts->state = AGENT_BROKEN;
	else
		parts->state = problem[0] ? AGENT_DEGRADED : AGENT_READY;
	if (!parts->directory) {
		sd_notifyf(0, "STATUS=No directory yet: %s", problem);
		return;
	}
	counts = directory_counts(parts->directory);
	if (parts->state == AGENT_READY)
		sd_notifyf(0, "STATUS=%u people in %u projects of %u tenants", counts.users, counts.projects,
			   counts.tenants);
	else
		sd_notifyf(0, "STATUS=Degraded: %s", problem);
}

/* ---- the directory -------------------------------------------------------------------------------- */

static bool may_sudo(void *context, const struct directory *d, const struct user_record *user)
{
	return policy_may_sudo(d, user);
}

static void publish_map(struct agent *agent)
{
	struct map_options options = {
		.sudo_member = may_sudo,
		.enumerate = agent->config->enumerate,
		.subids = agent->config->subids,
	};
	int result = map_writer_publish(agent->map, agent->parts.directory, &options);

	if (result >= 0) {
		agent->map_problem[0] = '\0';
		agent->parts.map_published = true;
		sd_event_source_set_enabled(agent->publish_source, SD_EVENT_OFF);
		return;
	}
	snprintf(agent->map_problem, sizeof(agent->map_problem), "cannot publish %s: %s", agent->config->map_path,
		 strerror(-result));
	log_error("%s; the map that is there goes on serving", agent->map_problem);
	agent->parts.map_published = false;
	if (sd_event_source_set_time(agent->publish_source, clock_boottime_usec() + PUBLISH_AGAIN_USEC) < 0 ||
	    sd_event_source_set_enabled(agent->publish_source, SD_EVENT_ONESHOT) < 0)
		log_error("cannot set a time to try again");
}

static int on_publish_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;

	if (agent->parts.directory)
		publish_map(agent);
	update_state(agent);
	return 0;
}

static void take_picture(struct agent *agent, struct directory *picture)
{
	struct directory *before = agent->parts.directory;

	if (!picture || picture == before)
		return;
	/* Names first, answers second: nobody is let in whom the system does not know yet. */
	agent->parts.directory = directory_ref(picture);
	agent->parts.loaded_at = clock_realtime_sec();
	publish_map(agent);
	single_sign_on_take_picture(agent->sso, picture);
	changes_report(agent->audit, agent->server, before, picture);
	session_ends_take_picture(agent->ends, before, picture);
	directory_unref(before);
	trim_soon(agent->trim_source);
}

static void refuse_picture(struct agent *agent, const struct problem *problem)
{
	problem_render(problem, agent->directory_problem, sizeof(agent->directory_problem));
	log_problem(LOG_ERR,
		    agent->parts.directory ? "the directory did not load; the last good one stays in force"
					   : "the directory did not load, and there is none to go on with",
		    problem);
	audit_write(agent->audit, &(struct audit_event){
					  .kind = AUDIT_DIRECTORY_REFUSED,
					  .reason = REASON_BROKEN,
					  .detail = agent->directory_problem,
				  });
	trim_soon(agent->trim_source);
}

static void finish_reload(struct agent *agent, bool changed)
{
	char folders[PARTS_PROBLEM_MAX];
	const char *problem = agent->directory_problem[0] ? agent->directory_problem : agent->config_problem;

	if (!agent->reloading)
		return;
	sources_folder_problem(agent->sources, folders, sizeof(folders));
	if (!problem[0])
		problem = folders;
	agent->reloading = false;
	sd_notify(0, "READY=1");
	server_reload_done(agent->server, changed || agent->config_changed, problem[0] ? problem : NULL);
	agent->config_changed = false;
}

/* The files' picture, together with what the feeds have. */
static bool take_files(struct agent *agent, struct directory *files)
{
	_cleanup_(directory_unrefp) struct directory *picture = NULL;
	bool changed;

	if (sources_set_files(agent->sources, files, &picture) < 0)
		return false;
	changed = picture != agent->parts.directory;
	agent->has_files |= files != NULL;
	agent->directory_problem[0] = '\0';
	take_picture(agent, picture);
	return changed;
}

static void on_feeds(void *context, struct directory *picture)
{
	struct agent *agent = context;

	take_picture(agent, picture);
	update_state(agent);
}

/* The files come after the feeds: whether a host may do without files, they say. */
static void on_looked(void *context)
{
	struct agent *agent = context;

	source_file_reload(agent->source);
}

static void on_audit_state(void *context)
{
	update_state(context);
}

static void on_feed_state(void *context)
{
	struct agent *agent = context;

	update_state(agent);
	session_ends_sources_changed(agent->ends);
}

static void on_directory(void *context, struct directory *picture, const struct problem *problem)
{
	struct agent *agent = context;
	bool changed = false;

	if (picture)
		changed = take_files(agent, picture);
	else if (!needs_no_files(agent))
		refuse_picture(agent, problem);
	if (picture || needs_no_files(agent))
		session_ends_set_unread(agent->ends, false);
	update_state(agent);
	finish_reload(agent, changed);
}

/* ---- configuration ------------------------------------------------------------------------------- */

static void reload_config(struct agent *agent)
{
	struct problem problem = {0};
	struct config *config = NULL, *old = agent->config;
	int result = configure_load(agent->config_path, &config, &problem);

	if (result < 0) {
		if (!problem.text[0])
			problem_set(&problem, -result, "%s", strerror(-result));
		problem_render(&problem, agent->config_problem, sizeof(agent->config_problem));
		log_problem(LOG_ERR, "the configuration did not load; the last good one stays in force", &problem);
		audit_write(agent->audit, &(struct audit_event){
						  .kind = AUDIT_DIRECTORY_REFUSED,
						  .reason = REASON_BROKEN,
						  .record_kind = "configuration",
						  .detail = agent->config_problem,
					  });
		return;
	}
	agent->config_problem[0] = '\0';
	configure_keep_fixed(old, config);
	agent->config = config;
	agent->parts.config = config;
	agent->config_changed = old->fingerprint != config->fingerprint;
	log_set_level(config->log_level);
	single_sign_on_configure(agent->sso, config);
	session_ends_configure(agent->ends, config);
	audit_trail_configure(agent->trail, config);
	agent->parts.shipping = audit_trail_shipping(agent->trail);
	if (agent->parts.directory && (old->enumerate != config->enumerate || old->subids != config->subids))
		publish_map(agent);
	config_free(old);
}

static void start_reload(void *context)
{
	struct agent *agent = context;

	if (!agent->reloading)
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading configuration and directory",
			   (unsigned long long)({
				   struct timespec now;
				   clock_gettime(CLOCK_MONOTONIC, &now);
				   (uint64_t) now.tv_sec *USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
			   }));
	agent->reloading = true;
	reload_config(agent);
	sources_reload(agent->sources);
}

static void enroll(void *context, const char *url, const char *token, uint64_t tag)
{
	struct agent *agent = context;

	sources_enroll(agent->sources, url, token, tag);
}

static void unenroll(void *context)
{
	struct agent *agent = context;

	sources_unenroll(agent->sources);
}

/* ---- events of the loop ----------------------------------------------------------------------- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return MIN_OF(a, b);
}

/* One timer for logins that grow too old and audit counts that wait; off while there are none. */
static void arm_tick(void *context)
{
	struct agent *agent = context;
	uint64_t when = sooner(login_next_tick(agent->logins), audit_next_tick(agent->audit));

	/* Set too early it only looks again, so moving it back can wait until then. */
	if (when == agent->tick_armed || (when && agent->tick_armed && when > agent->tick_armed))
		return;
	if ((when && sd_event_source_set_time(agent->tick_source, when) < 0) ||
	    sd_event_source_set_enabled(agent->tick_source, when ? SD_EVENT_ONESHOT : SD_EVENT_OFF) < 0)
		log_error("cannot arm a timer");
	agent->tick_armed = when;
	server_wake_loop(agent->server);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;
	uint64_t now = clock_boottime_usec();

	agent->tick_armed = 0;
	single_sign_on_tick(agent->sso, now);
	login_tick(agent->logins, now);
	audit_tick(agent->audit, now);
	arm_tick(agent);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct agent *agent = userdata;

	if (info->ssi_signo == SIGHUP) {
		log_info("SIGHUP: reading configuration and directory again");
		start_reload(agent);
		return 0;
	}
	sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
	return sd_event_exit(agent->event, 0);
}

static int end_session(void *context, const struct session *session, enum end_cause cause, const char *detail,
		       uint64_t tag)
{
	struct agent *agent = context;

	return session_ends_end(agent->ends, session, cause, detail, tag);
}

static void forget_end(void *context, uint64_t tag)
{
	struct agent *agent = context;

	session_ends_forget_tag(agent->ends, tag);
}

static void credentials_changed(void *context)
{
	struct agent *agent = context;

	session_ends_credentials_changed(agent->ends);
}

static void session_opened(void *context, const struct session *session)
{
	struct agent *agent = context;

	session_ends_opened(agent->ends, session);
}

static bool user_is_ending(void *context, const char *user_id, uint32_t uid)
{
	const struct agent *agent = context;

	return session_ends_is_ending(agent->ends, uid);
}

/* ---- making and ending -------------------------------------------------------------------------- */

static void read_seal_key(struct agent *agent)
{
	struct problem problem = {0};
	int result = seal_source_read(agent->config->seal_key_path, &agent->seal_key, &problem);

	agent->has_seal_key = result >= 0;
	if (result == -ENOENT)
		log_notice("there is no sealing key (%s): nothing is kept on disk, and each start reads the whole "
			   "directory file",
			   agent->config->seal_key_path);
	else if (result < 0)
		log_problem(LOG_WARNING, "no sealing key, so nothing is kept on disk", &problem);
}

/* Before anything is written into the audit. */
static int open_trail(struct agent *agent)
{
	int result = audit_trail_create(agent->event, agent->config, agent->has_seal_key ? &agent->seal_key : NULL,
					agent->audit, on_audit_state, agent, &agent->trail);

	if (result < 0)
		return result;
	audit_trail_set_server(agent->trail, agent->server);
	login_book_set_admission(agent->logins, audit_trail_admits, agent->trail);
	agent->parts.spool = audit_trail_spool(agent->trail);
	agent->parts.shipping = audit_trail_shipping(agent->trail);
	return 0;
}

static int open_source(struct agent *agent)
{
	struct source_file_options options = {
		.path = agent->config->directory_path,
		.host_name = agent->config->host_name,
		.cache_dir = agent->has_seal_key ? agent->config->state_dir : NULL,
		.seal_key = agent->has_seal_key ? &agent->seal_key : NULL,
	};
	int result;

	result = sources_create(
		agent->event, agent->config, agent->has_seal_key ? &agent->seal_key : NULL, agent->parts.spool,
		&agent->parts,
		&(struct sources_hooks){
			.picture = on_feeds, .state = on_feed_state, .looked = on_looked, .context = agent},
		&agent->sources);
	if (result < 0)
		return result;
	sources_set_server(agent->sources, agent->server);
	session_ends_set_sources(agent->ends, agent->sources);
	return source_file_create(agent->event, &options, on_directory, agent, &agent->source);
}

/* Without the key nobody can read whether this host was enrolled, and what feeds had brought. */
static bool identity_is_unread(const struct agent *agent)
{
	char path[PATH_SIZE];

	return !agent->has_seal_key &&
	       snprintf(path, sizeof(path), "%s/host.identity", agent->config->state_dir) < (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

static void load_directory(struct agent *agent)
{
	_cleanup_(directory_unrefp) struct directory *picture = NULL;
	struct problem problem = {0};
	int result = source_file_load(agent->source, &picture, &problem);

	session_ends_set_unread(agent->ends, result < 0 && (result != -ENOENT || !sources_has_feeds(agent->sources)));
	if (identity_is_unread(agent))
		session_ends_set_identity_unread(agent->ends);
	if (take_files(agent, picture) && result < 0 && result != -ENOENT)
		log_notice("the files do not load: what feeds brought is in force without them");
	if (result == SOURCE_FILE_LOADED || (result == -ENOENT && sources_has_feeds(agent->sources)))
		return;
	if (!problem.text[0]) {
		problem_at(&problem, agent->config->directory_path, 0, 0);
		problem_set(&problem, -result, "%s",
			    result == -ENOENT ? "there is no directory file yet" : strerror(-result));
		if (result == -ENOENT)
			problem_remedy(&problem, "make one with `tenantctl directory add-tenant`");
	}
	refuse_picture(agent, &problem);
}

static int add_signals(struct agent *agent)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t set;
	int result = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(&set, signals[i]);
	/* Before any thread exists, so none of them takes a signal. */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	for (size_t i = 0; result >= 0 && i < ARRAY_LEN(signals); i++)
		result = sd_event_add_signal(agent->event, NULL, signals[i], on_signal, agent);
	return result;
}

static int add_timers(struct agent *agent)
{
	int result =
		sd_event_add_time(agent->event, &agent->tick_source, CLOCK_BOOTTIME, 0, USEC_PER_SEC, on_tick, agent);

	if (result >= 0)
		result = sd_event_source_set_enabled(agent->tick_source, SD_EVENT_OFF);
	if (result >= 0)
		result = sd_event_add_time(agent->event, &agent->publish_source, CLOCK_BOOTTIME, 0, USEC_PER_SEC,
					   on_publish_again, agent);
	if (result >= 0)
		result = sd_event_source_set_enabled(agent->publish_source, SD_EVENT_OFF);
	if (result >= 0)
		result = trim_create(agent->event, &agent->trim_source);
	return result;
}

static int make_parts(struct agent *agent, struct problem *problem)
{
	int result;

	result = audit_create(agent->config->host_name, &agent->audit);
	if (result >= 0)
		result = login_book_create(agent->audit, &agent->logins);
	if (result >= 0)
		result = map_writer_create(agent->config->map_path, &agent->map);
	if (result < 0)
		return result;
	agent->parts = (struct parts){
		.config = agent->config,
		.logins = agent->logins,
		.audit = agent->audit,
		.host_token = host_token_new(),
		.state = AGENT_BROKEN,
		.reload = start_reload,
		.end_session = end_session,
		.forget_end = forget_end,
		.session_opened = session_opened,
		.credentials_changed = credentials_changed,
		.user_is_ending = user_is_ending,
		.enroll = enroll,
		.unenroll = unenroll,
		.after_work = arm_tick,
		.context = agent,
	};
	result = session_ends_create(agent->event, agent->config, &agent->parts, problem, &agent->ends);
	if (result >= 0)
		result = server_create(agent->event, &agent->parts, &agent->server);
	if (result >= 0)
		session_ends_set_server(agent->ends, agent->server);
	return result;
}

int agent_create(const char *config_path, struct agent **ret, struct problem *problem)
{
	_cleanup_(agent_destroyp) struct agent *agent = calloc(1, sizeof(*agent));
	int result;

	if (!agent)
		return -ENOMEM;
	if (config_path) {
		agent->config_path = strdup(config_path);
		if (!agent->config_path)
			return -ENOMEM;
	}
	result = configure_load(agent->config_path, &agent->config, problem);
	if (result < 0 || !agent->config) /* the second half is for those who cannot see into it */
		return result < 0 ? result : -EINVAL;
	log_set_level(agent->config->log_level);
	result = sd_event_new(&agent->event);
	if (result >= 0)
		result = add_signals(agent);
	if (result >= 0)
		result = add_timers(agent);
	if (result >= 0)
		result = sd_event_set_watchdog(agent->event, true);
	if (result >= 0)
		result = make_parts(agent, problem);
	if (result >= 0) {
		read_seal_key(agent);
		result = open_trail(agent);
	}
	if (result >= 0)
		result = open_source(agent);
	if (result >= 0)
		result = single_sign_on_create(agent->event, agent->config,
					       agent->has_seal_key ? &agent->seal_key : NULL, &agent->parts,
					       agent->server, &agent->sso);
	if (result < 0)
		return result;

	load_directory(agent);
	session_ends_start(agent->ends);
	result = sockets_open(agent->server, agent->config, problem);
	if (result < 0)
		return result;
	update_state(agent);
	*ret = TAKE_PTR(agent);
	return 0;
}

int agent_run(struct agent *agent)
{
	agent->started = true;
	audit_write(agent->audit,
		    &(struct audit_event){
			    .kind = AUDIT_AGENT_STARTED,
			    .detail = agent->parts.problem[0] ? agent->parts.problem : NULL,
			    .directory_generation =
				    agent->parts.directory ? directory_generation(agent->parts.directory) : 0,
		    });
	arm_tick(agent);
	malloc_trim(0);
	sd_notify(0, "READY=1");
	return server_run(agent->server);
}

void agent_destroy(struct agent *agent)
{
	if (!agent)
		return;
	if (agent->started)
		audit_write(agent->audit, &(struct audit_event){.kind = AUDIT_AGENT_STOPPED});
	if (agent->ends) {
		session_ends_set_server(agent->ends, NULL);
		session_ends_set_sources(agent->ends, NULL);
	}
	if (agent->trail)
		audit_trail_set_server(agent->trail, NULL);
	server_destroy(TAKE_PTR(agent->server));
	source_file_destroy(agent->source);
	sources_destroy(agent->sources);
	single_sign_on_destroy(agent->sso);
	host_token_free(agent->parts.host_token);
	session_ends_destroy(agent->ends);
	login_book_destroy(agent->logins);
	directory_unref(agent->parts.directory);
	map_writer_destroy(agent->map);
	audit_destroy(agent->audit);
	audit_trail_destroy(agent->trail);
	sd_event_source_disable_unref(agent->tick_source);
	sd_event_source_disable_unref(agent->publish_source);
	sd_event_source_disable_unref(agent->trim_source);
	sd_event_unref(agent->event);
	config_free(agent->config);
	secret_wipe(&agent->seal_key, sizeof(agent->seal_key));
	free(agent->config_path);
	free(agent);
}
