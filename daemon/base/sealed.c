/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sealed.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "base/fd.h"

static const uint8_t no_sha256[SHA256_SIZE];

/* The digest of the struct as if its sha256 field were zero. */
static int digest_sealed(const void *data, size_t size, uint8_t ret[static SHA256_SIZE])
{
	const size_t at = offsetof(struct sealed_head, sha256);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(c, data, at) == 1 &&
		  EVP_DigestUpdate(c, no_sha256, SHA256_SIZE) == 1 &&
		  EVP_DigestUpdate(c, (const uint8_t *)data + sizeof(struct sealed_head),
				   size - sizeof(struct sealed_head)) == 1 &&
		  EVP_DigestFinal_ex(c, ret, NULL) == 1;

	EVP_MD_CTX_free(c);
	return ok ? 0 : -ENOMEM;
}

int sealed_close(void *data, size_t size, uint16_t kind, uint16_t version)
{
	struct sealed_head *h = data;
	uint8_t sha256[SHA256_SIZE] = { 0 };
	int r;

	assert(size >= sizeof(*h) && size <= UINT32_MAX);
	*h = (struct sealed_head){
		.magic = SEALED_MAGIC,
		.version = version,
		.kind = kind,
		.size = (uint32_t)size,
	};
	r = digest_sealed(data, size, sha256);
	if (r == 0)
		memcpy(h->sha256, sha256, sizeof(sha256));
	return r;
}

int sealed_check(const void *data, size_t got, size_t size, uint16_t kind, uint16_t version,
		 struct err *reterr)
{
	const struct sealed_head *h = data;
	uint8_t sha256[SHA256_SIZE] = { 0 };
	int r;

	if (got != size)
		return err_set(reterr, -EBADMSG, "%zu bytes instead of %zu", got, size);
	if (h->magic != SEALED_MAGIC || h->size != size || h->reserved != 0)
		return err_set(reterr, -EBADMSG, "not a record of ours");
	if (h->kind != kind || h->version != version)
		return err_set(reterr, -EBADMSG, "kind %u version %u instead of %u version %u",
			       h->kind, h->version, kind, version);
	r = digest_sealed(data, size, sha256);
	if (r < 0)
		return err_set(reterr, r, "compute checksum: %s", strerror(-r));
	if (memcmp(sha256, h->sha256, sizeof(sha256)) != 0)
		return err_set(reterr, -EBADMSG, "checksum differs");
	return 0;
}

int sealed_write(int dir_fd, const char *name, void *data, size_t size, uint16_t kind,
		 uint16_t version, struct err *reterr)
{
	int r = sealed_close(data, size, kind, version);

	if (r < 0)
		return err_set(reterr, r, "seal record '%s': %s", name, strerror(-r));
	return fd_write_atomic(dir_fd, name, data, size, 0640, false, reterr);
}

int sealed_read(int dir_fd, const char *name, void *data, size_t size, uint16_t kind,
		uint16_t version, struct err *reterr)
{
	_cleanup_free_ char *buf = malloc(size + 1);
	ssize_t n;
	int r;

	if (!buf)
		return err_set(reterr, -ENOMEM, "read record '%s': %s", name, strerror(ENOMEM));
	n = fd_read_file(dir_fd, name, buf, size + 1);
	if (n == -EFBIG)
		return err_set(reterr, -EBADMSG, "read record '%s': more than %zu bytes", name,
			       size);
	if (n < 0)
		return err_set(reterr, (int)n, "read record '%s': %s", name, strerror((int)-n));
	r = sealed_check(buf, (size_t)n, size, kind, version, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "read record '%s'", name);
	memcpy(data, buf, size);
	return 0;
}

int sha256_hex(const void *data, size_t size, char ret[static SHA256_HEX_MAX])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t sha256[SHA256_SIZE] = { 0 };

	if (EVP_Digest(data, size, sha256, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(sha256); i++) {
		ret[2 * i] = digits[sha256[i] >> 4];
		ret[2 * i + 1] = digits[sha256[i] & 15];
	}
	ret[2 * SHA256_SIZE] = '\0';
	return 0;
}
