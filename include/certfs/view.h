/* A view is one moment of one object: what a file of it shows, and what opening it does. Immutable, owned by whoever asked
 * for it, used by one thread at a time. Renderers (render.h) turn it into bytes.
 */
#ifndef CERTFS_VIEW_H
#define CERTFS_VIEW_H

#include "certfs/core.h"
#include "certfs/rows.h"

struct view;

/* Views of the whole mount, a project, an app instance with its newest generation, and one generation.
 * ENOENT when there is no such row (any more). */
int view_fleet(struct core *core, struct view **ret, struct error *err);
int view_project(struct core *core, rowid project, struct view **ret, struct error *err);
int view_app(struct core *core, rowid app, struct view **ret, struct error *err);
int view_generation(struct core *core, rowid generation, struct view **ret, struct error *err);

void view_free(struct view *view);
void view_freep(struct view **view);
#define _cleanup_view_ __attribute__((cleanup(view_freep)))

/* Who owns the directory of this object, and its times. The fleet's is whoever mounted. */
struct owner view_owner(const struct view *view);

/* How many projects there are; 0 if the store can't say. */
int64_t view_projects(const struct view *view);

/* Borrowed; NULL where the view has none. */
const struct project_row *view_project_row(const struct view *view);
const struct app_row *view_app_row(const struct view *view);

/* The generation that is shown: for a view of one generation that one, for an app instance the newest; NULL: none. */
const struct generation_row *view_generation_row(const struct view *view);

/* The generation that is shown is the newest one and may be handed out: only then is its key there to be read. */
bool view_current(const struct view *view);

/* Permission bits of private keys, from the policy's key_mode. */
mode_t view_key_mode(const struct view *view);

/* The policy, among other things of the project, may have been written in the last so many seconds. */
bool view_written_within(const struct view *view, unixtime seconds);

/* The policy's attach: without it there are no certificates. */
bool view_attached(const struct view *view);

/* What opening a certificate file for reading would find (SPEC 2). */
enum view_reading {
	VIEW_SERVES, /* the generation of view_generation_row */
	VIEW_ISSUES, /* a generation to come */
	VIEW_REFUSES /* an error */
};
enum view_reading view_reading(const struct view *view, struct error *ret_refusal);

/* The identity of the bytes that reading a certificate file gives: number and revision of the generation that is served or to come.
 * Any two that differ differ in one of these. */
struct view_version {
	int64_t number;
	int64_t revision;
	unixtime issued_at;   /* st_mtime; of a generation to come: that of the one before */
	unixtime previous_at; /* st_ctime */
};
struct view_version view_version(const struct view *view);

#endif
