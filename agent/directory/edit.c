/* SPDX-License-Identifier: MIT */
#include "directory/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "directory/edit_splice.h"
#include "directory/yaml_load.h"

/* A file beside the directory file that only its owner can open: a lock on anything that everybody may read,
 * everybody may take, and who is about to be suspended would. */
static char *lock_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash + 1 - path) : 0;
	char *name;

	return asprintf(&name, "%.*s.%s.lock", folder, path, path + folder) < 0 ? NULL : name;
}

int edit_lock(const char *path, unsigned seconds)
{
	_cleanup_(freep) char *name = lock_path(path);
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (!name)
		return -ENOMEM;
	fd = file_lock(name, seconds);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* In a folder that others may write, too, it could be a trap: they decide when it is free. */
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return -EPERM;
	if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) < 0)
		return -errno;
	return TAKE_FD(fd);
}

void edit_unlock(const char *path, int lock)
{
	_cleanup_(freep) char *name = lock_path(path);

	if (lock < 0)
		return;
	/* While we hold it: whoever waits for this file sees that the name is gone, and makes another. */
	if (name)
		(void)unlink(name);
	close(lock);
}

static int new_edit(const char *path, struct unit *unit, struct edit **ret)
{
	_cleanup_(edit_freep) struct edit *edit = calloc(1, sizeof(*edit));

	if (!edit)
		return -ENOMEM;
	edit->path = strdup(path);
	if (!edit->path)
		return -ENOMEM;
	edit->unit = unit_ref(unit);
	edit->old.wipe = edit->new.wipe = true; /* a provider's secret may stand there */
	*ret = TAKE_PTR(edit);
	return 0;
}

/* What the old text ends its lines with; and that it ends its last one. */
static int finish_old(struct edit *edit)
{
	if (!buffer_text(&edit->old))
		return -ENOMEM;
	edit->newline = strstr(buffer_text(&edit->old), "\r\n") ? "\r\n" : "\n";
	if (edit->old.length == 0 || edit->old.data[edit->old.length - 1] != '\n')
		buffer_add_text(&edit->old, edit->newline);
	return edit->old.failed ? -ENOMEM : 0;
}

int edit_open_text(const char *name, const void *data, size_t length, struct unit *unit, struct edit **ret)
{
	_cleanup_(edit_freep) struct edit *edit = NULL;
	int r = new_edit(name, unit, &edit);

	if (r == 0)
		r = buffer_add(&edit->old, data, length);
	if (r == 0)
		r = finish_old(edit);
	if (r == 0)
		*ret = TAKE_PTR(edit);
	return r;
}

int edit_open(const char *path, struct unit *unit, struct edit **ret, struct problem *problem)
{
	_cleanup_(edit_freep) struct edit *edit = NULL;
	uint8_t hash[SHA256_BYTES];
	int r = new_edit(path, unit, &edit);

	if (r < 0)
		return r;
	r = file_read(AT_FDCWD, path, YAML_BYTES_MAX, FILE_TRUST_ANY, 0, &edit->old, &edit->st);
	if (r == 0)
		r = sha256(edit->old.data ? edit->old.data : "", edit->old.length, hash);
	if (r < 0) {
		problem_at(problem, path, 0, 0);
		return problem_set(problem, -r, "cannot read it: %s", strerrordesc_np(-r));
	}
	if (memcmp(hash, unit->source_hash, sizeof(hash)) != 0) {
		problem_at(problem, path, 0, 0);
		problem_remedy(problem, "try again");
		return problem_set(problem, ESTALE, "somebody else changed the file meanwhile");
	}
	r = finish_old(edit);
	if (r == 0)
		*ret = TAKE_PTR(edit);
	return r;
}

void edit_free(struct edit *edit)
{
	if (!edit)
		return;
	for (uint32_t i = 0; i < edit->splice_count; i++)
		free(edit->splices[i].insert);
	buffer_finish(&edit->old);
	buffer_finish(&edit->new);
	unit_unref(edit->unit);
	free(edit->path);
	free(edit);
}

static int expect(struct edit *edit, struct expectation expectation)
{
	if (edit->expectation_count == EDIT_CHANGES_MAX)
		return -E2BIG;
	edit->expectations[edit->expectation_count++] = expectation;
	return 0;
}

