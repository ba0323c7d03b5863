/* Answers. Errors become FUSE replies here and nowhere else. */
#ifndef FS_REPLY_H
#define FS_REPLY_H

#include "fs/node.h"

/* r: 0 or a negative errno. */
void reply_status(fuse_req_t req, int r);

/* For an object that a node id names: one that is gone is stale, so that the kernel looks the name up again. */
void reply_node_error(fuse_req_t req, int r);

void reply_entry(fuse_req_t req, const struct node *node);
void reply_attr(fuse_req_t req, const struct node *node);

/* The part of content that was asked for. */
void reply_slice(fuse_req_t req, struct span content, off_t offset, size_t size);

/* A core_done: context is the request. */
void reply_done(void *context, int r, int64_t result, const struct error *err);

#endif
