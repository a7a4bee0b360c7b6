/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auditverify DIR: what `aiopsctl audit verify` does, for tests of the recorder alone. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "model/audit.h"

int main(int argc, char **argv)
{
	struct audit_report report = { 0 };
	struct err err = { 0 };
	int fd = argc == 2 ? fd_open_dir(AT_FDCWD, argv[1], &err) : -EINVAL;
	int r = fd < 0 ? fd : audit_verify(fd, &report, &err);

	if (r < 0) {
		(void)printf("%s\n", err_text(&err));
		return EXIT_FAILURE;
	}
	(void)printf("%" PRIu64 " lines in %u segments, head %s\n", report.lines, report.segments,
		     report.head.hash);
	return EXIT_SUCCESS;
}