static int read_tree(const struct edit *edit, enum record_kind kind, uint32_t index, struct edit_tree *ret,
		     struct problem *problem)
{
	int r = edit_tree_read(ret, edit->old.data, edit->old.length, kind, index);

	if (r == -EINVAL)
		return edit_refuse(edit, 0, problem, "the file has a form that cannot be edited");
	if (r == 0 && ret->flow) {
		edit_tree_finish(ret);
		return edit_refuse(edit, 0, problem,
				   "the whole file is one {…}, as JSON is: only block style can be edited");
	}
	return r;
}

static int render_host(const struct host_record *host, const char *indent, bool flow, const char *newline,
		       struct buffer *ret)
{
	struct edit_pairs pairs;
	bool failed;

	edit_render(RECORD_HOST, host, &pairs);
	failed = pairs.failed;
	if (!failed)
		buffer_printf(ret, flow ? "{name: %s, serves: [" : "name: %s%s%sserves:%s", pairs.pairs[0].value,
			      newline, indent, host->rule_count ? "" : " []");
	edit_pairs_finish(&pairs);
	for (uint32_t i = 0; !failed && i < host->rule_count; i++) {
		edit_render_rule(&host->rules[i], &pairs);
		failed = pairs.failed;
		if (flow)
			buffer_add_text(ret, i ? ", " : "");
		else
			buffer_printf(ret, "%s%s  - ", newline, indent);
		edit_pairs_flow(&pairs, ret);
		edit_pairs_finish(&pairs);
	}
	buffer_add_text(ret, flow ? "]}" : newline);
	return failed || ret->failed ? -ENOMEM : 0;
}

/* A record behind `prefix` ("  - "); whole lines unless `flow_only`. */
static int render_item(const struct edit *edit, enum record_kind kind, const void *record, const char *prefix,
		       bool flow, bool flow_only, struct buffer *ret)
{
	char indent[128];
	struct edit_pairs pairs;
	size_t length = strlen(prefix);
	bool failed;

	if (length >= sizeof(indent))
		return -EINVAL;
	memset(indent, ' ', length);
	indent[length] = '\0';
	buffer_add_text(ret, prefix);
	if (kind == RECORD_HOST) {
		int r = render_host(record, indent, flow, edit->newline, ret);

		if (r == 0 && flow && !flow_only)
			buffer_add_text(ret, edit->newline);
		return r;
	}
	edit_render(kind, record, &pairs);
	failed = pairs.failed;
	if (flow) {
		edit_pairs_flow(&pairs, ret);
		buffer_add_text(ret, flow_only ? "" : edit->newline);
	} else {
		edit_pairs_block(&pairs, indent, edit->newline, ret);
	}
	edit_pairs_finish(&pairs);
	return failed || ret->failed ? -ENOMEM : 0;
}

/* One line reads better for records of a few short values. */
static bool short_kind(enum record_kind kind)
{
	return kind == RECORD_PROJECT || kind == RECORD_MEMBER;
}

static int append_to_empty(struct edit *edit, const struct edit_section *section, enum record_kind kind,
			   const void *record, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	size_t line_after = edit_line_after(edit, section->end), from = section->start;
	int r;

	for (size_t i = section->start; i < section->end; i++)
		if (!strchr("[] ", edit->old.data[i]))
			return edit_refuse(edit, section->start, problem,
					   "the empty list is written over several lines");
	if (edit_line_start(edit, section->start) != section->key_start)
		return edit_refuse(edit, section->start, problem, "the empty list does not stand beside its key");
	if (edit_is_blank(edit, section->end, line_after))
		while (edit->old.data[from - 1] == ' ')
			from--;
	r = edit_splice(edit, from, section->end - from, "");
	if (r == 0)
		r = render_item(edit, kind, record, "  - ", short_kind(kind), false, &text);
	if (r == 0)
		r = edit_splice(edit, line_after, 0, buffer_text(&text));
	return r;
}

