/* The store: the only place that knows SQL. One struct store is one connection, used by one thread at a time.
 *
 * Many readers, one writer: only the writer thread opens with STORE_WRITE, and only it calls what is marked [w], inside
 * store_begin … store_commit. Rows are plain structs (certfs/rows.h); ids come from the store and are never used
 * again. Statements keep to what SQLite and PostgreSQL both take.
 *
 * Every call returns 0 (or 1 where "found" is asked), or a negative errno with a sentence: -ENOENT no such row, -EEXIST
 * a unique value is taken, -ENOSPC, -EIO, -EROFS, -ENOMEM as they come from below. After -EIO the connection must be reopened
 * (store_ready does), never tried again: a failed fsync may have lost what looks written.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/rows.h"

struct store;

enum store_mode { STORE_READ, STORE_WRITE, STORE_CREATE };

/* ---- connection (store.c) ---- */

int store_open(const char *path, enum store_mode mode, struct store **ret, struct error *err);
void store_close(struct store *store); /* NULL is fine */

/* Opens the connection again if a failure has made it unfit. To be called before each use. */
int store_ready(struct store *store, struct error *err);

/* Has one, since it was opened? */
bool store_failed(const struct store *store, struct error *ret_why);
bool store_in_transaction(struct store *store);

/* Appends text as a JSON string with its quotes (valid in YAML, too). text must be UTF-8. */
int store_json_quote(struct store *store, struct span text, struct buffer *out, struct error *err);

int store_begin(struct store *store, struct error *err);    /* [w] BEGIN IMMEDIATE */
int store_commit(struct store *store, struct error *err);   /* [w] durable on return */
void store_rollback(struct store *store);                   /* [w] */
int store_savepoint(struct store *store, struct error *err); /* [w] one level, inside a transaction */
int store_release(struct store *store, struct error *err);   /* [w] keeps what came since the savepoint */
void store_undo(struct store *store);                        /* [w] drops what came since the savepoint */

/* Moves what it can from the WAL into the database, without making anybody wait (PASSIVE). */
int store_checkpoint(struct store *store, struct error *err);

/* A read transaction: what is read inside is one moment. */
int store_read_begin(struct store *store, struct error *err);
void store_read_end(struct store *store);

/* ---- schema (store_schema.c) ---- */

/* Brings the schema to this program's version, one transaction for each step. ENOTSUP: a newer certfs made the store. */
int store_migrate(struct store *store, struct error *err);

/* 0 if the schema is this program's; ENOTSUP: a newer one's, ESTALE: an older one's, not migrated yet. */
int store_current(struct store *store, struct error *err);

/* The integrity of the file itself; EUCLEAN names the damage. */
int store_integrity(struct store *store, struct error *err);

/* What rows must say of each other (store_check.c): calls found for each that doesn't. */
int store_consistency(struct store *store, void (*found)(void *context, const char *what, int64_t id, const char *remedy),
		      void *context, struct error *err);

int store_term_add(struct store *store, uint32_t term, struct span wrapped, struct error *err); /* [w] */
int store_term_each(struct store *store, int (*each)(void *context, uint32_t term, struct span wrapped),
		    void *context, struct error *err);

/* Data keys are wrapped anew when the master key changes. master: SHA-256 of the master key that wraps it. */
int store_term_rewrap(struct store *store, uint32_t term, struct span wrapped, const uint8_t master[FINGERPRINT_SIZE],
		      struct error *err); /* [w] */
/* Notes it where it was not noted yet (an older store). */
int store_term_note(struct store *store, const uint8_t master[FINGERPRINT_SIZE], struct error *err); /* [w] */
/* Which master key wraps the data keys; 1, or 0 if the store does not say. */
int store_term_master(struct store *store, uint8_t ret[FINGERPRINT_SIZE], struct error *err);

/* ---- the whole (store_copy.c) ---- */

/* From now on a statement of this connection ends with EINTR when SIGINT, SIGTERM or SIGHUP is pending (blocked). */
void store_stop_by_signal(struct store *store);

/* A consistent copy of a store that may be in use, into path: a file that does not exist or is empty. Not durable yet. */
int store_copy(struct store *store, const char *path, struct error *err);

/* EINVAL if the database is not certfs's. */
int store_recognise(struct store *store, struct error *err);

