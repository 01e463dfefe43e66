/* SPDX-License-Identifier: MIT */
#include "config_audit.h"

#include "base/parse.h"
#include "base/text.h"

struct config_audit config_audit_default(void)
{
	return (struct config_audit){
		.durability = SPOOL_GROUP,
		.when_full = SPOOL_DROP,
		.spool_bytes = AUDIT_SPOOL_DEFAULT,
		.witness_sec = AUDIT_WITNESS_DEFAULT,
	};
}

/* The place of a plain word among `count` others; `count` where it is none of them. */
static size_t word_of(const struct yaml_node *value, const char *const *words, size_t count)
{
	size_t i = 0;

	while (i < count && (value->kind != YAML_TREE_SCALAR || !text_equal(value->text, words[i])))
		i++;
	return i;
}

int config_set_durability(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	static const char *const words[] = {
		[SPOOL_GROUP] = "group", [SPOOL_EACH] = "each", [SPOOL_RELAXED] = "relaxed"};
	size_t found = word_of(value, words, ARRAY_LEN(words));

	if (found == ARRAY_LEN(words))
		return settings_fault(settings, value, "not a kind of durability", "group, each or relaxed");
	*(enum spool_durability *)settings_target(settings, setting) = (enum spool_durability)found;
	return 0;
}

int config_set_when_full(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	static const char *const words[] = {[SPOOL_DROP] = "drop", [SPOOL_REFUSE] = "refuse"};
	size_t found = word_of(value, words, ARRAY_LEN(words));

	if (found == ARRAY_LEN(words))
		return settings_fault(settings, value, "not what a full spool can mean", "drop or refuse");
	*(enum spool_when_full *)settings_target(settings, setting) = (enum spool_when_full)found;
	return 0;
}

int config_set_spool_size(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	uint64_t bytes;

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_size(value->text, &bytes) < 0)
		return settings_fault(settings, value, "a size is expected here", "write 256M or 4G");
	if (bytes < AUDIT_SPOOL_LEAST || bytes > AUDIT_SPOOL_MOST)
		return settings_fault(settings, value, "the size is out of range", "at least 16M, at most 1024G");
	*(uint64_t *)settings_target(settings, setting) = bytes;
	return 0;
}
