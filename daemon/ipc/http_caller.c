/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "ipc/http_state.h"

#define HTTP_GROUPS_MAX 256

/* Group that gives each role; a group that does not exist gives it to nobody. */
static const char *const role_groups[_ROLE_MAX] = {
	[ROLE_READ] = "aiops",
	[ROLE_PROPOSE] = "aiops-operate",
	[ROLE_OPERATE] = "aiops-operate",
	[ROLE_APPROVE] = "aiops-approve",
	[ROLE_CHAOS] = "aiops-chaos",
};

/* Looked up once: a request must wait for no name service. */
void http_load_role_gids(struct http_server *s)
{
	for (size_t i = 0; i < _ROLE_MAX; i++) {
		const struct group *g = getgrnam(role_groups[i]);

		s->role_gids[i] = g ? g->gr_gid : (gid_t)-1;
	}
}

static void grant_by_group(const struct http_server *s, struct http_caller *c, gid_t gid)
{
	for (size_t i = 0; gid != (gid_t)-1 && i < _ROLE_MAX; i++)
		if (s->role_gids[i] == gid)
			c->roles[i] = true;
}

int http_read_caller(const struct http_server *s, int fd, struct http_caller *ret,
		     struct err *reterr)
{
	struct http_caller c = { 0 };
	struct ucred cred = { 0 };
	gid_t groups[HTTP_GROUPS_MAX] = { 0 };
	socklen_t size = sizeof(cred), groups_size = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 || size != sizeof(cred))
		return err_set(reterr, -EPERM, "read caller: no peer credentials");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
		return err_set(reterr, -EPERM, "read caller: no peer groups: %s", strerror(errno));
	c.uid = cred.uid;
	str_append(c.name, sizeof(c.name), "%suid %u", cred.uid == 0 ? "root, " : "", cred.uid);
	grant_by_group(s, &c, cred.gid);
	for (size_t i = 0; i < groups_size / sizeof(gid_t); i++)
		grant_by_group(s, &c, groups[i]);
	for (size_t i = 0; cred.uid == 0 && i < _ROLE_MAX; i++)
		c.roles[i] = true;
	*ret = c;
	return 0;
}

const char *http_role_to_string(enum role role)
{
	return role_groups[role];
}

const char *http_role_hint(enum role role, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, "this needs root or a member of group '%s'", role_groups[role]);
	return buf;
}

int http_require_key(struct http_server *s, const char *key, struct err *reterr)
{
	int r = key[0] && strlen(key) < HTTP_KEY_MIN ? -EINVAL : 0;

	s->needs_key = true;
	s->key_hash[0] = '\0';
	if (r < 0)
		return err_set(reterr, r, "take key: it has fewer than %d characters",
			       HTTP_KEY_MIN);
	r = key[0] ? sha256_hex(key, strlen(key), s->key_hash) : 0;
	return r < 0 ? err_set(reterr, r, "take key: %s", strerror(-r)) : 0;
}

/* Digests are compared: they have one length and say nothing of how much was right. */
bool http_caller_by_key(const struct http_server *s, struct MHD_Connection *connection,
			struct http_caller *c)
{
	static const char scheme[] = "Bearer ";
	const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_AUTHORIZATION);
	char hash[SHA256_HEX_MAX] = "";
	uid_t uid = c->uid;

	if (!s->key_hash[0] || !header || strncasecmp(header, scheme, strlen(scheme)) != 0)
		return false;
	header += strlen(scheme);
	if (sha256_hex(header, strlen(header), hash) < 0 ||
	    CRYPTO_memcmp(hash, s->key_hash, strlen(s->key_hash)) != 0)
		return false;
	*c = (struct http_caller){ .uid = uid, .is_remote = true };
	c->roles[ROLE_READ] = c->roles[ROLE_PROPOSE] = true;
	str_append(c->name, sizeof(c->name), "remote, uid %u", uid);
	return true;
}