/* [w] Makes an old copy fit to go on: what is counted or numbered from now on is above max(value + 1, now), so
 * that nothing is used again that a lost store had handed out since. A transaction of its own. */
int store_raise(struct store *store, unixtime now, struct error *err);

/* No number of a generation and no counter of a trigger is given at or below it. 0: never restored. */
int store_floor(struct store *store, int64_t *ret, struct error *err);

/* ---- projects (store_project.c) ---- */

int project_by_id(struct store *store, rowid id, struct project_row *ret, struct error *err);
int project_by_name(struct store *store, const char *name, struct project_row *ret, struct error *err);
/* Calls each for projects with id > after, in the order of ids, until it returns non-zero. */
int project_each(struct store *store, rowid after, int (*each)(void *context, rowid id, const char *name),
		 void *context, struct error *err);
int project_count(struct store *store, int64_t *ret, struct error *err);
int project_policy(struct store *store, rowid id, struct buffer *ret, struct error *err);

int project_insert(struct store *store, struct project_row *row, const char *policy, struct error *err); /* [w] sets row->id */
int project_delete(struct store *store, rowid id, struct error *err);                                  /* [w] */
int project_set_owner(struct store *store, rowid id, const struct owner *owner, struct error *err);    /* [w] */
int project_set_policy(struct store *store, rowid id, struct span text, struct error *err); /* [w] and the next revision */
int project_set_signing_ca(struct store *store, rowid id, rowid signing_ca, struct error *err); /* [w] and the next revision */
int project_next_revision(struct store *store, rowid id, struct error *err);                  /* [w] */
/* [w] And the next revision. csr_key 0: the request is over; its key, if it was not answered, loses its sealed form. */
int project_set_next(struct store *store, rowid id, rowid next_ca, rowid csr_key, struct error *err);
int project_set_due(struct store *store, rowid id, unixtime due_at, int announced, struct error *err); /* [w] */
int project_set_recheck(struct store *store, rowid id, rowid recheck, struct error *err);         /* [w] */
/* Up to room projects that the monitor is to look at. Returns how many. */
int project_due(struct store *store, unixtime now, rowid *ret, int room, struct error *err);
int project_next_epoch(struct store *store, rowid id, bool compromised, struct error *err);    /* [w] */
int project_add_issued(struct store *store, rowid id, int64_t count, struct error *err); /* [w] */
/* How many app instances have a certificate. Not in snapshots: each first issue changes it. */
int project_issued(struct store *store, rowid id, int64_t *ret, struct error *err);
int project_add_apps(struct store *store, rowid id, int64_t count, unixtime now, struct error *err); /* [w] */

/* ---- signing CAs and their keys (store_signing_ca.c) ---- */

int signing_ca_by_id(struct store *store, rowid id, struct signing_ca_row *ret, struct error *err);
/* The certificates of a chain, signer first. */
int signing_ca_certs(struct store *store, rowid id, int (*each)(void *context, struct span der), void *context,
		     struct error *err);
/* All rows of that key, in whatever projects. */
int signing_ca_each_of_key(struct store *store, rowid key, int (*each)(void *context, rowid id), void *context,
			   struct error *err);
/* The newest signing CA of a project with that key. */
int signing_ca_by_spki(struct store *store, rowid project, const uint8_t spki[FINGERPRINT_SIZE],
		       struct signing_ca_row *ret, struct error *err);
/* The signing CAs of a project, but the active one, under which a certificate is or was valid after `since`. */
int signing_ca_each_replaced(struct store *store, const struct project_row *project, unixtime since,
			     int (*each)(void *context, rowid id), void *context, struct error *err);
int signing_ca_each(struct store *store, int (*each)(void *context, rowid id), void *context, struct error *err);
/* [w] Notes that a certificate under it ends at not_after. */
int signing_ca_issued(struct store *store, rowid id, unixtime not_after, struct error *err);
int signing_ca_insert(struct store *store, struct signing_ca_row *row, struct error *err); /* [w] sets row->id */
int signing_ca_update(struct store *store, const struct signing_ca_row *row, struct error *err); /* [w] a new chain for it */
int signing_ca_add_cert(struct store *store, rowid id, int position, struct span der, struct error *err); /* [w] */
int signing_ca_drop_certs(struct store *store, rowid id, struct error *err);                            /* [w] */

