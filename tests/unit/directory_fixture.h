/* SPDX-License-Identifier: MIT
 *
 * What the directory's tests share: a small directory that is in order, and the ways to load one.
 */
#pragma once

#include "directory/directory.h"
#include "unit.h"

/* Two tenants (acme: vision, speech; beta: main), alice, bob and a service account at acme, carol at beta. */
extern const char sample_directory[];

/* One tenant with all there is to say about sessions, and an operator (olga, usr_olga) with a grant. */
extern const char operators_directory[];

struct unit *load_text(const char *name, const char *text); /* must load */
struct directory *build_text(const char *text);             /* must build; host "gpu-1" */
struct directory *build_units(struct unit *const *units, uint32_t count, const struct directory *before);
/* "a.yaml:3:5: text (remedy)" of the problem that the units together give; "(no problem)". */
const char *build_problem(struct unit *const *units, uint32_t count, const struct directory *before);
/* The same of two files by their texts, "f" and "g"; the second may be NULL. "(no problem)": they build. */
const char *problem_of(const char *first, const char *second);
/* A copy of text with the first `from` replaced by `to` (must be there); malloc'd. */
char *replaced(const char *text, const char *from, const char *to);
/* A fresh directory below /tmp, and removing it with all it holds. */
char *make_folder(void);
void remove_folder(char *folder);
void write_file(const char *path, const char *text);
char *read_file(const char *path); /* malloc'd */
