/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <stdarg.h>
#include <string.h>

#include "base/str.h"

int err_set(struct err *reterr, int code, const char *format, ...)
{
	va_list ap;

	if (!reterr)
		return code;
	reterr->code = code;
	va_start(ap, format);
	(void)vsnprintf(reterr->text, sizeof(reterr->text), format, ap);
	va_end(ap);
	return code;
}

int err_wrap(struct err *reterr, int code, const char *format, ...)
{
	char cause[ERR_TEXT_MAX] = "";
	va_list ap;

	if (!reterr)
		return code;
	str_append(cause, sizeof(cause), "%s",
		   reterr->code == code && reterr->text[0] ? reterr->text : strerror(-code));
	reterr->code = code;
	va_start(ap, format);
	(void)vsnprintf(reterr->text, sizeof(reterr->text), format, ap);
	va_end(ap);
	str_append(reterr->text, sizeof(reterr->text), ": %s", cause);
	return code;
}

const char *err_text(const struct err *err)
{
	return err->text[0] ? err->text : strerror(-err->code);
}