struct signing_key_row {
	rowid id;
	uint8_t spki[FINGERPRINT_SIZE];
	unixtime compromised_at;
	char compromised_reason[REASON_SIZE];
	bool usable; /* the store still has the key itself */
};
int signing_key_by_spki(struct store *store, const uint8_t spki[FINGERPRINT_SIZE], struct signing_key_row *ret,
			struct error *err);
int signing_key_sealed(struct store *store, rowid id, struct buffer *ret, struct error *err);
int signing_key_each(struct store *store, int (*each)(void *context, const struct signing_key_row *row), void *context,
		     struct error *err);
/* [w] Adds the key, or gives an existing row its sealed form again. */
int signing_key_put(struct store *store, const uint8_t spki[FINGERPRINT_SIZE], struct span sealed, unixtime now,
		    rowid *ret, struct error *err);

/* [w] Marks the key, for ever, and the next revision for the projects that sign with it: what is being issued there is made again, or refused. */
int signing_key_compromise(struct store *store, rowid id, unixtime now, const char *reason, struct error *err);

/* The projects where that key signs, is staged, or has signed what has not ended. each: what is negative ends the walk. */
int signing_key_projects(struct store *store, rowid key, unixtime now, int (*each)(void *context, rowid project), void *context,
			 struct error *err);

/* ---- operations (store_operation.c) ---- */

/* The newest of a project; id 0 if there was none. */
int operation_newest(struct store *store, rowid project, struct operation_row *ret, struct error *err);
/* The projects of those that have not ended, of which a project has one at most. */
int operation_each_active(struct store *store, int (*each)(void *context, rowid project), void *context,
			  struct error *err);
int operation_insert(struct store *store, struct operation_row *row, struct error *err);       /* [w] sets row->id */
/* [w] Ends those that have not ended. */
int operation_cancel(struct store *store, rowid project, unixtime now, struct error *err);
/* [w] A job that waited for a signing CA may go on. */
int operation_release(struct store *store, rowid project, struct error *err);
int operation_update(struct store *store, const struct operation_row *row, struct error *err); /* [w] */

/* app 0 in *ret if there is none. */
int procedure_get(struct store *store, rowid app, struct procedure_row *ret, struct error *err);
int procedure_each(struct store *store, int (*each)(void *context, const struct procedure_row *row), void *context,
		   struct error *err);
int procedure_put(struct store *store, const struct procedure_row *row, struct error *err); /* [w] */
int procedure_delete(struct store *store, rowid app, struct error *err);                  /* [w] */

/* ---- app instances (store_app.c) ---- */

int app_by_id(struct store *store, rowid id, struct app_row *ret, struct error *err);
int app_id_of_name(struct store *store, rowid project, const char *name, rowid *ret, struct error *err);
int app_each(struct store *store, rowid project, rowid after, int (*each)(void *context, rowid id, const char *name),
	     void *context, struct error *err);
int app_insert(struct store *store, struct app_row *row, struct error *err); /* [w] sets row->id */
int app_delete(struct store *store, rowid id, struct error *err);            /* [w] */
int app_set_owner(struct store *store, rowid id, const struct owner *owner, struct error *err); /* [w] */
/* [w] and when the monitor is to look at it */
int app_set_generation(struct store *store, rowid id, rowid generation, int64_t number, unixtime due_at,
		       struct error *err);
int app_set_stale(struct store *store, rowid id, int64_t number, struct error *err);                      /* [w] */

int app_set_delivered(struct store *store, rowid id, int64_t number, unixtime at, struct error *err); /* [w] */
/* [w] at 0: lifts the revocation. */
int app_set_revoked(struct store *store, rowid id, unixtime at, const char *reason, struct error *err);
int app_set_due(struct store *store, rowid id, unixtime due_at, int announced, struct error *err); /* [w] */
/* Up to room app instances that the monitor is to look at. Returns how many. */
int app_due(struct store *store, unixtime now, rowid *ret, int room, struct error *err);
/* Up to `room` app instances with a certificate, behind `after`. Returns how many. */
int app_issued_after(struct store *store, rowid project, rowid after, rowid *ret, int room, struct error *err);

/* App instances whose newest certificate hangs on another signing CA than the active one, or (all) on any. */
int app_each_affected(struct store *store, const struct project_row *project, bool all,
		      int (*each)(void *context, rowid id, const char *name), void *context, struct error *err);

/* ---- counts by state (store_tally.c) ---- */

