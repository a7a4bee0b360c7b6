/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/api.h"

#include <errno.h>

#include "base/paths.h"
#include "base/str.h"
#include "ipc/client.h"

#define API_DEADLINE_MS 5000

static const struct {
	const char *file, *daemon;
} sockets[] = {
	[API_CONTROL] = { "control.sock", "aiops-agent" },
	[API_ACTIONS] = { "control.sock", "aiops-executor" },
	[API_APPROVE] = { "approve.sock", "aiops-executor" },
	[API_HISTORY] = { "history.sock", "aiops-recorder" },
};

const char *api_daemon(enum api_socket where)
{
	return sockets[where].daemon;
}

static int request(const struct ctl *ctl, enum api_socket where, const char *method,
		   const char *path, struct json_object *body, long *ret_status,
		   struct json_object **ret, struct err *reterr)
{
	char socket_path[256] = "";
	int r;

	str_append(socket_path, sizeof(socket_path), "%s/%s", ctl->runtime_dir,
		   sockets[where].file);
	r = client_request(socket_path, method, path, body, API_DEADLINE_MS, ret_status, ret,
			   reterr);
	if (where == API_ACTIONS && (r == -ECONNREFUSED || r == -ENOENT))
		return request(ctl, API_APPROVE, method, path, body, ret_status, ret, reterr);
	return r;
}

static int exit_of_status(long status)
{
	switch (status) {
	case 400:
	case 405:
	case 413:
		return CTL_USAGE;
	case 403:
	case 429:
		return CTL_REFUSED;
	case 404:
		return CTL_NOT_FOUND;
	case 503:
		return CTL_NO_DAEMON;
	default:
		return CTL_FAILED;
	}
}

static int fail_to_connect(const struct ctl *ctl, enum api_socket where, int r,
			   const struct err *err)
{
	char hint[128] = "";

	if (r == -EACCES)
		return ctl_fail_err(ctl, CTL_REFUSED,
				    "use root, or become a member of group 'aiops'", err);
	if (r != -ECONNREFUSED && r != -ENOENT)
		return ctl_fail_err(ctl, r == -ETIMEDOUT ? CTL_TIMEOUT : CTL_FAILED, NULL, err);
	str_append(hint, sizeof(hint), "start it: systemctl enable --now aiops-agent");
	return ctl_fail(ctl, CTL_NO_DAEMON, hint, "%s is not running: %s", sockets[where].daemon,
			err_text(err));
}

int api_call(const struct ctl *ctl, enum api_socket where, const char *method, const char *path,
	     struct json_object *body, struct json_object **ret)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *e;
	struct err err = { 0 };
	long status = 0;
	int r = request(ctl, where, method, path, body, &status, &answer, &err);

	if (r < 0)
		return fail_to_connect(ctl, where, r, &err);
	if (status < 300) {
		*ret = TAKE_PTR(answer);
		return CTL_OK;
	}
	e = json_member(answer, "error");
	return ctl_fail(ctl, exit_of_status(status), json_text(e, "hint", NULL), "%s",
			json_text(e, "message", "the daemon refused without saying why"));
}

int api_try(const struct ctl *ctl, enum api_socket where, const char *path,
	    struct json_object **ret, struct err *reterr)
{
	_cleanup_json_ struct json_object *answer = NULL;
	long status = 0;
	int r = request(ctl, where, "GET", path, NULL, &status, &answer, reterr);

	if (r < 0)
		return r;
	if (status >= 300)
		return err_set(reterr, -EIO, "ask %s: HTTP status %ld: %s", sockets[where].daemon,
			       status,
			       json_text(json_member(answer, "error"), "message", "not well"));
	*ret = TAKE_PTR(answer);
	return 0;
}
