/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sealed.h"

/* One rule of nftables, which is taken out and put back as the kernel has it, byte for byte; so it does not
 * matter whether nft, iptables or Docker made it. Not libnftables: that is GPL-2.0-only, which cannot be
 * linked with OpenSSL 3, and its text does not give every rule back.
 * Source: kernel include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nf_tables_api.c. */

#define NFT_NAME_MAX  66   /* of a table or chain that a parameter can name */
#define NFT_BYTES_MAX 3400 /* of a rule, so that an undo record holds it */

struct nft_place {
	uint32_t family; /* NFPROTO_* */
	char table[NFT_NAME_MAX], chain[NFT_NAME_MAX];
};

struct nft_rule {
	struct nft_place place;
	uint64_t handle, before, after; /* of it and its neighbours; 0: none */
	char sha256[SHA256_HEX_MAX];    /* of its content with counters at zero */
	uint32_t n_same;                /* rules of that content in the chain */
	uint16_t expressions_size, userdata_size, compat_size;
	uint8_t bytes[NFT_BYTES_MAX]; /* these three in this order */
};

/* Returns 0; -ENOENT: no such rule; -EFBIG: too large to be kept; -EAGAIN: the rules change all the time;
 * other -errno. */
int nft_read_rule(const struct nft_place *place, uint64_t handle, struct nft_rule *ret,
		  struct err *reterr) _warn_unused_;

/* How many rules of that content the chain has. Returns that; -ENOENT: no such chain; other -errno. */
int nft_count_same(const struct nft_rule *rule, struct err *reterr) _warn_unused_;

/* "meta cmp payload cmp counter drop". Returns buf. */
const char *nft_describe(const struct nft_rule *rule, char *buf, size_t size);

/* True if it refuses packets. Without it more passes, so nobody is locked out. */
bool nft_is_refusal(const struct nft_rule *rule);

/* Takes it out if it is still the one that was read; the kernel itself compares, nothing can come in
 * between. Returns 0; -ESTALE: it has changed; -ETIMEDOUT: nobody knows; other -errno. */
int nft_delete_rule(const struct nft_rule *rule, struct err *reterr) _warn_unused_;

/* Puts it back between its neighbours, or beside the one that is left. Returns 0; -ESTALE: its place cannot
 * be found again; other -errno. */
int nft_restore_rule(const struct nft_rule *rule, struct err *reterr) _warn_unused_;
