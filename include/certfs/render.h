/* Renderers: one view in, bytes out. A row of the tree names one for each file (fs/tree.c).
 *
 * A renderer appends the whole content to out (secret if the file holds a private key) or returns a negative errno with the
 * sentence; then out is not to be used. It never changes anything and never issues.
 */
#ifndef CERTFS_RENDER_H
#define CERTFS_RENDER_H

#include "certfs/view.h"

typedef int (*render_fn)(const struct view *view, struct buffer *out, struct error *err);

/* How many bytes reading a file will give, known without issuing: for those whose content is still to come. */
typedef int (*size_fn)(const struct view *view, size_t *ret, struct error *err);

/* A log: appends what came after *cursor (0: from the start) and moves the cursor. Entries end in a newline. */
typedef int (*log_fn)(const struct view *view, int64_t *cursor, struct buffer *out, struct error *err);

/* events of the mount, a project or an app instance, and the audit (render_log.c) */
int log_events(const struct view *view, int64_t *cursor, struct buffer *out, struct error *err);
int log_audit(const struct view *view, int64_t *cursor, struct buffer *out, struct error *err);
int size_events(const struct view *view, size_t *ret, struct error *err);
int size_audit(const struct view *view, size_t *ret, struct error *err);

/* The mount (render_fleet.c) */
int render_readme(const struct view *view, struct buffer *out, struct error *err);
int render_fleet_status(const struct view *view, struct buffer *out, struct error *err);
int render_fleet_status_json(const struct view *view, struct buffer *out, struct error *err);

/* Prometheus text exposition (render_metrics.c) */
int render_metrics(const struct view *view, struct buffer *out, struct error *err);

/* The fleet as a page (render_dashboard.c, dashboard.html) */
int render_dashboard(const struct view *view, struct buffer *out, struct error *err);
int size_dashboard(const struct view *view, size_t *ret, struct error *err);

/* A project and its signing CA (render_project.c) */
int render_policy(const struct view *view, struct buffer *out, struct error *err);
int render_project_status(const struct view *view, struct buffer *out, struct error *err);
int render_project_status_json(const struct view *view, struct buffer *out, struct error *err);
int render_signing_ca_cert(const struct view *view, struct buffer *out, struct error *err);
int render_signing_ca_info(const struct view *view, struct buffer *out, struct error *err);
int render_signing_ca_info_json(const struct view *view, struct buffer *out, struct error *err);
int render_signing_ca_status(const struct view *view, struct buffer *out, struct error *err);
int render_signing_ca_status_json(const struct view *view, struct buffer *out, struct error *err);
int render_next_cert(const struct view *view, struct buffer *out, struct error *err);
int render_next_info(const struct view *view, struct buffer *out, struct error *err);
int render_next_status(const struct view *view, struct buffer *out, struct error *err);
int render_csr(const struct view *view, struct buffer *out, struct error *err);
int render_affected(const struct view *view, struct buffer *out, struct error *err);
int render_crl(const struct view *view, struct buffer *out, struct error *err);
/* A write-only file: reading it as root gives nothing. */
int render_nothing(const struct view *view, struct buffer *out, struct error *err);

/* The certificate files of an app instance, and of one generation (render_certificate.c). ENOENT for the key of a generation
 * that is not the current one. */
int render_device_ca_cert(const struct view *view, struct buffer *out, struct error *err);
int render_device_ca_key(const struct view *view, struct buffer *out, struct error *err);
int render_bundle(const struct view *view, struct buffer *out, struct error *err);
int size_device_ca_cert(const struct view *view, size_t *ret, struct error *err);
int size_device_ca_key(const struct view *view, size_t *ret, struct error *err);
int size_bundle(const struct view *view, size_t *ret, struct error *err);
int render_trust_bundle(const struct view *view, struct buffer *out, struct error *err);

/* What a gateway is started with (render_user_data.c) */
int render_user_data(const struct view *view, struct buffer *out, struct error *err);
int size_user_data(const struct view *view, size_t *ret, struct error *err);
int render_template(const struct view *view, struct buffer *out, struct error *err);
int render_details(const struct view *view, struct buffer *out, struct error *err);
int render_project_template(const struct view *view, struct buffer *out, struct error *err);
int render_project_details(const struct view *view, struct buffer *out, struct error *err);

/* What IoT Edge wants to be told (render_iotedge.c) */
int render_config_toml(const struct view *view, struct buffer *out, struct error *err);
int render_config_yaml(const struct view *view, struct buffer *out, struct error *err);

/* An app instance (render_app.c) */
int render_app_status(const struct view *view, struct buffer *out, struct error *err);
int render_app_status_json(const struct view *view, struct buffer *out, struct error *err);
int render_app_info(const struct view *view, struct buffer *out, struct error *err);
int render_app_info_json(const struct view *view, struct buffer *out, struct error *err);
int render_readers(const struct view *view, struct buffer *out, struct error *err);

/* Triggers, and the progress of the job that some start (render_trigger.c) */
int render_renew(const struct view *view, struct buffer *out, struct error *err);
int render_purge(const struct view *view, struct buffer *out, struct error *err);
int render_revoke(const struct view *view, struct buffer *out, struct error *err);
int render_update(const struct view *view, struct buffer *out, struct error *err);
int render_force_update(const struct view *view, struct buffer *out, struct error *err);
int render_compromised(const struct view *view, struct buffer *out, struct error *err);
int render_progress(const struct view *view, struct buffer *out, struct error *err);

/* Extended attributes user.certfs.{state,generation,serial,not_after} of an app instance. ENODATA: no such attribute, or
 * nothing was issued yet. */
extern const char *const view_attribute_names[]; /* NULL-terminated, without the prefix "user.certfs." */
int view_attribute(const struct view *view, const char *name, struct buffer *out, struct error *err);

#endif
