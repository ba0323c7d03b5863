/* The rows of the store, as plain values. Blobs (certificates, sealed keys) are fetched apart. */
#ifndef CERTFS_ROWS_H
#define CERTFS_ROWS_H

#include "certfs/types.h"

/* Who owns a directory, and since when it is as it is. */
struct owner {
	uid_t uid;
	gid_t gid;
	mode_t mode;         /* permission bits */
	unixtime created_at;
	unixtime changed_at; /* of the entries: st_mtime and st_ctime of the directory */
};

struct project_row {
	rowid id;
	char name[NAME_SIZE];
	struct owner owner;
	unixtime apps_changed_at; /* times of apps/ */
	int64_t apps;             /* how many app instances */
	int64_t epoch;            /* generations of an older epoch are stale */
	int64_t compromised_epoch; /* what is of an older one was made stale because of a compromise: revoked at once */
	int64_t revision;         /* grows with whatever changes bytes to come: policy, signing CA, chain */
	rowid signing_ca;         /* the active one, 0: none */
	rowid next_ca;            /* the staged successor, 0: none */
	rowid csr_key;            /* the key of csr.pem, 0: none */
	unixtime due_at;          /* when the monitor looks at the signing CA again, 0: never */
	int announced;            /* its state that the last event told of, -1: none */
	unixtime written_at;      /* when a user last changed a file of it; 0: never */
	rowid recheck;            /* a new policy has been applied up to this app instance, -1: to all */
};

struct signing_ca_row {
	rowid id;
	rowid project;
	rowid key;                /* row of signing_key */
	unixtime not_before;      /* of the whole chain */
	unixtime not_after;
	int path_length;          /* effective, see x509.h */
	bool self_signed;
	bool has_root;
	bool crl_sign;
	int64_t chain_revision;   /* the project's revision when the chain last changed */
	unixtime activated_at;
	char warning[512];        /* what strict verifiers refuse about the chain, "": nothing */
	uint8_t fingerprint[FINGERPRINT_SIZE];
	uint8_t spki[FINGERPRINT_SIZE]; /* of the key's row */
	unixtime compromised_at;        /* of the key's row; 0: not */
	char compromised_reason[REASON_SIZE];
};

struct app_row {
	rowid id;
	rowid project;
	char name[NAME_SIZE];
	struct owner owner;
	rowid generation;     /* the newest, 0: never issued */
	int64_t last_number;  /* of the newest */
	int64_t next_number;  /* of the one to come: last_number + 1, or more where a backup was restored */
	int64_t stale_number; /* generations up to this number are stale (purge) */
	unixtime revoked_at;  /* 0: not */
	char revoke_reason[REASON_SIZE];
	unixtime due_at;      /* when the monitor looks at it again, 0: never */
	int announced;        /* enum state that the last event told of, -1: none */
	int64_t delivered;    /* generation that the hook push has delivered, 0: none */
	unixtime delivered_at;
	unixtime written_at;  /* as of a project */
};

struct generation_row {
	rowid id;             /* 0: none */
	rowid app;
	int64_t number;       /* 1, 2, … within its app instance */
	rowid signing_ca;
	int64_t epoch;        /* the project's when it was issued */
	int64_t revision;     /* the project's when it was issued */
	unixtime not_before;
	unixtime not_after;
	unixtime issued_at;
	unixtime previous_at; /* when the one before was issued, or the app instance made: the file's st_ctime, which
				 an issue must not change under a reader (tar) */
	int key_type;         /* enum key_type */
	int64_t cert_size;    /* DER bytes */
	unixtime revoked_at;
	uint8_t serial[SERIAL_SIZE];
	uint8_t spki[FINGERPRINT_SIZE];
};

/* An update or force_update: a job over all app instances of a project (SPEC 5.4, 5.5). */
struct operation_row {
	rowid id;             /* 0: none */
	rowid project;
	char kind[16];        /* update, force_update */
	char state[16];       /* running, paused, done, cancelled */
	int64_t total, done, failed;
	rowid cursor;         /* app instances up to this id are done */
	unixtime started_at;
	unixtime finished_at; /* 0: not yet */
};

/* Where an app instance stands in a purge or a project's job (SPEC 5.6). */
struct procedure_row {
	rowid app;            /* 0: none */
	char operation[48];   /* the id that all its hooks get */
	char kind[16];        /* purge, update, force_update */
	int step;             /* enum step of procedure.h, the one that comes next */
	int attempts;         /* of that step */
	bool failed;          /* given up: the next touch goes on at this step */
	int queued;           /* purges that were asked for meanwhile */
};

/* What a trigger file shows. */
struct trigger_row {
	int64_t counter;
	unixtime last;        /* 0: never fired */
	char reason[REASON_SIZE];
	char state[16];       /* none, running, done, failed */
};

/* One read of a private key, or another act that must be accounted for. */
struct audit_row {
	rowid id;
	unixtime time;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	char command[17];
	char action[32];
	char object[192];     /* path below the mount */
	rowid app;            /* 0: not of an app instance */
	int64_t generation;
};

#endif
