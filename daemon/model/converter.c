/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/converter.h"

#include "base/str.h"

#define DEADLINE_MS 30000 /* a manual page takes 0.2 s, a PDF of 500 pages about 5 */

/* "gfm" keeps headings, so that the text can be cut at them. */
const struct converter converters[] = {
	{ .suffix = ".pdf",
	  .argv = { "/usr/bin/pdftotext", "-q", "-enc", "UTF-8", "-nopgbrk", "-", "-", NULL },
	  .package = "poppler-utils",
	  .deadline_ms = DEADLINE_MS },
	{ .suffix = ".docx",
	  .argv = { "/usr/bin/pandoc", "--sandbox", "--from=docx", "--to=gfm", "--wrap=none", "-",
		    NULL },
	  .package = "pandoc",
	  .deadline_ms = DEADLINE_MS },
	{ .suffix = ".man",
	  .argv = { "/usr/bin/man", "--local-file", "-", NULL },
	  .package = "man-db",
	  .deadline_ms = DEADLINE_MS },
	{ .suffix = NULL },
};

const struct converter *converter_find(const char *suffix)
{
	for (const struct converter *c = converters; c->suffix; c++)
		if (str_equal(c->suffix, suffix))
			return c;
	return NULL;
}
