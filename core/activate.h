/* A signing CA becomes the active one of a project, or its staged successor: what has to be ready before the transaction, and the transaction. */
#ifndef CORE_ACTIVATE_H
#define CORE_ACTIVATE_H

#include "core_internal.h"
#include "upload_judge.h"
#include "writer.h"

struct activation {
	rowid project;
	enum upload_target target;
	const struct candidate *candidate; /* borrowed */
	struct buffer sealed;              /* the key as the store keeps it; empty: the store has it */
	bool needs_sealed;
};

/* Proves the chain by a throw-away certificate, seals the key. EKEYREJECTED and the verifier's words. */
int activation_prepare(struct activation *activation, struct core *core, rowid project, enum upload_target target,
		       const struct candidate *candidate, struct error *err);

/* 1 if the project's csr.pem is for that key, 0 if not. */
int project_requested(struct store *store, rowid project, const uint8_t spki[FINGERPRINT_SIZE], struct error *err);

/* Inside a transaction of the writer. EKEYREJECTED: the key is marked compromised. */
int activation_apply(struct activation *activation, struct job *job, struct store *store, struct error *err);

void activation_clear(struct activation *activation);

#endif