/* How many app instances of a project are in which state at time now; renew_before in seconds. Exact, by the rules of
 * device_ca_state, and of one moment of the store; costs the same for ten and for a million. */
struct app_counts {
	int64_t total;
	int64_t compromised;
	int64_t expired;
	int64_t revoked;
	int64_t update_required;
	int64_t expiring;
	int64_t valid;
	int64_t not_issued;
	unixtime earliest; /* the first end of the certificates that are valid now, 0: there is none */
};
int app_count_states(struct store *store, rowid project, unixtime now, int64_t renew_before, struct app_counts *ret,
		     struct error *err);

/* Of these, what an update would re-issue once signing_ca is the active one. */
struct app_due_by {
	unixtime now;
	int64_t renew_before; /* seconds */
	rowid signing_ca;
	unixtime gains_until; /* renewing what ends later gains nothing */
};
struct app_due {
	int64_t expired, expiring, update_required;
};
int app_count_due(struct store *store, rowid project, const struct app_due_by *by, struct app_due *ret,
		  struct error *err);

/* App instances of a project, worst state first, then by their end (store_ranked.c): at most `room`, until each fails. */
struct app_ranked {
	rowid project;
	char name[NAME_SIZE];
	int rank;           /* enum state */
	unixtime not_after; /* 0: never issued */
};
struct app_ranking {
	unixtime now;
	int64_t renew_before; /* seconds */
	int room;
};
int app_each_ranked(struct store *store, const struct project_row *project, const struct app_ranking *by,
		    int (*each)(void *context, const struct app_ranked *row), void *context, struct error *err);
/* Adds to ret[i] how many current certificates of all projects end in the i-th period (seconds) from now. */
int app_ends(struct store *store, unixtime now, int64_t period, int64_t *ret, int periods, struct error *err);

/* ---- generations (store_generation.c) ---- */

int generation_by_id(struct store *store, rowid id, struct generation_row *ret, struct error *err);
int generation_by_number(struct store *store, rowid app, int64_t number, struct generation_row *ret, struct error *err);
int generation_each(struct store *store, rowid app, int64_t after,
		    int (*each)(void *context, rowid id, int64_t number), void *context, struct error *err);
int generation_every(struct store *store, int (*each)(void *context, const struct generation_row *row), void *context,
		     struct error *err);
int generation_cert(struct store *store, rowid id, struct buffer *ret, struct error *err);
/* ENOENT once the key was dropped (a newer generation has taken its place). */
int generation_sealed(struct store *store, rowid id, struct buffer *ret, struct error *err);
/* The time of the newest certificate in the store, 0: none. O(1). */
int generation_newest(struct store *store, unixtime *ret, struct error *err);

int generation_insert(struct store *store, struct generation_row *row, rowid signing_key, struct span cert,
		      struct span sealed, struct error *err); /* [w] sets row->id; EEXIST: that serial was used */
int generation_drop_key(struct store *store, rowid id, struct error *err); /* [w] */
/* [w] Revokes it from `at` on (which may be to come: the grace), unless it was revoked before that. */
int generation_revoke(struct store *store, rowid id, unixtime at, const char *reason, struct error *err);
/* [w] The same for all up to that number that have not ended: renewals keep a key, so a compromised one is in several. */
int generation_revoke_up_to(struct store *store, rowid app, int64_t number, unixtime at, const char *reason,
			    struct error *err);
/* [w] Revokes what has not expired of an app instance that goes away, and drops its keys. */
int generation_retire(struct store *store, rowid app, unixtime now, const char *reason, struct error *err);

/* What a CRL tells at time now of what was issued under one signing CA: what is revoked, and ended after `since`; of a compromised key all that has
 * not ended. */
struct revocation_row {
	uint8_t serial[SERIAL_SIZE];
	unixtime revoked_at;
	char reason[32];
};
int revocation_each(struct store *store, const struct signing_ca_row *ca, unixtime now, unixtime since,
		    int (*each)(void *context, const struct revocation_row *row), void *context, struct error *err);

/* What changes when that list does. */
struct revocations {
	int64_t count;
	unixtime latest;
};
int revocation_count(struct store *store, const struct signing_ca_row *ca, unixtime now, struct revocations *ret,
		     struct error *err);

/* ---- totals, triggers, requests, audit (store_log.c) ---- */

