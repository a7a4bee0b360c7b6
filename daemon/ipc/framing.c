/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/framing.h"

#include <string.h>

struct seen {
	unsigned n_lengths, n_codings;
	bool bad_name;
};

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name,
				      const char *value)
{
	struct seen *seen = cls;

	(void)kind;
	(void)value;
	seen->bad_name |= strpbrk(name, " \t") != NULL;
	seen->n_lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	seen->n_codings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
	return MHD_YES;
}

bool framing_is_ambiguous(struct MHD_Connection *connection)
{
	struct seen seen = { 0 };

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at_header, &seen);
	return seen.bad_name || seen.n_lengths + seen.n_codings > 1;
}
