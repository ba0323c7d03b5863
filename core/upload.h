/* Uploads of a signing CA (SPEC 5.1): parts wait in locked memory (staging.h) until certificate and key are there and match; then
 * the signing CA becomes active in one transaction, inside the close that completed it. See core_upload in certfs/core.h.
 */
#ifndef CORE_UPLOAD_H
#define CORE_UPLOAD_H

#include "certfs/core.h"
#include "rejected.h"

struct upload;

int upload_new(struct core *core, struct upload **ret, struct error *err);
void upload_free(struct upload *upload);

/* Forgets parts that have waited for an hour. */
void upload_tick(struct upload *upload, unixtime now);

/* Whether that request (caller.request) brought a part that waits: then it was answered, or would have been. */
bool upload_knows(struct upload *upload, uint64_t request);

/* Which parts of a project wait, and which are missing for them to be of use, for signing_ca/status. */
void upload_waiting(struct upload *upload, rowid project, enum upload_target target, bool ret_staged[UPLOAD_PART_COUNT],
		    bool ret_missing[UPLOAD_PART_COUNT]);

/* Where the reason of a refused upload is kept. */
enum rejected_file upload_rejected_file(enum upload_target target);

#endif