/* How often something has ever happened in this store. The store itself counts issued, renewed and revoked. */
int total_get(struct store *store, const char *name, int64_t *ret, struct error *err);
int total_count(struct store *store, const char *name, struct error *err); /* [w] one more */


/* scope: "app" or "project". A trigger that never fired gives zeros and the state "none". */
int trigger_get(struct store *store, const char *scope, rowid object, const char *name,
		struct trigger_row *ret, struct error *err);
int trigger_put(struct store *store, const char *scope, rowid object, const char *name,
		const struct trigger_row *row, struct error *err); /* [w] */
/* [w] Counts one firing; *ret_counter (NULL: nobody asks) is how many there have been. */
struct trigger_firing {
	unixtime time;
	const char *reason;
	const char *state; /* that of the operation from now on */
};
int trigger_fire(struct store *store, const char *scope, rowid object, const char *name,
		 const struct trigger_firing *firing, int64_t *ret_counter, struct error *err);
/* [w] Triggers and texts of an object that goes away. */
int trigger_drop(struct store *store, const char *scope, rowid object, struct error *err);

/* Texts that users wrote: name is "template" or "details". ENOENT: none. */
int document_get(struct store *store, const char *scope, rowid object, const char *name, struct buffer *ret,
		 struct error *err);
int document_put(struct store *store, const char *scope, rowid object, const char *name, struct span content,
		 struct error *err); /* [w] */

/* [w] A user has changed a file of the project or app instance. Two changes of one object never have the same time, or rsync would miss one. */
int object_written(struct store *store, const char *scope, rowid object, unixtime now, struct error *err);

/* Each app instance of the project that has details of its own: its name, and they, for the time of the call. */
typedef int (*details_fn)(void *context, const char *app, struct span details, struct error *err);
int document_each_details(struct store *store, rowid project, details_fn each, void *context, struct error *err);

/* The answer that a request of this FUSE connection got before the worker died: 1 and *ret_result, or 0. */
int request_find(struct store *store, uint64_t connection, uint64_t request, int64_t *ret_result, struct error *err);
int request_put(struct store *store, uint64_t connection, uint64_t request, int64_t result, unixtime now,
		struct error *err); /* [w] */
/* [w] Forgets answers older than `before`, and those of other connections. */
int request_prune(struct store *store, uint64_t connection, unixtime before, struct error *err);

int audit_insert(struct store *store, struct audit_row *row, struct error *err); /* [w] sets row->id */
int audit_each(struct store *store, int64_t after, int (*each)(void *context, const struct audit_row *row), void *context,
	       struct error *err);

/* How many bytes the variable parts of all audit lines have (see render_log.c), and how many lines there are. */
int audit_bytes(struct store *store, size_t *ret_bytes, int64_t *ret_count, struct error *err);

/* Who has read private keys of an app instance: one call for each uid and command, with the newest generation that it has. */
struct reader_row {
	uid_t uid;
	char command[17];
	int64_t generation;
	unixtime last;
	int64_t reads;
};
int reader_each(struct store *store, rowid app, int (*each)(void *context, const struct reader_row *row), void *context,
		struct error *err);

/* ---- events (store_event.c) ---- */

/* Which events: those of an app instance, of a project and all below it, or (both 0) all. */
struct event_scope {
	rowid project;
	rowid app;
};

/* [w] Adds one, and forgets the oldest beyond what is kept. line: what follows the id in its JSON object. */
int event_insert(struct store *store, rowid project, rowid app, const char *line, struct error *err);
/* Whose event it is: "" and 0 where it is not of one. */
struct event_subject {
	char project[NAME_SIZE];
	char app[NAME_SIZE];
	int64_t generation;
};
int event_subject(struct store *store, int64_t id, struct event_subject *ret, struct error *err);
int event_each(struct store *store, struct event_scope scope, int64_t after,
	       int (*each)(void *context, int64_t id, struct span line), void *context, struct error *err);
/* How many bytes all lines of the scope have, as EVENT_FORMAT writes them. */
int event_bytes(struct store *store, struct event_scope scope, size_t *ret, struct error *err);
#define EVENT_FORMAT "{\"id\":%lld,%.*s\n"

/* How many events and audit records are kept, by this connection's inserts. Without it: all. */
void store_keep(struct store *store, int64_t events, int64_t audit);

/* How many events this connection has added: tells the writer whether there is something new. */
int64_t store_events_added(const struct store *store);

#endif
