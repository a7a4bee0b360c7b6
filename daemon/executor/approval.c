/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/approval.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <string.h>

const char *approval_format(const struct entry *e, const char *boot_id, char *buf, size_t size)
{
	char params[PARAMS_MAX * (PARAM_NAME_MAX + PARAM_TEXT_MAX)] = "";
	char entity[ENTITY_TEXT_MAX];

	buf[0] = '\0';
	str_append(buf, size,
		   "aiops-action 1\nkey %s\nboot %s\nexpires_ns %" PRIu64
		   "\nop %s\naction %s\non %s\nrisk %s\nparams %s\n",
		   e->attempt.key, boot_id, e->expires_ns, step_op_to_string(e->op),
		   e->attempt.action, entity_format(&e->entity, entity),
		   risk_to_string(e->attempt.risk),
		   params_format(&e->attempt.params, params, sizeof(params)));
	return buf;
}

int approval_seal(struct entry *e, const char *boot_id)
{
	char text[APPROVAL_BYTES_MAX];

	(void)approval_format(e, boot_id, text, sizeof(text));
	return sha256_hex(text, strlen(text), e->hash);
}

int approval_check(const struct entry *e, const char *hash, bool approve, uint32_t uid,
		   uint64_t now_ns, struct err *reterr)
{
	if (e->attempt.phase != ATTEMPT_PHASE_WAITING)
		return err_set(reterr, -EALREADY, "decide on '%s': it is %s, not waiting",
			       e->attempt.key, attempt_phase_to_string(e->attempt.phase));
	if (now_ns >= e->expires_ns)
		return err_set(reterr, -ESTALE, "decide on '%s': its time is over", e->attempt.key);
	if (strlen(hash) != strlen(e->hash) || CRYPTO_memcmp(hash, e->hash, strlen(e->hash)) != 0)
		return err_set(reterr, -ESTALE,
			       "decide on '%s': the hash is of another action; look again",
			       e->attempt.key);
	if (approve && e->attempt.risk == RISK_DESTRUCTIVE && e->by_person &&
	    e->requester_uid == uid)
		return err_set(reterr, -EPERM,
			       "approve '%s': a destructive action takes a second person",
			       e->attempt.key);
	return 0;
}
