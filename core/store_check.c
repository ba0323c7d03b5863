/* What the store must say of itself: pages, and rows of each other. */
#include "store_internal.h"

int store_integrity(struct store *store, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, "PRAGMA integrity_check(1)", "");
	char text[256];
	int r = statement_one(store, stmt, "result", err);

	if (r < 0)
		return r;
	column_text(stmt, 0, text, sizeof(text));
	if (sqlite3_stricmp(text, "ok") != 0)
		return error_set(err, EUCLEAN, "the store is damaged: %s", text);
	return 0;
}

static const char restore[] = "restore a backup";
static const char purge[] = "purge the app instance, or restore a backup";
static const char upload[] = "upload the signing CA again, or restore a backup";

/* Each gives the ids of rows that contradict another one. */
static const struct {
	const char *what;
	const char *sql;
	const char *remedy;
} rules[] = {
	{"an app instance without its project", "SELECT id FROM app WHERE project NOT IN (SELECT id FROM project)",
	 restore},
	{"an app instance whose newest certificate is missing",
	 "SELECT a.id FROM app a LEFT JOIN generation g ON g.id=a.generation"
	 " WHERE a.generation<>0 AND (g.id IS NULL OR g.app<>a.id OR g.number<>a.last_number)",
	 restore},
	{"an app instance whose current private key is missing",
	 "SELECT a.id FROM app a JOIN generation g ON g.id=a.generation WHERE g.sealed IS NULL"
	 " AND a.revoked_at=0 AND g.number>a.stale_number",
	 purge},
	{"a count of app instances by state that is not right",
	 "SELECT t.id FROM tally t LEFT JOIN (SELECT tally, count(*) AS n FROM app GROUP BY tally) a ON a.tally=t.id"
	 " WHERE t.total<>coalesce(a.n, 0) UNION SELECT tally FROM tally_bucket b GROUP BY tally, level"
	 " HAVING sum(count)<>coalesce((SELECT total FROM tally WHERE id=b.tally), 0)",
	 restore},
	{"an app instance that is counted where it does not belong",
	 "SELECT a.id FROM app a LEFT JOIN tally t ON t.id=a.tally LEFT JOIN generation g ON g.id=a.generation"
	 " WHERE t.id IS NULL OR t.project<>a.project OR t.revoked<>(a.revoked_at<>0)"
	 " OR t.signing_ca<>coalesce(g.signing_ca, 0) OR t.epoch<>coalesce(g.epoch, 0)"
	 " OR t.stale<>coalesce(g.number<=a.stale_number, 0) OR (t.shape=0)<>(g.id IS NULL)"
	 " OR a.tally_at<>CASE t.shape WHEN 0 THEN 0 WHEN 1 THEN g.not_before ELSE g.not_after END",
	 restore},
	{"an app instance without its newest generation",
	 "SELECT a.id FROM app a WHERE EXISTS (SELECT 1 FROM generation g WHERE g.app=a.id AND g.number>a.last_number)",
	 restore},
	{"an app instance that was delivered a generation it never had",
	 "SELECT id FROM app WHERE delivered>last_number OR stale_number>last_number", restore},
	{"a certificate whose signing CA or its key is missing",
	 "SELECT id FROM generation WHERE signing_ca NOT IN (SELECT id FROM signing_ca)"
	 " OR key NOT IN (SELECT id FROM signing_key)",
	 restore},
	{"a certificate that names another key than its signing CA has",
	 "SELECT g.id FROM generation g JOIN signing_ca c ON c.id=g.signing_ca WHERE g.key<>c.key", restore},
	{"a certificate of an older number that kept a private key",
	 "SELECT g.id FROM generation g JOIN app a ON a.id=g.app WHERE g.sealed IS NOT NULL AND g.id<>a.generation",
	 purge},
	{"a certificate that ends before it begins", "SELECT id FROM generation WHERE not_after<=not_before", restore},
	{"a certificate revoked without a reason, or with a reason and not revoked",
	 "SELECT id FROM generation WHERE (revoked_at=0)<>(revoke_reason='')", restore},
	{"a removed app instance's certificate that is not revoked",
	 "SELECT id FROM generation WHERE app NOT IN (SELECT id FROM app) AND revoked_at=0 AND not_after>unixepoch()",
	 restore},
	{"a project whose signing CA is missing",
	 "SELECT id FROM project WHERE signing_ca<>0 AND signing_ca NOT IN (SELECT id FROM signing_ca)", upload},
	{"a project whose staged successor is missing",
	 "SELECT id FROM project WHERE next_ca<>0 AND next_ca NOT IN (SELECT id FROM signing_ca)", upload},
	{"a project whose key of csr.pem is missing",
	 "SELECT id FROM project WHERE csr_key<>0 AND csr_key NOT IN (SELECT id FROM signing_key WHERE sealed IS NOT "
	 "NULL)",
	 restore},
	{"a project whose signing CA is another project's",
	 "SELECT p.id FROM project p JOIN signing_ca c ON c.id IN (p.signing_ca, p.next_ca) WHERE c.project<>p.id",
	 restore},
	{"a project whose signing CA has no private key",
	 "SELECT p.id FROM project p JOIN signing_ca c ON c.id=p.signing_ca JOIN signing_key k ON k.id=c.key"
	 " WHERE k.sealed IS NULL AND k.compromised_at=0",
	 upload},
	{"a project that miscounts its app instances",
	 "SELECT id FROM project p WHERE apps<>(SELECT count(*) FROM app WHERE project=p.id)", restore},
	{"a project that miscounts its app instances with a certificate",
	 "SELECT id FROM project p WHERE issued<>(SELECT count(*) FROM app WHERE project=p.id AND generation<>0)",
	 restore},
	{"a serial number used twice by one signing key",
	 "SELECT max(id) FROM generation NOT INDEXED GROUP BY key, serial HAVING count(*)>1", purge},
	{"a signing CA without its key", "SELECT id FROM signing_ca WHERE key NOT IN (SELECT id FROM signing_key)",
	 restore},
	{"a signing CA without a certificate",
	 "SELECT id FROM signing_ca WHERE id NOT IN (SELECT signing_ca FROM signing_ca_cert WHERE position=0)",
	 restore},
	{"a signing CA whose chain has a gap",
	 "SELECT signing_ca FROM signing_ca_cert GROUP BY signing_ca HAVING max(position)<>count(*)-1", restore},
	{"a certificate of no signing CA",
	 "SELECT DISTINCT signing_ca FROM signing_ca_cert WHERE signing_ca NOT IN (SELECT id FROM signing_ca)",
	 restore},
	{"a signing CA's certificates that end later than it says",
	 "SELECT c.id FROM signing_ca c JOIN (SELECT signing_ca, max(not_after) AS last FROM generation GROUP BY signing_ca) g"
	 " ON g.signing_ca=c.id WHERE c.last_not_after<g.last",
	 restore},
	{"a trigger of an app instance or project that is not there",
	 "SELECT object FROM fired WHERE (scope='app' AND object NOT IN (SELECT id FROM app))"
	 " OR (scope='project' AND object NOT IN (SELECT id FROM project))",
	 restore},
	{"a text of an app instance or project that is not there",
	 "SELECT object FROM document WHERE (scope='app' AND object NOT IN (SELECT id FROM app))"
	 " OR (scope='project' AND object NOT IN (SELECT id FROM project))",
	 restore},
	{"a purge of an app instance that is not there",
	 "SELECT app FROM procedure WHERE app NOT IN (SELECT id FROM app)", restore},
	{"an unfinished operation of a project that is not there",
	 "SELECT id FROM operation WHERE finished_at=0 AND project NOT IN (SELECT id FROM project)", restore},
	{"ids that were used beyond what the store remembers to have given",
	 "SELECT seq FROM sqlite_sequence WHERE seq<CASE name WHEN 'app' THEN (SELECT max(id) FROM app)"
	 " WHEN 'project' THEN (SELECT max(id) FROM project) WHEN 'generation' THEN (SELECT max(id) FROM generation)"
	 " WHEN 'event' THEN (SELECT max(id) FROM event) WHEN 'audit' THEN (SELECT max(id) FROM audit) ELSE seq END",
	 restore},
	{"no one row of the floor of the counters", "SELECT count(*) FROM restored HAVING count(*)<>1", restore},
	{"no data key", "SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM term)", restore},
};

int store_consistency(struct store *store,
		      void (*found)(void *context, const char *what, int64_t id, const char *remedy), void *context,
		      struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(rules) / sizeof(rules[0]); i++) {
		_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, rules[i].sql, "");

		if (!stmt)
			return -err->code;
		while ((r = statement_step(store, stmt, err)) == 1)
			found(context, rules[i].what, sqlite3_column_int64(stmt, 0), rules[i].remedy);
	}
	return r;
}