static int append_to(struct edit *edit, const struct edit_section *section, enum record_kind kind, const void *record,
		     struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(freep) char *prefix = NULL;
	int r;

	if (!section->exists) {
		buffer_printf(&text, "%s:%s", edit_section_name(kind), edit->newline);
		r = render_item(edit, kind, record, "  - ", short_kind(kind), false, &text);
		return r < 0 ? r : edit_splice(edit, edit->old.length, 0, buffer_text(&text));
	}
	if (section->count == 0)
		return append_to_empty(edit, section, kind, record, problem);
	if (section->flow) {
		r = render_item(edit, kind, record, ", ", true, true, &text);
		return r < 0 ? r : edit_splice(edit, section->last_end, 0, buffer_text(&text));
	}
	prefix = edit_item_prefix(edit, section->last_start);
	if (!prefix)
		return edit_refuse(edit, section->last_start, problem,
				   "the list \"%s\" has a layout that cannot be continued", edit_section_name(kind));
	r = render_item(edit, kind, record, prefix, section->last_flow, false, &text);
	return r < 0 ? r : edit_splice(edit, edit_line_after(edit, section->last_end), 0, buffer_text(&text));
}

/* Records of a list that is made by these very edits: the second and later ones follow the first. */
static int append_again(struct edit *edit, const struct edit_section *section, enum record_kind kind,
			const void *record)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	size_t at = section->exists ? edit_line_after(edit, section->end) : edit->old.length;
	int r = render_item(edit, kind, record, "  - ", short_kind(kind), false, &text);

	return r < 0 ? r : edit_splice(edit, at, 0, buffer_text(&text));
}

int edit_append(struct edit *edit, enum record_kind kind, const void *record, struct problem *problem)
{
	struct edit_tree tree;
	bool again = false;
	int r = read_tree(edit, kind, EDIT_NO_RECORD, &tree, problem);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < edit->expectation_count; i++)
		again |= edit->expectations[i].what == EXPECT_APPENDED && edit->expectations[i].kind == kind;
	if (again && tree.sections[kind].count == 0)
		r = append_again(edit, &tree.sections[kind], kind, record);
	else
		r = append_to(edit, &tree.sections[kind], kind, record, problem);
	edit_tree_finish(&tree);
	if (r == 0)
		r = expect(edit, (struct expectation){EXPECT_APPENDED, kind, 0, record});
	return r;
}

int edit_update(struct edit *edit, enum record_kind kind, uint32_t index, const void *record, struct problem *problem)
{
	const void *old = records_at(&edit->unit->records, kind, index);
	struct edit_pairs was, is;
	struct edit_tree tree;
	int r = read_tree(edit, kind, index, &tree, problem);

	if (r < 0)
		return r;
	edit_render(kind, old, &was);
	edit_render(kind, record, &is);
	r = was.failed || is.failed ? -ENOMEM : edit_map_update(edit, tree.record, &was, &is, problem);
	if (r == 0 && kind == RECORD_HOST)
		r = edit_rules_update(edit, tree.record, old, record, problem);
	edit_pairs_finish(&was);
	edit_pairs_finish(&is);
	edit_tree_finish(&tree);
	if (r == 0)
		r = expect(edit, (struct expectation){EXPECT_UPDATED, kind, index, record});
	return r;
}

static int remove_item(struct edit *edit, const struct edit_section *section, enum record_kind kind,
		       const struct edit_node *record, struct problem *problem)
{
	const char *name = edit_section_name(kind);
	size_t from = record->start, to = record->end;
	_cleanup_(freep) char *prefix = NULL;
	int r = 0;

	if (section->flow) {
		if (section->before_end)
			from = section->before_end;
		else if (section->after_start)
			to = section->after_start;
	} else {
		prefix = edit_item_prefix(edit, record->start);
		if (!prefix)
			return edit_refuse(edit, from, problem, "the %s shares its line with something else",
					   record_kind_name(kind));
		from = edit_line_start(edit, from);
		to = edit_line_after(edit, to);
	}
	if (edit_has_comment(edit, from, to, record))
		return edit_refuse(edit, from, problem, "a comment would go together with the %s",
				   record_kind_name(kind));
	if (section->count == 1 && !section->flow) {
		size_t colon = section->key_start + strlen(name);

		if (edit->old.data[colon] != ':')
			return edit_refuse(edit, section->key_start, problem,
					   "the key \"%s\" is written in an unusual way", name);
		r = edit_splice(edit, colon + 1, 0, " []");
	}
	return r < 0 ? r : edit_splice(edit, from, to - from, "");
}

