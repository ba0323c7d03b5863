#include "fs/reply.h"

#include <errno.h>

void reply_status(fuse_req_t req, int r)
{
	fuse_reply_err(req, -r);
}

void reply_node_error(fuse_req_t req, int r)
{
	reply_status(req, r == -ENOENT ? -ESTALE : r);
}

void reply_entry(fuse_req_t req, const struct node *node)
{
	struct fuse_entry_param entry = {
		.ino = node->id,
		.attr = node->attr,
		.attr_timeout = node->attr_timeout,
		.entry_timeout = node->entry_timeout,
	};

	fuse_reply_entry(req, &entry);
}

void reply_attr(fuse_req_t req, const struct node *node)
{
	fuse_reply_attr(req, &node->attr, node->attr_timeout);
}

void reply_slice(fuse_req_t req, struct span content, off_t offset, size_t size)
{
	const size_t start = offset < 0 || (uint64_t)offset > content.size ? content.size : (size_t)offset;
	const size_t rest = content.size - start;

	fuse_reply_buf(req, rest ? (const char *)content.data + start : NULL, rest < size ? rest : size);
}

void reply_done(void *context, int r, int64_t result, const struct error *err)
{
	(void)result;
	(void)err;
	reply_status(context, r);
}