int edit_remove(struct edit *edit, enum record_kind kind, uint32_t index, struct problem *problem)
{
	struct edit_tree tree;
	int r = read_tree(edit, kind, index, &tree, problem);

	if (r < 0)
		return r;
	r = remove_item(edit, &tree.sections[kind], kind, tree.record, problem);
	edit_tree_finish(&tree);
	if (r == 0)
		r = expect(edit, (struct expectation){EXPECT_REMOVED, kind, index, NULL});
	return r;
}

static int apply(struct edit *edit)
{
	uint32_t order[EDIT_CHANGES_MAX] = {0};
	size_t at = 0;

	/* By place; at the same place in the order they were asked for. */
	for (uint32_t i = 0; i < edit->splice_count; i++) {
		uint32_t j = i;

		for (; j > 0 && edit->splices[order[j - 1]].at > edit->splices[i].at; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
	buffer_clear(&edit->new);
	for (uint32_t i = 0; i < edit->splice_count; i++) {
		const struct splice *splice = &edit->splices[order[i]];

		if (splice->at < at)
			return -EINVAL; /* two changes of one place */
		buffer_add(&edit->new, edit->old.data + at, splice->at - at);
		buffer_add_text(&edit->new, splice->insert);
		at = splice->at + splice->remove;
	}
	buffer_add(&edit->new, edit->old.data + at, edit->old.length - at);
	return buffer_text(&edit->new) ? 0 : -ENOMEM;
}

static const struct expectation *find_expectation(const struct edit *edit, enum record_kind kind, uint32_t index)
{
	for (uint32_t i = 0; i < edit->expectation_count; i++)
		if (edit->expectations[i].what != EXPECT_APPENDED && edit->expectations[i].kind == kind &&
		    edit->expectations[i].index == index)
			return &edit->expectations[i];
	return NULL;
}

/* Is the new unit the old one with exactly the intended changes? */
static bool as_intended(const struct edit *edit, const struct unit *unit)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		uint32_t count = records_count(&unit->records, kind), at = 0;

		for (uint32_t i = 0; i < records_count(&edit->unit->records, kind); i++) {
			const struct expectation *change = find_expectation(edit, kind, i);
			const void *wanted = change && change->what == EXPECT_UPDATED
						     ? change->record
						     : records_at(&edit->unit->records, kind, i);

			if (change && change->what == EXPECT_REMOVED)
				continue;
			if (at == count || !record_equal(kind, wanted, records_at(&unit->records, kind, at++)))
				return false;
		}
		for (uint32_t i = 0; i < edit->expectation_count; i++) {
			const struct expectation *change = &edit->expectations[i];

			if (change->what != EXPECT_APPENDED || change->kind != kind)
				continue;
			if (at == count || !record_equal(kind, change->record, records_at(&unit->records, kind, at++)))
				return false;
		}
		if (at != count)
			return false;
	}
	return true;
}

int edit_finish(struct edit *edit, struct unit **ret, struct problem *problem)
{
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	struct problem inner = {0};
	char line[2 * PROBLEM_TEXT_MAX];
	int r = apply(edit);

	if (r == -ENOMEM)
		return r;
	if (r == 0)
		r = directory_yaml_load_text(edit->path, edit->new.data, edit->new.length, &unit, &inner);
	if (r < 0 && r != -EINVAL)
		return r;
	if (r < 0 && inner.text[0] && strstr(inner.text, "not valid YAML") == NULL) {
		/* The text is sound but the record is not: that is the caller's to mend. */
		*problem = inner;
		problem_at(problem, "", 0, 0);
		return -EINVAL;
	}
	if (r < 0 || !as_intended(edit, unit))
		return edit_refuse(edit, 0, problem, "the file's layout does not allow this edit to be made safely%s%s",
				   inner.text[0] ? ": " : "",
				   inner.text[0] ? problem_render(&inner, line, sizeof(line)) : "");
	*ret = TAKE_PTR(unit);
	return 0;
}

const char *edit_text(const struct edit *edit)
{
	return edit->new.data;
}

int edit_write(const struct edit *edit)
{
	struct stat now;

	/* A link would be replaced by a file, and its target stay as it was. */
	if (lstat(edit->path, &now) == 0 && S_ISLNK(now.st_mode))
		return -ELOOP;
	return file_replace(AT_FDCWD, edit->path, edit->new.data, edit->new.length, 0640, &edit->st);
}
